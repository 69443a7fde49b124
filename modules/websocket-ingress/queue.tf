locals {
  # Of arn:<partition>:sqs:<region>:<account>:<name>.
  queue = zipmap(["arn", "partition", "service", "region", "account", "name"], split(":", var.queue_arn))

  attributes = concat(
    [
      { name = "connectionId", value = "$context.connectionId" },
      { name = "requestId", value = "$context.requestId" },
      { name = "routeKey", value = "$context.routeKey" },
    ],
    [for known in compact([var.client_id_from]) : { name = "clientId", value = local.principal } if known == "authorizer"],
  )

  # The form that SQS gets. Every value is encoded: a frame with & or % would end its parameter, and could bring others, a
  # group for instance. $input.body is the frame as it came; $input.json would write it anew. The id becomes text, for
  # urlEncode takes no number. Nothing but & may follow #end: a space would become part of a parameter's name.
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
  message = join("", concat(
    [
      "Action=SendMessage",
      "&MessageGroupId=$util.urlEncode(${var.group == "client" ? local.principal : "$context.connectionId"})",
      "#set($id = $input.path('$.id'))#set($id = \"$!id\")#if($id == \"\")#set($id = $context.requestId)#end",
      "&MessageDeduplicationId=$util.urlEncode($id)",
    ],
    [
      for index, attribute in local.attributes : join("", [
        "&MessageAttribute.${index + 1}.Name=${attribute.name}",
        "&MessageAttribute.${index + 1}.Value.DataType=String",
        "&MessageAttribute.${index + 1}.Value.StringValue=$util.urlEncode(${attribute.value})",
      ])
    ],
    ["&MessageBody=$util.urlEncode($input.body)"],
  ))

  # What the client is told. Success is $default's ("catch-all for successful responses") and errors have keys of their own,
  # so that none is acknowledged; they read as those which API Gateway writes itself.
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html
  accepted = jsonencode({ status = "accepted", requestId = "$context.requestId" })
  refused = jsonencode({
    message      = "Internal server error"
    connectionId = "$context.connectionId"
    requestId    = "$context.requestId"
  })
  answers = { "$default" = local.accepted, "/4\\d\\d/" = local.refused, "/5\\d\\d/" = local.refused }
}

resource "aws_apigatewayv2_integration" "queue" {
  api_id               = aws_apigatewayv2_api.this.id
  description          = "Sends the message to ${local.queue.name}"
  integration_type     = "AWS"
  integration_method   = "POST"
  integration_uri      = "arn:${local.queue.partition}:apigateway:${local.queue.region}:sqs:path/${local.queue.account}/${local.queue.name}"
  credentials_arn      = aws_iam_role.queue.arn
  timeout_milliseconds = 29000

  # Inner quotes: a fixed value, not the name of one.
  request_parameters            = { "integration.request.header.Content-Type" = "'application/x-www-form-urlencoded'" }
  passthrough_behavior          = "NEVER"
  template_selection_expression = "\\$default"
  request_templates             = { "$default" = local.message }

  depends_on = [aws_iam_role_policy.queue]
}

resource "aws_apigatewayv2_integration_response" "queue" {
  for_each = var.acknowledge ? local.answers : {}

  api_id                        = aws_apigatewayv2_api.this.id
  integration_id                = aws_apigatewayv2_integration.queue.id
  integration_response_key      = each.key
  template_selection_expression = "\\$default"
  response_templates            = { "$default" = each.value }
}
