# The sample behind the dispatcher: one execution a message, however often the message is delivered.
module "dispatcher" {
  source = "../../.."

  # Proven by the scenarios alarms-*; without it an apply takes half as long.
  observability = false

  name   = "dispatched"
  bridge = "dispatcher"
  tags   = { scenario = "dispatcher" }
}

output "artifact_bucket" { value = module.dispatcher.artifact_bucket }
output "dead_letter_queue_url" { value = module.dispatcher.dead_letter_queue_url }
output "dispatcher_function_name" { value = module.dispatcher.dispatcher_function_name }
output "event_source_mapping_uuid" { value = module.dispatcher.event_source_mapping_uuid }
output "failed_queue_url" { value = module.dispatcher.failed_queue_url }
output "function_alias_arn" { value = module.dispatcher.function_alias_arn }
output "function_name" { value = module.dispatcher.function_name }
output "log_group_name" { value = module.dispatcher.log_group_name }
output "queue_arn" { value = module.dispatcher.queue_arn }
output "queue_url" { value = module.dispatcher.queue_url }
output "step_function_names" { value = module.dispatcher.step_function_names }
output "table_name" { value = module.dispatcher.table_name }
