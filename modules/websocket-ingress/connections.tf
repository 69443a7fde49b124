locals {
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-requests.html
  function_uri = "arn:${local.partition}:apigateway:${local.region}:lambda:path/2015-03-31/functions/%s/invocations"

  table_name = "${var.name}-connections"
  table_arn  = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${local.table_name}"

  connections_environment = {
    TABLE_NAME     = aws_dynamodb_table.connections.name
    CLIENT_ID_FROM = var.client_id_from == null ? "" : var.client_id_from
    GROUP          = var.group
  }
  connections_statements = [{
    sid       = "KeepConnections"
    actions   = ["dynamodb:PutItem", "dynamodb:DeleteItem"]
    resources = [local.table_arn]
  }]
}

# Who is connected. $disconnect is sent at best, so each record also expires, when its connection must have ended.
resource "aws_dynamodb_table" "connections" {
  #checkov:skip=CKV_AWS_28:Records live two hours, as connections do, and nothing can be restored to a closed one
  #checkov:skip=CKV_AWS_119:Encrypted with kms_key_arn when given, else with a key that AWS owns
  name         = local.table_name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "connection_id"

  attribute {
    name = "connection_id"
    type = "S"
  }

  attribute {
    name = "client_id"
    type = "S"
  }

  attribute {
    name = "connected_at"
    type = "N"
  }

  # The connections of a client, by age: a reply goes to the newest.
  global_secondary_index {
    name            = "client"
    hash_key        = "client_id"
    range_key       = "connected_at"
    projection_type = "KEYS_ONLY"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  server_side_encryption {
    enabled     = var.kms_key_arn != null
    kms_key_arn = var.kms_key_arn
  }

  tags = var.tags
}

module "connections_package" {
  source = "../package"

  name         = "${var.name}-connections"
  source_dir   = "${path.module}/../../functions/connections"
  handler      = "handler.handler"
  runtime      = var.runtime
  architecture = var.architecture
  python       = var.python
  bucket       = var.artifact_bucket
  kms_key_arn  = var.kms_key_arn
}

module "connections" {
  source = "../function"

  name         = "${var.name}-connections"
  description  = "Keeps the record of who is connected to the WebSocket API ${var.name}"
  handler      = "handler.handler"
  runtime      = var.runtime
  architecture = var.architecture
  memory_size  = var.memory_size
  # API Gateway waits 29 seconds, and the client with it.
  timeout = 10

  s3_bucket = module.connections_package.s3_bucket
  s3_key    = module.connections_package.s3_key
  code_hash = module.connections_package.hash

  environment_variables = local.connections_environment
  policy_statements     = local.connections_statements

  kms_key_arn          = var.kms_key_arn
  kms_services         = ["dynamodb"]
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_apigatewayv2_integration" "connections" {
  api_id               = aws_apigatewayv2_api.this.id
  description          = "Keeps the record of the connection"
  integration_type     = "AWS_PROXY"
  integration_method   = "POST"
  integration_uri      = format(local.function_uri, module.connections.alias_arn)
  timeout_milliseconds = 29000
}

resource "aws_lambda_permission" "connections" {
  for_each = toset(["$connect", "$disconnect"])

  statement_id  = "websocket-${trimprefix(each.key, "$")}"
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  function_name = module.connections.name
  qualifier     = element(split(":", module.connections.alias_arn), 7)
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/${var.stage_name}/${each.key}"
}
