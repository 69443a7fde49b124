# examples/kinesis, from outside.
variable "redrive" {
  description = "As in the example."
  type        = bool
  default     = false
}

variable "source_dir" {
  description = "As in the example."
  type        = string
  default     = null
}

module "example" {
  source = "../../../examples/kinesis"

  redrive    = var.redrive
  source_dir = var.source_dir
}

output "failed_dead_letter_url" { value = module.example.failed_dead_letter_url }
output "failed_queue_url" { value = module.example.failed_queue_url }
output "function_name" { value = module.example.function_name }
output "stream_name" { value = module.example.stream_name }
output "table_name" { value = module.example.table_name }
