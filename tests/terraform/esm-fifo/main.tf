# A FIFO queue behind a direct mapping: each group in its order, one message after another.
module "esm_fifo" {
  source = "../../.."

  # Proven by the scenarios alarms-*: here it would double the apply.
  observability = false

  name   = "direct-fifo"
  bridge = "esm"
  fifo   = true
  tags   = { scenario = "esm-fifo" }
}

output "artifact_bucket" { value = module.esm_fifo.artifact_bucket }
output "dead_letter_queue_url" { value = module.esm_fifo.dead_letter_queue_url }
output "dispatcher_function_name" { value = module.esm_fifo.dispatcher_function_name }
output "event_source_mapping_uuid" { value = module.esm_fifo.event_source_mapping_uuid }
output "failed_queue_url" { value = module.esm_fifo.failed_queue_url }
output "function_alias_arn" { value = module.esm_fifo.function_alias_arn }
output "function_name" { value = module.esm_fifo.function_name }
output "log_group_name" { value = module.esm_fifo.log_group_name }
output "queue_arn" { value = module.esm_fifo.queue_arn }
output "queue_url" { value = module.esm_fifo.queue_url }
output "step_function_names" { value = module.esm_fifo.step_function_names }
output "table_name" { value = module.esm_fifo.table_name }
