# Own sources from outside the module: a durable handler that waits for a callback.
variable "source_dir" {
  description = "Other sources for the function, to deploy changed code; null for this scenario's own."
  type        = string
  default     = null
}

module "callback" {
  source = "../../.."

  # Proven by the scenarios alarms-*; without it an apply takes half as long.
  observability = false

  name          = "callback"
  source_dir    = var.source_dir == null ? "${path.module}/handler" : var.source_dir
  pip_arguments = ["--no-deps"]

  filter_patterns = [jsonencode({ body = { request = [{ exists = true }] } })]

  tags = { scenario = "callback" }
}

output "dead_letter_queue_url" { value = module.callback.dead_letter_queue_url }
output "failed_queue_url" { value = module.callback.failed_queue_url }
output "function_alias_arn" { value = module.callback.function_alias_arn }
output "function_name" { value = module.callback.function_name }
output "function_version" { value = module.callback.function_version }
output "pipe_name" { value = module.callback.pipe_name }
output "queue_url" { value = module.callback.queue_url }
output "step_function_arns" { value = module.callback.step_function_arns }
output "table_name" { value = module.callback.table_name }
