mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  name             = "orders"
  source_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:orders"
  target_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
}

run "minimal" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  assert {
    condition     = aws_pipes_pipe.this.target_parameters[0].lambda_function_parameters[0].invocation_type == "FIRE_AND_FORGET"
    error_message = "The pipe does not wait for executions."
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].sqs_queue_parameters[0].batch_size == 1 && aws_pipes_pipe.this.source_parameters[0].sqs_queue_parameters[0].maximum_batching_window_in_seconds == 0
    error_message = "Queue parameters are explicit."
  }

  assert {
    condition     = length(aws_pipes_pipe.this.source_parameters[0].filter_criteria) == 0 && aws_pipes_pipe.this.target_parameters[0].input_template == null
    error_message = "Every message is passed as it is."
  }

  assert {
    condition     = aws_pipes_pipe.this.desired_state == "RUNNING" && aws_pipes_pipe.this.log_configuration[0].level == "ERROR" && aws_cloudwatch_log_group.this[0].name == "/aws/vendedlogs/pipes/orders"
    error_message = "The pipe runs and logs errors."
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this.policy).Statement : s.Resource] == [[var.source_queue_arn], [var.target_alias_arn]]
    error_message = "The role reads this queue and invokes this alias."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceArn"] == "arn:aws:pipes:eu-west-1:123456789012:pipe/orders"
    error_message = "Only this pipe assumes the role."
  }

}

run "filters" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    filter_patterns = ["{\"body\":{\"kind\":[\"a\"]}}", "{\"body\":{\"kind\":[\"b\"]}}"]
  }

  assert {
    condition     = length(aws_pipes_pipe.this.source_parameters[0].filter_criteria[0].filter) == 2
    error_message = "Each pattern is a filter."
  }

}

run "template" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    input_template = "{\"messageId\": <$.messageId>, \"body\": <$.body>}"
  }

  assert {
    condition     = strcontains(aws_pipes_pipe.this.target_parameters[0].input_template, "<$.body>")
    error_message = "Placeholders stay literal."
  }

}

run "no_log" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    log_level = "OFF"
  }

  assert {
    condition     = length(aws_pipes_pipe.this.log_configuration) == 0 && length(aws_cloudwatch_log_group.this) == 0 && output.log_group_name == null
    error_message = "No log, no group."
  }

}

run "own_key" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[2].Condition.StringEquals["kms:ViaService"] == ["sqs.eu-west-1.amazonaws.com"]
    error_message = "The role decrypts messages through SQS."
  }

}

run "stopped" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    desired_state = "STOPPED"
  }

  assert {
    condition     = aws_pipes_pipe.this.desired_state == "STOPPED"
    error_message = "A pipe can be stopped."
  }

}

run "large_batch" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    batch_size       = 100
    batching_window  = 1
    max_message_size = 8192
  }

}

run "refuses_no_batch" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    batch_size = 0
  }

  expect_failures = [var.batch_size]
}

run "refuses_too_large_batch" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    batch_size      = 10001
    batching_window = 1
  }

  expect_failures = [var.batch_size]
}

run "refuses_batch_without_window" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    batch_size       = 11
    max_message_size = 1024
  }

  expect_failures = [var.batch_size]
}

run "refuses_batch_above_payload" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    batch_size = 4
  }

  expect_failures = [var.batch_size]
}

run "refuses_batching_window" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    batching_window = 301
  }

  expect_failures = [var.batching_window]
}

run "refuses_description" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    description = replace(format("%513s", ""), " ", "d")
  }

  expect_failures = [var.description]
}

run "refuses_desired_state" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    desired_state = "PAUSED"
  }

  expect_failures = [var.desired_state]
}

run "refuses_six_filters" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    filter_patterns = ["{}", "{}", "{}", "{}", "{}", "{}"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_filter_without_json" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    filter_patterns = ["body"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_filter_without_object" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    filter_patterns = ["[\"a\"]"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_long_filter" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    filter_patterns = [jsonencode({ body = [replace(format("%4096s", ""), " ", "x")] })]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_long_template" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    input_template = replace(format("%8193s", ""), " ", "x")
  }

  expect_failures = [var.input_template]
}

run "refuses_escaped_template" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    input_template = "\\u003c$.body\\u003e"
  }

  expect_failures = [var.input_template]
}

run "refuses_kms_key_arn" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    kms_key_arn = "alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_log_level" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    log_level = "DEBUG"
  }

  expect_failures = [var.log_level]
}

run "refuses_log_retention_days" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_max_message_size" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    max_message_size = 1023
  }

  expect_failures = [var.max_message_size]
}

run "refuses_name_too_long" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    name = replace(format("%65s", ""), " ", "n")
  }

  expect_failures = [var.name]
}

run "refuses_name_charset" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    name = "a b"
  }

  expect_failures = [var.name]
}

run "refuses_role_name_too_long" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    name = replace(format("%51s", ""), " ", "n")
  }

  expect_failures = [aws_iam_role.this]
}

run "refuses_permissions_boundary" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    permissions_boundary = "boundary"
  }

  expect_failures = [var.permissions_boundary]
}

run "refuses_source_without_arn" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    source_queue_arn = "orders"
  }

  expect_failures = [var.source_queue_arn]
}

run "refuses_fifo_source" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    source_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
  }

  expect_failures = [var.source_queue_arn]
}

run "refuses_unqualified_target" {
  command = plan

  module {
    source = "./modules/pipe"
  }

  variables {
    target_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
  }

  expect_failures = [var.target_alias_arn]
}
