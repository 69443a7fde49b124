# Which alarms there are: for each thing that is given, key => kind (kinds.tf), value of its dimension, threshold at and above
# which it is in ALARM, and the function whose settings the threshold follows from or that has the thing.
locals {
  alarm_groups = [
    { for key, name in var.queues : "${key}-age" => { kind = "age", of = name, threshold = lookup(var.queue_ages, key, var.queue_age_seconds) } },
    { for key, name in var.queues : "${key}-in-flight" => { kind = "in-flight", of = name, threshold = var.queue_in_flight } },
    { for key, name in var.dead_letter_queues : "${key}-depth" => { kind = "depth", of = name, threshold = var.dead_letters } },

    { for key, durable in var.durable_functions : "${key}-executions-failed" => { kind = "executions-failed", of = durable.name, threshold = var.executions_failed } },
    { for key, durable in var.durable_functions : "${key}-executions-timed-out" => { kind = "executions-timed-out", of = durable.name, threshold = var.executions_timed_out } },
    { for key, durable in var.durable_functions : "${key}-execution-time" => { kind = "execution-time", of = durable.name, threshold = durable.execution_timeout * 10 * var.execution_time_percent } },
    { for key, durable in var.durable_functions : "${key}-operations" => { kind = "operations", of = durable.name, threshold = var.execution_operations } },
    { for key, durable in var.durable_functions : "${key}-storage" => { kind = "storage", of = durable.name, threshold = var.execution_storage_bytes } },
    { for kind in ["running-executions"] : kind => { kind = kind, of = "", threshold = var.running_executions_percent } if var.running_executions && length(var.durable_functions) > 0 },

    { for key, function in var.functions : "${key}-errors" => { kind = "errors", of = function.name, threshold = var.errors_percent } },
    { for key, function in var.functions : "${key}-throttles" => { kind = "throttles", of = function.name, threshold = var.throttles } },
    { for key, function in var.functions : "${key}-duration" => { kind = "duration", of = function.name, threshold = function.timeout * 10 * var.duration_percent } },
    { for key, function in var.functions : "${key}-concurrency" => { kind = "concurrency", of = function.name, threshold = function.reserved_concurrency * var.concurrency_percent / 100 } if function.reserved_concurrency > 0 },
    { for key, function in var.functions : "${key}-async-dropped" => { kind = "async-dropped", of = function.name, threshold = var.async_events_dropped } if function.asynchronous },
    { for key, function in var.functions : "${key}-async-age" => { kind = "async-age", of = function.name, threshold = function.maximum_event_age_seconds * 10 * var.async_age_percent } if function.asynchronous },
    { for key, function in var.functions : "${key}-dead-letter-errors" => { kind = "dead-letter-errors", of = function.name, threshold = var.delivery_failures } if function.dead_letter_queue },
    { for key, function in var.functions : "${key}-destination-errors" => { kind = "destination-errors", of = function.name, threshold = var.delivery_failures } if function.destinations },

    { for key, mapping in var.event_source_mappings : "${key}-failed-events" => { kind = "failed-events", of = mapping.uuid, threshold = var.failed_events } },
    { for key, mapping in var.event_source_mappings : "${key}-dropped-events" => { kind = "dropped-events", of = mapping.uuid, threshold = var.dropped_events } if mapping.kind == "stream" },
    { for key, mapping in var.event_source_mappings : "${key}-iterator-age" => { kind = "iterator-age", of = mapping.function_name, threshold = var.iterator_age_seconds * 1000 } if mapping.kind == "stream" },

    { for key, name in var.pipes : "${key}-failed" => { kind = "failed", of = name, threshold = var.pipe_failures } },
    { for key, name in var.pipes : "${key}-throttled" => { kind = "throttled", of = name, threshold = var.pipe_failures } },
    { for key, name in var.pipes : "${key}-timed-out" => { kind = "timed-out", of = name, threshold = var.pipe_failures } },
    { for key, name in var.pipes : "${key}-target-failed" => { kind = "target-failed", of = name, threshold = var.pipe_failures } },
    { for key, id in var.websocket_apis : "${key}-integration-errors" => { kind = "integration-errors", of = id, threshold = var.websocket_errors } },
    { for key, id in var.websocket_apis : "${key}-integration-failures" => { kind = "integration-failures", of = id, threshold = var.websocket_errors } },
    { for key, name in var.kinesis_streams : "${key}-read-age" => { kind = "read-age", of = name, threshold = var.iterator_age_seconds * 1000 } },
  ]
  alarms = { for key, alarm in merge(local.alarm_groups...) : key => merge(local.kinds[alarm.kind], alarm) }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "${each.value.of == "" ? "" : "${each.value.of}: "}${each.value.tells}. First: ${each.value.first}. More: docs/guides/alarms.md, ${each.value.kind}."

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods

  # Lambda and SQS send nothing while nothing happens, which is no reason for alarm.
  treat_missing_data = "notBreaching"

  namespace          = each.value.share_of == "" ? each.value.namespace : null
  metric_name        = each.value.share_of == "" ? each.value.metric : null
  dimensions         = each.value.share_of == "" && each.value.dimension != "" ? { (each.value.dimension) = each.value.of } : null
  period             = each.value.share_of == "" ? each.value.period : null
  statistic          = each.value.share_of == "" && !startswith(each.value.statistic, "p") ? each.value.statistic : null
  extended_statistic = each.value.share_of == "" && startswith(each.value.statistic, "p") ? each.value.statistic : null

  dynamic "metric_query" {
    for_each = each.value.share_of == "" ? {} : { part = each.value.metric, whole = each.value.share_of }

    content {
      id = metric_query.key

      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value
        dimensions  = { (each.value.dimension) = each.value.of }
        period      = each.value.period
        stat        = each.value.statistic
      }
    }
  }

  # An invocation may fail in a period after the one that it is counted in: hence not more than all.
  dynamic "metric_query" {
    for_each = each.value.share_of == "" ? [] : [each.value]

    content {
      id          = "percent"
      expression  = "100 * part / MAX([part, whole])"
      label       = "${metric_query.value.metric} of ${metric_query.value.share_of}, %"
      return_data = true
    }
  }

  alarm_actions = var.notify == "alarms" ? local.actions : null
  ok_actions    = var.notify == "alarms" ? local.actions : null

  tags = var.tags

  # CloudWatch deletes no alarm that the composite alarm still names: so the latter is changed first.
  # https://github.com/hashicorp/terraform-provider-aws/issues/34807
  lifecycle {
    create_before_destroy = true
  }
}

# The rule of a composite alarm names 100 alarms and has 10240 characters at most: of more than 50 alarms with long names it
# would have more, so that these have composite alarms of their own, and the one over all names those.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
locals {
  parts = length(local.alarms) > 50 ? { for index, keys in chunklist(sort(keys(local.alarms)), 50) : tostring(index + 1) => keys } : {}
  children = length(local.parts) > 0 ? [for part in aws_cloudwatch_composite_alarm.part : part.alarm_name] : [
    for key in sort(keys(local.alarms)) : aws_cloudwatch_metric_alarm.this[key].alarm_name
  ]
}

resource "aws_cloudwatch_composite_alarm" "part" {
  for_each = local.parts

  alarm_name        = "${var.name}-part-${each.key}"
  alarm_description = "Part of ${var.name}: one of ${length(each.value)} alarms is in ALARM."
  alarm_rule        = join(" OR ", [for key in each.value : "ALARM(\"${aws_cloudwatch_metric_alarm.this[key].alarm_name}\")"])

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_composite_alarm" "this" {
  alarm_name        = var.name
  alarm_description = "At least one alarm of ${var.name} is in ALARM. First: see which, and its description. More: docs/guides/alarms.md."
  alarm_rule        = join(" OR ", [for name in local.children : "ALARM(\"${name}\")"])

  alarm_actions = var.notify == "composite" ? local.actions : null
  ok_actions    = var.notify == "composite" ? local.actions : null

  tags = var.tags

  lifecycle {
    precondition {
      condition     = length(local.alarms) > 0
      error_message = "There is nothing to watch. Give one of queues, dead_letter_queues, durable_functions, functions, event_source_mappings, pipes, kinesis_streams and websocket_apis."
    }

    precondition {
      condition     = length(local.alarms) == length(flatten([for alarms in local.alarm_groups : keys(alarms)]))
      error_message = "Two alarms have one name: ${join(", ", [for key in keys(local.alarms) : key if length([for other in flatten([for alarms in local.alarm_groups : keys(alarms)]) : other if other == key]) > 1])}. Give one of the two things another key."
    }
  }
}
