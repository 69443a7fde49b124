mock_provider "aws" {
  source = "./tests/contract/mocks"
}

# The command "true" in place of python: nothing is built here.
variables {
  name            = "orders"
  queue_arn       = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
  artifact_bucket = "mine"
  python          = "true"
}

run "queue" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  assert {
    condition     = aws_apigatewayv2_integration.queue.integration_type == "AWS" && aws_apigatewayv2_integration.queue.integration_uri == "arn:aws:apigateway:eu-west-1:sqs:path/123456789012/orders.fifo" && aws_apigatewayv2_integration.queue.passthrough_behavior == "NEVER"
    error_message = "Messages go to the queue, and through the template alone."
  }

  assert {
    condition     = aws_apigatewayv2_integration.queue.request_parameters == tomap({ "integration.request.header.Content-Type" = "'application/x-www-form-urlencoded'" }) && aws_apigatewayv2_integration.queue.template_selection_expression == "\\$default" && one(keys(aws_apigatewayv2_integration.queue.request_templates)) == "$default"
    error_message = "What is sent is a form, by one template."
  }

  assert {
    condition = aws_apigatewayv2_integration.queue.request_templates["$default"] == join("", [
      "Action=SendMessage&MessageGroupId=$util.urlEncode($context.connectionId)",
      "#set($id = $input.path('$.id'))#set($id = \"$!id\")#if($id == \"\")#set($id = $context.requestId)#end",
      "&MessageDeduplicationId=$util.urlEncode($id)",
      "&MessageAttribute.1.Name=connectionId&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=$util.urlEncode($context.connectionId)",
      "&MessageAttribute.2.Name=requestId&MessageAttribute.2.Value.DataType=String&MessageAttribute.2.Value.StringValue=$util.urlEncode($context.requestId)",
      "&MessageAttribute.3.Name=routeKey&MessageAttribute.3.Value.DataType=String&MessageAttribute.3.Value.StringValue=$util.urlEncode($context.routeKey)",
      "&MessageBody=$util.urlEncode($input.body)",
    ])
    error_message = "Every value of the form is encoded, and the body is the frame as it came."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.queue.policy).Statement == [{ Sid = "SendToQueue", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [var.queue_arn] }]
    error_message = "The API may send to this queue, and nothing else."
  }

  assert {
    condition     = aws_iam_role.queue.name == "orders-ingress-eu-west-1" && jsondecode(aws_iam_role.queue.assume_role_policy).Statement[0].Principal.Service == "apigateway.amazonaws.com"
    error_message = "API Gateway alone may take the role."
  }
}

run "answers" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  assert {
    condition     = toset(keys(aws_apigatewayv2_integration_response.queue)) == toset(["$default", "/4\\d\\d/", "/5\\d\\d/"]) && one(keys(aws_apigatewayv2_route_response.message)) == "$default"
    error_message = "Errors of the queue have responses of their own."
  }

  assert {
    condition     = jsondecode(aws_apigatewayv2_integration_response.queue["$default"].response_templates["$default"]) == { status = "accepted", requestId = "$context.requestId" }
    error_message = "What the queue has is acknowledged."
  }

  assert {
    condition     = alltrue([for key in ["/4\\d\\d/", "/5\\d\\d/"] : jsondecode(aws_apigatewayv2_integration_response.queue[key].response_templates["$default"]) == { message = "Internal server error", connectionId = "$context.connectionId", requestId = "$context.requestId" }])
    error_message = "An error is none the less for coming from the queue."
  }

  assert {
    condition     = alltrue([for response in aws_apigatewayv2_integration_response.queue : response.template_selection_expression == "\\$default"])
    error_message = "Each response has one template."
  }

  assert {
    condition     = aws_apigatewayv2_route.message["$default"].route_response_selection_expression == "$default"
    error_message = "The route answers."
  }
}

run "no_answers" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    acknowledge = false
  }

  assert {
    condition     = length(aws_apigatewayv2_integration_response.queue) == 0 && length(aws_apigatewayv2_route_response.message) == 0 && aws_apigatewayv2_route.message["$default"].route_response_selection_expression == null
    error_message = "The route is silent."
  }
}

run "connections" {
  command = apply

  module {
    source = "./modules/websocket-ingress"
  }

  assert {
    condition     = output.url == "wss://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/live" && output.management_endpoint == "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/live"
    error_message = "The outputs name where clients connect, and where is posted to them."
  }

  assert {
    condition     = aws_apigatewayv2_route.connect.authorization_type == "NONE" && aws_apigatewayv2_route.connect.authorizer_id == null && aws_apigatewayv2_route.disconnect.route_key == "$disconnect" && aws_apigatewayv2_route.connect.target == aws_apigatewayv2_route.disconnect.target
    error_message = "Beginning and end of a connection go to the same function."
  }

  assert {
    condition     = aws_apigatewayv2_integration.connections.integration_type == "AWS_PROXY" && aws_apigatewayv2_integration.connections.integration_uri == "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:orders-connections:live/invocations"
    error_message = "The function is called by its alias."
  }

  assert {
    condition     = { for key, permission in aws_lambda_permission.connections : key => permission.source_arn } == { "$connect" = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/live/$connect", "$disconnect" = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/live/$disconnect" } && alltrue([for permission in aws_lambda_permission.connections : permission.qualifier == "live" && permission.function_name == "orders-connections" && permission.principal == "apigateway.amazonaws.com"])
    error_message = "The alias lets exactly these routes in."
  }

  assert {
    condition     = aws_dynamodb_table.connections.hash_key == "connection_id" && one(aws_dynamodb_table.connections.global_secondary_index).name == "client" && one(aws_dynamodb_table.connections.global_secondary_index).hash_key == "client_id" && one(aws_dynamodb_table.connections.global_secondary_index).range_key == "connected_at" && aws_dynamodb_table.connections.ttl[0].attribute_name == "expires_at" && aws_dynamodb_table.connections.ttl[0].enabled
    error_message = "Records expire, and are found by client."
  }

  assert {
    condition     = output.reply_function_arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders-reply:live" && output.reply_function_name == "orders-reply" && output.connections_function_name == "orders-connections" && output.table_name == "orders-connections" && output.api_id == "a1b2c3d4e5" && output.stage_name == "live" && output.reply_timeout == 30
    error_message = "The outputs name what is there."
  }

  assert {
    condition     = local.connections_environment == { TABLE_NAME = "orders-connections", CLIENT_ID_FROM = "", GROUP = "connection" } && local.connections_statements[0].actions == ["dynamodb:PutItem", "dynamodb:DeleteItem"] && local.connections_statements[0].resources == ["arn:aws:dynamodb:eu-west-1:123456789012:table/orders-connections"]
    error_message = "The one function keeps the table."
  }

  assert {
    condition     = local.reply_environment == { TABLE_NAME = "orders-connections", MANAGEMENT_ENDPOINT = output.management_endpoint }
    error_message = "The other one knows where to post."
  }

  assert {
    condition = { for statement in local.reply_statements : statement.resources[0] => statement.actions } == {
      "arn:aws:dynamodb:eu-west-1:123456789012:table/orders-connections"               = ["dynamodb:GetItem", "dynamodb:DeleteItem"]
      "arn:aws:dynamodb:eu-west-1:123456789012:table/orders-connections/index/client"  = ["dynamodb:Query"]
      "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/live/POST/@connections/*" = ["execute-api:ManageConnections"]
    }
    error_message = "It may look for a connection, clean up after it, and post to this stage's."
  }
}

run "stage" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    stage_name             = "v1"
    metrics                = true
    throttling_burst_limit = 1
    throttling_rate_limit  = 0.5
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.auto_deploy && aws_apigatewayv2_stage.this.name == "v1"
    error_message = "What is applied is deployed."
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_burst_limit == 1 && aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit == 0.5 && aws_apigatewayv2_stage.this.default_route_settings[0].detailed_metrics_enabled
    error_message = "Its limits are given."
  }

  assert {
    condition     = length(aws_apigatewayv2_stage.this.access_log_settings) == 1 && output.log_group_name == "/aws/apigateway/orders"
    error_message = "Requests are logged."
  }

  assert {
    condition     = strcontains(aws_apigatewayv2_stage.this.access_log_settings[0].format, "\"requestId\":\"$context.requestId\"") && alltrue([for value in values(jsondecode(aws_apigatewayv2_stage.this.access_log_settings[0].format)) : startswith(value, "$context.")])
    error_message = "A line is JSON of what is known of a request."
  }

  assert {
    condition     = length(aws_api_gateway_account.this) == 0 && length(aws_iam_role.logs) == 0
    error_message = "The account's settings are left alone."
  }
}

run "account_log_role" {
  command = apply

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    create_account_log_role = true
  }

  assert {
    condition     = aws_iam_role.logs[0].name == "orders-logs-eu-west-1" && aws_iam_role_policy_attachment.logs[0].policy_arn == "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs" && aws_api_gateway_account.this[0].cloudwatch_role_arn == aws_iam_role.logs[0].arn
    error_message = "API Gateway gets a role for logs."
  }
}

run "no_access_logs" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    access_logs = false
  }

  assert {
    condition     = length(aws_apigatewayv2_stage.this.access_log_settings) == 0 && length(aws_cloudwatch_log_group.access) == 0 && output.log_group_name == null
    error_message = "Nothing is logged."
  }
}

run "routes" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    default_route = false
    routes = {
      "order"    = { schema = "{\"required\":[\"id\"]}" }
      "or-der"   = { schema = "{\"required\":[\"id\"]}" }
      "question" = {}
      "remark"   = {}
    }
  }

  assert {
    condition     = toset([for route in aws_apigatewayv2_route.message : route.route_key]) == toset(["order", "or-der", "question", "remark"]) && keys(aws_apigatewayv2_route_response.message) == keys(aws_apigatewayv2_route.message)
    error_message = "Each name is a route, and there is no other."
  }

  assert {
    condition     = aws_apigatewayv2_route.message["question"].request_models["$default"] == "Frame" && aws_apigatewayv2_route.message["remark"].request_models["$default"] == "Frame" && aws_apigatewayv2_model.this["Frame"].schema == var.schema && aws_apigatewayv2_route.message["remark"].model_selection_expression == "\\$default"
    error_message = "Routes without a schema share the given one."
  }

  assert {
    condition     = length(aws_apigatewayv2_model.this) == 3 && alltrue([for model in aws_apigatewayv2_model.this : can(regex("^[A-Za-z0-9]+$", model.name)) && model.content_type == "application/json"]) && aws_apigatewayv2_model.this[aws_apigatewayv2_route.message["or-der"].request_models["$default"]].schema == var.routes["or-der"].schema
    error_message = "Names that differ in signs alone have models of their own."
  }
}

run "only_own_schemas" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    default_route = false
    routes        = { order = { schema = "{}" } }
  }

  assert {
    condition     = [for model in aws_apigatewayv2_model.this : model.schema] == ["{}"]
    error_message = "There is no model that no route uses."
  }
}

run "authorizer_and_client" {
  command = apply

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    authorization               = "CUSTOM"
    authorizer_function_arn     = "arn:aws:lambda:eu-west-1:123456789012:function:who:live"
    authorizer_identity_sources = ["route.request.querystring.token"]
    client_id_from              = "authorizer"
    group                       = "client"
  }

  assert {
    condition     = aws_apigatewayv2_route.connect.authorization_type == "CUSTOM" && aws_apigatewayv2_route.connect.authorizer_id == aws_apigatewayv2_authorizer.this[0].id && aws_apigatewayv2_authorizer.this[0].authorizer_type == "REQUEST" && aws_apigatewayv2_authorizer.this[0].identity_sources == toset(["route.request.querystring.token"])
    error_message = "Who connects is authorised."
  }

  assert {
    condition     = aws_apigatewayv2_authorizer.this[0].authorizer_uri == "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:who:live/invocations" && aws_lambda_permission.authorizer[0].function_name == "who" && aws_lambda_permission.authorizer[0].qualifier == "live" && aws_lambda_permission.authorizer[0].source_arn == "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/authorizers/${aws_apigatewayv2_authorizer.this[0].id}"
    error_message = "The alias of the authorizer lets this authorizer in."
  }

  assert {
    condition     = startswith(local.message, "Action=SendMessage&MessageGroupId=$util.urlEncode($context.authorizer.principalId)#set") && strcontains(local.message, "&MessageAttribute.4.Name=clientId&MessageAttribute.4.Value.DataType=String&MessageAttribute.4.Value.StringValue=$util.urlEncode($context.authorizer.principalId)&MessageBody=")
    error_message = "Messages are the client's, and say so."
  }

  assert {
    condition     = local.connections_environment.CLIENT_ID_FROM == "authorizer"
    error_message = "Connections are the client's as well."
  }
}

run "client_of_the_query_and_iam" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    authorization  = "AWS_IAM"
    client_id_from = "query"
  }

  assert {
    condition     = aws_apigatewayv2_route.connect.authorization_type == "AWS_IAM" && length(aws_apigatewayv2_authorizer.this) == 0 && length(aws_lambda_permission.authorizer) == 0
    error_message = "A signature needs no authorizer."
  }

  assert {
    condition     = local.connections_environment.CLIENT_ID_FROM == "query" && !strcontains(local.message, "clientId")
    error_message = "What the URL says is known of the connection alone."
  }
}

run "keys" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    queue_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.queue.policy).Statement[1] == { Sid = "EncryptForQueue", Effect = "Allow", Action = ["kms:GenerateDataKey", "kms:Decrypt"], Resource = [var.queue_kms_key_arn], Condition = { StringEquals = { "kms:ViaService" = ["sqs.eu-west-1.amazonaws.com"] } } }
    error_message = "The API may use the queue's key for the queue."
  }

  assert {
    condition     = aws_dynamodb_table.connections.server_side_encryption[0].kms_key_arn == var.kms_key_arn && aws_dynamodb_table.connections.server_side_encryption[0].enabled && aws_cloudwatch_log_group.access[0].kms_key_id == var.kms_key_arn
    error_message = "Table and logs are encrypted with the other one."
  }
}

run "longest_name" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    name = replace(format("%37s", ""), " ", "n")
  }
}
