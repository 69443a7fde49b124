# The sample behind a direct mapping: Lambda waits for each execution, and failed messages return.
module "esm" {
  source = "../../.."

  # Proven by the scenarios alarms-*: here it would double the apply.
  observability = false

  name   = "direct"
  bridge = "esm"
  tags   = { scenario = "esm" }
}

output "artifact_bucket" { value = module.esm.artifact_bucket }
output "dead_letter_queue_url" { value = module.esm.dead_letter_queue_url }
output "dispatcher_function_name" { value = module.esm.dispatcher_function_name }
output "event_source_mapping_uuid" { value = module.esm.event_source_mapping_uuid }
output "failed_queue_url" { value = module.esm.failed_queue_url }
output "function_alias_arn" { value = module.esm.function_alias_arn }
output "function_name" { value = module.esm.function_name }
output "log_group_name" { value = module.esm.log_group_name }
output "queue_arn" { value = module.esm.queue_arn }
output "queue_url" { value = module.esm.queue_url }
output "step_function_names" { value = module.esm.step_function_names }
output "table_name" { value = module.esm.table_name }
