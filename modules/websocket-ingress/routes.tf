locals {
  # Route key to the schema of its own; null for var.schema.
  routes = merge(
    { for key in var.default_route ? ["$default"] : [] : key => null },
    { for key, route in var.routes : key => route.schema },
  )

  # Names of models have letters and digits only, so that two keys could be left with the same: the hash tells them apart.
  models = {
    for key, schema in local.routes : key =>
    schema == null ? "Frame" : "Frame${substr(replace(key, "/[^A-Za-z0-9]/", ""), 0, 64)}${substr(sha256(key), 0, 8)}"
  }
  schemas = { for key, name in local.models : name => local.routes[key] == null ? var.schema : local.routes[key]... }
}

resource "aws_apigatewayv2_model" "this" {
  for_each = local.schemas

  api_id       = aws_apigatewayv2_api.this.id
  name         = each.key
  content_type = "application/json"
  schema       = each.value[0]

  # Out of use before it is deleted, which API Gateway refuses otherwise.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_apigatewayv2_route" "message" {
  #checkov:skip=CKV_AWS_309:A connection is authorised once, at $connect; API Gateway takes no authorizer elsewhere
  for_each = local.routes

  api_id                              = aws_apigatewayv2_api.this.id
  route_key                           = each.key
  target                              = "integrations/${aws_apigatewayv2_integration.queue.id}"
  model_selection_expression          = "\\$default"
  request_models                      = { "$default" = aws_apigatewayv2_model.this[local.models[each.key]].name }
  route_response_selection_expression = var.acknowledge ? "$default" : null
}

# With it the route answers: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-response.html
resource "aws_apigatewayv2_route_response" "message" {
  for_each = var.acknowledge ? aws_apigatewayv2_route.message : {}

  api_id             = aws_apigatewayv2_api.this.id
  route_id           = each.value.id
  route_response_key = "$default"
}

resource "aws_apigatewayv2_route" "connect" {
  #checkov:skip=CKV_AWS_309:Who may connect is an input, authorization
  api_id             = aws_apigatewayv2_api.this.id
  route_key          = "$connect"
  target             = "integrations/${aws_apigatewayv2_integration.connections.id}"
  authorization_type = var.authorization
  authorizer_id      = one(aws_apigatewayv2_authorizer.this[*].id)
}

resource "aws_apigatewayv2_route" "disconnect" {
  #checkov:skip=CKV_AWS_309:A connection is authorised once, at $connect; API Gateway takes no authorizer elsewhere
  api_id    = aws_apigatewayv2_api.this.id
  route_key = "$disconnect"
  target    = "integrations/${aws_apigatewayv2_integration.connections.id}"
}
