# examples/dynamodb-stream, from outside.
variable "redrive" {
  description = "As in the example."
  type        = bool
  default     = false
}

module "example" {
  source = "../../../examples/dynamodb-stream"

  redrive = var.redrive
}

output "failed_executions_url" { value = module.example.failed_executions_url }
output "failed_queue_url" { value = module.example.failed_queue_url }
output "function_name" { value = module.example.function_name }
output "table_name" { value = module.example.table_name }
