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

# A check that looks at another variable is not made if that one has failed: so these runs go by what looks at what.
run "refuses_what_is_no_value" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    authorization          = "JWT"
    certificate_arn        = "arn:aws:iam::123456789012:server-certificate/live"
    name                   = "orders.fifo"
    queue_arn              = "arn:aws:sqs:eu-west-1:123456789012:orders"
    queue_kms_key_arn      = "alias/mine"
    routes                 = { "$connect" = {} }
    schema                 = "[]"
    stage_name             = "$default"
    throttling_burst_limit = 0
    throttling_rate_limit  = 0
  }

  expect_failures = [
    var.authorization,
    var.certificate_arn,
    var.name,
    var.queue_arn,
    var.queue_kms_key_arn,
    var.routes,
    var.schema,
    var.stage_name,
    var.throttling_burst_limit,
    var.throttling_rate_limit,
  ]
}

run "refuses_names_that_are_none" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    authorization           = "CUSTOM"
    authorizer_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:who"
    client_id_from          = "cookie"
    domain_name             = "wss://live.example.com"
  }

  expect_failures = [var.authorizer_function_arn, var.client_id_from, var.domain_name]
}

run "refuses_other_groups" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    group = "topic"
  }

  expect_failures = [var.group]
}

run "refuses_authorizer_for_nothing" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    authorizer_function_arn     = "arn:aws:lambda:eu-west-1:123456789012:function:who:live"
    authorizer_identity_sources = ["route.request.header.Authorization"]
    client_id_from              = "authorizer"
  }

  expect_failures = [var.authorizer_function_arn, var.authorizer_identity_sources, var.client_id_from]
}

run "refuses_no_authorizer" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    authorization               = "CUSTOM"
    authorizer_identity_sources = ["Authorization"]
    client_id_from              = "query"
    group                       = "client"
  }

  expect_failures = [var.authorizer_function_arn, var.authorizer_identity_sources, var.group]
}

run "refuses_domain_without_certificate_and_no_route" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    access_logs             = false
    create_account_log_role = true
    default_route           = false
    domain_name             = "live.example.com"
    name                    = replace(format("%38s", ""), " ", "n")
    schema                  = jsonencode({ type = "array" })
    throttling_burst_limit  = 1.5
  }

  expect_failures = [
    var.create_account_log_role,
    var.default_route,
    var.domain_name,
    var.name,
    var.schema,
    var.throttling_burst_limit,
  ]
}

run "refuses_schemas_that_are_none" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    routes = { order = { schema = "order" } }
    schema = "order"
  }

  expect_failures = [var.routes, var.schema]
}

run "refuses_schemas_of_lists" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    routes = { order = { schema = jsonencode({ type = "array" }) } }
  }

  expect_failures = [var.routes]
}

run "refuses_schemas_too_long" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    routes = { order = { schema = jsonencode({ title = replace(format("%32768s", ""), " ", "x") }) } }
    schema = jsonencode({ title = replace(format("%32768s", ""), " ", "x") })
  }

  expect_failures = [var.routes, var.schema]
}

run "refuses_an_authorizer_of_another_region_or_account" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    authorization           = "CUSTOM"
    authorizer_function_arn = "arn:aws:lambda:us-gov-east-1:210987654321:function:who:live"
  }

  expect_failures = [aws_lambda_permission.authorizer]
}
