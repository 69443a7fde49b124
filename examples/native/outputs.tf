output "dead_letter_queue_url" {
  description = "URL of the queue of messages for which no execution could be started."
  value       = module.pipeline.dead_letter_queue_url
}

output "failed_queue_url" {
  description = "URL of the queue of events whose execution failed."
  value       = module.pipeline.failed_queue_url
}

output "function_name" {
  description = "Name of the durable function."
  value       = module.function.name
}

output "function_version" {
  description = "Version of the durable function on which new executions start."
  value       = module.function.version
}

output "queue_url" {
  description = "URL of the queue, to send bookings to."
  value       = module.pipeline.queue_url
}

output "table_name" {
  description = "Name of the table of bookings."
  value       = aws_dynamodb_table.this.name
}
