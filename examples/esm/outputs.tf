output "dead_letter_queue_url" {
  description = "URL of the queue of payments that failed five times."
  value       = module.payments.dead_letter_queue_url
}

output "failed_queue_url" {
  description = "URL of the queue of events that somebody started by hand and that failed: the mapping puts nothing there."
  value       = module.payments.failed_queue_url
}

output "function_name" {
  description = "Name of the durable function."
  value       = module.payments.function_name
}

output "queue_url" {
  description = "URL of the queue, to send payments to."
  value       = module.payments.queue_url
}

output "table_name" {
  description = "Name of the table of payments that are booked."
  value       = aws_dynamodb_table.this.name
}
