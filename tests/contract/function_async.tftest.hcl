mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  name      = "orders"
  s3_bucket = "artifacts"
  s3_key    = "orders/abc.zip"
  code_hash = "abc"
}

run "without_destinations" {
  command = plan

  module {
    source = "./modules/function"
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.qualifier == "live" && aws_lambda_function_event_invoke_config.this.function_name == "orders"
    error_message = "The settings are those of the alias, which invokers call."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.maximum_event_age_in_seconds == 21600 && aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 2
    error_message = "The limits are Lambda's own."
  }

  assert {
    condition     = length(aws_lambda_function_event_invoke_config.this.destination_config) == 0 && length(local.destination_statements) == 0
    error_message = "No empty block, and no permission."
  }
}

run "queue_and_bucket" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    maximum_event_age_seconds  = 60
    maximum_retry_attempts     = 0
    dead_letter_queue_arn      = "arn:aws:sqs:eu-west-1:123456789012:failed"
    on_failure_destination_arn = "arn:aws:s3:::failures"
    on_failure_kms_key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    on_success_destination_arn = "arn:aws:sqs:eu-west-1:123456789012:done"
    on_success_kms_key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/4321abcd-12ab-34cd-56ef-1234567890ab"
    policy_statements          = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::orders/*"] }]
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.maximum_event_age_in_seconds == 60 && aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 0
    error_message = "The limits are passed on."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.destination_config[0].on_failure[0].destination == var.on_failure_destination_arn && aws_lambda_function_event_invoke_config.this.destination_config[0].on_success[0].destination == var.on_success_destination_arn
    error_message = "Each outcome has its destination."
  }

  assert {
    condition     = aws_lambda_function.this.dead_letter_config[0].target_arn == var.dead_letter_queue_arn
    error_message = "A dead-letter queue may be there as well."
  }

  assert {
    condition = { for statement in local.destination_statements : statement.sid => jsonencode([statement.actions, statement.resources, statement.conditions]) } == {
      SendFailures = jsonencode([["s3:PutObject"], ["arn:aws:s3:::failures/*"], [
        { test = "StringEquals", variable = "aws:ResourceAccount", values = ["123456789012"] },
      ]])
      FindBucketOfFailures = jsonencode([["s3:ListBucket"], ["arn:aws:s3:::failures"], [
        { test = "StringEquals", variable = "aws:ResourceAccount", values = ["123456789012"] },
      ]])
      EncryptFailures = jsonencode([["kms:GenerateDataKey"], [var.on_failure_kms_key_arn], [
        { test = "StringEquals", variable = "kms:ViaService", values = ["s3.eu-west-1.amazonaws.com"] },
      ]])
      SendSuccesses = jsonencode([["sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:123456789012:done"], []])
      EncryptSuccesses = jsonencode([["kms:GenerateDataKey", "kms:Decrypt"], [var.on_success_kms_key_arn], [
        { test = "StringEquals", variable = "kms:ViaService", values = ["sqs.eu-west-1.amazonaws.com"] },
      ]])
    }
    error_message = "The role may send to exactly these, with their keys; to a bucket of this account alone."
  }
}

run "topic_and_bus" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    on_failure_destination_arn = "arn:aws:sns:eu-west-1:123456789012:alerts"
    on_success_destination_arn = "arn:aws:events:eu-west-1:123456789012:event-bus/orders"
  }

  assert {
    condition = { for statement in local.destination_statements : statement.sid => jsonencode([statement.actions, statement.resources, statement.conditions]) } == {
      SendFailures  = jsonencode([["sns:Publish"], ["arn:aws:sns:eu-west-1:123456789012:alerts"], []])
      SendSuccesses = jsonencode([["events:PutEvents"], ["arn:aws:events:eu-west-1:123456789012:event-bus/orders"], []])
    }
    error_message = "The role may publish and put events, to exactly these."
  }
}

run "function" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    on_success_destination_arn = "arn:aws:lambda:eu-west-1:123456789012:function:next:live"
  }

  assert {
    condition     = length(aws_lambda_function_event_invoke_config.this.destination_config[0].on_failure) == 0 && aws_lambda_function_event_invoke_config.this.destination_config[0].on_success[0].destination == var.on_success_destination_arn
    error_message = "One outcome may have a destination without the other."
  }

  assert {
    condition     = length(local.destination_statements) == 1 && local.destination_statements[0].actions[0] == "lambda:InvokeFunction" && local.destination_statements[0].resources[0] == var.on_success_destination_arn
    error_message = "The role may invoke exactly this alias."
  }
}

# A check that looks at another variable is not made if that one has failed: so these runs go by what looks at what.
run "refuses_what_is_no_value" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    maximum_event_age_seconds  = 59
    maximum_retry_attempts     = 3
    on_failure_destination_arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/failures"
    on_success_destination_arn = "arn:aws:s3:::successes"
  }

  expect_failures = [
    var.maximum_event_age_seconds,
    var.maximum_retry_attempts,
    var.on_failure_destination_arn,
    var.on_success_destination_arn,
  ]
}

run "refuses_fifo" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    on_failure_destination_arn = "arn:aws:sqs:eu-west-1:123456789012:failures.fifo"
    on_success_destination_arn = "arn:aws:sns:eu-west-1:123456789012:successes.fifo"
  }

  expect_failures = [var.on_failure_destination_arn, var.on_success_destination_arn]
}

run "refuses_key_alias" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    on_failure_destination_arn = "arn:aws:s3:::failures"
    on_failure_kms_key_arn     = "alias/mine"
    on_success_destination_arn = "arn:aws:sqs:eu-west-1:123456789012:done"
    on_success_kms_key_arn     = "alias/mine"
  }

  expect_failures = [var.on_failure_kms_key_arn, var.on_success_kms_key_arn]
}

run "refuses_key_for_nothing" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    on_failure_kms_key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    on_success_destination_arn = "arn:aws:lambda:eu-west-1:123456789012:function:next:live"
    on_success_kms_key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  expect_failures = [var.on_failure_kms_key_arn, var.on_success_kms_key_arn]
}

run "refuses_itself" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    on_success_destination_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
  }

  expect_failures = [aws_lambda_function_event_invoke_config.this]
}
