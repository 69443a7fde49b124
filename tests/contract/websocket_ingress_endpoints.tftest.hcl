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

run "sandbox" {
  command = apply

  module {
    source = "./modules/websocket-ingress"
  }

  override_resource {
    target = aws_apigatewayv2_api.this
    values = {
      id            = "a1b2c3d4e5"
      api_endpoint  = "ws://127.0.0.1:4566/_aws/execute-api/a1b2c3d4e5"
      execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5"
    }
  }

  assert {
    condition     = output.url == "ws://127.0.0.1:4566/_aws/execute-api/a1b2c3d4e5/live" && output.management_endpoint == "http://127.0.0.1:4566/_aws/execute-api/a1b2c3d4e5/live"
    error_message = "A plain scheme stays plain."
  }
}

run "domain" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  variables {
    domain_name     = "live.example.com"
    certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = output.url == "wss://live.example.com" && aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].certificate_arn == var.certificate_arn && aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].security_policy == "TLS_1_2" && length(aws_apigatewayv2_api_mapping.this) == 1
    error_message = "Clients connect to the domain."
  }
}

run "no_domain" {
  command = plan

  module {
    source = "./modules/websocket-ingress"
  }

  assert {
    condition     = length(aws_apigatewayv2_domain_name.this) == 0 && length(aws_apigatewayv2_api_mapping.this) == 0 && output.domain_target == null && output.domain_hosted_zone_id == null
    error_message = "There is no domain."
  }
}
