output "failed_executions_url" {
  description = "URL of the queue of events whose execution failed."
  value       = module.failed_executions.url
}

output "failed_queue_url" {
  description = "URL of the queue that says which records started no execution."
  value       = module.consumer.on_failure_queue_url
}

output "function_name" {
  description = "Name of the durable function."
  value       = module.function.name
}

output "table_name" {
  description = "Name of the table of orders."
  value       = aws_dynamodb_table.this.name
}
