mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  source_queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:orders"
  function_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
  role_name          = "orders-eu-west-1"
  function_timeout   = 60
  visibility_timeout = 360
}

run "minimal" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.function_name == var.function_alias_arn && aws_lambda_event_source_mapping.this.event_source_arn == var.source_queue_arn && aws_lambda_event_source_mapping.this.enabled
    error_message = "The mapping polls the queue for the alias."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.batch_size == 10 && aws_lambda_event_source_mapping.this.maximum_batching_window_in_seconds == 0
    error_message = "Batches are one receive."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "Failed messages return alone."
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.this.filter_criteria) + length(aws_lambda_event_source_mapping.this.scaling_config) + length(aws_lambda_event_source_mapping.this.provisioned_poller_config) + length(aws_lambda_event_source_mapping.this.metrics_config) == 0 && aws_lambda_event_source_mapping.this.kms_key_arn == null
    error_message = "No empty blocks."
  }

  assert {
    condition     = aws_iam_role_policy.this[0].role == var.role_name && aws_iam_role_policy.this[0].name == "read-orders"
    error_message = "The function's role gets a policy of its own for the queue."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement == [{ Sid = "ReadQueue", Effect = "Allow", Action = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], Resource = [var.source_queue_arn] }]
    error_message = "It reads this queue and nothing else."
  }
}

run "durable" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    execution_timeout  = 900
    visibility_timeout = 930
  }
}

run "durable_at_the_least_of_a_long_function" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    execution_timeout  = 60
    batching_window    = 5
    visibility_timeout = 365
  }
}

run "fifo" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    source_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
  }

  assert {
    condition     = aws_iam_role_policy.this[0].name == "read-orders.fifo"
    error_message = "The policy has the queue's name."
  }
}

run "large_batch" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    batch_size         = 10000
    batching_window    = 300
    visibility_timeout = 660
  }
}

run "filters" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    filter_patterns    = ["{\"body\":{\"kind\":[\"a\"]}}", "{\"body\":{\"kind\":[\"b\"]}}"]
    filter_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = length(one(aws_lambda_event_source_mapping.this.filter_criteria).filter) == 2
    error_message = "Each pattern is a filter."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.kms_key_arn == var.filter_kms_key_arn
    error_message = "The patterns are encrypted with the key."
  }

  assert {
    condition     = length(jsondecode(aws_iam_role_policy.this[0].policy).Statement) == 1
    error_message = "The role needs no key for the patterns."
  }
}

run "own_key" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Condition.StringEquals["kms:ViaService"] == ["sqs.eu-west-1.amazonaws.com"]
    error_message = "The role decrypts messages through SQS."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.kms_key_arn == null
    error_message = "The queue's key is not the patterns'."
  }
}

run "maximum_concurrency" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    maximum_concurrency = 2
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.scaling_config[0].maximum_concurrency == 2
    error_message = "The limit is passed on."
  }
}

run "minimum_pollers" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    minimum_pollers = 200
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.provisioned_poller_config[0].minimum_pollers == 200 && aws_lambda_event_source_mapping.this.provisioned_poller_config[0].maximum_pollers == 200
    error_message = "Both ends are given."
  }
}

run "maximum_pollers" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    maximum_pollers = 2
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.provisioned_poller_config[0].minimum_pollers == 2 && aws_lambda_event_source_mapping.this.provisioned_poller_config[0].maximum_pollers == 2
    error_message = "Both ends are given."
  }
}

run "disabled_whole_batches_with_metrics" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    enabled                    = false
    report_batch_item_failures = false
    metrics                    = true
  }

  assert {
    condition     = !aws_lambda_event_source_mapping.this.enabled && aws_lambda_event_source_mapping.this.function_response_types == null && aws_lambda_event_source_mapping.this.metrics_config[0].metrics == toset(["EventCount"])
    error_message = "Each switch is passed on."
  }
}

run "refuses_no_batch" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    batch_size = 0
  }

  expect_failures = [var.batch_size]
}

run "refuses_too_large_batch" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    batch_size         = 10001
    batching_window    = 1
    visibility_timeout = 361
  }

  expect_failures = [var.batch_size]
}

run "refuses_part_of_a_message" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    batch_size = 1.5
  }

  expect_failures = [var.batch_size]
}

run "refuses_batch_without_window" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    batch_size = 11
  }

  expect_failures = [var.batch_size]
}

run "refuses_too_large_fifo_batch" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    source_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
    batch_size       = 11
  }

  expect_failures = [var.batch_size]
}

run "refuses_negative_batching_window" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    batching_window = -1
  }

  expect_failures = [var.batching_window]
}

run "refuses_batching_window" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    batching_window    = 301
    visibility_timeout = 900
  }

  expect_failures = [var.batching_window]
}

run "refuses_fifo_batching_window" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    source_queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
    batching_window    = 1
    visibility_timeout = 361
  }

  expect_failures = [var.batching_window]
}

run "refuses_long_execution" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    execution_timeout  = 901
    visibility_timeout = 43200
  }

  expect_failures = [var.execution_timeout]
}

run "refuses_no_execution" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    execution_timeout = 0
  }

  expect_failures = [var.execution_timeout]
}

run "refuses_filter_kms_key_arn" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    filter_kms_key_arn = "alias/mine"
    filter_patterns    = ["{}"]
  }

  expect_failures = [var.filter_kms_key_arn]
}

run "refuses_filter_key_without_filters" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    filter_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  expect_failures = [var.filter_kms_key_arn]
}

run "refuses_six_filters" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    filter_patterns = ["{}", "{}", "{}", "{}", "{}", "{}"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_filter_without_json" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    filter_patterns = ["body"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_filter_without_object" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    filter_patterns = ["[\"a\"]"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_long_filter" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    filter_patterns = [jsonencode({ body = [replace(format("%4096s", ""), " ", "x")] })]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_unqualified_function" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    function_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
  }

  expect_failures = [var.function_alias_arn]
}

run "refuses_no_function_timeout" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    function_timeout = 0
  }

  expect_failures = [var.function_timeout]
}

run "refuses_function_timeout" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    function_timeout   = 901
    visibility_timeout = 43200
  }

  expect_failures = [var.function_timeout]
}

run "refuses_kms_key_arn" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    kms_key_arn = "alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_no_maximum_concurrency" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    maximum_concurrency = 1
  }

  expect_failures = [var.maximum_concurrency]
}

run "refuses_maximum_concurrency" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    maximum_concurrency = 1001
  }

  expect_failures = [var.maximum_concurrency]
}

run "refuses_concurrency_with_minimum_pollers" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    maximum_concurrency = 2
    minimum_pollers     = 2
  }

  expect_failures = [var.maximum_concurrency]
}

run "refuses_concurrency_with_maximum_pollers" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    maximum_concurrency = 2
    maximum_pollers     = 2
  }

  expect_failures = [var.maximum_concurrency]
}

run "refuses_one_poller" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    maximum_pollers = 1
  }

  expect_failures = [var.maximum_pollers]
}

run "refuses_maximum_pollers" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    maximum_pollers = 10001
  }

  expect_failures = [var.maximum_pollers]
}

run "refuses_maximum_below_minimum" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    maximum_pollers = 2
    minimum_pollers = 3
  }

  expect_failures = [var.maximum_pollers]
}

run "refuses_one_minimum_poller" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    minimum_pollers = 1
  }

  expect_failures = [var.minimum_pollers]
}

run "refuses_minimum_pollers" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    minimum_pollers = 201
    maximum_pollers = 300
  }

  expect_failures = [var.minimum_pollers]
}

run "refuses_role_arn" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    role_name = "arn:aws:iam::123456789012:role/orders"
  }

  expect_failures = [var.role_name]
}

run "refuses_source_without_arn" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    source_queue_arn = "orders"
  }

  expect_failures = [var.source_queue_arn]
}

run "refuses_visibility_below_invocations" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    visibility_timeout = 359
  }

  expect_failures = [var.visibility_timeout]
}

run "refuses_visibility_below_invocations_and_window" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    batching_window = 1
  }

  expect_failures = [var.visibility_timeout]
}

run "refuses_visibility_below_execution" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    execution_timeout  = 900
    visibility_timeout = 929
  }

  expect_failures = [var.visibility_timeout]
}

run "refuses_visibility_below_execution_and_window" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    execution_timeout  = 900
    batching_window    = 1
    visibility_timeout = 930
  }

  expect_failures = [var.visibility_timeout]
}

run "policy_left_to_the_owner_of_the_role" {
  command = plan

  module {
    source = "./modules/event-source-mapping"
  }

  variables {
    attach_policy = false
  }

  assert {
    condition     = length(aws_iam_role_policy.this) == 0 && length(jsondecode(output.required_policy).Statement) > 0
    error_message = "Nothing is attached, and the output says what the role has to allow."
  }
}
