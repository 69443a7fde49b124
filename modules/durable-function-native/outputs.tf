output "alias_arn" {
  description = "ARN of the alias `live`, which invokers call (an unqualified ARN is refused); known once it exists."
  value       = "${local.arn}:live"
  depends_on  = [aws_lambda_alias.this]
}

output "arn" {
  description = "ARN of the function, unqualified; known once the function exists."
  value       = local.arn
  depends_on  = [aws_lambda_alias.this]
}

output "dead_letter_queue_arn" {
  description = "ARN of the queue for the events of executions that failed; null if they are lost."
  value       = var.dead_letter_queue_arn
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
  depends_on  = [aws_lambda_alias.this]
}

output "required_policy" {
  description = "What the execution role has to allow, as the JSON of a policy: for who owns the role that `role` names."
  value       = module.role.required_policy
}

output "reserved_concurrency" {
  description = "Concurrent invocations kept for the function; -1 for no reservation."
  value       = var.reserved_concurrency
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

output "timeout" {
  description = "Seconds that one invocation may take; a mapping checks it."
  value       = var.timeout
}

output "version" {
  description = "Version that the alias points at: new executions start on it."
  value       = aws_lambda_alias.this.function_version
}
