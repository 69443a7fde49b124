resource "aws_apigatewayv2_stage" "this" {
  #checkov:skip=CKV_AWS_76:Access logs are an input, access_logs, and on by default
  #checkov:skip=CKV2_AWS_51:A client certificate is for backends that API Gateway calls over HTTP; there is none here
  api_id      = aws_apigatewayv2_api.this.id
  name        = var.stage_name
  description = "Messages to ${local.queue.name}"
  auto_deploy = true

  # All given: what is left out the provider sends as 0, which refuses every request.
  # https://github.com/hashicorp/terraform-provider-aws/issues/14742
  default_route_settings {
    data_trace_enabled       = false
    detailed_metrics_enabled = var.metrics
    logging_level            = "OFF"
    throttling_burst_limit   = var.throttling_burst_limit
    throttling_rate_limit    = var.throttling_rate_limit
  }

  dynamic "access_log_settings" {
    for_each = aws_cloudwatch_log_group.access

    content {
      destination_arn = access_log_settings.value.arn
      format          = local.access_log_format
    }
  }

  tags = var.tags

  # Clients come in from here on: everything that a connection needs is there, and is in the first deployment.
  depends_on = [
    aws_api_gateway_account.this,
    aws_apigatewayv2_integration_response.queue,
    aws_apigatewayv2_route.connect,
    aws_apigatewayv2_route.disconnect,
    aws_apigatewayv2_route.message,
    aws_apigatewayv2_route_response.message,
    aws_iam_role_policy.queue,
    aws_lambda_permission.authorizer,
    aws_lambda_permission.connections,
  ]
}
