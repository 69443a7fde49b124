output "alarm_names" {
  description = "Name of each alarm, by its key; none without `observability`."
  value       = merge(module.observability[*].alarm_names...)
}

output "alarm_topic_arn" {
  description = "ARN of the SNS topic `<name>-alarms`, to subscribe to; null with `alarm_actions` or without `observability`."
  value       = one(module.observability[*].topic_arn)
}

output "artifact_bucket" {
  description = "Name of the S3 bucket with the packages."
  value       = local.artifact_bucket
}

output "backlog_dead_letter_queue_arn" {
  description = "ARN of `<name>-backlog-dlq`: sidelined messages for which no execution could be started; null without `sideline`."
  value       = one(module.dispatcher[*].backlog_dead_letter_queue_arn)
}

output "backlog_dead_letter_queue_url" {
  description = "URL of `<name>-backlog-dlq`: sidelined messages for which no execution could be started; null without `sideline`."
  value       = one(module.dispatcher[*].backlog_dead_letter_queue_url)
}

output "backlog_event_source_mapping_uuid" {
  description = "Identifier of the mapping that polls `<name>-backlog` for the dispatcher; null without `sideline`."
  value       = one(module.dispatcher[*].backlog_event_source_mapping_uuid)
}

output "backlog_queue_arn" {
  description = "ARN of `<name>-backlog`, which holds messages that came too late; null without `sideline`."
  value       = one(module.dispatcher[*].backlog_queue_arn)
}

output "backlog_queue_url" {
  description = "URL of `<name>-backlog`, which holds messages that came too late; null without `sideline`."
  value       = one(module.dispatcher[*].backlog_queue_url)
}

output "composite_alarm_name" {
  description = "Name of the alarm over all alarms; null without `observability`."
  value       = one(module.observability[*].composite_alarm_name)
}

output "dashboard_name" {
  description = "Name of the dashboard; null without `observability`."
  value       = one(module.observability[*].dashboard_name)
}

output "dead_letter_queue_arn" {
  description = "ARN of `<name>-dlq`, with `queue` as given there: messages for which no execution could be started; with bridge esm also those that kept failing."
  value       = local.queue.dead_letter_arn
}

output "dead_letter_queue_url" {
  description = "URL of `<name>-dlq`, with `queue` as given there: messages for which no execution could be started; with bridge esm also those that kept failing."
  value       = local.queue.dead_letter_url
}

output "dispatcher_function_arn" {
  description = "ARN of the dispatcher function; null with another bridge."
  value       = one(module.dispatcher[*].arn)
}

output "dispatcher_function_name" {
  description = "Name of the dispatcher function; null with another bridge."
  value       = one(module.dispatcher[*].name)
}

output "event_source_mapping_uuid" {
  description = "Identifier of the mapping that polls the queue, for the durable function or for the dispatcher; null with bridge pipe."
  value       = one(concat(module.event_source_mapping[*].uuid, module.dispatcher[*].event_source_mapping_uuid))
}

output "failed_queue_arn" {
  description = "ARN of `<name>-failed`: events whose execution was started asynchronously (pipe, dispatcher, by hand) and ended FAILED, TIMED_OUT or STOPPED. With `function` empty unless it is its dead-letter queue."
  value       = module.failed_queue.arn
}

output "failed_queue_url" {
  description = "URL of `<name>-failed`: events whose execution was started asynchronously (pipe, dispatcher, by hand) and ended FAILED, TIMED_OUT or STOPPED. With `function` empty unless it is its dead-letter queue."
  value       = module.failed_queue.url
}

output "function_alias_arn" {
  description = "ARN of the durable function's alias `live`, which every invoker uses."
  value       = local.function.alias_arn

  # Not validations of the inputs: what these are given to may be what makes `function`, which would be a cycle.
  precondition {
    condition     = var.function == null || length(local.inputs_of_own_function) == 0
    error_message = "function is given together with ${join(", ", local.inputs_of_own_function)}, which would be ignored: the function comes from outside. Give it there, and remove it here."
  }

  precondition {
    condition     = var.function != null || var.source_dir != null || var.batch_size == null || var.bridge == "dispatcher" ? true : var.batch_size <= local.sample_batch_limit
    error_message = "batch_size is ${var.batch_size == null ? 0 : var.batch_size}: the sample needs ${local.sample_operations} operations a message, and an execution may have 3000. Set it to ${local.sample_batch_limit} or less, or use bridge = \"dispatcher\", with which each message has an execution of its own."
  }

  precondition {
    condition     = var.steps == null || var.source_dir != null || var.function != null || length(setsubtract(["validate", "transform", "store"], keys(var.steps == null ? {} : var.steps))) == 0
    error_message = "steps lacks ${join(", ", setsubtract(["validate", "transform", "store"], flatten([for steps in var.steps[*] : keys(steps)])))}, which the sample pipeline invokes. Add it, leave steps out, or set source_dir to a pipeline of your own."
  }
}

output "function_arn" {
  description = "ARN of the durable function, unqualified: for policies, not for invokes."
  value       = local.function.arn
}

output "function_name" {
  description = "Name of the durable function."
  value       = local.function.name
}

output "function_version" {
  description = "Version of the durable function on which new executions start."
  value       = local.function.version
}

output "log_group_name" {
  description = "Name of the durable function's log group."
  value       = local.function.log_group_name
}

output "on_failure_queue_url" {
  description = "URL of `<name>-on-failure`; null unless `on_failure` has the type new_queue."
  value       = one(module.outcomes[*].on_failure_queue_url)
}

output "on_failure_rule_arn" {
  description = "ARN that the rule of `on_failure` has or would have: built from the name, so that its target may name it in a policy."
  value       = local.rule_arns_of_outcomes.on_failure
}

output "on_success_queue_url" {
  description = "URL of `<name>-on-success`; null unless `on_success` has the type new_queue."
  value       = one(module.outcomes[*].on_success_queue_url)
}

output "on_success_rule_arn" {
  description = "ARN that the rule of `on_success` has or would have: built from the name, so that its target may name it in a policy."
  value       = local.rule_arns_of_outcomes.on_success
}

output "outcomes_dead_letter_queue_arn" {
  description = "ARN of `<name>-outcomes-dlq`: events of outcomes that could not be delivered; null without `on_failure` and `on_success`."
  value       = one(module.outcomes[*].dead_letter_queue_arn)
}

output "outcomes_dead_letter_queue_url" {
  description = "URL of `<name>-outcomes-dlq`: events of outcomes that could not be delivered; null without `on_failure` and `on_success`."
  value       = one(module.outcomes[*].dead_letter_queue_url)
}

output "outcomes_target_policy_statements" {
  description = "What the policies of an existing queue or topic have to hold, as JSON by `on_failure` and `on_success`."
  value       = merge(module.outcomes[*].target_policy_statements...)
}

output "pipe_arn" {
  description = "ARN of the pipe; null with another bridge."
  value       = one(module.pipe[*].arn)
}

output "pipe_name" {
  description = "Name of the pipe; null with another bridge."
  value       = one(module.pipe[*].name)
}

output "queue_arn" {
  description = "ARN of the queue that takes the messages."
  value       = local.queue.arn

  # Not validations of `queue`, on which `failed_queue_arn` would depend, and with it a `function` from outside.
  precondition {
    condition     = var.queue == null ? true : var.queue.max_message_size <= var.max_message_size
    error_message = "queue.max_message_size is ${jsonencode(one(var.queue[*].max_message_size))}, more than max_message_size (${var.max_message_size}), by which is checked that the event of a failed execution fits into ${var.name}-failed. Lower the queue's, or raise max_message_size."
  }

  precondition {
    condition     = var.queue == null ? true : element(split(":", var.queue.arn), 3) == data.aws_region.current.id
    error_message = "queue.arn is ${jsonencode(one(var.queue[*].arn))}, and this Region is ${data.aws_region.current.id}: a bridge reads queues of its own Region. Give a queue from here."
  }
}

output "queue_url" {
  description = "URL of the queue that takes the messages; of an existing one as given."
  value       = local.queue.url
}

output "required_policy" {
  description = "What the durable function's role has to allow, as the JSON of a policy: for who owns the role that `role` names. With `function` only what bridge esm needs; null if it needs nothing."
  value = length(local.required_policies) == 0 ? null : jsonencode({
    Version   = "2012-10-17"
    Statement = flatten([for policy in local.required_policies : jsondecode(policy).Statement])
  })
}

output "step_function_arns" {
  description = "Alias ARN of each chained function, by the key of its step."
  value       = { for key, step in module.step : key => step.alias_arn }
}

output "step_function_names" {
  description = "Name of each chained function, by the key of its step."
  value       = { for key, step in module.step : key => step.name }
}

output "table_name" {
  description = "Name of the sample's table; null with own sources or own steps."
  value       = one(aws_dynamodb_table.this[*].name)
}
