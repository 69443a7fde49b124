# Alarms for what this stack contains, by keys that no step can have: steps are `step-<key>`.
module "observability" {
  source = "./modules/observability"
  count  = var.observability ? 1 : 0

  name          = var.name
  alarm_actions = var.alarm_actions
  kms_key_arn   = var.kms_key_arn
  tags          = var.tags

  queues = merge(
    { queue = local.queue.name },
    { for dispatcher in module.dispatcher : "backlog" => dispatcher.backlog_queue_name if var.sideline != null },
  )
  # A backlog is old as such: it is too old when it has used up a quarter of the time for which it is kept.
  queue_ages = {
    for retention in local.sideline[*].message_retention_seconds :
    "backlog" => lookup(var.alarm_thresholds, "backlog_age_seconds", floor(retention / 4))
  }
  dead_letter_queues = merge(
    { dlq = local.queue.dead_letter_name, failed = local.failed_queue_name },
    { for dispatcher in module.dispatcher : "backlog-dlq" => dispatcher.backlog_dead_letter_queue_name if var.sideline != null },
    { for outcomes in module.outcomes : "outcomes-dlq" => outcomes.dead_letter_queue_name },
  )

  durable_functions = { durable = { name = local.function.name, execution_timeout = local.execution_timeout } }
  functions = merge(
    {
      durable = {
        name                 = local.function.name
        timeout              = local.timeout
        asynchronous         = var.bridge != "esm"
        dead_letter_queue    = true
        reserved_concurrency = local.function.reserved_concurrency
      }
    },
    {
      for key, step in local.steps : "step-${key}" => {
        name                 = module.step[key].name
        timeout              = step.timeout
        asynchronous         = false
        dead_letter_queue    = false
        reserved_concurrency = step.reserved_concurrency
      }
    },
    {
      for dispatcher in module.dispatcher : "dispatcher" => {
        name                 = dispatcher.name
        timeout              = dispatcher.timeout
        asynchronous         = false
        dead_letter_queue    = false
        reserved_concurrency = -1
      }
    },
  )

  event_source_mappings = merge(
    { for mapping in module.event_source_mapping : "mapping" => { uuid = mapping.uuid, kind = "queue" } },
    { for dispatcher in module.dispatcher : "mapping" => { uuid = dispatcher.event_source_mapping_uuid, kind = "queue" } },
    {
      for dispatcher in module.dispatcher : "backlog-mapping" => {
        uuid = dispatcher.backlog_event_source_mapping_uuid, kind = "queue"
      } if var.sideline != null
    },
  )
  pipes = { for pipe in module.pipe : "pipe" => pipe.name }

  # Null leaves the module's own.
  async_age_percent          = lookup(var.alarm_thresholds, "async_age_percent", null)
  async_events_dropped       = lookup(var.alarm_thresholds, "async_events_dropped", null)
  concurrency_percent        = lookup(var.alarm_thresholds, "concurrency_percent", null)
  dead_letters               = lookup(var.alarm_thresholds, "dead_letters", null)
  delivery_failures          = lookup(var.alarm_thresholds, "delivery_failures", null)
  duration_percent           = lookup(var.alarm_thresholds, "duration_percent", null)
  errors_percent             = lookup(var.alarm_thresholds, "errors_percent", null)
  execution_operations       = lookup(var.alarm_thresholds, "execution_operations", null)
  execution_storage_bytes    = lookup(var.alarm_thresholds, "execution_storage_bytes", null)
  execution_time_percent     = lookup(var.alarm_thresholds, "execution_time_percent", null)
  executions_failed          = lookup(var.alarm_thresholds, "executions_failed", null)
  executions_timed_out       = lookup(var.alarm_thresholds, "executions_timed_out", null)
  failed_events              = lookup(var.alarm_thresholds, "failed_events", null)
  pipe_failures              = lookup(var.alarm_thresholds, "pipe_failures", null)
  queue_age_seconds          = lookup(var.alarm_thresholds, "queue_age_seconds", null)
  queue_in_flight            = lookup(var.alarm_thresholds, "queue_in_flight", null)
  running_executions_percent = lookup(var.alarm_thresholds, "running_executions_percent", null)
  throttles                  = lookup(var.alarm_thresholds, "throttles", null)
}

locals {
  # A function from outside may have a queue of its own for them.
  failed_queue_name = var.function == null ? module.failed_queue.name : var.function.dead_letter_queue_arn == null ? module.failed_queue.name : element(split(":", var.function.dead_letter_queue_arn), 5)

  alarm_thresholds = [
    "async_age_percent", "async_events_dropped", "backlog_age_seconds", "concurrency_percent", "dead_letters",
    "delivery_failures", "duration_percent", "errors_percent", "execution_operations", "execution_storage_bytes",
    "execution_time_percent", "executions_failed", "executions_timed_out", "failed_events", "pipe_failures",
    "queue_age_seconds", "queue_in_flight", "running_executions_percent", "throttles",
  ]
}
