mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  name         = "orders"
  function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
}

run "queue_and_topic" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_failure = { type = "topic", arn = "arn:aws:sns:eu-west-1:123456789012:alerts" }
    on_success = { type = "queue", arn = "arn:aws:sqs:eu-west-1:123456789012:done" }
  }

  assert {
    condition     = { for outcome, rule in aws_cloudwatch_event_rule.this : outcome => rule.name } == { on_failure = "orders-on-failure", on_success = "orders-on-success" }
    error_message = "Each outcome has its rule."
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.this["on_failure"].event_pattern) == {
      source      = ["aws.lambda"]
      detail-type = ["Durable Execution Status Change"]
      detail = {
        functionArn = [{ prefix = "arn:aws:lambda:eu-west-1:123456789012:function:orders:" }]
        status      = ["FAILED", "TIMED_OUT", "STOPPED"]
      }
    }
    error_message = "A failure is any end without a result, on any version of this function."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["on_success"].event_pattern).detail.status == ["SUCCEEDED"]
    error_message = "A success is one."
  }

  assert {
    condition     = aws_cloudwatch_event_target.this["on_failure"].arn == var.on_failure.arn && aws_cloudwatch_event_target.this["on_success"].arn == var.on_success.arn && output.on_failure_target_arn == var.on_failure.arn && output.on_success_target_arn == var.on_success.arn
    error_message = "Each outcome has its target."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : target.retry_policy[0].maximum_event_age_in_seconds == 86400 && target.retry_policy[0].maximum_retry_attempts == 185 && target.dead_letter_config[0].arn == "arn:aws:sqs:eu-west-1:123456789012:orders-outcomes-dlq"])
    error_message = "Each target has retries and the dead-letter queue."
  }

  assert {
    condition     = output.on_failure_rule_arn == "arn:aws:events:eu-west-1:123456789012:rule/orders-on-failure" && output.on_success_rule_arn == "arn:aws:events:eu-west-1:123456789012:rule/orders-on-success"
    error_message = "The ARNs of the rules are known before they are there."
  }

  assert {
    condition     = !strcontains(aws_cloudwatch_event_target.this["on_failure"].input_transformer[0].input_template, "\\u003c") && toset(flatten(regexall("<([a-z_]+)>", aws_cloudwatch_event_target.this["on_failure"].input_transformer[0].input_template))) == toset(keys(aws_cloudwatch_event_target.this["on_failure"].input_transformer[0].input_paths))
    error_message = "Every placeholder has a path, and none is escaped."
  }

  assert {
    condition = jsondecode(replace(aws_cloudwatch_event_target.this["on_failure"].input_transformer[0].input_template, "/<([a-z_]+)>/", "\"$1\"")) == {
      version         = "1.0"
      timestamp       = "time"
      requestContext  = { functionArn = "function_arn", condition = "status", executionArn = "execution_arn", executionName = "execution_name" }
      responseContext = { status = "status", startTimestamp = "started", endTimestamp = "ended" }
    }
    error_message = "The record has the shape of a destination's."
  }

  assert {
    condition     = toset(keys(output.target_policy_statements)) == toset(["on_failure", "on_success"])
    error_message = "The owners of queue and topic learn what their policies have to hold."
  }

  assert {
    condition     = jsondecode(output.target_policy_statements["on_failure"]) == { Sid = "AllowOutcomesOfFailure", Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sns:Publish", Resource = var.on_failure.arn }
    error_message = "A topic lets EventBridge in without a condition, which it could not meet."
  }

  assert {
    condition     = jsondecode(output.target_policy_statements["on_success"]).Action == "sqs:SendMessage" && jsondecode(output.target_policy_statements["on_success"]).Condition.ArnEquals["aws:SourceArn"] == output.on_success_rule_arn
    error_message = "A queue lets exactly its rule in."
  }

  assert {
    condition     = length(aws_lambda_permission.this) == 0 && length(aws_iam_role.this) == 0 && output.dead_letter_policy_statement == null
    error_message = "Nothing is allowed that nothing needs."
  }
}

run "function_and_bus" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_failure                = { type = "function", arn = "arn:aws:lambda:eu-west-1:123456789012:function:mend:live", statuses = ["TIMED_OUT"] }
    on_success                = { type = "bus", arn = "arn:aws:events:eu-west-1:123456789012:event-bus/orders" }
    dead_letter_queue         = false
    dead_letter_queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:lost"
    maximum_event_age_seconds = 60
    maximum_retry_attempts    = 0
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["on_failure"].event_pattern).detail.status == ["TIMED_OUT"]
    error_message = "Only the given status counts."
  }

  assert {
    condition     = keys(aws_lambda_permission.this) == ["on_failure"] && aws_lambda_permission.this["on_failure"].function_name == "mend" && aws_lambda_permission.this["on_failure"].qualifier == "live" && aws_lambda_permission.this["on_failure"].source_arn == output.on_failure_rule_arn
    error_message = "The alias lets exactly its rule in."
  }

  assert {
    condition     = length(aws_cloudwatch_event_target.this["on_success"].input_transformer) == 0 && aws_cloudwatch_event_target.this["on_failure"].role_arn == null
    error_message = "A bus gets the event itself; a function needs no role."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement == [{ Sid = "PutOutcomes", Effect = "Allow", Action = ["events:PutEvents"], Resource = [var.on_success.arn] }]
    error_message = "The role may put events on exactly this bus."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this[0].assume_role_policy).Statement[0].Condition == { StringEquals = { "aws:SourceAccount" = "123456789012" }, ArnEquals = { "aws:SourceArn" = [output.on_success_rule_arn] } }
    error_message = "Only the rule of the bus takes the role."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : target.dead_letter_config[0].arn == var.dead_letter_queue_arn && target.retry_policy[0].maximum_event_age_in_seconds == 60 && target.retry_policy[0].maximum_retry_attempts == 0])
    error_message = "The given queue and limits are passed on."
  }

  assert {
    condition     = output.dead_letter_policy_statement.Condition.ArnEquals["aws:SourceArn"] == [output.on_failure_rule_arn, output.on_success_rule_arn] && output.dead_letter_policy_statement.Resource == var.dead_letter_queue_arn && length(output.target_policy_statements) == 0
    error_message = "The owner of the dead-letter queue learns what its policy has to hold."
  }
}

run "new_queue" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_success         = { type = "new_queue" }
    visibility_timeout = 180
  }

  assert {
    condition     = keys(aws_cloudwatch_event_rule.this) == ["on_success"] && aws_cloudwatch_event_target.this["on_success"].arn == "arn:aws:sqs:eu-west-1:123456789012:orders-on-success" && output.on_failure_target_arn == null
    error_message = "One outcome may have a target without the other."
  }

  assert {
    condition     = length(output.target_policy_statements) == 0
    error_message = "The module's own queue needs nothing from outside."
  }
}

# A check that looks at another variable is not made if that one has failed: so these runs go by what looks at what.
run "refuses_what_is_no_value" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    dead_letter_queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:lost.fifo"
    function_arn              = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
    kms_key_arn               = "alias/mine"
    maximum_event_age_seconds = 86401
    maximum_retry_attempts    = -1
    name                      = replace(format("%54s", ""), " ", "n")
    on_success                = { type = "bucket" }
    permissions_boundary      = "boundary"
  }

  expect_failures = [
    var.dead_letter_queue_arn,
    var.function_arn,
    var.kms_key_arn,
    var.maximum_event_age_seconds,
    var.maximum_retry_attempts,
    var.name,
    var.on_success,
    var.permissions_boundary,
  ]
}

run "refuses_a_type_that_there_is_not_for_success" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_success = { type = "bucket", arn = "arn:aws:s3:::results" }
  }

  expect_failures = [var.on_success]
}

run "refuses_another_type" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_failure        = { type = "bucket", arn = "arn:aws:s3:::failures" }
    dead_letter_queue = false
  }

  expect_failures = [var.on_failure, var.dead_letter_queue]
}

run "refuses_success_of_another_type" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_success            = { type = "function", arn = "arn:aws:lambda:eu-west-1:123456789012:function:next" }
    dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:lost"
  }

  expect_failures = [var.on_success, var.dead_letter_queue]
}

run "refuses_failure_of_another_type" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_failure = { type = "queue", arn = "arn:aws:sqs:eu-west-1:123456789012:failures.fifo" }
  }

  expect_failures = [var.on_failure]
}

run "refuses_arn_of_a_new_queue" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_success = { type = "new_queue", arn = "arn:aws:sqs:eu-west-1:123456789012:done" }
  }

  expect_failures = [var.on_success]
}

run "refuses_queue_without_arn" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_failure = { type = "queue" }
  }

  expect_failures = [var.on_failure]
}

run "refuses_success_among_failures" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_failure = { type = "new_queue", statuses = ["FAILED", "SUCCEEDED"] }
  }

  expect_failures = [var.on_failure]
}

run "refuses_no_outcome" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  expect_failures = [var.on_failure]
}

run "refuses_itself" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_failure = { type = "function", arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live" }
  }

  expect_failures = [aws_cloudwatch_event_target.this]
}

run "refuses_long_role_name" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    name       = replace(format("%46s", ""), " ", "n")
    on_success = { type = "bus", arn = "arn:aws:events:eu-west-1:123456789012:event-bus/orders" }
  }

  expect_failures = [aws_iam_role.this]
}

run "refuses_default_bus" {
  command = plan

  module {
    source = "./modules/outcome-events"
  }

  variables {
    on_success = { type = "bus", arn = "arn:aws:events:eu-west-1:123456789012:event-bus/default" }
  }

  expect_failures = [aws_cloudwatch_event_target.this]
}
