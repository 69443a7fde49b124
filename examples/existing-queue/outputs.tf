output "dead_letter_queue_url" {
  description = "URL of the existing queue's dead-letter queue: messages for which no execution could be started."
  value       = module.pipeline.dead_letter_queue_url
}

output "failed_queue_url" {
  description = "URL of the queue of events whose execution started and failed."
  value       = module.pipeline.failed_queue_url
}

output "function_name" {
  description = "Name of the durable function."
  value       = module.pipeline.function_name
}

output "queue_url" {
  description = "URL of the existing queue, to send parcels to."
  value       = module.pipeline.queue_url
}
