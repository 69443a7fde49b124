output "dead_letter_queue_url" {
  description = "URL of the queue of messages for which no execution could be started."
  value       = module.expenses.dead_letter_queue_url
}

output "failed_queue_url" {
  description = "URL of the queue of events whose execution started and failed."
  value       = module.expenses.failed_queue_url
}

output "function_name" {
  description = "Name of the durable function."
  value       = module.expenses.function_name
}

output "questions_queue_url" {
  description = "URL of the queue of expenses that wait for an answer."
  value       = module.questions.url
}

output "queue_url" {
  description = "URL of the queue, to send expenses to."
  value       = module.expenses.queue_url
}

output "table_name" {
  description = "Name of the table of expenses and what became of them."
  value       = aws_dynamodb_table.this.name
}
