output "bucket" {
  description = "Name of the bucket for packages."
  value       = aws_s3_bucket.packages.bucket
}

output "queue" {
  description = "The queue, as the root module takes it."
  value = {
    arn                   = aws_sqs_queue.this.arn
    dead_letter_queue_arn = aws_sqs_queue.dead_letters.arn
    dead_letter_queue_url = aws_sqs_queue.dead_letters.url
    max_message_size      = aws_sqs_queue.this.max_message_size
    url                   = aws_sqs_queue.this.url
    visibility_timeout    = aws_sqs_queue.this.visibility_timeout_seconds
  }
}

output "role_arn" {
  description = "ARN of the role, known once its policy is in place."
  value       = aws_iam_role.this.arn
  depends_on  = [aws_iam_role_policy.this]
}
