variable "batch_size" {
  description = "Most messages in one invocation, and so in one execution: 1 to 10000, above 10 with a `batching_window` of 1 or more; times `max_message_size` + 2048 at most 1048576 bytes. A failed execution fails them all together."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size is ${var.batch_size}: a pipe takes 1 to 10000 messages of a queue at once. Choose a whole number in that range."
  }

  validation {
    condition     = var.batch_size <= 10 || var.batching_window >= 1
    error_message = "batch_size is ${var.batch_size} and batching_window ${var.batching_window}: one receive returns 10 messages, so larger batches need time to collect. Set batching_window to 1 or more, or batch_size to 10 or less."
  }

  validation {
    condition     = var.batch_size * (var.max_message_size + 2048) <= 1048576
    error_message = "batch_size is ${var.batch_size} and max_message_size ${var.max_message_size}: an asynchronous invocation takes 1048576 bytes for the whole batch, each message being its body and about 2048 bytes of envelope; larger batches would be refused until their messages are in the dead-letter queue. Lower batch_size to ${max(1, floor(1048576 / (var.max_message_size + 2048)))} or max_message_size to ${floor(1048576 / max(1, var.batch_size)) - 2048}."
  }
}

variable "batching_window" {
  description = "Seconds for which the pipe collects a batch, 0 to 300."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.batching_window >= 0 && var.batching_window <= 300
    error_message = "batching_window is ${var.batching_window}: a pipe collects for 0 to 300 seconds. Choose a value in that range."
  }
}

variable "description" {
  description = "What the pipe is for."
  type        = string
  default     = "Starts a durable execution for each message"
  nullable    = false

  validation {
    condition     = length(var.description) <= 512
    error_message = "description has ${length(var.description)} characters: a pipe takes 512. Shorten it."
  }
}

variable "desired_state" {
  description = "RUNNING, or STOPPED to leave messages on the queue."
  type        = string
  default     = "RUNNING"
  nullable    = false

  validation {
    condition     = contains(["RUNNING", "STOPPED"], var.desired_state)
    error_message = "desired_state is \"${var.desired_state}\": a pipe is RUNNING or STOPPED. Use one of them."
  }
}

variable "filter_patterns" {
  description = "Event patterns as JSON. Messages that match one of them are handled, all others are DELETED by the pipe, not kept. None means that all are handled."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.filter_patterns) <= 5
    error_message = "filter_patterns has ${length(var.filter_patterns)} patterns: a pipe takes 5. Merge some; a pattern takes lists of alternatives, {\"body\": {\"kind\": [\"a\", \"b\"]}}."
  }

  validation {
    condition     = alltrue([for pattern in var.filter_patterns : can(keys(jsondecode(pattern)))])
    error_message = "filter_patterns holds what is no JSON object: ${join(" and ", [for pattern in var.filter_patterns : pattern if !can(keys(jsondecode(pattern)))])}. Write it with jsonencode({ body = { kind = [\"a\"] } })."
  }

  validation {
    condition     = alltrue([for pattern in var.filter_patterns : length(pattern) <= 4096])
    error_message = "filter_patterns holds a pattern of ${max(0, [for pattern in var.filter_patterns : length(pattern)]...)} characters: a pipe takes 4096. Shorten it."
  }
}

variable "input_template" {
  description = "What the function gets for each message instead of the SQS record, with placeholders such as <$.messageId>; null for the record. Keep messageId: the function needs it to be idempotent."
  type        = string
  default     = null

  validation {
    condition     = length(var.input_template == null ? "" : var.input_template) <= 8192
    error_message = "input_template has ${length(var.input_template == null ? "" : var.input_template)} characters: a pipe takes 8192. Shorten it."
  }

  validation {
    condition     = !can(regex("\\\\u003[cCeE]", var.input_template))
    error_message = "input_template holds \\u003c or \\u003e, the form in which jsonencode() writes < and >: the pipe would take it for text, not for a placeholder. Write the template as a heredoc, e.g. {\"messageId\": <$.messageId>, \"body\": <$.body>}."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the source queue and of the pipe's log group; null means keys that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${var.kms_key_arn == null ? "null" : var.kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }
}

variable "log_level" {
  description = "What the pipe logs to `/aws/vendedlogs/pipes/<name>`: OFF, ERROR, INFO or TRACE. Payloads are never logged."
  type        = string
  default     = "ERROR"
  nullable    = false

  validation {
    condition     = contains(["OFF", "ERROR", "INFO", "TRACE"], var.log_level)
    error_message = "log_level is \"${var.log_level}\": a pipe knows OFF, ERROR, INFO and TRACE. Use one of them."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch Logs keeps the pipe's log: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653; 0 keeps it for ever."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition = contains(
      [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days,
    )
    error_message = "log_retention_days is ${var.log_retention_days}: CloudWatch Logs takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, or 0 for ever. Choose one of them."
  }
}

variable "max_message_size" {
  description = "Largest message of the source queue in bytes, which bounds `batch_size`."
  type        = number
  default     = 262144
  nullable    = false

  validation {
    condition     = var.max_message_size >= 1024 && var.max_message_size <= 1048576
    error_message = "max_message_size is ${var.max_message_size}: SQS takes 1024 to 1048576 bytes. Give the value of the queue."
  }
}

variable "name" {
  description = "Name of the pipe. Its role is `<name>-pipe-<region>`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,64}$", var.name))
    error_message = "name is \"${var.name}\" (${length(var.name)} characters): a pipe takes 1 to 64 letters, digits, ., - and _. Shorten it or remove the other characters."
  }
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds the role; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary is ${var.permissions_boundary == null ? "null" : var.permissions_boundary}: give the ARN of a policy, arn:aws:iam::<account>:policy/<name>."
  }
}

variable "source_queue_arn" {
  description = "ARN of the SQS queue, a standard one."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[^:]+$", var.source_queue_arn))
    error_message = "source_queue_arn is \"${var.source_queue_arn}\": give the ARN of an SQS queue."
  }

  validation {
    condition     = !endswith(var.source_queue_arn, ".fifo")
    error_message = "source_queue_arn is \"${var.source_queue_arn}\": a pipe invokes in order only when it waits for each execution, which it cannot do for durable ones, so the order would be lost. Use a standard queue."
  }
}

variable "tags" {
  description = "Tags of the pipe, its role and its log group."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "target_alias_arn" {
  description = "ARN of the durable function's alias or version; Lambda refuses an unqualified ARN."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$", var.target_alias_arn))
    error_message = "target_alias_arn is \"${var.target_alias_arn}\": a durable function is invoked by a qualified ARN only. Give the alias ARN, arn:aws:lambda:<region>:<account>:function:<name>:<alias>."
  }
}
