output "api_execution_arn" {
  description = "Begins the ARNs of routes and connections in policies: arn:aws:execute-api:<region>:<account>:<api id>."
  value       = aws_apigatewayv2_api.this.execution_arn
}

output "api_id" {
  description = "Identifier of the API, by which CloudWatch has its metrics."
  value       = aws_apigatewayv2_api.this.id
}

output "connections_function_name" {
  description = "Name of the function that keeps the connection table."
  value       = module.connections.name
}

output "connections_log_group_name" {
  description = "Name of its log group."
  value       = module.connections.log_group_name
}

output "domain_hosted_zone_id" {
  description = "Hosted zone of `domain_target`, for the alias record of `domain_name`; null without one."
  value       = one(flatten(aws_apigatewayv2_domain_name.this[*].domain_name_configuration[*].hosted_zone_id))
}

output "domain_target" {
  description = "Name that the DNS record of `domain_name` has to point at; null without one."
  value       = one(flatten(aws_apigatewayv2_domain_name.this[*].domain_name_configuration[*].target_domain_name))
}

output "log_group_name" {
  description = "Name of the log group with the access logs; null without `access_logs`."
  value       = one(aws_cloudwatch_log_group.access[*].name)
}

output "management_endpoint" {
  description = "Endpoint of @connections, for clients of the API Gateway management API: the `endpoint_url` of a boto3 client."
  value       = local.management_endpoint
}

# Not after the stage: what replies may be there before anybody asks, and may itself be what the queue leads to.
output "reply_function_arn" {
  description = "ARN of the alias `live` of the function that posts to connections; `reply_function_arn` of the root module."
  value       = module.reply.alias_arn
}

output "reply_function_name" {
  description = "Name of the function that posts to connections."
  value       = module.reply.name
}

output "reply_log_group_name" {
  description = "Name of its log group."
  value       = module.reply.log_group_name
}

output "reply_role_name" {
  description = "Name of its execution role, for a mapping from a queue of replies."
  value       = module.reply.role_name
}

output "reply_timeout" {
  description = "Seconds for one of its invocations: `function_timeout` of a mapping, whose queue takes six times that as visibility timeout."
  value       = local.reply_timeout
}

output "role_arn" {
  description = "ARN of the role with which the API sends to the queue."
  value       = aws_iam_role.queue.arn
}

output "stage_name" {
  description = "Name of the stage."
  value       = aws_apigatewayv2_stage.this.name
}

output "table_arn" {
  description = "ARN of the connection table."
  value       = aws_dynamodb_table.connections.arn
}

output "table_name" {
  description = "Name of the connection table: key `connection_id`, index `client` by `client_id` and `connected_at`."
  value       = aws_dynamodb_table.connections.name
}

output "url" {
  description = "URL that clients connect to, known once the stage is up: of `domain_name`, or wss://<api id>.execute-api.<region>.amazonaws.com/<stage>."
  value       = var.domain_name == null ? "${aws_apigatewayv2_api.this.api_endpoint}/${var.stage_name}" : "wss://${var.domain_name}"
  depends_on  = [aws_apigatewayv2_api_mapping.this, aws_apigatewayv2_stage.this]
}
