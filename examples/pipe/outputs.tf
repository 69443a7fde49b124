output "dead_letter_queue_url" {
  description = "URL of the queue of messages for which no execution could be started."
  value       = module.reminders.dead_letter_queue_url
}

output "failed_queue_url" {
  description = "URL of the queue of events whose execution started and failed."
  value       = module.reminders.failed_queue_url
}

output "function_name" {
  description = "Name of the durable function."
  value       = module.reminders.function_name
}

output "queue_url" {
  description = "URL of the queue, to send reminders to."
  value       = module.reminders.queue_url
}

output "table_name" {
  description = "Name of the table of reminders that are due."
  value       = aws_dynamodb_table.this.name
}
