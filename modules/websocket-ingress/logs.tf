locals {
  # One line a request, of variables that WebSocket APIs have:
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html
  # A reason may have quotes in it, such as that of a schema. API Gateway escapes them; it did not always:
  # https://github.com/DataBiosphere/azul/issues/4348
  access_log_format = jsonencode({
    authorizerError   = "$context.authorizer.error"
    authorizerStatus  = "$context.authorizer.status"
    connectedAt       = "$context.connectedAt"
    connectionId      = "$context.connectionId"
    error             = "$context.error.message"
    errorType         = "$context.error.responseType"
    eventType         = "$context.eventType"
    integrationError  = "$context.integration.error"
    integrationStatus = "$context.integration.status"
    latency           = "$context.integration.latency"
    messageId         = "$context.messageId"
    principalId       = local.principal
    requestId         = "$context.requestId"
    requestTime       = "$context.requestTime"
    routeKey          = "$context.routeKey"
    sourceIp          = "$context.identity.sourceIp"
    status            = "$context.status"
    validationError   = "$context.error.validationErrorString"
  })
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is an input, log_retention_days
  count = var.access_logs ? 1 : 0

  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

# One a region and account, of all its APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
resource "aws_iam_role" "logs" {
  count = var.create_account_log_role ? 1 : 0

  name                 = "${var.name}-logs-${local.region}"
  description          = "Role with which API Gateway writes the logs of all APIs in ${local.region}"
  permissions_boundary = var.permissions_boundary
  assume_role_policy   = local.trust_api_gateway
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "logs" {
  count = var.create_account_log_role ? 1 : 0

  role       = aws_iam_role.logs[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

resource "aws_api_gateway_account" "this" {
  count = var.create_account_log_role ? 1 : 0

  cloudwatch_role_arn = aws_iam_role.logs[0].arn

  # API Gateway refuses a role that may not write logs yet.
  depends_on = [aws_iam_role_policy_attachment.logs]
}
