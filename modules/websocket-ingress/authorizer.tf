locals {
  authorizers = var.authorization == "CUSTOM" ? [var.authorizer_function_arn == null ? "" : var.authorizer_function_arn] : []
}

resource "aws_apigatewayv2_authorizer" "this" {
  count = length(local.authorizers)

  api_id           = aws_apigatewayv2_api.this.id
  name             = var.name
  authorizer_type  = "REQUEST"
  authorizer_uri   = format(local.function_uri, local.authorizers[0])
  identity_sources = var.authorizer_identity_sources

  # Out of use before it is deleted, which API Gateway refuses otherwise.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lambda_permission" "authorizer" {
  count = length(local.authorizers)

  statement_id  = "websocket-${var.name}"
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  function_name = element(split(":", local.authorizers[0]), 6)
  qualifier     = element(split(":", local.authorizers[0]), 7)
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/authorizers/${aws_apigatewayv2_authorizer.this[0].id}"

  lifecycle {
    precondition {
      condition     = length(split(":", local.authorizers[0])) < 5 || join(":", slice(split(":", local.authorizers[0]), 3, 5)) == "${local.region}:${local.account}"
      error_message = "authorizer_function_arn is ${local.authorizers[0]}, and the API is in ${local.region} of account ${local.account}: it may call a function there alone. Give an authorizer of the same Region and account."
    }
  }
}
