output "access_log_group_name" {
  description = "Name of the log group with a line for each request."
  value       = module.ingress.log_group_name
}

output "api_id" {
  description = "Identifier of the API."
  value       = module.ingress.api_id
}

output "connection_table_name" {
  description = "Name of the table of who is connected."
  value       = module.ingress.table_name
}

output "connections_function_name" {
  description = "Name of the function that keeps that table."
  value       = module.ingress.connections_function_name
}

output "dead_letter_queue_url" {
  description = "URL of the queue of orders that could not be handled."
  value       = module.orders.dead_letter_queue_url
}

output "function_name" {
  description = "Name of the durable function."
  value       = module.orders.function_name
}

output "management_endpoint" {
  description = "Endpoint of @connections."
  value       = module.ingress.management_endpoint
}

output "queue_url" {
  description = "URL of the queue of orders."
  value       = module.orders.queue_url
}

output "reply_function_name" {
  description = "Name of the function that posts to clients."
  value       = module.ingress.reply_function_name
}

output "table_name" {
  description = "Name of the table of orders that were handled."
  value       = module.orders.table_name
}

output "url" {
  description = "URL to connect to, with ?client_id=<id>: by it the client is found after it has connected anew."
  value       = module.ingress.url
}
