mock_provider "aws" {
  source = "./tests/contract/mocks"
}

# The command "true" in place of python: nothing is built here.
variables {
  name               = "orders-redrive"
  stream_arn         = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
  source_queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:orders-failed"
  target_alias_arn   = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
  durable            = true
  artifact_bucket    = "artifacts"
  visibility_timeout = 360
  python             = "true"
}

run "minimal" {
  command = apply

  module {
    source = "./modules/stream-redrive"
  }

  assert {
    condition     = output.name == "orders-redrive" && output.arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders-redrive" && output.log_group_name == "/aws/lambda/orders-redrive"
    error_message = "The outputs name the function."
  }

  assert {
    condition     = output.event_source_mapping_uuid != null && output.role_arn != null
    error_message = "The outputs name mapping and role."
  }

  assert {
    condition     = !var.enabled && var.batch_size == 1 && var.maximum_concurrency == 2
    error_message = "It is off, and reads carefully once it is on."
  }

  assert {
    condition     = local.environment == { TARGET = var.target_alias_arn, TARGET_DURABLE = "true" }
    error_message = "The redrive finds its target and names executions."
  }

  assert {
    condition = jsonencode(local.statements) == jsonencode([
      { sid = "ReadStream", actions = ["kinesis:GetRecords", "kinesis:GetShardIterator"], resources = [var.stream_arn], conditions = [] },
      { sid = "InvokeTarget", actions = ["lambda:InvokeFunction"], resources = [var.target_alias_arn], conditions = [] },
    ])
    error_message = "It may read this stream and invoke this alias, and nothing else."
  }
}

run "dynamodb_to_a_plain_function" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    stream_arn         = "arn:aws:dynamodb:eu-west-1:123456789012:table/items/stream/2026-01-01T00:00:00.000"
    durable            = false
    stream_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = local.environment == { TARGET = var.target_alias_arn, TARGET_DURABLE = "false", TARGET_TIMEOUT = "30" }
    error_message = "A plain function gets no names, and is waited for."
  }

  assert {
    condition     = local.statements[0].actions == ["dynamodb:GetRecords", "dynamodb:GetShardIterator"] && local.statements[0].resources == [var.stream_arn]
    error_message = "A DynamoDB stream is read by the actions of DynamoDB."
  }

  assert {
    condition     = local.statements[1].actions == ["lambda:InvokeFunction"] && local.statements[1].resources == [var.target_alias_arn]
    error_message = "To wait for a function takes no other permission."
  }

  assert {
    condition     = length(local.statements) == 3 && local.statements[2].actions == ["kms:Decrypt"] && local.statements[2].conditions[0].values == ["dynamodb.eu-west-1.amazonaws.com"]
    error_message = "The table's key decrypts through DynamoDB alone."
  }
}

run "to_a_slow_plain_function" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    durable            = false
    target_timeout     = 840
    timeout            = 855
    visibility_timeout = 5130
  }

  assert {
    condition     = local.environment.TARGET_TIMEOUT == "840"
    error_message = "The redrive knows how long to wait for the function."
  }
}

run "to_a_queue" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn   = null
    durable            = null
    target_queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:retries.fifo"
    target_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    stream_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    enabled            = true
  }

  assert {
    condition     = local.environment == { TARGET = var.target_queue_arn }
    error_message = "The redrive finds the queue."
  }

  assert {
    condition = jsonencode(local.statements) == jsonencode([
      { sid = "ReadStream", actions = ["kinesis:GetRecords", "kinesis:GetShardIterator"], resources = [var.stream_arn], conditions = [] },
      { sid = "SendToTarget", actions = ["sqs:GetQueueUrl", "sqs:SendMessage"], resources = [var.target_queue_arn], conditions = [] },
      { sid = "DecryptStream", actions = ["kms:Decrypt"], resources = [var.stream_kms_key_arn], conditions = [{ test = "StringEquals", variable = "kms:ViaService", values = ["kinesis.eu-west-1.amazonaws.com"] }] },
      { sid = "EncryptForTarget", actions = ["kms:GenerateDataKey", "kms:Decrypt"], resources = [var.target_kms_key_arn], conditions = [{ test = "StringEquals", variable = "kms:ViaService", values = ["sqs.eu-west-1.amazonaws.com"] }] },
    ])
    error_message = "It may send to this queue, with its key."
  }
}

run "to_a_bucket" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn   = null
    durable            = null
    target_bucket      = "archive"
    target_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = local.environment == { TARGET = "arn:aws:s3:::archive" }
    error_message = "The redrive finds the bucket."
  }

  assert {
    condition = jsonencode(slice(local.statements, 1, 3)) == jsonencode([
      { sid = "WriteToTarget", actions = ["s3:PutObject"], resources = ["arn:aws:s3:::archive/*"], conditions = [{ test = "StringEquals", variable = "aws:ResourceAccount", values = ["123456789012"] }] },
      { sid = "EncryptForTarget", actions = ["kms:GenerateDataKey"], resources = [var.target_kms_key_arn], conditions = [{ test = "StringEquals", variable = "kms:ViaService", values = ["s3.eu-west-1.amazonaws.com"] }] },
    ])
    error_message = "It may write to this bucket of this account, with its key."
  }
}

run "to_a_prefix_of_a_bucket" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn = null
    durable          = null
    target_bucket    = "archive"
    target_prefix    = "failed/orders"
  }

  assert {
    condition     = local.environment == { TARGET = "arn:aws:s3:::archive", TARGET_PREFIX = "failed/orders" } && local.statements[1].resources == ["arn:aws:s3:::archive/failed/orders/*"]
    error_message = "It may write below the prefix alone."
  }
}

run "from_a_bucket" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    source_bucket             = "failures"
    source_bucket_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition = jsonencode(slice(local.statements, 2, 4)) == jsonencode([
      { sid = "ReadFailures", actions = ["s3:GetObject", "s3:GetObjectVersion"], resources = ["arn:aws:s3:::failures/*"], conditions = [{ test = "StringEquals", variable = "aws:ResourceAccount", values = ["123456789012"] }] },
      { sid = "DecryptFailures", actions = ["kms:Decrypt"], resources = [var.source_bucket_kms_key_arn], conditions = [{ test = "StringEquals", variable = "kms:ViaService", values = ["s3.eu-west-1.amazonaws.com"] }] },
    ])
    error_message = "It may read the objects of this bucket, with its key."
  }
}

run "with_everything" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    architecture        = "x86_64"
    batch_size          = 10
    enabled             = true
    kms_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    log_retention_days  = 7
    maximum_concurrency = null
    memory_size         = 1024
    metrics             = true
    timeout             = 900
    visibility_timeout  = 5400
    tags                = { team = "orders" }
  }
}

run "refuses_too_small_batch" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    batch_size = 0
  }

  expect_failures = [var.batch_size]
}

run "refuses_too_large_batch" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    batch_size = 11
  }

  expect_failures = [var.batch_size]
}

run "refuses_broken_batch" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    batch_size = 1.5
  }

  expect_failures = [var.batch_size]
}

run "refuses_runtime" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    runtime = "python3.12"
  }

  expect_failures = [var.runtime]
}

run "refuses_arn_as_source_bucket" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    source_bucket = "arn:aws:s3:::failures"
  }

  expect_failures = [var.source_bucket]
}

run "refuses_alias_of_source_bucket_key" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    source_bucket             = "failures"
    source_bucket_kms_key_arn = "alias/failures"
  }

  expect_failures = [var.source_bucket_kms_key_arn]
}

run "refuses_source_bucket_key_without_bucket" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    source_bucket_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  expect_failures = [var.source_bucket_kms_key_arn]
}

run "refuses_fifo_source_queue" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    source_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:orders-failed.fifo"
  }

  expect_failures = [var.source_queue_arn]
}

run "refuses_consumer" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    stream_arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders/consumer/fast:1"
  }

  expect_failures = [var.stream_arn]
}

run "refuses_table_as_stream" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    stream_arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/items"
  }

  expect_failures = [var.stream_arn]
}

run "refuses_alias_of_stream_key" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    stream_kms_key_arn = "alias/stream"
  }

  expect_failures = [var.stream_kms_key_arn]
}

run "refuses_no_target" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn = null
    durable          = null
  }

  expect_failures = [var.target_alias_arn]
}

run "refuses_two_targets" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_bucket = "archive"
  }

  expect_failures = [var.target_alias_arn]
}

run "refuses_unqualified_target" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
  }

  expect_failures = [var.target_alias_arn]
}

run "refuses_arn_as_target_bucket" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn = null
    durable          = null
    target_bucket    = "arn:aws:s3:::archive"
  }

  expect_failures = [var.target_bucket]
}

run "refuses_bucket_of_failures_as_target" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn = null
    durable          = null
    target_bucket    = "failures"
    source_bucket    = "failures"
  }

  expect_failures = [var.target_bucket]
}

run "refuses_alias_of_target_key" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn   = null
    durable            = null
    target_bucket      = "archive"
    target_kms_key_arn = "alias/archive"
  }

  expect_failures = [var.target_kms_key_arn]
}

run "refuses_target_key_of_a_function" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  expect_failures = [var.target_kms_key_arn]
}

run "refuses_prefix_with_slash" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn = null
    durable          = null
    target_bucket    = "archive"
    target_prefix    = "failed/"
  }

  expect_failures = [var.target_prefix]
}

run "refuses_prefix_without_bucket" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_prefix = "failed"
  }

  expect_failures = [var.target_prefix]
}

run "refuses_url_as_target_queue" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn = null
    durable          = null
    target_queue_arn = "https://sqs.eu-west-1.amazonaws.com/123456789012/retries"
  }

  expect_failures = [var.target_queue_arn]
}

run "refuses_queue_of_failures_as_target" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn = null
    durable          = null
    target_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:orders-failed"
  }

  expect_failures = [var.target_queue_arn]
}

run "refuses_too_short_timeout" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    timeout = 59
  }

  expect_failures = [var.timeout]
}

run "refuses_too_long_timeout" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    timeout            = 901
    visibility_timeout = 43200
  }

  expect_failures = [var.timeout]
}

run "refuses_function_of_which_it_is_not_said_whether_it_is_durable" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    durable = null
  }

  expect_failures = [var.durable]
}

run "refuses_durable_queue" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn = null
    target_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:retries"
    durable          = true
  }

  expect_failures = [var.durable]
}

run "refuses_plain_bucket" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn = null
    target_bucket    = "archive"
    durable          = false
  }

  expect_failures = [var.durable]
}

run "refuses_empty_name" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    name = ""
  }

  expect_failures = [var.name]
}

run "refuses_too_short_source_bucket" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    source_bucket = "ab"
  }

  expect_failures = [var.source_bucket]
}

run "refuses_too_short_target_bucket" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    target_alias_arn = null
    durable          = null
    target_bucket    = "ab"
  }

  expect_failures = [var.target_bucket]
}

run "refuses_target_that_does_not_end_in_time" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    durable        = false
    target_timeout = 46
  }

  expect_failures = [var.target_timeout]
}

run "refuses_too_short_target_timeout" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    durable        = false
    target_timeout = 0
  }

  expect_failures = [var.target_timeout]
}

run "refuses_too_long_target_timeout" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    durable            = false
    target_timeout     = 841
    timeout            = 900
    visibility_timeout = 5400
  }

  expect_failures = [var.target_timeout]
}

run "refuses_broken_target_timeout" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    durable        = false
    target_timeout = 1.5
  }

  expect_failures = [var.target_timeout]
}

run "refuses_queue_that_delivers_again_too_soon" {
  command = plan

  module {
    source = "./modules/stream-redrive"
  }

  variables {
    visibility_timeout = 359
  }

  expect_failures = [var.visibility_timeout]
}
