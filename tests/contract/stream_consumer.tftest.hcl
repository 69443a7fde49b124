mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  name               = "orders"
  source_arn         = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
  function_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
  role_name          = "orders-eu-west-1"
}

run "kinesis" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.event_source_arn == var.source_arn && aws_lambda_event_source_mapping.this.function_name == var.function_alias_arn && aws_lambda_event_source_mapping.this.enabled
    error_message = "The mapping reads the stream for the alias."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.starting_position == "TRIM_HORIZON" && aws_lambda_event_source_mapping.this.starting_position_timestamp == null
    error_message = "It begins with all that is on the stream."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.batch_size == 100 && aws_lambda_event_source_mapping.this.maximum_batching_window_in_seconds == 0 && aws_lambda_event_source_mapping.this.parallelization_factor == 1 && aws_lambda_event_source_mapping.this.tumbling_window_in_seconds == 0
    error_message = "Batches are as Lambda's own."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_retry_attempts == 3 && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == 21600
    error_message = "Retries end, while the records are still on the stream."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.bisect_batch_on_function_error && aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "A poisoned record ends up alone."
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.this.filter_criteria) + length(aws_lambda_event_source_mapping.this.metrics_config) == 0 && aws_lambda_event_source_mapping.this.kms_key_arn == null
    error_message = "No empty blocks."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.destination_config[0].on_failure[0].destination_arn == "arn:aws:sqs:eu-west-1:123456789012:orders-failed"
    error_message = "What is given up goes to the on-failure queue."
  }

  assert {
    condition     = aws_iam_role_policy.this[0].role == var.role_name && aws_iam_role_policy.this[0].name == "consume-orders"
    error_message = "The function's role gets a policy of its own for the stream."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.this[0].policy).Statement == [
      { Sid = "ReadStream", Effect = "Allow", Action = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"], Resource = [var.source_arn] },
      { Sid = "SendFailures", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = ["arn:aws:sqs:eu-west-1:123456789012:orders-failed"] },
    ]
    error_message = "It reads this stream, sends to this queue and nothing else."
  }
}

run "on_failure_queue" {
  command = apply

  module {
    source = "./modules/stream-consumer"
  }

  assert {
    condition     = output.on_failure_queue_name == "orders-failed" && output.on_failure_dead_letter_name == "orders-failed-dlq"
    error_message = "Both queues are named after the consumer."
  }

  assert {
    condition     = output.on_failure_queue_arn == "arn:aws:sqs:eu-west-1:123456789012:orders-failed" && output.on_failure_destination_arn == output.on_failure_queue_arn
    error_message = "The queue is the destination."
  }

  assert {
    condition     = output.on_failure_queue_url != null && output.on_failure_dead_letter_url != null && output.on_failure_dead_letter_arn != null
    error_message = "The outputs name both queues."
  }

  assert {
    condition     = output.on_failure_visibility_timeout == 360
    error_message = "What reads the queue learns its visibility timeout."
  }

  assert {
    condition     = output.arn != null && output.uuid != null
    error_message = "The outputs name the mapping."
  }
}

run "consumer" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    source_arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders/consumer/pipeline:1738324800"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[*].Sid == ["ReadStream", "SubscribeToShards", "SendFailures"]
    error_message = "A consumer is subscribed to."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[0].Resource == ["arn:aws:kinesis:eu-west-1:123456789012:stream/orders"]
    error_message = "Retries read the stream itself."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Action == ["kinesis:SubscribeToShard"] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Resource == [var.source_arn]
    error_message = "It is subscribed to as this consumer."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.event_source_arn == var.source_arn
    error_message = "The mapping names the consumer."
  }
}

run "dynamodb" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    source_arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[*].Sid == ["ReadStream", "ListStreams", "SendFailures"]
    error_message = "It lists streams instead of shards."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[0].Action == ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[0].Resource == [var.source_arn]
    error_message = "It reads this stream."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Action == ["dynamodb:ListStreams"] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Resource == ["arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/*"]
    error_message = "It lists the streams of this table."
  }
}

run "own_keys" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    kms_key_arn             = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    destination_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/9999abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[*].Sid == ["ReadStream", "ReadEncryptedRecords", "SendFailures", "EncryptFailures"]
    error_message = "Each key has a statement."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Action == ["kms:Decrypt"] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Resource == [var.kms_key_arn] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Condition.StringEquals["kms:ViaService"] == ["kinesis.eu-west-1.amazonaws.com"]
    error_message = "The role decrypts records through Kinesis."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[3].Action == ["kms:GenerateDataKey", "kms:Decrypt"] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[3].Resource == [var.destination_kms_key_arn] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[3].Condition.StringEquals["kms:ViaService"] == ["sqs.eu-west-1.amazonaws.com"]
    error_message = "The role encrypts failures through SQS."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.kms_key_arn == null
    error_message = "Neither key is the patterns'."
  }
}

run "own_key_of_a_table" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    source_arn  = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[2].Condition.StringEquals["kms:ViaService"] == ["dynamodb.eu-west-1.amazonaws.com"]
    error_message = "The role decrypts changes through DynamoDB."
  }
}

run "existing_queue" {
  command = apply

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    on_failure_queue           = false
    on_failure_destination_arn = "arn:aws:sqs:eu-west-1:123456789012:failures"
  }

  assert {
    condition     = output.on_failure_queue_arn == null && output.on_failure_queue_name == null && output.on_failure_queue_url == null && output.on_failure_dead_letter_arn == null && output.on_failure_dead_letter_name == null && output.on_failure_dead_letter_url == null && output.on_failure_visibility_timeout == null
    error_message = "No queue is created."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.destination_config[0].on_failure[0].destination_arn == var.on_failure_destination_arn && output.on_failure_destination_arn == var.on_failure_destination_arn
    error_message = "What is given up goes to the queue that there is."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[1] == { Sid = "SendFailures", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [var.on_failure_destination_arn] }
    error_message = "The role may send there."
  }
}

run "existing_topic" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    on_failure_queue           = false
    on_failure_destination_arn = "arn:aws:sns:eu-west-1:123456789012:failures"
    destination_kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[*].Sid == ["ReadStream", "PublishFailures", "EncryptFailures"]
    error_message = "The role may publish, and no more."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Action == ["sns:Publish"] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Resource == [var.on_failure_destination_arn]
    error_message = "It publishes to this topic."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[2].Action == ["kms:GenerateDataKey", "kms:Decrypt"] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[2].Condition.StringEquals["kms:ViaService"] == ["sns.eu-west-1.amazonaws.com"]
    error_message = "It encrypts through SNS."
  }
}

run "existing_bucket" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    on_failure_queue           = false
    on_failure_destination_arn = "arn:aws:s3:::failures"
    destination_kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[*].Sid == ["ReadStream", "WriteFailures", "FindBucketOfFailures", "EncryptFailures"]
    error_message = "The role may write, find the bucket, and no more."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Action == ["s3:PutObject"] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[1].Resource == ["arn:aws:s3:::failures/*"] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[2].Action == ["s3:ListBucket"] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[2].Resource == ["arn:aws:s3:::failures"]
    error_message = "It writes to this bucket."
  }

  assert {
    condition     = alltrue([for statement in slice(jsondecode(aws_iam_role_policy.this[0].policy).Statement, 1, 3) : statement.Condition.StringEquals["aws:ResourceAccount"] == ["123456789012"]])
    error_message = "The bucket is of this account."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[3].Action == ["kms:GenerateDataKey"] && jsondecode(aws_iam_role_policy.this[0].policy).Statement[3].Condition.StringEquals["kms:ViaService"] == ["s3.eu-west-1.amazonaws.com"]
    error_message = "It encrypts through S3."
  }
}

run "discarding_failures" {
  command = apply

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    on_failure_queue          = false
    allow_discarding_failures = true
  }

  assert {
    condition     = output.on_failure_destination_arn == null && output.on_failure_queue_arn == null
    error_message = "There is no destination."
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.this.destination_config) == 0
    error_message = "No empty block."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[*].Sid == ["ReadStream"]
    error_message = "The role may read the stream and nothing else."
  }
}

run "durable" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    execution_timeout = 900
  }
}

run "at_timestamp" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    starting_position           = "AT_TIMESTAMP"
    starting_position_timestamp = "2025-01-31T12:00:00Z"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.starting_position == "AT_TIMESTAMP" && aws_lambda_event_source_mapping.this.starting_position_timestamp == "2025-01-31T12:00:00Z"
    error_message = "The time is passed on."
  }
}

run "latest" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    starting_position = "LATEST"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.starting_position == "LATEST"
    error_message = "The position is passed on."
  }
}

run "unlimited_retries" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    maximum_retry_attempts     = -1
    maximum_record_age_seconds = -1
    allow_unlimited_retries    = true
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_retry_attempts == -1 && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == -1
    error_message = "Both limits are off."
  }
}

run "longest_retention" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    maximum_retry_attempts     = 10000
    maximum_record_age_seconds = 604800
    stream_retention_seconds   = 31536000
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_retry_attempts == 10000 && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == 604800
    error_message = "The limits are passed on."
  }
}

run "no_retries" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    maximum_retry_attempts     = 0
    maximum_record_age_seconds = 60
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_retry_attempts == 0 && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == 60
    error_message = "The limits are passed on."
  }
}

run "everything_off_or_at_its_limit" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    enabled                        = false
    bisect_batch_on_function_error = false
    report_batch_item_failures     = false
    metrics                        = true
    batch_size                     = 10000
    batching_window                = 300
    parallelization_factor         = 10
  }

  assert {
    condition     = !aws_lambda_event_source_mapping.this.enabled && !aws_lambda_event_source_mapping.this.bisect_batch_on_function_error && aws_lambda_event_source_mapping.this.function_response_types == null && aws_lambda_event_source_mapping.this.metrics_config[0].metrics == toset(["EventCount"])
    error_message = "Each switch is passed on."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.batch_size == 10000 && aws_lambda_event_source_mapping.this.maximum_batching_window_in_seconds == 300 && aws_lambda_event_source_mapping.this.parallelization_factor == 10
    error_message = "Each limit is passed on."
  }
}

run "tumbling_window" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    tumbling_window_seconds = 900
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.tumbling_window_in_seconds == 900
    error_message = "The window is passed on."
  }
}

run "longest_name" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    name = replace(format("%69s", ""), " ", "n")
  }
}

run "filters" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    filter_patterns    = ["{\"data\":{\"kind\":[\"a\"]}}", "{\"data\":{\"weight\":[{\"numeric\":[\">\",5]}]}}"]
    filter_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = length(one(aws_lambda_event_source_mapping.this.filter_criteria).filter) == 2
    error_message = "Each pattern is a filter; numbers in Kinesis data are numbers."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.kms_key_arn == var.filter_kms_key_arn
    error_message = "The patterns are encrypted with the key."
  }

  assert {
    condition     = length(jsondecode(aws_iam_role_policy.this[0].policy).Statement) == 2
    error_message = "The role needs no key for the patterns."
  }
}

run "filters_on_numbers_of_dynamodb" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    source_arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    filter_patterns = [
      jsonencode({ dynamodb = { NewImage = { amount = { N = ["5", { exists = true }] } } } }),
      jsonencode({ dynamodb = { SizeBytes = [{ numeric = [">", 1000] }] } }),
      jsonencode({ dynamodb = { NewImage = { N = { S = ["\"N\":[{\"numeric\":"] } } } }),
    ]
  }

  assert {
    condition     = length(one(aws_lambda_event_source_mapping.this.filter_criteria).filter) == 3
    error_message = "What can match is not refused."
  }
}

run "refuses_discarding_with_destination" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    on_failure_queue           = false
    on_failure_destination_arn = "arn:aws:s3:::failures"
    allow_discarding_failures  = true
  }

  expect_failures = [var.allow_discarding_failures]
}

run "refuses_no_batch" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    batch_size = 0
  }

  expect_failures = [var.batch_size]
}

run "refuses_too_large_batch" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    batch_size = 10001
  }

  expect_failures = [var.batch_size]
}

run "refuses_part_of_a_record" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    batch_size = 1.5
  }

  expect_failures = [var.batch_size]
}

run "refuses_negative_batching_window" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    batching_window = -1
  }

  expect_failures = [var.batching_window]
}

run "refuses_batching_window" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    batching_window = 301
  }

  expect_failures = [var.batching_window]
}

run "refuses_part_of_a_second_of_batching" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    batching_window = 0.5
  }

  expect_failures = [var.batching_window]
}

run "refuses_destination_kms_key_arn" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    destination_kms_key_arn = "alias/mine"
  }

  expect_failures = [var.destination_kms_key_arn]
}

run "refuses_destination_key_without_destination" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    destination_kms_key_arn   = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    on_failure_queue          = false
    allow_discarding_failures = true
  }

  expect_failures = [var.destination_kms_key_arn]
}

run "refuses_long_execution" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    execution_timeout = 901
  }

  expect_failures = [var.execution_timeout]
}

run "refuses_no_execution" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    execution_timeout = 0
  }

  expect_failures = [var.execution_timeout]
}

run "refuses_filter_kms_key_arn" {
  command = plan

  module {
    source = "./modules/stream-consumer"
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
    source = "./modules/stream-consumer"
  }

  variables {
    filter_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  expect_failures = [var.filter_kms_key_arn]
}

run "refuses_six_filters" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    filter_patterns = ["{}", "{}", "{}", "{}", "{}", "{}"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_filter_without_json" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    filter_patterns = ["data"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_filter_without_object" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    filter_patterns = ["[\"a\"]"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_long_filter" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    filter_patterns = [jsonencode({ data = [replace(format("%4096s", ""), " ", "x")] })]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_numeric_filter_of_dynamodb" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    source_arn      = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    filter_patterns = ["{\"dynamodb\":{\"NewImage\":{\"amount\":{\"N\": [ { \"numeric\" : [\">\", 5] } ]}}}}"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_numeric_filter_of_dynamodb_among_others" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    source_arn      = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    filter_patterns = ["{}", jsonencode({ dynamodb = { Keys = { id = { M = { year = { NS = ["5", { numeric = ["=", 5] }] } } } } } })]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_unqualified_function" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    function_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
  }

  expect_failures = [var.function_alias_arn]
}

run "refuses_kms_key_arn" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    kms_key_arn = "alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_short_record_age" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    maximum_record_age_seconds = 59
  }

  expect_failures = [var.maximum_record_age_seconds]
}

run "refuses_record_age" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    maximum_record_age_seconds = 604801
    stream_retention_seconds   = 31536000
  }

  expect_failures = [var.maximum_record_age_seconds]
}

run "refuses_negative_record_age" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    maximum_record_age_seconds = -2
    allow_unlimited_retries    = true
  }

  expect_failures = [var.maximum_record_age_seconds]
}

run "refuses_unlimited_record_age" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    maximum_record_age_seconds = -1
  }

  expect_failures = [var.maximum_record_age_seconds]
}

run "refuses_record_age_of_the_retention" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    maximum_record_age_seconds = 86400
  }

  expect_failures = [var.maximum_record_age_seconds]
}

run "refuses_retry_attempts" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    maximum_retry_attempts = 10001
  }

  expect_failures = [var.maximum_retry_attempts]
}

run "refuses_negative_retry_attempts" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    maximum_retry_attempts  = -2
    allow_unlimited_retries = true
  }

  expect_failures = [var.maximum_retry_attempts]
}

run "refuses_unlimited_retry_attempts" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    maximum_retry_attempts = -1
  }

  expect_failures = [var.maximum_retry_attempts]
}

run "refuses_name_with_other_characters" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    name = "orders.fifo"
  }

  expect_failures = [var.name]
}

run "refuses_empty_name" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    name = ""
  }

  expect_failures = [var.name]
}

run "refuses_long_name" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    name = replace(format("%70s", ""), " ", "n")
  }

  expect_failures = [var.name]
}

run "refuses_destination_that_is_a_function" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    on_failure_queue           = false
    on_failure_destination_arn = "arn:aws:lambda:eu-west-1:123456789012:function:failures"
  }

  expect_failures = [var.on_failure_destination_arn]
}

run "refuses_destination_in_a_bucket" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    on_failure_queue           = false
    on_failure_destination_arn = "arn:aws:s3:::failures/orders"
  }

  expect_failures = [var.on_failure_destination_arn]
}

run "refuses_fifo_queue_as_destination" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    on_failure_queue           = false
    on_failure_destination_arn = "arn:aws:sqs:eu-west-1:123456789012:failures.fifo"
  }

  expect_failures = [var.on_failure_destination_arn]
}

run "refuses_fifo_topic_as_destination" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    on_failure_queue           = false
    on_failure_destination_arn = "arn:aws:sns:eu-west-1:123456789012:failures.fifo"
  }

  expect_failures = [var.on_failure_destination_arn]
}

run "refuses_two_destinations" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    on_failure_destination_arn = "arn:aws:s3:::failures"
  }

  expect_failures = [var.on_failure_queue]
}

run "refuses_no_destination" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    on_failure_queue = false
  }

  expect_failures = [var.on_failure_queue]
}

run "refuses_no_parallelization" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    parallelization_factor = 0
  }

  expect_failures = [var.parallelization_factor]
}

run "refuses_parallelization" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    parallelization_factor = 11
  }

  expect_failures = [var.parallelization_factor]
}

run "refuses_role_arn" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    role_name = "arn:aws:iam::123456789012:role/orders"
  }

  expect_failures = [var.role_name]
}

run "refuses_source_without_arn" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    source_arn = "orders"
  }

  expect_failures = [var.source_arn]
}

run "refuses_queue_as_source" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    source_arn = "arn:aws:sqs:eu-west-1:123456789012:orders"
  }

  expect_failures = [var.source_arn]
}

run "refuses_table_as_source" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    source_arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
  }

  expect_failures = [var.source_arn]
}

run "refuses_starting_position" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    starting_position = "NEWEST"
  }

  expect_failures = [var.starting_position]
}

run "refuses_timestamp_of_dynamodb" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    source_arn                  = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    starting_position           = "AT_TIMESTAMP"
    starting_position_timestamp = "2025-01-31T12:00:00Z"
  }

  expect_failures = [var.starting_position]
}

run "refuses_timestamp_without_its_position" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    starting_position_timestamp = "2025-01-31T12:00:00Z"
  }

  expect_failures = [var.starting_position_timestamp]
}

run "refuses_position_without_its_timestamp" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    starting_position = "AT_TIMESTAMP"
  }

  expect_failures = [var.starting_position_timestamp]
}

run "refuses_timestamp_of_another_zone" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    starting_position           = "AT_TIMESTAMP"
    starting_position_timestamp = "2025-01-31T12:00:00+01:00"
  }

  expect_failures = [var.starting_position_timestamp]
}

run "refuses_no_date" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    starting_position           = "AT_TIMESTAMP"
    starting_position_timestamp = "2025-02-31T12:00:00Z"
  }

  expect_failures = [var.starting_position_timestamp]
}

run "refuses_future" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    starting_position           = "AT_TIMESTAMP"
    starting_position_timestamp = "2999-01-31T12:00:00Z"
  }

  expect_failures = [var.starting_position_timestamp]
}

run "refuses_short_retention" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    stream_retention_seconds = 86399
  }

  expect_failures = [var.stream_retention_seconds]
}

run "refuses_retention" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    stream_retention_seconds = 31536001
  }

  expect_failures = [var.stream_retention_seconds]
}

run "refuses_long_retention_of_dynamodb" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    source_arn               = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    stream_retention_seconds = 172800
  }

  expect_failures = [var.stream_retention_seconds]
}

run "refuses_negative_tumbling_window" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    tumbling_window_seconds = -1
  }

  expect_failures = [var.tumbling_window_seconds]
}

run "refuses_tumbling_window" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    tumbling_window_seconds = 901
  }

  expect_failures = [var.tumbling_window_seconds]
}

run "refuses_tumbling_window_of_a_durable_function" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    tumbling_window_seconds = 60
    execution_timeout       = 60
  }

  expect_failures = [var.tumbling_window_seconds]
}

run "refuses_tumbling_window_in_parallel" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    tumbling_window_seconds = 60
    parallelization_factor  = 2
  }

  expect_failures = [var.tumbling_window_seconds]
}

run "refuses_a_window_as_long_as_the_age" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    batching_window            = 60
    maximum_record_age_seconds = 60
  }

  expect_failures = [var.batching_window]
}

run "policy_left_to_the_owner_of_the_role" {
  command = plan

  module {
    source = "./modules/stream-consumer"
  }

  variables {
    attach_policy = false
  }

  assert {
    condition     = length(aws_iam_role_policy.this) == 0 && length(jsondecode(output.required_policy).Statement) > 0
    error_message = "Nothing is attached, and the output says what the role has to allow."
  }
}
