# examples/stream-pipe, from outside.
module "example" {
  source = "../../../examples/stream-pipe"
}

output "failed_queue_url" { value = module.example.failed_queue_url }
output "function_name" { value = module.example.function_name }
output "pipe_name" { value = module.example.pipe_name }
output "stream_name" { value = module.example.stream_name }
output "table_name" { value = module.example.table_name }
