output "alias_arn" {
  description = "ARN of the alias `live`, which invokers call; known once it exists."
  value       = "${local.arn}:live"
  depends_on  = [aws_lambda_alias.this]
}

output "arn" {
  description = "ARN of the function, unqualified; known once the function exists."
  value       = local.arn
  depends_on  = [aws_lambda_function.this]
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = module.role.log_group_name
}

output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "required_policy" {
  description = "What the execution role has to allow, as the JSON of a policy: for who owns the role that `role` names."
  value       = module.role.required_policy
}

output "role_arn" {
  description = "ARN of the execution role."
  value       = module.role.role_arn
}

output "role_managed" {
  description = "Whether the role is the module's own. With `role` it is not, and what a mapping needs is for its owner to add."
  value       = var.role == null
}

output "role_name" {
  description = "Name of the execution role, known once its permissions are in place; a mapping adds its own."
  value       = module.role.role_name
}

output "version" {
  description = "Version that the alias points at."
  value       = aws_lambda_function.this.version
}
