output "arn" {
  description = "ARN of the mapping."
  value       = aws_lambda_event_source_mapping.this.arn
}

output "required_policy" {
  description = "What the function's role has to allow for the mapping, as the JSON of a policy: for its owner, with `attach_policy = false`."
  value       = local.policy
}

output "uuid" {
  description = "Identifier of the mapping."
  value       = aws_lambda_event_source_mapping.this.uuid
}
