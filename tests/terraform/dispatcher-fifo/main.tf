# A FIFO queue behind the dispatcher: executions start in the order of their group.
module "dispatcher_fifo" {
  source = "../../.."

  # Proven by the scenarios alarms-*; without it an apply takes half as long.
  observability = false

  name   = "dispatched-fifo"
  bridge = "dispatcher"
  fifo   = true
  tags   = { scenario = "dispatcher-fifo" }
}

output "artifact_bucket" { value = module.dispatcher_fifo.artifact_bucket }
output "dead_letter_queue_url" { value = module.dispatcher_fifo.dead_letter_queue_url }
output "dispatcher_function_name" { value = module.dispatcher_fifo.dispatcher_function_name }
output "event_source_mapping_uuid" { value = module.dispatcher_fifo.event_source_mapping_uuid }
output "failed_queue_url" { value = module.dispatcher_fifo.failed_queue_url }
output "function_alias_arn" { value = module.dispatcher_fifo.function_alias_arn }
output "function_name" { value = module.dispatcher_fifo.function_name }
output "log_group_name" { value = module.dispatcher_fifo.log_group_name }
output "queue_arn" { value = module.dispatcher_fifo.queue_arn }
output "queue_url" { value = module.dispatcher_fifo.queue_url }
output "step_function_names" { value = module.dispatcher_fifo.step_function_names }
output "table_name" { value = module.dispatcher_fifo.table_name }
