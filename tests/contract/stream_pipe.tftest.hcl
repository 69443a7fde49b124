mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  name               = "orders"
  source_type        = "kinesis"
  source_arn         = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
  function_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
}

run "kinesis" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  assert {
    condition     = aws_pipes_pipe.this.source == var.source_arn && aws_pipes_pipe.this.target == var.function_alias_arn && aws_pipes_pipe.this.desired_state == "RUNNING"
    error_message = "The pipe reads the stream for the alias."
  }

  assert {
    condition     = aws_pipes_pipe.this.target_parameters[0].lambda_function_parameters[0].invocation_type == "REQUEST_RESPONSE" && aws_pipes_pipe.this.target_parameters[0].input_template == null
    error_message = "It waits for the function, and passes records as they are."
  }

  assert {
    condition     = length(aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters) == 1
    error_message = "It has the parameters of its kind."
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].starting_position == "TRIM_HORIZON" && aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].starting_position_timestamp == null
    error_message = "It begins with all that is on the stream."
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].batch_size == 100 && aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].maximum_batching_window_in_seconds == 0 && aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].parallelization_factor == 1
    error_message = "Batches are explicit."
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].maximum_retry_attempts == 3 && aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].maximum_record_age_in_seconds == 21600
    error_message = "Retries end, while the records are still on the stream."
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].on_partial_batch_item_failure == "AUTOMATIC_BISECT"
    error_message = "A poisoned record ends up alone."
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].dead_letter_config[0].arn == "arn:aws:sqs:eu-west-1:123456789012:orders-failed"
    error_message = "What is given up goes to the on-failure queue."
  }

  assert {
    condition     = length(aws_pipes_pipe.this.source_parameters[0].filter_criteria) == 0
    error_message = "Every record is passed."
  }

  assert {
    condition     = aws_pipes_pipe.this.log_configuration[0].level == "ERROR" && aws_cloudwatch_log_group.this[0].name == "/aws/vendedlogs/pipes/orders" && aws_cloudwatch_log_group.this[0].kms_key_id == null
    error_message = "It logs errors."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement == [
      { Sid = "ReadStream", Effect = "Allow", Action = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"], Resource = [var.source_arn] },
      { Sid = "InvokeFunction", Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = [var.function_alias_arn] },
      { Sid = "SendFailures", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = ["arn:aws:sqs:eu-west-1:123456789012:orders-failed"] },
    ]
    error_message = "The role reads this stream, invokes this alias, sends to this queue and nothing else."
  }

  assert {
    condition     = aws_iam_role.this.name == "orders-pipe-eu-west-1" && aws_iam_role.this.permissions_boundary == null
    error_message = "The role is named after the pipe and the region."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal.Service == "pipes.amazonaws.com" && jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceArn"] == "arn:aws:pipes:eu-west-1:123456789012:pipe/orders"
    error_message = "Only this pipe assumes the role."
  }
}

run "dynamodb" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type = "dynamodb"
    source_arn  = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
  }

  assert {
    condition     = length(aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters) == 1
    error_message = "It has the parameters of its kind."
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].starting_position == "TRIM_HORIZON"
    error_message = "It begins with all that is on the stream."
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].batch_size == 100 && aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].maximum_batching_window_in_seconds == 0 && aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].parallelization_factor == 1
    error_message = "Batches are explicit."
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].maximum_retry_attempts == 3 && aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].maximum_record_age_in_seconds == 21600
    error_message = "Retries end, while the records are still on the stream."
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].on_partial_batch_item_failure == "AUTOMATIC_BISECT" && aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].dead_letter_config[0].arn == "arn:aws:sqs:eu-west-1:123456789012:orders-failed"
    error_message = "A poisoned record ends up alone, in the on-failure queue."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[*].Sid == ["ReadStream", "ListStreams", "InvokeFunction", "SendFailures"]
    error_message = "It lists streams instead of shards."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[0].Action == ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"] && jsondecode(aws_iam_role_policy.this.policy).Statement[0].Resource == [var.source_arn]
    error_message = "It reads this stream."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[1].Action == ["dynamodb:ListStreams"] && jsondecode(aws_iam_role_policy.this.policy).Statement[1].Resource == ["arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/*"]
    error_message = "It lists the streams of this table."
  }
}

run "consumer" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders/consumer/pipeline:1738324800"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[*].Sid == ["ReadStream", "SubscribeToShards", "InvokeFunction", "SendFailures"] && jsondecode(aws_iam_role_policy.this.policy).Statement[1].Action == ["kinesis:SubscribeToShard"] && jsondecode(aws_iam_role_policy.this.policy).Statement[1].Resource == [var.source_arn]
    error_message = "A consumer is subscribed to."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[0].Resource == ["arn:aws:kinesis:eu-west-1:123456789012:stream/orders"] && aws_pipes_pipe.this.source == var.source_arn
    error_message = "Retries read the stream itself."
  }
}

run "outputs" {
  command = apply

  module {
    source = "./modules/stream-pipe"
  }

  assert {
    condition     = output.on_failure_queue_name == "orders-failed" && output.on_failure_dead_letter_name == "orders-failed-dlq"
    error_message = "Both queues are named after the pipe."
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
    condition     = output.arn == "arn:aws:pipes:eu-west-1:123456789012:pipe/mock" && output.name == "orders" && output.role_arn == "arn:aws:iam::123456789012:role/mock" && output.log_group_name == "/aws/vendedlogs/pipes/orders"
    error_message = "The outputs name the pipe, its role and its log."
  }
}

run "existing_queue" {
  command = apply

  module {
    source = "./modules/stream-pipe"
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
    condition     = aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].dead_letter_config[0].arn == var.on_failure_destination_arn && output.on_failure_destination_arn == var.on_failure_destination_arn
    error_message = "What is given up goes to the queue that there is."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[2] == { Sid = "SendFailures", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [var.on_failure_destination_arn] }
    error_message = "The role may send there."
  }
}

run "existing_topic" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type                = "dynamodb"
    source_arn                 = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    on_failure_queue           = false
    on_failure_destination_arn = "arn:aws:sns:eu-west-1:123456789012:failures"
    destination_kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].dead_letter_config[0].arn == var.on_failure_destination_arn
    error_message = "What is given up goes to the topic."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[*].Sid == ["ReadStream", "ListStreams", "InvokeFunction", "PublishFailures", "EncryptFailures"] && jsondecode(aws_iam_role_policy.this.policy).Statement[3].Action == ["sns:Publish"] && jsondecode(aws_iam_role_policy.this.policy).Statement[3].Resource == [var.on_failure_destination_arn]
    error_message = "The role may publish there, and no more."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[4].Action == ["kms:GenerateDataKey", "kms:Decrypt"] && jsondecode(aws_iam_role_policy.this.policy).Statement[4].Condition.StringEquals["kms:ViaService"] == ["sns.eu-west-1.amazonaws.com"]
    error_message = "It encrypts through SNS."
  }
}

run "discarding_failures" {
  command = apply

  module {
    source = "./modules/stream-pipe"
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
    condition     = length(aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].dead_letter_config) == 0
    error_message = "The pipe has none."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[*].Sid == ["ReadStream", "InvokeFunction"]
    error_message = "The role sends nowhere."
  }
}

run "discarding_failures_of_dynamodb" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type               = "dynamodb"
    source_arn                = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    on_failure_queue          = false
    allow_discarding_failures = true
  }

  assert {
    condition     = length(aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].dead_letter_config) == 0
    error_message = "The pipe has none."
  }
}

run "own_keys" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    kms_key_arn             = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    destination_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/9999abcd-12ab-34cd-56ef-1234567890ab"
    log_kms_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/7777abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[*].Sid == ["ReadStream", "ReadEncryptedRecords", "InvokeFunction", "SendFailures", "EncryptFailures"]
    error_message = "Each key that the role uses has a statement."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[1].Action == ["kms:Decrypt"] && jsondecode(aws_iam_role_policy.this.policy).Statement[1].Resource == [var.kms_key_arn] && jsondecode(aws_iam_role_policy.this.policy).Statement[1].Condition.StringEquals["kms:ViaService"] == ["kinesis.eu-west-1.amazonaws.com"]
    error_message = "The role decrypts records through Kinesis."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[4].Action == ["kms:GenerateDataKey", "kms:Decrypt"] && jsondecode(aws_iam_role_policy.this.policy).Statement[4].Resource == [var.destination_kms_key_arn] && jsondecode(aws_iam_role_policy.this.policy).Statement[4].Condition.StringEquals["kms:ViaService"] == ["sqs.eu-west-1.amazonaws.com"]
    error_message = "The role encrypts failures through SQS."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this[0].kms_key_id == var.log_kms_key_arn
    error_message = "The log has a key of its own."
  }
}

run "own_key_of_a_table" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type = "dynamodb"
    source_arn  = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[2].Sid == "ReadEncryptedRecords" && jsondecode(aws_iam_role_policy.this.policy).Statement[2].Condition.StringEquals["kms:ViaService"] == ["dynamodb.eu-west-1.amazonaws.com"]
    error_message = "The role decrypts changes through DynamoDB."
  }
}

run "without_bisecting" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    bisect_on_partial_failure = false
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].on_partial_batch_item_failure == null
    error_message = "The batch stays whole."
  }
}

run "without_bisecting_dynamodb" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type               = "dynamodb"
    source_arn                = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    bisect_on_partial_failure = false
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].on_partial_batch_item_failure == null
    error_message = "The batch stays whole."
  }
}

run "at_timestamp" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    starting_position           = "AT_TIMESTAMP"
    starting_position_timestamp = "2025-01-31T12:00:00Z"
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].starting_position == "AT_TIMESTAMP" && aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].starting_position_timestamp == "2025-01-31T12:00:00Z"
    error_message = "The time is passed on."
  }
}

run "latest" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type       = "dynamodb"
    source_arn        = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    starting_position = "LATEST"
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].starting_position == "LATEST"
    error_message = "The position is passed on."
  }
}

run "unlimited_retries" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    maximum_retry_attempts     = -1
    maximum_record_age_seconds = -1
    allow_unlimited_retries    = true
    batching_window            = 300
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].maximum_retry_attempts == -1 && aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].maximum_record_age_in_seconds == -1 && aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].maximum_batching_window_in_seconds == 300
    error_message = "Both limits are off."
  }
}

run "limits_of_kinesis" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    batch_size                 = 10000
    batching_window            = 59
    parallelization_factor     = 10
    maximum_retry_attempts     = 10000
    maximum_record_age_seconds = 60
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].batch_size == 10000 && aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].maximum_batching_window_in_seconds == 59 && aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].parallelization_factor == 10 && aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].maximum_retry_attempts == 10000 && aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].maximum_record_age_in_seconds == 60
    error_message = "The limits are passed on."
  }
}

run "limits_of_dynamodb" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type                = "dynamodb"
    source_arn                 = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    batch_size                 = 10000
    batching_window            = 59
    parallelization_factor     = 10
    maximum_retry_attempts     = 10000
    maximum_record_age_seconds = 60
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].batch_size == 10000 && aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].maximum_batching_window_in_seconds == 59 && aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].parallelization_factor == 10 && aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].maximum_retry_attempts == 10000 && aws_pipes_pipe.this.source_parameters[0].dynamodb_stream_parameters[0].maximum_record_age_in_seconds == 60
    error_message = "The limits are passed on."
  }
}

run "longest_retention" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    maximum_record_age_seconds = 604800
    stream_retention_seconds   = 31536000
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].kinesis_stream_parameters[0].maximum_record_age_in_seconds == 604800
    error_message = "The age is passed on."
  }
}

run "filters" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    filter_patterns = ["{\"data\":{\"kind\":[\"a\"]}}", "{\"data\":{\"kind\":[\"b\"]}}"]
  }

  assert {
    condition     = aws_pipes_pipe.this.source_parameters[0].filter_criteria[0].filter[*].pattern == var.filter_patterns
    error_message = "Each pattern is a filter."
  }
}

run "filter_of_a_kinesis_number" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    filter_patterns = ["{\"data\":{\"N\":[{\"numeric\":[\">\",5]}]}}"]
  }

  assert {
    condition     = length(aws_pipes_pipe.this.source_parameters[0].filter_criteria[0].filter) == 1
    error_message = "Numbers of JSON are numbers."
  }
}

run "template" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    input_template = "{\"eventID\": <$.eventID>, \"data\": <$.data>}"
  }

  assert {
    condition     = strcontains(aws_pipes_pipe.this.target_parameters[0].input_template, "<$.data>")
    error_message = "Placeholders stay literal."
  }
}

run "no_log" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    log_level = "OFF"
  }

  assert {
    condition     = length(aws_pipes_pipe.this.log_configuration) == 0 && length(aws_cloudwatch_log_group.this) == 0 && output.log_group_name == null
    error_message = "No log, no group."
  }
}

run "stopped" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    desired_state        = "STOPPED"
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
    log_retention_days   = 0
  }

  assert {
    condition     = aws_pipes_pipe.this.desired_state == "STOPPED" && aws_iam_role.this.permissions_boundary == var.permissions_boundary && aws_cloudwatch_log_group.this[0].retention_in_days == 0
    error_message = "A pipe can be stopped, its role bounded, its log kept."
  }
}

run "durable" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    execution_timeout = 300
    function_timeout  = 900
  }
}

run "plain" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    function_timeout = 300
  }
}

run "refuses_no_batch" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    batch_size = 0
  }

  expect_failures = [var.batch_size]
}

run "refuses_too_large_batch" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    batch_size = 10001
  }

  expect_failures = [var.batch_size]
}

run "refuses_part_of_a_record" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    batch_size = 1.5
  }

  expect_failures = [var.batch_size]
}

run "refuses_batching_window" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    batching_window = 301
  }

  expect_failures = [var.batching_window]
}

run "refuses_batching_window_of_the_age" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    batching_window            = 60
    maximum_record_age_seconds = 60
  }

  expect_failures = [var.batching_window]
}

run "refuses_description" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    description = replace(format("%513s", ""), " ", "d")
  }

  expect_failures = [var.description]
}

run "refuses_desired_state" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    desired_state = "PAUSED"
  }

  expect_failures = [var.desired_state]
}

run "refuses_destination_key_alias" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    destination_kms_key_arn = "alias/mine"
  }

  expect_failures = [var.destination_kms_key_arn]
}

run "refuses_destination_key_without_destination" {
  command = plan

  module {
    source = "./modules/stream-pipe"
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
    source = "./modules/stream-pipe"
  }

  variables {
    execution_timeout = 301
  }

  expect_failures = [var.execution_timeout]
}

run "refuses_no_execution" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    execution_timeout = 0
  }

  expect_failures = [var.execution_timeout]
}

run "refuses_six_filters" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    filter_patterns = ["{}", "{}", "{}", "{}", "{}", "{}"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_filter_without_json" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    filter_patterns = ["data"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_filter_without_object" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    filter_patterns = ["[\"a\"]"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_long_filter" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    filter_patterns = [jsonencode({ data = [replace(format("%4096s", ""), " ", "x")] })]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_number_in_a_filter_of_dynamodb" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type     = "dynamodb"
    source_arn      = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    filter_patterns = ["{\"dynamodb\":{\"NewImage\":{\"total\":{\"N\":[{\"numeric\":[\">\",5]}]}}}}"]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_unqualified_function" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    function_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
  }

  expect_failures = [var.function_alias_arn]
}

run "refuses_long_function" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    function_timeout = 301
  }

  expect_failures = [var.function_timeout]
}

run "refuses_no_function" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    function_timeout = 0
  }

  expect_failures = [var.function_timeout]
}

run "refuses_long_template" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    input_template = replace(format("%8193s", ""), " ", "x")
  }

  expect_failures = [var.input_template]
}

run "refuses_escaped_template" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    input_template = "\\u003c$.data\\u003e"
  }

  expect_failures = [var.input_template]
}

run "refuses_kms_key_alias" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    kms_key_arn = "alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_log_key_alias" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    log_kms_key_arn = "alias/mine"
  }

  expect_failures = [var.log_kms_key_arn]
}

run "refuses_log_level" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    log_level = "DEBUG"
  }

  expect_failures = [var.log_level]
}

run "refuses_log_retention_days" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_record_age" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    maximum_record_age_seconds = 59
  }

  expect_failures = [var.maximum_record_age_seconds]
}

run "refuses_long_record_age" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    maximum_record_age_seconds = 604801
    stream_retention_seconds   = 31536000
  }

  expect_failures = [var.maximum_record_age_seconds]
}

run "refuses_unlimited_record_age" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    maximum_record_age_seconds = -1
  }

  expect_failures = [var.maximum_record_age_seconds]
}

run "refuses_record_age_of_the_retention" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    maximum_record_age_seconds = 86400
  }

  expect_failures = [var.maximum_record_age_seconds]
}

run "refuses_retry_attempts" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    maximum_retry_attempts = 10001
  }

  expect_failures = [var.maximum_retry_attempts]
}

run "refuses_negative_retry_attempts" {
  command = plan

  module {
    source = "./modules/stream-pipe"
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
    source = "./modules/stream-pipe"
  }

  variables {
    maximum_retry_attempts = -1
  }

  expect_failures = [var.maximum_retry_attempts]
}

run "refuses_no_retry_attempts" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    maximum_retry_attempts = 0
  }

  expect_failures = [var.maximum_retry_attempts]
}

run "refuses_long_name" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    name = replace(format("%65s", ""), " ", "n")
  }

  expect_failures = [var.name]
}

run "refuses_name_with_other_characters" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    name = "orders.fifo"
  }

  expect_failures = [var.name]
}

run "refuses_long_role_name" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    name = replace(format("%51s", ""), " ", "n")
  }

  expect_failures = [aws_iam_role.this]
}

run "refuses_bucket_as_destination" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    on_failure_queue           = false
    on_failure_destination_arn = "arn:aws:s3:::failures"
  }

  expect_failures = [var.on_failure_destination_arn]
}

run "refuses_fifo_queue_as_destination" {
  command = plan

  module {
    source = "./modules/stream-pipe"
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
    source = "./modules/stream-pipe"
  }

  variables {
    on_failure_queue           = false
    on_failure_destination_arn = "arn:aws:sns:eu-west-1:123456789012:failures.fifo"
  }

  expect_failures = [var.on_failure_destination_arn]
}

run "refuses_destination_while_discarding" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    on_failure_queue           = false
    allow_discarding_failures  = true
    on_failure_destination_arn = "arn:aws:sqs:eu-west-1:123456789012:failures"
  }

  expect_failures = [var.on_failure_queue]
}

run "refuses_two_destinations" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    on_failure_destination_arn = "arn:aws:sqs:eu-west-1:123456789012:failures"
  }

  expect_failures = [var.on_failure_queue]
}

run "refuses_no_destination" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    on_failure_queue = false
  }

  expect_failures = [var.on_failure_queue]
}

run "refuses_no_parallelization" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    parallelization_factor = 0
  }

  expect_failures = [var.parallelization_factor]
}

run "refuses_parallelization" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    parallelization_factor = 11
  }

  expect_failures = [var.parallelization_factor]
}

run "refuses_permissions_boundary" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    permissions_boundary = "boundary"
  }

  expect_failures = [var.permissions_boundary]
}

run "refuses_table_as_source" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type = "dynamodb"
    source_arn  = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
  }

  expect_failures = [var.source_arn]
}

run "refuses_queue_as_source" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_arn = "arn:aws:sqs:eu-west-1:123456789012:orders"
  }

  expect_failures = [var.source_arn]
}

run "refuses_source_without_arn" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_arn = "orders"
  }

  expect_failures = [var.source_arn]
}

run "refuses_source_of_another_type" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
  }

  expect_failures = [var.source_arn]
}

run "refuses_source_type" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type = "sqs"
  }

  expect_failures = [var.source_type]
}

run "refuses_starting_position" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    starting_position = "NEWEST"
  }

  expect_failures = [var.starting_position]
}

run "refuses_timestamp_of_dynamodb" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type                 = "dynamodb"
    source_arn                  = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    starting_position           = "AT_TIMESTAMP"
    starting_position_timestamp = "2025-01-31T12:00:00Z"
  }

  expect_failures = [var.starting_position]
}

run "refuses_timestamp_without_its_position" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    starting_position_timestamp = "2025-01-31T12:00:00Z"
  }

  expect_failures = [var.starting_position_timestamp]
}

run "refuses_position_without_its_timestamp" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    starting_position = "AT_TIMESTAMP"
  }

  expect_failures = [var.starting_position_timestamp]
}

run "refuses_timestamp_of_another_zone" {
  command = plan

  module {
    source = "./modules/stream-pipe"
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
    source = "./modules/stream-pipe"
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
    source = "./modules/stream-pipe"
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
    source = "./modules/stream-pipe"
  }

  variables {
    stream_retention_seconds = 86399
  }

  expect_failures = [var.stream_retention_seconds]
}

run "refuses_long_retention" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    stream_retention_seconds = 31536001
  }

  expect_failures = [var.stream_retention_seconds]
}

run "refuses_long_retention_of_dynamodb" {
  command = plan

  module {
    source = "./modules/stream-pipe"
  }

  variables {
    source_type              = "dynamodb"
    source_arn               = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2025-01-31T12:00:00.000"
    stream_retention_seconds = 172800
  }

  expect_failures = [var.stream_retention_seconds]
}
