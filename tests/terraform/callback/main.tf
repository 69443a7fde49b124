# Own sources: a durable handler that waits for a callback. REVISION tells which deployment an execution started on.
variable "revision" {
  description = "Changes the code's configuration, and so publishes a version."
  type        = string
  default     = "1"
  nullable    = false
}

module "callback" {
  source = "../../.."

  name                  = "callback"
  source_dir            = "${path.module}/handler"
  pip_arguments         = ["--no-deps"]
  environment_variables = { REVISION = var.revision }
  tags                  = { scenario = "callback" }
}

output "dead_letter_queue_url" { value = module.callback.dead_letter_queue_url }
output "failed_queue_url" { value = module.callback.failed_queue_url }
output "function_alias_arn" { value = module.callback.function_alias_arn }
output "function_name" { value = module.callback.function_name }
output "function_version" { value = module.callback.function_version }
output "queue_url" { value = module.callback.queue_url }
output "step_function_arns" { value = module.callback.step_function_arns }
output "table_name" { value = module.callback.table_name }
