output "failed_queue_url" {
  description = "URL of the queue of orders whose execution failed, with the error."
  value       = module.orders.failed_queue_url
}

output "function_name" {
  description = "Name of the durable function."
  value       = module.orders.function_name
}

output "queue_url" {
  description = "URL of the queue to send orders to."
  value       = module.orders.queue_url
}

output "table_name" {
  description = "Name of the table of orders."
  value       = aws_dynamodb_table.this.name
}
