variable "content_based_deduplication" {
  description = "FIFO only: take the SHA-256 of the body as deduplication id when the sender gives none."
  type        = bool
  default     = true
  nullable    = false
}

variable "dead_letter_queue" {
  description = "Create `<name>-dlq` and move messages there after `max_receive_count` receives."
  type        = bool
  default     = true
  nullable    = false
}

variable "dead_letter_retention_seconds" {
  description = "Seconds for which the dead-letter queue keeps a message, 60 to 1209600 (14 days), counted (standard queues) from its first arrival on the source."
  type        = number
  default     = 1209600
  nullable    = false

  validation {
    condition     = var.dead_letter_retention_seconds >= 60 && var.dead_letter_retention_seconds <= 1209600
    error_message = "dead_letter_retention_seconds is ${var.dead_letter_retention_seconds}: SQS keeps messages for 60 to 1209600 seconds (14 days). Choose a value in that range."
  }

  validation {
    condition     = !var.dead_letter_queue || var.dead_letter_retention_seconds > var.message_retention_seconds
    error_message = "dead_letter_retention_seconds is ${var.dead_letter_retention_seconds} and message_retention_seconds is ${var.message_retention_seconds}: a message keeps its age when it moves, so it could expire on arrival. Raise dead_letter_retention_seconds above message_retention_seconds, or lower the latter."
  }
}

variable "delay_seconds" {
  description = "Seconds before a new message becomes visible, 0 to 900; wait inside the durable function for more."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.delay_seconds >= 0 && var.delay_seconds <= 900
    error_message = "delay_seconds is ${var.delay_seconds}: SQS delays messages by 0 to 900 seconds. Choose a value in that range; wait inside the durable function for more."
  }
}

variable "event_rule_arns" {
  description = "EventBridge rules that may send to the queue, as their target or what they could not deliver. With `kms_key_arn` the key policy must let events.amazonaws.com use kms:GenerateDataKey and kms:Decrypt as well."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.event_rule_arns : can(regex("^arn:[a-z-]+:events:[^:]+:[0-9]{12}:rule/[/.A-Za-z0-9_-]+$", arn))])
    error_message = "event_rule_arns holds ${join(", ", [for arn in var.event_rule_arns : "\"${arn}\"" if !can(regex("^arn:[a-z-]+:events:[^:]+:[0-9]{12}:rule/[/.A-Za-z0-9_-]+$", arn))])}: give ARNs of rules, arn:aws:events:<region>:<account>:rule/<name>, rule/<bus>/<name> on a bus of your own."
  }
}

variable "fifo" {
  description = "Create FIFO queues (high throughput, one order a message group); `.fifo` is added to the names."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key for both queues; null means keys that SQS manages. The key policy must let senders use kms:GenerateDataKey and kms:Decrypt."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${var.kms_key_arn == null ? "null" : var.kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }
}

variable "max_message_size" {
  description = "Largest message in bytes, from 1024. SQS takes 1048576; AWS provider 5.x stops at 262144 (raised in 6.8)."
  type        = number
  default     = 262144
  nullable    = false

  validation {
    condition     = var.max_message_size >= 1024 && var.max_message_size <= 1048576
    error_message = "max_message_size is ${var.max_message_size}: SQS takes 1024 to 1048576 bytes. Choose a value in that range."
  }
}

variable "max_receive_count" {
  description = "Receives after which a message moves to the dead-letter queue, 1 to 1000. AWS advises at least 5 for Lambda and Pipes: throttled receives count too."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "max_receive_count is ${var.max_receive_count}: SQS takes whole numbers from 1 to 1000. Choose 5 or more, since throttled receives count too."
  }
}

variable "message_retention_seconds" {
  description = "Seconds for which the queue keeps a message that nobody deletes, 60 to 1209600 (14 days); with a dead-letter queue less than `dead_letter_retention_seconds`."
  type        = number
  default     = 345600
  nullable    = false

  validation {
    condition     = var.message_retention_seconds >= 60 && var.message_retention_seconds <= 1209600
    error_message = "message_retention_seconds is ${var.message_retention_seconds}: SQS keeps messages for 60 to 1209600 seconds (14 days). Choose a value in that range."
  }
}

variable "name" {
  description = "Name of the queue, without `.fifo`. The dead-letter queue is `<name>-dlq`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.name))
    error_message = "name is \"${var.name}\": queue names hold letters, digits, - and _ only; the suffix .fifo is added by fifo = true. Remove the other characters."
  }

  validation {
    condition     = length(var.name) + (var.dead_letter_queue ? 4 : 0) + (var.fifo ? 5 : 0) <= 80
    error_message = "name is ${length(var.name)} characters long: with its suffixes (-dlq, .fifo) it exceeds the 80 of a queue name. Shorten it to ${80 - (var.dead_letter_queue ? 4 : 0) - (var.fifo ? 5 : 0)}."
  }
}

variable "tags" {
  description = "Tags of both queues."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "visibility_timeout" {
  description = "Seconds for which a received message stays hidden from other receivers, 0 to 43200 (12 hours). For a mapping at least 6 x the function's timeout + its `batching_window`: `event-source-mapping` checks it."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.visibility_timeout >= 0 && var.visibility_timeout <= 43200
    error_message = "visibility_timeout is ${var.visibility_timeout}: SQS hides messages for 0 to 43200 seconds (12 hours). Choose a value in that range."
  }
}
