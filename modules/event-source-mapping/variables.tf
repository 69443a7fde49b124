variable "attach_policy" {
  description = "Attach what the mapping needs to the role `role_name`; false leaves it to the role's owner: it is in the output `required_policy`."
  type        = bool
  default     = true
  nullable    = false
}

variable "batch_size" {
  description = "Most messages in one invocation: 1 to 10000, above 10 with a `batching_window` of 1 or more; on a FIFO queue up to 10."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size is ${var.batch_size}: a mapping takes 1 to 10000 messages of a queue at once. Choose a whole number in that range."
  }

  validation {
    condition     = !local.fifo || var.batch_size <= 10
    error_message = "batch_size is ${var.batch_size}: from a FIFO queue a mapping takes 10 messages at once. Set it to 10 or less."
  }

  validation {
    condition     = local.fifo || var.batch_size <= 10 || var.batching_window >= 1
    error_message = "batch_size is ${var.batch_size} and batching_window ${var.batching_window}: one receive returns 10 messages, so larger batches need time to collect. Set batching_window to 1 or more, or batch_size to 10 or less."
  }
}

variable "batching_window" {
  description = "Seconds for which Lambda collects a batch, 0 to 300. Not on a FIFO queue."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.batching_window >= 0 && var.batching_window <= 300 && floor(var.batching_window) == var.batching_window
    error_message = "batching_window is ${var.batching_window}: a mapping collects for 0 to 300 seconds. Choose a whole number in that range."
  }

  validation {
    condition     = !local.fifo || var.batching_window == 0
    error_message = "batching_window is ${var.batching_window}: a mapping has none on a FIFO queue. Set it to 0, or use a standard queue."
  }
}

variable "enabled" {
  description = "Poll the queue; false leaves the messages on it."
  type        = bool
  default     = true
  nullable    = false
}

variable "execution_timeout" {
  description = "Of a durable function: seconds that a whole execution may take, 900 at most, because Lambda waits for it. Null for a function that is not durable."
  type        = number
  default     = null

  validation {
    condition     = var.execution_timeout == null ? true : var.execution_timeout >= 1 && var.execution_timeout <= 900
    error_message = "execution_timeout is ${var.execution_timeout == null ? 0 : var.execution_timeout}: a mapping waits for the whole execution, and Lambda refuses one to a durable function that may take more than 900 seconds. Set it to 900 or less, or start longer executions through the dispatcher or the pipe module."
  }
}

variable "filter_kms_key_arn" {
  description = "KMS key for the filter patterns at rest; null means a key of Lambda. Its key policy must allow kms:Decrypt to lambda.amazonaws.com."
  type        = string
  default     = null

  validation {
    condition     = var.filter_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.filter_kms_key_arn))
    error_message = "filter_kms_key_arn is ${var.filter_kms_key_arn == null ? "null" : var.filter_kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }

  validation {
    condition     = var.filter_kms_key_arn == null || length(var.filter_patterns) > 0
    error_message = "filter_kms_key_arn is given without filter_patterns, which are all that it encrypts. Remove it, or use kms_key_arn for the queue's key."
  }
}

variable "filter_patterns" {
  description = "Event patterns as JSON. Messages that match one of them are handled, all others are DELETED by Lambda, not kept. None means that all are handled."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.filter_patterns) <= 5
    error_message = "filter_patterns has ${length(var.filter_patterns)} patterns: a mapping takes 5. Merge some; a pattern takes lists of alternatives, {\"body\": {\"kind\": [\"a\", \"b\"]}}."
  }

  validation {
    condition     = alltrue([for pattern in var.filter_patterns : can(keys(jsondecode(pattern)))])
    error_message = "filter_patterns holds what is no JSON object: ${join(" and ", [for pattern in var.filter_patterns : pattern if !can(keys(jsondecode(pattern)))])}. Write it with jsonencode({ body = { kind = [\"a\"] } })."
  }

  validation {
    condition     = alltrue([for pattern in var.filter_patterns : length(pattern) <= 4096])
    error_message = "filter_patterns holds a pattern of ${max(0, [for pattern in var.filter_patterns : length(pattern)]...)} characters: a mapping takes 4096. Shorten it."
  }
}

variable "function_alias_arn" {
  description = "ARN of the function's alias, so that a deployment moves the mapping as well; a durable function has to be named by alias or version."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$", var.function_alias_arn))
    error_message = "function_alias_arn is \"${var.function_alias_arn}\": give the ARN of an alias, arn:aws:lambda:<region>:<account>:function:<name>:<alias>."
  }
}

variable "function_timeout" {
  description = "Seconds for one invocation of the function, from which the least `visibility_timeout` follows."
  type        = number
  nullable    = false

  validation {
    condition     = var.function_timeout >= 1 && var.function_timeout <= 900
    error_message = "function_timeout is ${var.function_timeout}: one invocation takes 1 to 900 seconds. Give the function's timeout."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the queue; null means a key that SQS manages."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${var.kms_key_arn == null ? "null" : var.kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }
}

variable "maximum_concurrency" {
  description = "Most concurrent batches of this mapping, 2 to 1000; null for no limit of its own. Not with `minimum_pollers` or `maximum_pollers`. It reserves nothing: keep the function's reserved concurrency above it."
  type        = number
  default     = null

  validation {
    condition     = var.maximum_concurrency == null ? true : var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000 && floor(var.maximum_concurrency) == var.maximum_concurrency
    error_message = "maximum_concurrency is ${var.maximum_concurrency == null ? 0 : var.maximum_concurrency}: a mapping takes 2 to 1000. Choose a whole number in that range, or null for no limit; for one message at a time use a FIFO queue with one group."
  }

  validation {
    condition     = var.maximum_concurrency == null || (var.minimum_pollers == null && var.maximum_pollers == null)
    error_message = "maximum_concurrency and provisioned pollers are both given: a mapping takes one of the two. Remove minimum_pollers and maximum_pollers, or maximum_concurrency; maximum_pollers is a limit as well, at 10 concurrent batches each."
  }
}

variable "maximum_pollers" {
  description = "Provisioned mode: most pollers, 2 to 10000 and no less than `minimum_pollers`, each with up to 10 concurrent batches and billed extra; null without it (200 with `minimum_pollers`). AWS provider 5.x stops at 2000. Not with `maximum_concurrency`."
  type        = number
  default     = null

  validation {
    condition     = var.maximum_pollers == null ? true : var.maximum_pollers >= 2 && var.maximum_pollers <= 10000 && floor(var.maximum_pollers) == var.maximum_pollers
    error_message = "maximum_pollers is ${var.maximum_pollers == null ? 0 : var.maximum_pollers}: a mapping of a queue takes 2 to 10000. Choose a whole number in that range, or null for no provisioned pollers."
  }

  validation {
    condition     = var.maximum_pollers == null || var.minimum_pollers == null ? true : var.maximum_pollers >= var.minimum_pollers
    error_message = "maximum_pollers is ${var.maximum_pollers == null ? 0 : var.maximum_pollers}, less than minimum_pollers, ${var.minimum_pollers == null ? 0 : var.minimum_pollers}. Raise the one or lower the other."
  }
}

variable "metrics" {
  description = "Publish the mapping's event counts (EventCount: polled, filtered out, invoked, deleted ...) to CloudWatch."
  type        = bool
  default     = false
  nullable    = false
}

variable "minimum_pollers" {
  description = "Provisioned mode: pollers that are always there, 2 to 200, billed by the hour; null without it (2 with `maximum_pollers`). Not with `maximum_concurrency`."
  type        = number
  default     = null

  validation {
    condition     = var.minimum_pollers == null ? true : var.minimum_pollers >= 2 && var.minimum_pollers <= 200 && floor(var.minimum_pollers) == var.minimum_pollers
    error_message = "minimum_pollers is ${var.minimum_pollers == null ? 0 : var.minimum_pollers}: a mapping of a queue takes 2 to 200. Choose a whole number in that range, or null for no provisioned pollers."
  }
}

variable "report_batch_item_failures" {
  description = "Take `batchItemFailures` from the function, so that failed messages return alone. Without it a batch fails or succeeds as a whole, and what a function reports is IGNORED: its failed messages are deleted."
  type        = bool
  default     = true
  nullable    = false
}

variable "role_name" {
  description = "Name of the function's execution role, with which Lambda polls; it gets a policy for this queue."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.role_name))
    error_message = "role_name is \"${var.role_name}\": give the name of the role, not its ARN."
  }
}

variable "source_queue_arn" {
  description = "ARN of the SQS queue, standard or FIFO."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[^:]+$", var.source_queue_arn))
    error_message = "source_queue_arn is \"${var.source_queue_arn}\": give the ARN of an SQS queue."
  }
}

variable "tags" {
  description = "Tags of the mapping."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "visibility_timeout" {
  description = "Visibility timeout of the queue in seconds: checked, not set."
  type        = number
  nullable    = false

  validation {
    condition     = var.visibility_timeout >= local.least_visibility
    error_message = "visibility_timeout is ${var.visibility_timeout}: a message would be delivered again while it is being handled. Set the queue's to ${local.least_visibility} or more, ${local.least_visibility_terms}, or lower these."
  }
}
