variable "dead_letter_queue" {
  description = "Create `<name>-outcomes-dlq` for the events that could not be delivered within `maximum_event_age_seconds`."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.dead_letter_queue || var.dead_letter_queue_arn != null
    error_message = "dead_letter_queue is false and dead_letter_queue_arn null: events that cannot be delivered would be lost. Set dead_letter_queue to true, or give dead_letter_queue_arn."
  }

  validation {
    condition     = !var.dead_letter_queue || var.dead_letter_queue_arn == null
    error_message = "dead_letter_queue is true and dead_letter_queue_arn given: a target has one dead-letter queue. Set dead_letter_queue to false, or remove dead_letter_queue_arn."
  }
}

variable "dead_letter_queue_arn" {
  description = "ARN of an existing standard queue in place of `<name>-outcomes-dlq`; its policy has to hold `dead_letter_policy_statement`."
  type        = string
  default     = null

  validation {
    condition     = var.dead_letter_queue_arn == null || can(regex("^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.dead_letter_queue_arn))
    error_message = "dead_letter_queue_arn is ${var.dead_letter_queue_arn == null ? "null" : var.dead_letter_queue_arn}: give the ARN of a standard SQS queue (EventBridge takes no FIFO queue here)."
  }
}

variable "function_arn" {
  description = "ARN of the durable function, unqualified: executions on all of its versions count."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+$", var.function_arn))
    error_message = "function_arn is \"${var.function_arn}\": give the ARN of the function without version or alias, arn:aws:lambda:<region>:<account>:function:<name>."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the queues that the module creates; null means a key that SQS manages. Its key policy must let events.amazonaws.com use kms:GenerateDataKey and kms:Decrypt."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${var.kms_key_arn == null ? "null" : var.kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }
}

variable "maximum_event_age_seconds" {
  description = "Seconds for which EventBridge tries to deliver an event, 60 to 86400 (24 hours)."
  type        = number
  default     = 86400
  nullable    = false

  validation {
    condition     = var.maximum_event_age_seconds >= 60 && var.maximum_event_age_seconds <= 86400 && floor(var.maximum_event_age_seconds) == var.maximum_event_age_seconds
    error_message = "maximum_event_age_seconds is ${var.maximum_event_age_seconds}: EventBridge keeps events for 60 to 86400 seconds (24 hours). Choose a whole number in that range."
  }
}

variable "maximum_retry_attempts" {
  description = "Tries after the first to deliver an event, 0 to 185, with growing waits."
  type        = number
  default     = 185
  nullable    = false

  validation {
    condition     = var.maximum_retry_attempts >= 0 && var.maximum_retry_attempts <= 185 && floor(var.maximum_retry_attempts) == var.maximum_retry_attempts
    error_message = "maximum_retry_attempts is ${var.maximum_retry_attempts}: EventBridge tries 0 to 185 times again. Choose a whole number in that range."
  }
}

variable "name" {
  description = "Names the rules `<name>-on-failure` and `<name>-on-success`, the dead-letter queue `<name>-outcomes-dlq` and the role `<name>-outcomes-<region>`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,53}$", var.name))
    error_message = "name is \"${var.name}\" (${length(var.name)} characters): with the suffix -on-success a rule takes 64 letters, digits, - and _. Shorten it to 53 or remove the other characters."
  }
}

variable "on_failure" {
  description = <<-EOT
    What gets a record of each execution that ended without a result; null for nothing:
    - `type`: `queue` (standard SQS queue), `topic` (standard SNS topic), `function` (alias of a function), `bus` (event bus, which
      gets the event as it is), or `new_queue` to create `<name>-on-failure`
    - `arn`: ARN of the target; none with new_queue
    - `statuses`: of FAILED, TIMED_OUT and STOPPED those that count; all by default
  EOT
  type = object({
    type     = string
    arn      = optional(string)
    statuses = optional(list(string), ["FAILED", "TIMED_OUT", "STOPPED"])
  })
  default = null

  validation {
    condition     = contains(["queue", "topic", "function", "bus", "new_queue"], var.on_failure == null ? "queue" : var.on_failure.type)
    error_message = "on_failure.type is \"${var.on_failure == null ? "" : var.on_failure.type}\": there are \"queue\", \"topic\", \"function\", \"bus\" and \"new_queue\". Use one of them."
  }

  validation {
    condition     = var.on_failure == null ? true : (var.on_failure.arn == null) == (var.on_failure.type == "new_queue")
    error_message = "on_failure.arn is ${var.on_failure == null ? "null" : var.on_failure.arn == null ? "null" : "given"} with the type \"${var.on_failure == null ? "" : var.on_failure.type}\": new_queue takes none, every other type needs one. Give it, or remove it."
  }

  validation {
    condition = var.on_failure == null ? true : var.on_failure.arn == null ? true : can(regex(lookup({
      queue    = "^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$"
      topic    = "^arn:[a-z-]+:sns:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$"
      function = "^arn:[a-z-]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$"
      bus      = "^arn:[a-z-]+:events:[^:]+:[0-9]{12}:event-bus/[/.A-Za-z0-9_-]+$"
    }, var.on_failure.type, ""), var.on_failure.arn))
    error_message = "on_failure.arn is ${var.on_failure == null ? "null" : var.on_failure.arn == null ? "null" : var.on_failure.arn} with the type \"${var.on_failure == null ? "" : var.on_failure.type}\": give the ARN of a standard queue or topic (no .fifo), of a function's alias, arn:aws:lambda:<region>:<account>:function:<name>:<alias>, or of an event bus, as the type says."
  }

  validation {
    condition     = var.on_failure == null ? true : length(var.on_failure.statuses) > 0 && length(setsubtract(var.on_failure.statuses, ["FAILED", "TIMED_OUT", "STOPPED"])) == 0
    error_message = "on_failure.statuses is [${join(", ", var.on_failure == null ? [] : var.on_failure.statuses)}]: executions fail by ending FAILED, TIMED_OUT or STOPPED. Give one of them or more, or leave it out for all."
  }

  validation {
    condition     = var.on_failure != null || var.on_success != null
    error_message = "on_failure and on_success are both null: there would be no rule. Give one of them, or leave the module out."
  }
}

variable "on_success" {
  description = <<-EOT
    What gets a record of each execution that SUCCEEDED; null for nothing:
    - `type`: `queue` (standard SQS queue), `topic` (standard SNS topic), `function` (alias of a function), `bus` (event bus, which
      gets the event as it is), or `new_queue` to create `<name>-on-success`
    - `arn`: ARN of the target; none with new_queue
  EOT
  type = object({
    type = string
    arn  = optional(string)
  })
  default = null

  validation {
    condition     = contains(["queue", "topic", "function", "bus", "new_queue"], var.on_success == null ? "queue" : var.on_success.type)
    error_message = "on_success.type is \"${var.on_success == null ? "" : var.on_success.type}\": there are \"queue\", \"topic\", \"function\", \"bus\" and \"new_queue\". Use one of them."
  }

  validation {
    condition     = var.on_success == null ? true : (var.on_success.arn == null) == (var.on_success.type == "new_queue")
    error_message = "on_success.arn is ${var.on_success == null ? "null" : var.on_success.arn == null ? "null" : "given"} with the type \"${var.on_success == null ? "" : var.on_success.type}\": new_queue takes none, every other type needs one. Give it, or remove it."
  }

  validation {
    condition = var.on_success == null ? true : var.on_success.arn == null ? true : can(regex(lookup({
      queue    = "^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$"
      topic    = "^arn:[a-z-]+:sns:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$"
      function = "^arn:[a-z-]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$"
      bus      = "^arn:[a-z-]+:events:[^:]+:[0-9]{12}:event-bus/[/.A-Za-z0-9_-]+$"
    }, var.on_success.type, ""), var.on_success.arn))
    error_message = "on_success.arn is ${var.on_success == null ? "null" : var.on_success.arn == null ? "null" : var.on_success.arn} with the type \"${var.on_success == null ? "" : var.on_success.type}\": give the ARN of a standard queue or topic (no .fifo), of a function's alias, arn:aws:lambda:<region>:<account>:function:<name>:<alias>, or of an event bus, as the type says."
  }
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds the role for a bus; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary is ${var.permissions_boundary == null ? "null" : var.permissions_boundary}: give the ARN of a policy, arn:aws:iam::<account>:policy/<name>."
  }
}

variable "tags" {
  description = "Tags of the rules, the queues and the role."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "visibility_timeout" {
  description = "Visibility timeout in seconds of a queue of type new_queue, 0 to 43200 (12 hours): at least 6 x the timeout of the function that reads it. Checked by `queue`."
  type        = number
  default     = 60
  nullable    = false
}
