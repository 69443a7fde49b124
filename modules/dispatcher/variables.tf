variable "architecture" {
  description = "Processor of the dispatcher: arm64 (cheaper) or x86_64. Checked by `function`."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "artifact_bucket" {
  description = "S3 bucket for the dispatcher's package, in its region."
  type        = string
  nullable    = false
}

variable "batch_size" {
  description = "Most messages in one invocation of the dispatcher, 1 to 10000, above 10 with a `batching_window` of 1 or more; on a FIFO queue up to 10. Each starts an execution of its own. Checked by `event-source-mapping`."
  type        = number
  default     = 10
  nullable    = false
}

variable "batching_window" {
  description = "Seconds for which Lambda collects a batch, 0 to 300. Not on a FIFO queue. Checked by `event-source-mapping`."
  type        = number
  default     = 0
  nullable    = false
}

variable "enabled" {
  description = "Poll the queue; false leaves the messages on it. Running executions go on."
  type        = bool
  default     = true
  nullable    = false
}

variable "filter_patterns" {
  description = "Event patterns as JSON, 5 at most; messages that match none are DELETED by Lambda, not kept. None means that all are handled."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key of the queue and its backlog queue, and for the dispatcher's package, environment and logs and the filter patterns; null means keys that AWS manages. Its key policy must allow logs.<region>.amazonaws.com for the logs and, with filters, kms:Decrypt to lambda.amazonaws.com."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days for which CloudWatch Logs keeps the dispatcher's output, one of its numbers, e.g. 7, 30, 90 or 365 (all are in `execution-role`, which checks it); 0 keeps it for ever."
  type        = number
  default     = 30
  nullable    = false
}

variable "maximum_concurrency" {
  description = "Most concurrent invocations of the dispatcher, 2 to 1000, and so a limit of the rate at which executions start, not of those that run; null for none. Not with `minimum_pollers` or `maximum_pollers`. Checked by `event-source-mapping`."
  type        = number
  default     = null
}

variable "maximum_pollers" {
  description = "Provisioned mode: most pollers, 2 to 10000 and no less than `minimum_pollers`, billed extra; null without it (200 with `minimum_pollers`). AWS provider 5.x stops at 2000. Not with `maximum_concurrency`. Checked by `event-source-mapping`."
  type        = number
  default     = null
}

variable "memory_size" {
  description = "Memory of the dispatcher in MB, 128 to 10240. Checked by `function`."
  type        = number
  default     = 256
  nullable    = false
}

variable "metrics" {
  description = "Publish the mapping's event counts to CloudWatch."
  type        = bool
  default     = false
  nullable    = false
}

variable "minimum_pollers" {
  description = "Provisioned mode: pollers that are always there, 2 to 200, billed by the hour; null without it (2 with `maximum_pollers`). Not with `maximum_concurrency`. Checked by `event-source-mapping`."
  type        = number
  default     = null
}

variable "name" {
  description = "Name of the dispatcher function."
  type        = string
  nullable    = false
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds the role; null for none. Checked by `execution-role`."
  type        = string
  default     = null
}

variable "python" {
  description = "Command that starts Python 3.9 or newer on the machine that runs Terraform; it builds the package."
  type        = string
  default     = "python3"
  nullable    = false
}

variable "runtime" {
  description = "Lambda runtime of the dispatcher. Its boto3 must know durable executions: python3.13 or newer."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = can(regex("^python3\\.(1[3-9]|[2-9][0-9])$", var.runtime))
    error_message = "runtime is \"${var.runtime}\": the dispatcher names executions, which the boto3 of older runtimes may not know. Use python3.13 or newer."
  }
}

variable "sideline" {
  description = <<-EOT
    Backlog protection on a standard queue: messages older than `max_age_seconds` when they are received go to the queue
    `<source queue>-backlog`, and start from there slowly, so that fresh ones start first. Null for none.
    - `max_age_seconds`: age from which on a message steps aside; more than `batching_window`
    - `starts_per_second`: how fast the backlog starts, at most; fractions are possible
    - `maximum_concurrency`: most concurrent invocations for the backlog, 2 to 1000. With fewer than 4 no tenant has the 30
      messages in flight by which a fair queue knows a noisy one
    - `max_message_size` (bytes), `max_receive_count`: of the backlog queue, best as of the source
    - `message_retention_seconds`: of the backlog queue, counted anew from when a message steps aside
  EOT
  type = object({
    max_age_seconds           = number
    starts_per_second         = optional(number, 10)
    maximum_concurrency       = optional(number, 5)
    max_message_size          = optional(number, 262144)
    max_receive_count         = optional(number, 5)
    message_retention_seconds = optional(number, 345600)
  })
  default = null

  validation {
    condition     = var.sideline == null || local.queue
    error_message = "sideline is given, but no queue: source_queue_arn and visibility_timeout are null. Remove it: a stream keeps its order, so nothing can step aside."
  }

  validation {
    condition     = var.sideline == null ? true : !endswith(var.source_queue_arn == null ? "" : var.source_queue_arn, ".fifo")
    error_message = "sideline is given, but the queue is a FIFO queue: messages that step aside would lose their order. Remove it, or use a standard queue."
  }

  validation {
    condition     = var.sideline == null ? true : var.sideline.max_age_seconds > var.batching_window
    error_message = "sideline.max_age_seconds is ${var.sideline == null ? 0 : var.sideline.max_age_seconds} and batching_window is ${var.batching_window}: a message may wait for the whole window, so fresh ones would step aside too. Raise max_age_seconds above batching_window."
  }

  validation {
    condition     = var.sideline == null ? true : var.sideline.starts_per_second * local.pacing_seconds >= var.sideline.maximum_concurrency
    error_message = "sideline.starts_per_second is ${var.sideline == null ? 0 : var.sideline.starts_per_second} with a maximum_concurrency of ${var.sideline == null ? 0 : var.sideline.maximum_concurrency}: of the ${var.timeout} s of an invocation ${local.pacing_seconds} are for pauses, too few for one start. Raise starts_per_second to ${var.sideline == null ? 0 : ceil(100 * var.sideline.maximum_concurrency / local.pacing_seconds) / 100} or more, or lower maximum_concurrency (2 at the least)."
  }
}

variable "source_queue_arn" {
  description = "ARN of the SQS queue, standard or FIFO; null with no mapping here, but one from elsewhere, as of `stream-consumer`. Checked by `event-source-mapping`."
  type        = string
  default     = null

  validation {
    condition     = (var.source_queue_arn != null) == local.queue
    error_message = "source_queue_arn is ${var.source_queue_arn == null ? "null" : "given"} and visibility_timeout is ${local.queue ? "given" : "null"}: a mapping needs both. Give the queue's visibility_timeout with its ARN, or neither for a dispatcher without a queue."
  }
}

variable "tags" {
  description = "Tags of the dispatcher, its role, its log group, its mappings and the backlog queues."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "target_alias_arn" {
  description = "ARN of the durable function's alias or version; Lambda refuses an unqualified ARN. The function needs a dead-letter queue: the dispatcher does not learn how its executions end."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$", var.target_alias_arn))
    error_message = "target_alias_arn is \"${var.target_alias_arn}\": a durable function is invoked by a qualified ARN only. Give the alias ARN, arn:aws:lambda:<region>:<account>:function:<name>:<alias>."
  }
}

variable "timeout" {
  description = "Seconds for one invocation of the dispatcher, 15 to 900. It begins no start that might not end in time."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.timeout >= 15 && var.timeout <= 900 && floor(var.timeout) == var.timeout
    error_message = "timeout is ${var.timeout}: a start takes up to 11 seconds with its retry, and Lambda stops a function after 900. Choose a whole number from 15 to 900."
  }
}

variable "visibility_timeout" {
  description = "Visibility timeout of the queue in seconds, at least 6 x `timeout` + `batching_window`: checked by `event-source-mapping`, not set. Null without a queue."
  type        = number
  default     = null

  validation {
    condition     = var.visibility_timeout != null || length(local.mapping_inputs) == 0
    error_message = "${join(" and ", local.mapping_inputs)} given, but no queue: source_queue_arn and visibility_timeout are null, so there is no mapping here that it could go to. Remove it, and give it to the mapping of the stream."
  }
}
