output "arn" {
  description = "ARN of the mapping."
  value       = aws_lambda_event_source_mapping.this.arn
}

output "on_failure_dead_letter_arn" {
  description = "ARN of `<name>-failed-dlq`: failures that could not be redriven; null without an on-failure queue."
  value       = one(module.on_failure_queue[*].dead_letter_arn)
}

output "on_failure_dead_letter_name" {
  description = "Name of `<name>-failed-dlq`; null without an on-failure queue."
  value       = one(module.on_failure_queue[*].dead_letter_name)
}

output "on_failure_dead_letter_url" {
  description = "URL of `<name>-failed-dlq`; null without an on-failure queue."
  value       = one(module.on_failure_queue[*].dead_letter_url)
}

output "on_failure_destination_arn" {
  description = "ARN of the queue, topic or bucket that hears of what was given up; null if nothing does."
  value       = local.destination_arn == "" ? null : local.destination_arn
}

output "on_failure_queue_arn" {
  description = "ARN of `<name>-failed`: where on the stream the records are that were given up; null without one."
  value       = one(module.on_failure_queue[*].arn)
}

output "on_failure_queue_name" {
  description = "Name of `<name>-failed`; null without one."
  value       = one(module.on_failure_queue[*].name)
}

output "on_failure_queue_url" {
  description = "URL of `<name>-failed`; null without one."
  value       = one(module.on_failure_queue[*].url)
}

output "on_failure_visibility_timeout" {
  description = "Visibility timeout of `<name>-failed` in seconds, for what reads it; null without one."
  value       = var.on_failure_queue ? var.on_failure_visibility_timeout : null
}

output "required_policy" {
  description = "What the function's role has to allow for the mapping, as the JSON of a policy: for its owner, with `attach_policy = false`."
  value       = local.policy
}

output "uuid" {
  description = "Identifier of the mapping."
  value       = aws_lambda_event_source_mapping.this.uuid
}
