# The sample behind a direct mapping that gives up soon: what keeps failing is in <name>-dlq after seconds, what is started by
# hand and fails in <name>-failed. Executions are short, so that a failed message is back soon.
module "redrive" {
  source = "../../.."

  # Proven by the scenarios alarms-*: here it would double the apply.
  observability = false

  name              = "redriven"
  bridge            = "esm"
  timeout           = 5
  execution_timeout = 7
  batch_size        = 5
  max_receive_count = 2
  tags              = { scenario = "redrive" }
}

output "dead_letter_queue_url" { value = module.redrive.dead_letter_queue_url }
output "event_source_mapping_uuid" { value = module.redrive.event_source_mapping_uuid }
output "failed_queue_url" { value = module.redrive.failed_queue_url }
output "function_alias_arn" { value = module.redrive.function_alias_arn }
output "function_name" { value = module.redrive.function_name }
output "queue_url" { value = module.redrive.queue_url }
output "step_function_names" { value = module.redrive.step_function_names }
output "table_name" { value = module.redrive.table_name }
