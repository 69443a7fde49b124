mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  name               = "orders"
  event_pattern      = "{\"source\":[\"shop\"]}"
  function_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
}

run "pattern" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  assert {
    condition     = aws_cloudwatch_event_rule.this.event_pattern == var.event_pattern && aws_cloudwatch_event_rule.this.schedule_expression == null && aws_cloudwatch_event_rule.this.event_bus_name == "default" && aws_cloudwatch_event_rule.this.state == "ENABLED"
    error_message = "The rule waits for the events on the default bus."
  }

  assert {
    condition     = aws_cloudwatch_event_target.this.arn == var.function_alias_arn && aws_cloudwatch_event_target.this.input == null && length(aws_cloudwatch_event_target.this.input_transformer) == 0
    error_message = "The alias gets the event as it is."
  }

  assert {
    condition     = aws_cloudwatch_event_target.this.retry_policy[0].maximum_event_age_in_seconds == 86400 && aws_cloudwatch_event_target.this.retry_policy[0].maximum_retry_attempts == 185
    error_message = "Retries are explicit, EventBridge's own."
  }

  assert {
    condition     = aws_cloudwatch_event_target.this.dead_letter_config[0].arn == "arn:aws:sqs:eu-west-1:123456789012:orders-dlq" && output.dead_letter_queue_arn == "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
    error_message = "What cannot be handed over goes to <name>-dlq."
  }

  assert {
    condition     = output.arn == "arn:aws:events:eu-west-1:123456789012:rule/orders"
    error_message = "The rule's ARN is known before it is there."
  }

  assert {
    condition     = aws_lambda_permission.this.function_name == "orders" && aws_lambda_permission.this.qualifier == "live" && aws_lambda_permission.this.principal == "events.amazonaws.com" && aws_lambda_permission.this.source_arn == output.arn
    error_message = "The alias lets exactly this rule in."
  }

  assert {
    condition     = output.dead_letter_policy_statement == null
    error_message = "The module's own queue needs nothing from outside."
  }
}

run "own_bus_given_queue_and_transformer" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  variables {
    event_bus_name            = "shop"
    enabled                   = false
    dead_letter_queue         = false
    dead_letter_queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:lost"
    input_paths               = { order = "$.detail.order", first = "$.resources[0]" }
    input_template            = "{\"order\": <order>, \"first\": <first>, \"rule\": <aws.events.rule-name>}"
    maximum_event_age_seconds = 60
    maximum_retry_attempts    = 0
  }

  assert {
    condition     = aws_cloudwatch_event_rule.this.event_bus_name == "shop" && aws_cloudwatch_event_target.this.event_bus_name == "shop" && aws_cloudwatch_event_rule.this.state == "DISABLED" && output.arn == "arn:aws:events:eu-west-1:123456789012:rule/shop/orders"
    error_message = "The rule is on the given bus, and off."
  }

  assert {
    condition     = aws_cloudwatch_event_target.this.input_transformer[0].input_paths == tomap(var.input_paths) && aws_cloudwatch_event_target.this.input_transformer[0].input_template == var.input_template
    error_message = "The function gets what the template says."
  }

  assert {
    condition     = aws_cloudwatch_event_target.this.retry_policy[0].maximum_event_age_in_seconds == 60 && aws_cloudwatch_event_target.this.retry_policy[0].maximum_retry_attempts == 0
    error_message = "The limits are passed on."
  }

  assert {
    condition     = length(module.dead_letter_queue) == 0 && aws_cloudwatch_event_target.this.dead_letter_config[0].arn == var.dead_letter_queue_arn && output.dead_letter_queue_url == null
    error_message = "The given queue takes the place of the module's."
  }

  assert {
    condition     = output.dead_letter_policy_statement.Resource == var.dead_letter_queue_arn && output.dead_letter_policy_statement.Action == "sqs:SendMessage" && output.dead_letter_policy_statement.Condition.ArnEquals["aws:SourceArn"] == output.arn
    error_message = "Its owner learns what its policy has to hold."
  }
}

run "schedule" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  variables {
    event_pattern       = null
    schedule_expression = "cron(0 3 * * ? *)"
    input               = "{\"job\": \"nightly\"}"
  }

  assert {
    condition     = aws_cloudwatch_event_rule.this.schedule_expression == "cron(0 3 * * ? *)" && aws_cloudwatch_event_rule.this.event_pattern == null && aws_cloudwatch_event_target.this.input == var.input
    error_message = "The function is started at these times, with this input."
  }
}

# A check that looks at another variable is not made if that one has failed: so these runs go by what looks at what.
run "refuses_what_is_no_value" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  variables {
    dead_letter_queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:lost.fifo"
    description               = replace(format("%513s", ""), " ", "d")
    event_bus_name            = "arn:aws:events:eu-west-1:123456789012:event-bus/shop"
    function_alias_arn        = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
    input_template            = "\\u003corder\\u003e"
    maximum_event_age_seconds = 59
    maximum_retry_attempts    = 186
    name                      = "orders.fifo"
  }

  expect_failures = [
    var.dead_letter_queue_arn,
    var.description,
    var.event_bus_name,
    var.function_alias_arn,
    var.input_template,
    var.maximum_event_age_seconds,
    var.maximum_retry_attempts,
    var.name,
  ]
}

run "refuses_what_is_not_of_its_language" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  variables {
    schedule_expression = "rate(1 minutes)"
    event_pattern       = null
    input_paths         = { "AWS.order" = "$.detail.order" }
    input_template      = "{}"
    kms_key_arn         = "alias/mine"
  }

  expect_failures = [var.schedule_expression, var.input_paths, var.kms_key_arn]
}

run "refuses_a_list_as_pattern_and_too_much_input" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  variables {
    event_pattern     = "[\"shop\"]"
    input_paths       = { for number in range(101) : "n${number}" => "$.detail" }
    input_template    = "{}"
    dead_letter_queue = false
  }

  expect_failures = [var.event_pattern, var.input_paths, var.dead_letter_queue]
}

run "refuses_input_that_is_no_json" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  variables {
    input = "nightly"
  }

  expect_failures = [var.input]
}

run "refuses_too_much_input" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  variables {
    input = jsonencode(replace(format("%8191s", ""), " ", "x"))
  }

  expect_failures = [var.input]
}

run "refuses_too_long" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  variables {
    event_pattern         = jsonencode({ source = [replace(format("%4096s", ""), " ", "x")] })
    input_template        = replace(format("%8193s", ""), " ", "x")
    dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:lost"
  }

  expect_failures = [var.event_pattern, var.input_template, var.dead_letter_queue]
}

run "refuses_two_at_once" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  variables {
    schedule_expression   = "rate(1 minute)"
    input                 = "1"
    input_paths           = { order = "$['detail']" }
    input_template        = "{\"order\": <order>}"
    dead_letter_queue     = false
    dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:lost"
    kms_key_arn           = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  expect_failures = [var.event_pattern, var.input, var.input_paths, var.kms_key_arn]
}

run "refuses_what_is_for_nothing" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  variables {
    event_bus_name      = "shop"
    event_pattern       = null
    schedule_expression = "rate(5 minutes)"
    input_paths         = { order = "$.detail.order" }
  }

  expect_failures = [var.schedule_expression, var.input_paths]
}

run "refuses_neither_and_unknown_placeholders" {
  command = plan

  module {
    source = "./modules/event-rule"
  }

  variables {
    event_pattern  = null
    input_paths    = { order = "$.detail.order" }
    input_template = "{\"order\": <other>, \"rule\": <aws.events.rule-name>}"
  }

  expect_failures = [var.event_pattern, var.input_paths]
}
