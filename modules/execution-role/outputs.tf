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

output "required_policy" {
  description = "What the role has to allow, as the JSON of a policy: for who owns the role that `role` names. A role of the module's own has it."
  value       = local.policy
}

output "role_arn" {
  description = "ARN of the role, known once its permissions are in place."
  value       = var.role == null ? one(aws_iam_role.this[*].arn) : var.role.arn
  depends_on  = [aws_iam_role_policy.this]
}

output "role_name" {
  description = "Name of the role, known once its permissions are in place."
  value       = var.role == null ? one(aws_iam_role.this[*].name) : element(reverse(split("/", var.role.arn)), 0)
  depends_on  = [aws_iam_role_policy.this]
}
