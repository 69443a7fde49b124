# Built: a queue whose policy names the rule may be the rule's own dead-letter queue.
output "arn" {
  description = "ARN that the rule has or will have."
  value       = local.arn
}

output "dead_letter_policy_statement" {
  description = "What the policy of an existing `dead_letter_queue_arn` has to hold, as an object for jsonencode(); the `queue` module takes `arn` as one of its `event_rule_arns` instead. Null if the module has its own queue."
  value = var.dead_letter_queue ? null : {
    Sid       = "AllowRule"
    Effect    = "Allow"
    Principal = { Service = "events.amazonaws.com" }
    Action    = "sqs:SendMessage"
    Resource  = local.dead_letter_arn
    Condition = { ArnEquals = { "aws:SourceArn" = local.arn } }
  }
}

output "dead_letter_queue_arn" {
  description = "ARN of the queue with the events that could not be handed over: `<name>-dlq`, or the given one."
  value       = local.dead_letter_arn
}

output "dead_letter_queue_name" {
  description = "Name of `<name>-dlq`; null with a given queue."
  value       = one(module.dead_letter_queue[*].name)
}

output "dead_letter_queue_url" {
  description = "URL of `<name>-dlq`; null with a given queue."
  value       = one(module.dead_letter_queue[*].url)
}

output "name" {
  description = "Name of the rule; known once it exists."
  value       = aws_cloudwatch_event_rule.this.name
}
