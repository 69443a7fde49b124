output "alias_arn" {
  description = "ARN of the alias `live`, which invokers call (an unqualified ARN is refused); known once it exists."
  value       = "${local.arn}:live"
  depends_on  = [aws_cloudformation_stack.this]
}

output "arn" {
  description = "ARN of the function, unqualified; known once the function exists."
  value       = local.arn
  depends_on  = [aws_cloudformation_stack.this]
}

output "execution_timeout" {
  description = "Seconds that a whole execution may take; bridges check it."
  value       = var.execution_timeout
}

output "fingerprint" {
  description = "Hash of code and configuration. It ends the description of each version, and so tells which deployment a version is."
  value       = local.fingerprint
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = module.role.log_group_name
}

output "name" {
  description = "Name of the function; known once it exists."
  value       = var.name
  depends_on  = [aws_cloudformation_stack.this]
}

output "role_arn" {
  description = "ARN of the execution role."
  value       = module.role.role_arn
}

output "role_name" {
  description = "Name of the execution role, known once its permissions are in place; a mapping adds its own."
  value       = module.role.role_name
}

output "version" {
  description = "Version that the alias points at: new executions start on it."
  value       = aws_cloudformation_stack.this.outputs["Version"]
}
