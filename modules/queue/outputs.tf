# Built, so that what depends on the kind of queue is checked by the plan that creates it.
output "arn" {
  description = "ARN of the queue; known once it exists."
  value       = local.arn
  depends_on  = [aws_sqs_queue.this]
}

output "dead_letter_arn" {
  description = "ARN of the dead-letter queue; null without one."
  value       = one(aws_sqs_queue.dead_letter[*].arn)
}

output "dead_letter_name" {
  description = "Name of the dead-letter queue; null without one."
  value       = one(aws_sqs_queue.dead_letter[*].name)
}

output "dead_letter_url" {
  description = "URL of the dead-letter queue; null without one."
  value       = one(aws_sqs_queue.dead_letter[*].url)
}

output "max_message_size" {
  description = "Largest message in bytes, for what has to fit."
  value       = aws_sqs_queue.this.max_message_size
}

output "name" {
  description = "Name of the queue, with `.fifo` where it applies."
  value       = aws_sqs_queue.this.name
}

output "url" {
  description = "URL of the queue."
  value       = aws_sqs_queue.this.url
}
