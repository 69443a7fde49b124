mock_provider "aws" {
  source = "./tests/contract/mocks"
}

# A function without code of its own to build: what is asked here is which alarms there are.
variables {
  name            = "orders"
  python          = "true"
  source_dir      = "./tests/terraform/callback/handler"
  artifact_bucket = "mine"
}

run "with_pipe" {
  command = plan

  variables {
    alarm_thresholds = { queue_age_seconds = 900, executions_failed = 5 }
    on_failure       = { type = "new_queue" }
  }

  assert {
    condition = toset(keys(output.alarm_names)) == toset([
      "queue-age", "queue-in-flight", "dlq-depth", "failed-depth", "outcomes-dlq-depth",
      "durable-executions-failed", "durable-executions-timed-out", "durable-execution-time", "durable-operations", "durable-storage", "running-executions",
      "durable-errors", "durable-throttles", "durable-duration", "durable-async-dropped", "durable-async-age", "durable-dead-letter-errors",
      "pipe-failed", "pipe-throttled", "pipe-timed-out", "pipe-target-failed",
    ])
    error_message = "The stack has the alarms of what it contains."
  }

  assert {
    condition     = output.composite_alarm_name == "orders" && output.dashboard_name == "orders"
    error_message = "The outputs name what is over all."
  }

  assert {
    condition     = module.observability[0].thresholds["queue-age"] == 900 && module.observability[0].thresholds["durable-executions-failed"] == 5 && module.observability[0].thresholds["durable-executions-timed-out"] == 1 && module.observability[0].thresholds["durable-execution-time"] == 69120000
    error_message = "Given thresholds count, and the defaults for the rest."
  }
}

run "with_mapping" {
  command = plan

  variables {
    bridge               = "esm"
    maximum_concurrency  = 10
    reserved_concurrency = 10
  }

  assert {
    condition = toset(keys(output.alarm_names)) == toset([
      "queue-age", "queue-in-flight", "dlq-depth", "failed-depth",
      "durable-executions-failed", "durable-executions-timed-out", "durable-execution-time", "durable-operations", "durable-storage", "running-executions",
      "durable-errors", "durable-throttles", "durable-duration", "durable-concurrency", "durable-dead-letter-errors", "mapping-failed-events",
    ])
    error_message = "Behind a mapping nothing is asynchronous, and the mapping is watched."
  }
}

run "with_dispatcher" {
  command = plan

  variables {
    bridge = "dispatcher"
    steps  = { dispatched = { source_dir = "./functions/validate", reserved_concurrency = 5 } }
  }

  assert {
    condition = toset(keys(output.alarm_names)) == toset([
      "queue-age", "queue-in-flight", "dlq-depth", "failed-depth",
      "durable-executions-failed", "durable-executions-timed-out", "durable-execution-time", "durable-operations", "durable-storage", "running-executions",
      "durable-errors", "durable-throttles", "durable-duration", "durable-async-dropped", "durable-async-age", "durable-dead-letter-errors",
      "dispatcher-errors", "dispatcher-throttles", "dispatcher-duration", "mapping-failed-events",
      "step-dispatched-errors", "step-dispatched-throttles", "step-dispatched-duration", "step-dispatched-concurrency",
    ])
    error_message = "Dispatcher and steps are watched as the functions that they are."
  }
}

run "with_sideline" {
  command = plan

  variables {
    bridge     = "dispatcher"
    sideline   = { max_age_seconds = 60, message_retention_seconds = 400000 }
    on_failure = { type = "new_queue" }
    on_success = { type = "new_queue" }
  }

  assert {
    condition = toset(keys(output.alarm_names)) == toset([
      "queue-age", "queue-in-flight", "backlog-age", "backlog-in-flight", "dlq-depth", "failed-depth", "backlog-dlq-depth", "outcomes-dlq-depth",
      "durable-executions-failed", "durable-executions-timed-out", "durable-execution-time", "durable-operations", "durable-storage", "running-executions",
      "durable-errors", "durable-throttles", "durable-duration", "durable-async-dropped", "durable-async-age", "durable-dead-letter-errors",
      "dispatcher-errors", "dispatcher-throttles", "dispatcher-duration", "mapping-failed-events", "backlog-mapping-failed-events",
    ])
    error_message = "The backlog has its alarms: age and messages in flight, its dead-letter queue, its mapping."
  }

  assert {
    condition     = module.observability[0].thresholds["queue-age"] == 300 && module.observability[0].thresholds["backlog-age"] == 100000
    error_message = "A backlog is too old at a quarter of its retention."
  }
}

run "with_sideline_that_is_to_be_short" {
  command = apply

  variables {
    bridge           = "dispatcher"
    sideline         = { max_age_seconds = 60 }
    alarm_thresholds = { backlog_age_seconds = 3600 }
  }

  assert {
    condition     = module.observability[0].thresholds["backlog-age"] == 3600
    error_message = "A given threshold counts."
  }

  assert {
    condition     = module.dispatcher[0].backlog_queue_name == "orders-backlog" && module.dispatcher[0].backlog_dead_letter_queue_name == "orders-backlog-dlq"
    error_message = "Alarms watch the queues by these names."
  }
}

run "without" {
  command = plan

  variables {
    observability = false
  }

  assert {
    condition     = length(module.observability) == 0 && length(output.alarm_names) == 0 && output.alarm_topic_arn == null && output.composite_alarm_name == null && output.dashboard_name == null
    error_message = "One variable turns it off."
  }
}

run "with_a_misspelt_threshold" {
  command = plan

  variables {
    alarm_thresholds = { queue_age = 900 }
  }

  expect_failures = [var.alarm_thresholds]
}
