# At and above which value an alarm goes off, by kind (kinds.tf), and why there.
variable "async_age_percent" {
  description = "`async-age`: age of an event at its invocation, in percent of the function's `maximum_event_age_seconds`, at which it is given up. Half leaves as much time again to help."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.async_age_percent > 0 && var.async_age_percent <= 100
    error_message = "async_age_percent is ${var.async_age_percent}: it is a percentage. Set it above 0, and to 100 at most."
  }
}

variable "async_events_dropped" {
  description = "`async-dropped`: events given up within a minute. One, because each was work that nobody did."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.async_events_dropped >= 1
    error_message = "async_events_dropped is ${var.async_events_dropped}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "concurrency_percent" {
  description = "`concurrency`: concurrent invocations for five minutes, in percent of the function's `reserved_concurrency`. 80, because beyond 100 Lambda refuses."
  type        = number
  default     = 80
  nullable    = false

  validation {
    condition     = var.concurrency_percent > 0 && var.concurrency_percent <= 100
    error_message = "concurrency_percent is ${var.concurrency_percent}: it is a percentage. Set it above 0, and to 100 at most."
  }
}

variable "dead_letters" {
  description = "`depth`: messages on a queue that should be empty. One, because each is work that failed for good, and expires."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.dead_letters >= 1
    error_message = "dead_letters is ${var.dead_letters}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "delivery_failures" {
  description = "`dead-letter-errors` and `destination-errors`: events within a minute that Lambda could not put there. One, because each is lost."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.delivery_failures >= 1
    error_message = "delivery_failures is ${var.delivery_failures}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "dropped_events" {
  description = "`dropped-events`: records within a minute that a mapping gave up without telling a destination. One, because each is lost when it leaves the stream."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.dropped_events >= 1
    error_message = "dropped_events is ${var.dropped_events}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "duration_percent" {
  description = "`duration`: p99 of the invocations' duration, in percent of the function's `timeout`. 80, because what is killed at 100 is done again from the last checkpoint, or from its start."
  type        = number
  default     = 80
  nullable    = false

  validation {
    condition     = var.duration_percent > 0 && var.duration_percent <= 100
    error_message = "duration_percent is ${var.duration_percent}: it is a percentage. Set it above 0, and to 100 at most."
  }
}

variable "errors_percent" {
  description = "`errors`: failed invocations in five minutes, in percent of all. 1, because retries absorb less; of few invocations one failure is more than that."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.errors_percent > 0 && var.errors_percent <= 100
    error_message = "errors_percent is ${var.errors_percent}: it is a percentage. Set it above 0, and to 100 at most."
  }
}

variable "execution_operations" {
  description = "`operations`: operations of one durable execution. 80 % of 3000, at which Lambda ends it."
  type        = number
  default     = 2400
  nullable    = false

  validation {
    condition     = var.execution_operations >= 1
    error_message = "execution_operations is ${var.execution_operations}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "execution_storage_bytes" {
  description = "`storage`: bytes that one durable execution has written. 80 % of 100 MB, at which Lambda ends it."
  type        = number
  default     = 80000000
  nullable    = false

  validation {
    condition     = var.execution_storage_bytes >= 1
    error_message = "execution_storage_bytes is ${var.execution_storage_bytes}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "execution_time_percent" {
  description = "`execution-time`: p99 of the durable executions' duration, waits included, in percent of `execution_timeout`. 80, because at 100 they are ended without a result."
  type        = number
  default     = 80
  nullable    = false

  validation {
    condition     = var.execution_time_percent > 0 && var.execution_time_percent <= 100
    error_message = "execution_time_percent is ${var.execution_time_percent}: it is a percentage. Set it above 0, and to 100 at most."
  }
}

variable "executions_failed" {
  description = "`executions-failed`: durable executions that FAILED within a minute. One, because its message is not coming back by itself; raise it where failures are ordinary and their queue is worked through."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.executions_failed >= 1
    error_message = "executions_failed is ${var.executions_failed}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "executions_timed_out" {
  description = "`executions-timed-out`: durable executions that timed out within a minute. One, because it waited in vain for as long as it was allowed to."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.executions_timed_out >= 1
    error_message = "executions_timed_out is ${var.executions_timed_out}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "failed_events" {
  description = "`failed-events`: failed messages or records in five minutes, each try counted. Ten, because one message that always fails is tried five times and then in the dead-letter queue, which has its own alarm."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.failed_events >= 1
    error_message = "failed_events is ${var.failed_events}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "iterator_age_seconds" {
  description = "`iterator-age` and `read-age`: seconds by which a reader lags behind its stream for three minutes. A minute is more than batching takes; a batch that is retried holds up its shard for longer, so raise it where retries may take their time, to half of the stream's retention at most."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.iterator_age_seconds >= 1
    error_message = "iterator_age_seconds is ${var.iterator_age_seconds}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "pipe_failures" {
  description = "`failed`, `throttled`, `timed-out` and `target-failed`: executions of a pipe within a minute. One, because a pipe retries by itself what is passing within a call; its metrics are best effort, so a larger number may never be seen."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.pipe_failures >= 1
    error_message = "pipe_failures is ${var.pipe_failures}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "queue_age_seconds" {
  description = "`age`: seconds that the oldest message has been on its queue, for three minutes. Five minutes, as no bridge takes longer while all is well; raise it to what your users accept, to a quarter of the retention at most."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.queue_age_seconds >= 1
    error_message = "queue_age_seconds is ${var.queue_age_seconds}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "queue_ages" {
  description = "`age` of single queues, by their keys, in place of `queue_age_seconds`: for one whose messages may wait, as on a backlog that is worked off slowly, a quarter of its retention."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for seconds in values(var.queue_ages) : seconds >= 1])
    error_message = "queue_ages has ${join(", ", [for key, seconds in var.queue_ages : "${key} = ${seconds}" if seconds < 1])}: at that the alarm would never be off. Set it to 1 or more."
  }

  validation {
    condition     = length(setsubtract(keys(var.queue_ages), keys(var.queues))) == 0
    error_message = "queue_ages has ${join(", ", setsubtract(keys(var.queue_ages), keys(var.queues)))}, which queues has not. Give the key of one of queues, or remove it."
  }
}

variable "queue_in_flight" {
  description = "`in-flight`: messages received and not yet deleted. 80 % of 120000, at which SQS gives out no more."
  type        = number
  default     = 96000
  nullable    = false

  validation {
    condition     = var.queue_in_flight >= 1
    error_message = "queue_in_flight is ${var.queue_in_flight}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "running_executions_percent" {
  description = "`running-executions`: running durable executions of the account for three minutes, in percent of its quota. 80, as AWS advises: a higher quota takes days to get."
  type        = number
  default     = 80
  nullable    = false

  validation {
    condition     = var.running_executions_percent > 0 && var.running_executions_percent <= 100
    error_message = "running_executions_percent is ${var.running_executions_percent}: it is a percentage. Set it above 0, and to 100 at most."
  }
}

variable "throttles" {
  description = "`throttles`: invocations refused in each of three minutes. One, because the three minutes leave out a passing peak."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.throttles >= 1
    error_message = "throttles is ${var.throttles}: at that the alarm would never be off. Set it to 1 or more."
  }
}

variable "websocket_errors" {
  description = "`integration-errors` and `integration-failures`: requests within a minute. One, because a client was refused that had done nothing wrong; those that did are counted apart, as ClientError."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.websocket_errors >= 1
    error_message = "websocket_errors is ${var.websocket_errors}: at that the alarm would never be off. Set it to 1 or more."
  }
}
