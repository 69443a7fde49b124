mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  name = "orders"
}

run "one_of_each" {
  command = apply

  module {
    source = "./modules/observability"
  }

  variables {
    queues             = { queue = "orders" }
    dead_letter_queues = { dlq = "orders-dlq" }
    durable_functions  = { durable = { name = "orders", execution_timeout = 3600 } }
    functions = {
      all   = { name = "orders-all", timeout = 30, asynchronous = true, maximum_event_age_seconds = 600, dead_letter_queue = true, destinations = true, reserved_concurrency = 10 }
      plain = { name = "orders-plain", timeout = 30 }
    }
    event_source_mappings = {
      messages = { uuid = "11111111-1111-1111-1111-111111111111", kind = "queue" }
      records  = { uuid = "22222222-2222-2222-2222-222222222222", kind = "stream", function_name = "orders-plain" }
    }
    pipes           = { pipe = "orders" }
    kinesis_streams = { stream = "readings" }
    websocket_apis  = { socket = "abcdefghij" }
  }

  assert {
    condition = toset(keys(output.alarm_names)) == toset([
      "queue-age", "queue-in-flight", "dlq-depth",
      "durable-executions-failed", "durable-executions-timed-out", "durable-execution-time", "durable-operations", "durable-storage", "running-executions",
      "all-errors", "all-throttles", "all-duration", "all-concurrency", "all-async-dropped", "all-async-age", "all-dead-letter-errors", "all-destination-errors",
      "plain-errors", "plain-throttles", "plain-duration",
      "messages-failed-events", "records-failed-events", "records-dropped-events", "records-iterator-age",
      "pipe-failed", "pipe-throttled", "pipe-timed-out", "pipe-target-failed", "stream-read-age",
      "socket-integration-errors", "socket-integration-failures",
    ])
    error_message = "Each thing has the alarms of what it is, and no others."
  }

  assert {
    condition     = toset(values(output.alarm_kinds)) == toset(keys(local.kinds))
    error_message = "No kind of alarm is left out."
  }

  assert {
    condition     = alltrue([for kind in keys(local.kinds) : strcontains(file("./modules/observability/README.md"), "| `${kind == "running-executions" ? "" : "<key>-"}${kind}` |")])
    error_message = "The table of the README has every kind."
  }

  assert {
    condition     = alltrue([for key, name in output.alarm_names : name == "orders-${key}"])
    error_message = "Alarms are named by their keys."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.treat_missing_data == "notBreaching" && alarm.comparison_operator == "GreaterThanOrEqualToThreshold"])
    error_message = "Silence is no alarm, and a threshold is where it begins."
  }

  assert {
    condition     = alltrue([for key, alarm in aws_cloudwatch_metric_alarm.this : strcontains(alarm.alarm_description, "First: ") && endswith(alarm.alarm_description, "docs/guides/alarms.md, ${local.alarms[key].kind}.") && length(alarm.alarm_description) <= 1024])
    error_message = "Each alarm says what to do first and where more is."
  }

  assert {
    condition = { for key in ["queue-age", "queue-in-flight", "dlq-depth", "durable-executions-failed", "durable-execution-time", "durable-operations", "durable-storage", "running-executions", "all-duration", "all-concurrency", "all-async-age", "all-destination-errors", "all-errors", "messages-failed-events", "records-iterator-age", "pipe-failed", "stream-read-age"] : key => aws_cloudwatch_metric_alarm.this[key].threshold } == {
      queue-age    = 300, queue-in-flight = 96000, dlq-depth = 1, durable-executions-failed = 1, durable-execution-time = 2880000, durable-operations = 2400, durable-storage = 80000000, running-executions = 80,
      all-duration = 24000, all-concurrency = 8, all-async-age = 300000, all-destination-errors = 1, all-errors = 1, messages-failed-events = 10, records-iterator-age = 60000, pipe-failed = 1, stream-read-age = 60000,
    }
    error_message = "Thresholds are in the metrics' units: times in milliseconds but for a queue's age."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["records-failed-events"].dimensions == tomap({ EventSourceMappingUUID = "22222222-2222-2222-2222-222222222222" }) && aws_cloudwatch_metric_alarm.this["records-iterator-age"].dimensions == tomap({ FunctionName = "orders-plain" }) && aws_cloudwatch_metric_alarm.this["dlq-depth"].dimensions == tomap({ QueueName = "orders-dlq" }) && aws_cloudwatch_metric_alarm.this["running-executions"].dimensions == null
    error_message = "Each metric has its own dimension; the account's has none."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["all-duration"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.this["all-duration"].statistic == null && aws_cloudwatch_metric_alarm.this["queue-age"].statistic == "Maximum" && aws_cloudwatch_metric_alarm.this["queue-age"].evaluation_periods == 3
    error_message = "Durations are judged by their p99, which CloudWatch takes elsewhere than the other statistics."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["all-errors"].metric_name == null && one([for query in aws_cloudwatch_metric_alarm.this["all-errors"].metric_query : query.expression if query.return_data == true]) == "100 * part / MAX([part, whole])" && { for query in aws_cloudwatch_metric_alarm.this["all-errors"].metric_query : query.id => "${query.metric[0].metric_name} ${query.metric[0].dimensions.FunctionName}" if length(query.metric) == 1 } == { part = "Errors orders-all", whole = "Invocations orders-all" }
    error_message = "Errors are judged by their share."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.this.alarm_rule == join(" OR ", [for name in sort(values(output.alarm_names)) : "ALARM(\"${name}\")"]) && output.composite_alarm_name == "orders"
    error_message = "One alarm is over all."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets) == 1 + length(local.kinds) && toset([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : widget.properties.title]) == setunion(["Alarms of orders"], keys(local.kinds))
    error_message = "The dashboard has the alarms and a graph of each kind."
  }

  assert {
    condition     = one([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : widget.properties.metrics if widget.properties.title == "throttles"]) == [["AWS/Lambda", "Throttles", "FunctionName", "orders-all", { label = "all-throttles", stat = "Sum", period = 60 }], ["AWS/Lambda", "Throttles", "FunctionName", "orders-plain", { label = "plain-throttles", stat = "Sum", period = 60 }]]
    error_message = "A graph has a line for each thing."
  }

  assert {
    condition     = length(distinct([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : "${widget.x} ${widget.y}"])) == 1 + length(local.kinds)
    error_message = "No widget lies on another."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([output.topic_arn]) && alarm.ok_actions == toset([output.topic_arn])]) && aws_cloudwatch_composite_alarm.this.alarm_actions == null
    error_message = "The topic hears of each alarm's beginning and end, and nothing twice."
  }

  assert {
    condition     = jsondecode(aws_sns_topic.this[0].policy).Statement[0].Principal == { Service = "cloudwatch.amazonaws.com" } && jsondecode(aws_sns_topic.this[0].policy).Statement[0].Condition == { StringEquals = { "aws:SourceAccount" = "123456789012" }, ArnLike = { "aws:SourceArn" = ["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders-*"] } } && jsondecode(aws_sns_topic.this[0].policy).Statement[1].Effect == "Deny"
    error_message = "The topic lets in these alarms, and nothing by plain HTTP."
  }
}

run "given_actions" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    alarm_actions      = ["arn:aws:sns:eu-west-1:123456789012:pager"]
    dashboard          = false
    durable_functions  = { durable = { name = "orders", execution_timeout = 3600 } }
    notify             = "composite"
    running_executions = false
  }

  assert {
    condition     = length(aws_sns_topic.this) == 0 && output.topic_arn == null && length(aws_cloudwatch_dashboard.this) == 0 && output.dashboard_name == null
    error_message = "What is there, or not wanted, is not created."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.this.alarm_actions == toset(var.alarm_actions) && aws_cloudwatch_composite_alarm.this.ok_actions == toset(var.alarm_actions) && alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == null && alarm.ok_actions == null])
    error_message = "Only the alarm over all tells."
  }

  assert {
    condition     = !contains(keys(local.alarms), "running-executions") && length(local.alarms) == 5
    error_message = "The account is watched by another stack."
  }
}

run "own_key" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111"
    queues      = { queue = "orders" }
  }

  assert {
    condition     = aws_sns_topic.this[0].kms_master_key_id == var.kms_key_arn
    error_message = "The topic is encrypted."
  }
}

run "many" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    functions = { for number in range(17) : "function-${number}" => { name = "orders-${number}", timeout = 30 } }
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.this.alarm_rule == "ALARM(\"orders-part-1\") OR ALARM(\"orders-part-2\")" && toset(flatten([for part in aws_cloudwatch_composite_alarm.part : [for rule in split(" OR ", part.alarm_rule) : trimsuffix(trimprefix(rule, "ALARM(\""), "\")")]])) == toset(values(output.alarm_names)) && length(output.alarm_names) == 51
    error_message = "More alarms than a rule surely takes are named in parts, none left out."
  }

  assert {
    condition     = alltrue([for part in aws_cloudwatch_composite_alarm.part : part.alarm_actions == null && length(part.alarm_rule) < 10240])
    error_message = "Parts tell nobody, and their rules fit."
  }
}

run "invalid" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    name                       = "two words"
    alarm_actions              = ["alerts"]
    dead_letter_queues         = { "Two Words" = "dlq" }
    durable_functions          = { "Two Words" = { name = "orders", execution_timeout = 60 } }
    event_source_mappings      = { "Two Words" = { uuid = "u", kind = "queue" } }
    functions                  = { "Two Words" = { name = "orders", timeout = 60 } }
    kinesis_streams            = { "Two Words" = "readings" }
    kms_key_arn                = "alias/orders"
    notify                     = "all"
    pipes                      = { "Two Words" = "orders" }
    queues                     = { "Two Words" = "orders" }
    async_age_percent          = 101
    async_events_dropped       = 0
    concurrency_percent        = 101
    dead_letters               = 0
    delivery_failures          = 0
    dropped_events             = 0
    duration_percent           = 101
    errors_percent             = 101
    execution_operations       = 0
    execution_storage_bytes    = 0
    execution_time_percent     = 101
    executions_failed          = 0
    executions_timed_out       = 0
    failed_events              = 0
    iterator_age_seconds       = 0
    pipe_failures              = 0
    queue_age_seconds          = 0
    queue_in_flight            = 0
    running_executions_percent = 101
    throttles                  = 0
    websocket_apis             = { "Two Words" = "abcdefghij" }
    websocket_errors           = 0
  }

  expect_failures = [
    var.name,
    var.alarm_actions,
    var.dead_letter_queues,
    var.durable_functions,
    var.event_source_mappings,
    var.functions,
    var.kinesis_streams,
    var.kms_key_arn,
    var.notify,
    var.pipes,
    var.queues,
    var.async_age_percent,
    var.async_events_dropped,
    var.concurrency_percent,
    var.dead_letters,
    var.delivery_failures,
    var.dropped_events,
    var.duration_percent,
    var.errors_percent,
    var.execution_operations,
    var.execution_storage_bytes,
    var.execution_time_percent,
    var.executions_failed,
    var.executions_timed_out,
    var.failed_events,
    var.iterator_age_seconds,
    var.pipe_failures,
    var.queue_age_seconds,
    var.queue_in_flight,
    var.running_executions_percent,
    var.throttles,
    var.websocket_apis,
    var.websocket_errors,
  ]
}

run "invalid_kind_and_age_and_too_many_actions" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    alarm_actions         = [for number in range(6) : "arn:aws:sns:eu-west-1:123456789012:pager-${number}"]
    event_source_mappings = { mapping = { uuid = "u", kind = "topic" } }
    queues                = { queue = "orders" }
    queue_ages            = { queue = 0 }
  }

  expect_failures = [var.alarm_actions, var.event_source_mappings, var.queue_ages]
}

run "an_age_of_its_own" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    queues     = { queue = "orders", backlog = "orders-backlog" }
    queue_ages = { backlog = 86400 }
  }

  assert {
    condition     = output.thresholds["queue-age"] == 300 && output.thresholds["backlog-age"] == 86400
    error_message = "One queue may wait longer than the others."
  }
}

run "an_age_of_no_queue" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    queues     = { queue = "orders" }
    queue_ages = { dlq = 86400 }
  }

  expect_failures = [var.queue_ages]
}

run "stream_without_function" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    event_source_mappings = { mapping = { uuid = "u", kind = "stream" } }
  }

  expect_failures = [var.event_source_mappings]
}

run "nothing_to_watch" {
  command = plan

  module {
    source = "./modules/observability"
  }

  expect_failures = [aws_cloudwatch_composite_alarm.this]
}

# The `age` of the queue `stream-read` and the `read-age` of the stream `stream` are both `stream-read-age`.
run "one_name_twice" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    queues          = { stream-read = "orders" }
    kinesis_streams = { stream = "readings" }
  }

  expect_failures = [aws_cloudwatch_composite_alarm.this]
}
