mock_provider "aws" {
  source = "./tests/contract/mocks"
}

# The command "true" in place of python: nothing is built here.
variables {
  name   = "orders"
  python = "true"
}

run "sample" {
  command = apply

  assert {
    condition     = toset(keys(output.step_function_arns)) == toset(["validate", "transform", "store"])
    error_message = "The sample has three steps."
  }

  assert {
    condition     = output.step_function_arns["store"] == "arn:aws:lambda:eu-west-1:123456789012:function:orders-store:live"
    error_message = "Steps are invoked by their alias."
  }

  assert {
    condition     = local.step_environment == { VALIDATE_FUNCTION_ARN = output.step_function_arns["validate"], TRANSFORM_FUNCTION_ARN = output.step_function_arns["transform"], STORE_FUNCTION_ARN = output.step_function_arns["store"] }
    error_message = "The pipeline finds its steps in its environment."
  }

  assert {
    condition     = toset(local.step_statements[0].resources) == toset(values(output.step_function_arns))
    error_message = "The pipeline may invoke exactly its steps."
  }

  assert {
    condition     = output.table_name == "orders" && aws_dynamodb_table.this[0].hash_key == "message_id"
    error_message = "The sample stores in its table."
  }

  assert {
    condition     = local.steps["store"].environment_variables.TABLE_NAME == "orders" && local.steps["store"].policy_statements[0].resources[0] == "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
    error_message = "Only store reaches the table."
  }

  assert {
    condition     = local.failed_event_size == 262144 && module.failed_queue.max_message_size == 262144
    error_message = "The queue for what failed holds the largest message with its envelope and its error."
  }

  assert {
    condition     = local.pip_arguments == tolist(["--no-deps"]) && length(aws_s3_bucket.artifacts) == 1
    error_message = "The sample bundles the SDK alone, in a bucket of its own."
  }

  assert {
    condition     = output.function_name == "orders" && output.function_alias_arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders:live" && output.function_version == "7"
    error_message = "The outputs name the durable function."
  }

  assert {
    condition     = output.pipe_arn != null && output.dead_letter_queue_url != null && output.failed_queue_url != null && output.queue_url != null
    error_message = "The outputs name the bridge."
  }

}

run "what_failed_fits" {
  command = plan

  variables {
    max_message_size        = 17952
    batch_size              = 10
    failed_max_message_size = 202048
  }

  assert {
    condition     = local.failed_event_size == 202048 && module.failed_queue.max_message_size == 202048
    error_message = "The queue holds the event of a whole batch and its error."
  }
}

run "what_failed_alone_fits" {
  command = plan

  variables {
    bridge     = "dispatcher"
    batch_size = 10
  }

  assert {
    condition     = local.failed_event_size == 262144 && module.failed_queue.max_message_size == 262144
    error_message = "Behind a dispatcher each message has an execution of its own."
  }
}

run "what_a_mapping_returns_need_not_fit" {
  command = plan

  variables {
    bridge           = "esm"
    max_message_size = 262144
  }
}

run "refuses_batch_above_what_holds_failures" {
  command = plan

  variables {
    batch_size = 2
  }

  expect_failures = [var.failed_max_message_size]
}

run "refuses_dispatched_message_above_what_holds_failures" {
  command = plan

  variables {
    bridge                  = "dispatcher"
    max_message_size        = 100000
    failed_max_message_size = 104095
  }

  expect_failures = [var.failed_max_message_size]
}

run "own_sources" {
  command = plan

  variables {
    source_dir      = "./tests/terraform/callback/handler"
    artifact_bucket = "mine"
  }

  assert {
    condition     = length(output.step_function_arns) == 0 && output.table_name == null && length(local.step_statements) == 0
    error_message = "Own sources bring no steps and no table."
  }

  assert {
    condition     = length(aws_s3_bucket.artifacts) == 0 && output.artifact_bucket == "mine"
    error_message = "A given bucket is used."
  }

  assert {
    condition     = length(local.pip_arguments) == 0
    error_message = "Own sources are installed with their dependencies."
  }

}

run "own_sources_with_steps" {
  command = plan

  variables {
    source_dir = "./tests/terraform/callback/handler"
    steps      = { fan-out = { source_dir = "./functions/validate", runtime = "python3.12" } }
  }

  assert {
    condition     = local.step_variables == { "fan-out" = "FAN_OUT_FUNCTION_ARN" } && output.step_function_names["fan-out"] == "orders-fan-out"
    error_message = "A key names function and variable."
  }

  assert {
    condition     = output.table_name == null
    error_message = "Own steps bring their own storage."
  }

}

run "sample_with_own_steps" {
  command = plan

  variables {
    steps = { validate = { source_dir = "./functions/validate" }, transform = { source_dir = "./functions/validate" }, store = { source_dir = "./functions/validate" } }
  }

  assert {
    condition     = output.table_name == null && length(output.step_function_arns) == 3
    error_message = "Own steps bring their own storage."
  }

}

run "own_key" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = aws_dynamodb_table.this[0].server_side_encryption[0].enabled && aws_dynamodb_table.this[0].server_side_encryption[0].kms_key_arn == var.kms_key_arn
    error_message = "The table is encrypted with the key."
  }

}

run "longest_name" {
  command = plan

  variables {
    name = replace(format("%39s", ""), " ", "n")
  }

}

run "pipe_defaults" {
  command = plan

  variables {
    bridge = "pipe"
  }

  assert {
    condition     = local.batch_size == 1 && local.execution_timeout == 86400 && local.visibility_timeout == 60
    error_message = "Behind a pipe a message has an execution of its own, of up to a day."
  }

  assert {
    condition     = output.event_source_mapping_uuid == null && output.dispatcher_function_name == null && output.dispatcher_function_arn == null
    error_message = "The outputs name this bridge alone."
  }
}

run "esm" {
  command = apply

  variables {
    bridge = "esm"
  }

  assert {
    condition     = local.batch_size == 10 && local.execution_timeout == 900 && local.visibility_timeout == 930
    error_message = "Behind a mapping an execution and its messages take 15 minutes."
  }

  assert {
    condition     = output.event_source_mapping_uuid != null && output.dispatcher_function_name == null && output.pipe_arn == null && output.pipe_name == null
    error_message = "The outputs name this bridge alone."
  }

  assert {
    condition     = output.dead_letter_queue_url != null && output.failed_queue_url != null
    error_message = "Both queues are there with each bridge."
  }
}

run "esm_with_long_invocations" {
  command = plan

  variables {
    bridge            = "esm"
    execution_timeout = 60
    timeout           = 60
    batching_window   = 5
  }

  assert {
    condition     = local.visibility_timeout == 365
    error_message = "Six times the invocation and the window."
  }
}

run "dispatcher" {
  command = apply

  variables {
    bridge              = "dispatcher"
    maximum_concurrency = 2
    bridge_enabled      = false
    batching_window     = 5
  }

  assert {
    condition     = local.batch_size == 10 && local.execution_timeout == 86400 && local.visibility_timeout == 185
    error_message = "Behind a dispatcher an execution may take long, and its message is not waited for."
  }

  assert {
    condition     = output.dispatcher_function_name == "orders-dispatcher" && output.dispatcher_function_arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders-dispatcher" && output.event_source_mapping_uuid != null && output.pipe_arn == null
    error_message = "The outputs name this bridge alone."
  }
}

run "esm_fifo" {
  command = plan

  variables {
    bridge = "esm"
    fifo   = true
  }

  assert {
    condition     = output.queue_arn == "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
    error_message = "The queue is FIFO."
  }

  assert {
    condition     = local.batch_size == 1
    error_message = "A message of a group does not use up the receives of those behind it."
  }
}

run "dispatcher_fifo" {
  command = plan

  variables {
    bridge = "dispatcher"
    fifo   = true
  }

  assert {
    condition     = output.queue_arn == "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
    error_message = "The queue is FIFO."
  }

  assert {
    condition     = local.batch_size == 1
    error_message = "A message of a group does not use up the receives of those behind it."
  }
}

run "reserved_concurrency_behind_a_mapping" {
  command = plan

  variables {
    bridge               = "esm"
    reserved_concurrency = 5
    maximum_concurrency  = 5
  }
}

run "longest_name_with_dispatcher" {
  command = plan

  variables {
    bridge = "dispatcher"
    name   = replace(format("%38s", ""), " ", "n")
  }
}

run "given_values" {
  command = plan

  variables {
    bridge             = "esm"
    execution_timeout  = 300
    batch_size         = 5
    visibility_timeout = 1000
  }

  assert {
    condition     = local.execution_timeout == 300 && local.batch_size == 5 && local.visibility_timeout == 1000
    error_message = "Given values are used."
  }
}

run "refuses_bridge" {
  command = plan

  variables {
    bridge = "kinesis"
  }

  expect_failures = [var.bridge]
}

run "refuses_sample_without_its_steps" {
  command = plan

  variables {
    steps = { validate = { source_dir = "./functions/validate" } }
  }

  expect_failures = [output.function_alias_arn]
}

run "refuses_batch_above_the_operations_of_an_execution" {
  command = plan

  variables {
    bridge          = "esm"
    batch_size      = 750
    batching_window = 1
  }

  expect_failures = [output.function_alias_arn]
}

# Several at once where none hides another: each run plans the whole stack. A name that is refused hides what is named after it.
run "refuses_fifo_and_maximum_concurrency_of_a_pipe" {
  command = plan

  variables {
    fifo                = true
    maximum_concurrency = 2
  }

  expect_failures = [var.fifo, var.maximum_concurrency]
}

run "refuses_step_s_variable_and_large_message_and_short_visibility" {
  command = plan

  variables {
    environment_variables = { STORE_FUNCTION_ARN = "x" }
    max_message_size      = 258049
    visibility_timeout    = 59
  }

  expect_failures = [var.environment_variables, var.failed_max_message_size, var.visibility_timeout]
}

run "refuses_name_too_long_and_visibility_below_window" {
  command = plan

  variables {
    name               = replace(format("%40s", ""), " ", "n")
    visibility_timeout = 60
    batching_window    = 5
  }

  expect_failures = [var.name, var.visibility_timeout]
}

run "refuses_name_charset_and_what_outlasts_a_mapping" {
  command = plan

  variables {
    name                 = "a_b"
    bridge               = "esm"
    execution_timeout    = 901
    reserved_concurrency = 5
  }

  expect_failures = [var.name, var.execution_timeout, var.reserved_concurrency]
}

run "refuses_visibility_below_execution_and_reserved_concurrency_below_limit" {
  command = plan

  variables {
    bridge               = "esm"
    visibility_timeout   = 929
    reserved_concurrency = 5
    maximum_concurrency  = 6
  }

  expect_failures = [var.visibility_timeout, var.reserved_concurrency]
}

run "refuses_name_too_long_and_short_visibility_with_dispatcher" {
  command = plan

  variables {
    bridge             = "dispatcher"
    name               = replace(format("%39s", ""), " ", "n")
    visibility_timeout = 179
  }

  expect_failures = [var.name, var.visibility_timeout]
}

run "refuses_step_named_dispatcher" {
  command = plan

  variables {
    bridge     = "dispatcher"
    source_dir = "./tests/terraform/callback/handler"
    steps      = { dispatcher = { source_dir = "./functions/validate" } }
  }

  expect_failures = [var.steps]
}

run "refuses_step_key" {
  command = plan

  variables {
    source_dir = "./tests/terraform/callback/handler"
    steps      = { Fan_out = { source_dir = "./functions/validate" } }
  }

  expect_failures = [var.steps]
}

run "refuses_name_too_long_with_step" {
  command = plan

  variables {
    name       = replace(format("%34s", ""), " ", "n")
    source_dir = "./tests/terraform/callback/handler"
    steps      = { a-rather-long-key = { source_dir = "./functions/validate" } }
  }

  expect_failures = [var.name]
}
