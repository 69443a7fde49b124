# Backlog protection: the option `sideline` of the module and of the root.
mock_provider "aws" {
  source = "./tests/contract/mocks"
}

# The command "true" in place of python: nothing is built here. Root and module take what they know of these.
variables {
  name   = "orders"
  python = "true"
}

run "sidelined" {
  command = apply

  module {
    source = "./modules/dispatcher"
  }

  variables {
    name               = "orders-dispatcher"
    source_queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:orders"
    target_alias_arn   = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
    artifact_bucket    = "artifacts"
    visibility_timeout = 180
    kms_key_arn        = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    sideline           = { max_age_seconds = 60 }
  }

  assert {
    condition = local.environment == {
      BACKLOG_QUEUE_ARN     = "arn:aws:sqs:eu-west-1:123456789012:orders-backlog"
      BACKLOG_QUEUE_URL     = "https://sqs.eu-west-1.amazonaws.com/123456789012/mock"
      BACKLOG_START_SECONDS = "0.5"
      MAX_AGE_SECONDS       = "60"
      TARGET_FUNCTION_ARN   = var.target_alias_arn
    }
    error_message = "The dispatcher finds the backlog queue; five invocations with a start every half second are ten starts a second."
  }

  assert {
    condition     = [for statement in local.statements : "${statement.sid}: ${join(" ", statement.actions)}"] == ["StartExecutions: lambda:InvokeFunction", "SendToBacklog: sqs:SendMessage", "EncryptForBacklog: kms:GenerateDataKey kms:Decrypt"]
    error_message = "One statement a need."
  }

  assert {
    condition     = local.statements[1].resources == ["arn:aws:sqs:eu-west-1:123456789012:orders-backlog"] && local.statements[2].conditions[0].values == ["sqs.eu-west-1.amazonaws.com"]
    error_message = "It sends to this queue alone, and uses the key for SQS alone."
  }

  assert {
    condition     = output.backlog_queue_arn == "arn:aws:sqs:eu-west-1:123456789012:orders-backlog" && output.backlog_queue_url != null && output.backlog_dead_letter_queue_arn != null && output.backlog_dead_letter_queue_url != null && output.backlog_event_source_mapping_uuid != null
    error_message = "The outputs name queues and mapping of the backlog."
  }

  assert {
    condition     = local.backlog_batch_size == 10
    error_message = "Ten starts, half a second apart, fit into an invocation."
  }
}

run "slowest" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    name               = "orders-dispatcher"
    source_queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:orders"
    target_alias_arn   = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
    artifact_bucket    = "artifacts"
    visibility_timeout = 180
    sideline           = { max_age_seconds = 60, starts_per_second = 0.25, maximum_concurrency = 2 }
  }

  assert {
    condition     = local.start_seconds == 8 && local.backlog_batch_size == 2
    error_message = "A batch ends within its invocation."
  }

  assert {
    condition     = [for statement in local.statements : statement.sid] == ["StartExecutions", "SendToBacklog"]
    error_message = "Without a key of its own the queue needs no permission for one."
  }
}

run "root" {
  command = apply

  variables {
    bridge                    = "dispatcher"
    artifact_bucket           = "artifacts"
    message_retention_seconds = 86400
    sideline                  = { max_age_seconds = 60 }
  }

  assert {
    condition     = output.backlog_queue_arn == "arn:aws:sqs:eu-west-1:123456789012:orders-backlog" && output.backlog_queue_url != null && output.backlog_dead_letter_queue_arn != null && output.backlog_dead_letter_queue_url != null && output.backlog_event_source_mapping_uuid != null
    error_message = "The backlog is named after the queue, and the outputs are there."
  }

  assert {
    condition     = local.sideline.message_retention_seconds == 86400 && local.sideline.max_message_size == 258048 && local.sideline.max_receive_count == 5
    error_message = "The backlog queue is as the queue."
  }
}

run "root_retention" {
  command = plan

  variables {
    bridge          = "dispatcher"
    artifact_bucket = "artifacts"
    sideline        = { max_age_seconds = 60, message_retention_seconds = 345540 }
  }

  assert {
    condition     = local.sideline.message_retention_seconds == 345540
    error_message = "What is left of a message's life is enough."
  }
}

run "root_without" {
  command = plan

  variables {
    bridge          = "dispatcher"
    artifact_bucket = "artifacts"
  }

  assert {
    condition     = output.backlog_queue_arn == null && output.backlog_queue_url == null && output.backlog_dead_letter_queue_arn == null && output.backlog_dead_letter_queue_url == null && output.backlog_event_source_mapping_uuid == null && module.dispatcher[0].backlog_queue_name == null && module.dispatcher[0].backlog_dead_letter_queue_name == null
    error_message = "There is no backlog queue unless it is asked for."
  }
}

run "refuses_sideline_without_queue" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    target_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
    artifact_bucket  = "artifacts"
    sideline         = { max_age_seconds = 60 }
  }

  expect_failures = [var.sideline]
}

run "refuses_sideline_on_fifo" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
    target_alias_arn   = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
    artifact_bucket    = "artifacts"
    visibility_timeout = 180
    sideline           = { max_age_seconds = 60 }
  }

  expect_failures = [var.sideline]
}

run "refuses_age_within_window" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:orders"
    target_alias_arn   = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
    artifact_bucket    = "artifacts"
    visibility_timeout = 240
    batching_window    = 60
    sideline           = { max_age_seconds = 60 }
  }

  expect_failures = [var.sideline]
}

run "refuses_rate_too_low" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:orders"
    target_alias_arn   = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
    artifact_bucket    = "artifacts"
    visibility_timeout = 180
    sideline           = { max_age_seconds = 60, starts_per_second = 0.2 }
  }

  expect_failures = [var.sideline]
}

run "root_refuses_sideline_of_pipe" {
  command = plan

  variables {
    sideline = { max_age_seconds = 60 }
  }

  expect_failures = [var.sideline]
}

run "root_refuses_sideline_on_fifo" {
  command = plan

  variables {
    bridge   = "dispatcher"
    fifo     = true
    sideline = { max_age_seconds = 60 }
  }

  expect_failures = [var.sideline]
}

run "root_refuses_age_beyond_retention" {
  command = plan

  variables {
    bridge                    = "dispatcher"
    message_retention_seconds = 60
    sideline                  = { max_age_seconds = 60 }
  }

  expect_failures = [var.sideline]
}

run "root_refuses_short_retention" {
  command = plan

  variables {
    bridge   = "dispatcher"
    sideline = { max_age_seconds = 60, message_retention_seconds = 345539 }
  }

  expect_failures = [var.sideline]
}
