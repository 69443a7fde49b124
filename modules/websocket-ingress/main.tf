data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id

  # What a principal ID is, here and in functions/connections: what the Lambda authorizer of $connect said.
  principal = "$context.authorizer.principalId"
}

# Does not name the queue: half a minute passes until that is there, in which all that needs only the API can be created.
resource "aws_apigatewayv2_api" "this" {
  name                       = var.name
  description                = "WebSocket clients, to a queue and back"
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.action"
  tags                       = var.tags
}
