# examples/websocket, from outside.
module "example" {
  source = "../../../examples/websocket"

  # Proven by the scenarios alarms-*: here it would double the apply.
  observability = false
}

output "access_log_group_name" { value = module.example.access_log_group_name }
output "api_id" { value = module.example.api_id }
output "connection_table_name" { value = module.example.connection_table_name }
output "connections_function_name" { value = module.example.connections_function_name }
output "dead_letter_queue_url" { value = module.example.dead_letter_queue_url }
output "function_name" { value = module.example.function_name }
output "management_endpoint" { value = module.example.management_endpoint }
output "queue_url" { value = module.example.queue_url }
output "reply_function_name" { value = module.example.reply_function_name }
output "table_name" { value = module.example.table_name }
output "url" { value = module.example.url }
