output "function_arn" {
  description = "ARN, unqualified, that the function has or will have."
  value       = local.function_arn
}

output "log_group_arn" {
  description = "ARN of the function's log group."
  value       = aws_cloudwatch_log_group.this.arn
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "role_arn" {
  description = "ARN of the role, known once its permissions are in place."
  value       = aws_iam_role.this.arn
  depends_on  = [aws_iam_role_policy.this]
}

output "role_name" {
  description = "Name of the role, known once its permissions are in place."
  value       = aws_iam_role.this.name
  depends_on  = [aws_iam_role_policy.this]
}
