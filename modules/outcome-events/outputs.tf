output "dead_letter_policy_statement" {
  description = "What the policy of an existing `dead_letter_queue_arn` has to hold, as an object for jsonencode(); a queue of the `queue` module takes the ARNs of the rules as its `event_rule_arns` instead. Null if the module has its own queue."
  value = var.dead_letter_queue ? null : {
    Sid       = "AllowUndeliveredOutcomes"
    Effect    = "Allow"
    Principal = { Service = "events.amazonaws.com" }
    Action    = "sqs:SendMessage"
    Resource  = local.dead_letter_arn
    Condition = { ArnEquals = { "aws:SourceArn" = [for outcome in sort(keys(local.targets)) : local.rule_arns[outcome]] } }
  }
}

output "dead_letter_queue_arn" {
  description = "ARN of the queue with the events that could not be delivered: `<name>-outcomes-dlq`, or the given one."
  value       = local.dead_letter_arn
}

output "dead_letter_queue_name" {
  description = "Name of `<name>-outcomes-dlq`; null with a given queue."
  value       = one(module.dead_letter_queue[*].name)
}

output "dead_letter_queue_url" {
  description = "URL of `<name>-outcomes-dlq`; null with a given queue."
  value       = one(module.dead_letter_queue[*].url)
}

output "on_failure_queue_url" {
  description = "URL of `<name>-on-failure`; null unless `on_failure` has the type new_queue."
  value       = one([for outcome, queue in module.queue : queue.url if outcome == "on_failure"])
}

output "on_failure_rule_arn" {
  description = "ARN that the rule of `on_failure` has or would have: built from the name, so that its target may name it in a policy."
  value       = local.rule_arns.on_failure
}

output "on_failure_target_arn" {
  description = "ARN of what gets the records of executions that failed; null without `on_failure`."
  value       = lookup(local.target_arns, "on_failure", null)
}

output "on_success_queue_url" {
  description = "URL of `<name>-on-success`; null unless `on_success` has the type new_queue."
  value       = one([for outcome, queue in module.queue : queue.url if outcome == "on_success"])
}

output "on_success_rule_arn" {
  description = "ARN that the rule of `on_success` has or would have: built from the name, so that its target may name it in a policy."
  value       = local.rule_arns.on_success
}

output "on_success_target_arn" {
  description = "ARN of what gets the records of executions that succeeded; null without `on_success`."
  value       = lookup(local.target_arns, "on_success", null)
}

output "role_arn" {
  description = "ARN of the role with which the rules send to a bus; null without one."
  value       = one(aws_iam_role.this[*].arn)
}

output "target_policy_statements" {
  description = "What the policies of an existing queue or topic have to hold, as JSON by `on_failure` and `on_success`."
  value       = merge(local.queue_statements, local.topic_statements)
}
