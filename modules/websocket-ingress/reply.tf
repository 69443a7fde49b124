locals {
  reply_timeout = 30

  # ws: is what the sandbox gives.
  management_endpoint = "${replace(replace(aws_apigatewayv2_api.this.api_endpoint, "/^wss:/", "https:"), "/^ws:/", "http:")}/${var.stage_name}"

  reply_environment = {
    TABLE_NAME          = aws_dynamodb_table.connections.name
    MANAGEMENT_ENDPOINT = local.management_endpoint
  }
  reply_statements = [
    {
      sid       = "FindConnections"
      actions   = ["dynamodb:GetItem", "dynamodb:DeleteItem"]
      resources = [local.table_arn]
    },
    {
      sid       = "FindConnectionsOfClients"
      actions   = ["dynamodb:Query"]
      resources = ["${local.table_arn}/index/client"]
    },
    {
      sid       = "PostToConnections"
      actions   = ["execute-api:ManageConnections"]
      resources = ["${aws_apigatewayv2_api.this.execution_arn}/${var.stage_name}/POST/@connections/*"]
    },
  ]
}

module "reply_package" {
  source = "../package"

  name         = "${var.name}-reply"
  source_dir   = "${path.module}/../../functions/reply"
  handler      = "handler.handler"
  runtime      = var.runtime
  architecture = var.architecture
  python       = var.python
  bucket       = var.artifact_bucket
  kms_key_arn  = var.kms_key_arn
}

module "reply" {
  source = "../function"

  name         = "${var.name}-reply"
  description  = "Posts to the clients of the WebSocket API ${var.name}"
  handler      = "handler.handler"
  runtime      = var.runtime
  architecture = var.architecture
  memory_size  = var.memory_size
  timeout      = local.reply_timeout

  s3_bucket = module.reply_package.s3_bucket
  s3_key    = module.reply_package.s3_key
  code_hash = module.reply_package.hash

  environment_variables = local.reply_environment
  policy_statements     = local.reply_statements

  kms_key_arn          = var.kms_key_arn
  kms_services         = ["dynamodb"]
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}
