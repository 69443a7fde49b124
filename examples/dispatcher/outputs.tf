output "dead_letter_queue_url" {
  description = "URL of the queue of messages for which no execution could be started."
  value       = module.renewals.dead_letter_queue_url
}

output "dispatcher_function_name" {
  description = "Name of the function that starts the executions."
  value       = module.renewals.dispatcher_function_name
}

output "failed_queue_url" {
  description = "URL of the queue of events whose execution started and failed."
  value       = module.renewals.failed_queue_url
}

output "function_name" {
  description = "Name of the durable function."
  value       = module.renewals.function_name
}

output "queue_url" {
  description = "URL of the queue, to send renewals to."
  value       = module.renewals.queue_url
}

output "table_name" {
  description = "Name of the table of renewals that are due."
  value       = module.renewals.table_name
}
