variable "allow_discarding_failures" {
  description = "Needed to have neither `on_failure_queue` nor `on_failure_destination_arn`: records that are given up are then LOST, and only the metric DroppedEventCount tells that there were any."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.allow_discarding_failures || var.on_failure_destination_arn == null
    error_message = "allow_discarding_failures is true and on_failure_destination_arn given: failures are either discarded or sent there. Set allow_discarding_failures to false, or remove on_failure_destination_arn."
  }
}

variable "allow_unlimited_retries" {
  description = "Needed for -1 as `maximum_retry_attempts` or `maximum_record_age_seconds`: one record that always fails then holds up its shard until it leaves the stream, and what is behind it may leave with it, unread."
  type        = bool
  default     = false
  nullable    = false
}

variable "attach_policy" {
  description = "Attach what the mapping needs to the role `role_name`; false leaves it to the role's owner: it is in the output `required_policy`."
  type        = bool
  default     = true
  nullable    = false
}

variable "batch_size" {
  description = "Most records in one invocation, all of one shard: 1 to 10000, 6 MB at most."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size is ${var.batch_size}: a mapping takes 1 to 10000 records of a stream at once. Choose a whole number in that range."
  }
}

variable "batching_window" {
  description = "Seconds for which Lambda collects a batch, 0 to 300 and less than `maximum_record_age_seconds`; 0 invokes with what there is."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.batching_window >= 0 && var.batching_window <= 300 && floor(var.batching_window) == var.batching_window
    error_message = "batching_window is ${var.batching_window}: a mapping collects for 0 to 300 seconds. Choose a whole number in that range."
  }

  validation {
    condition     = var.maximum_record_age_seconds == -1 || var.batching_window < var.maximum_record_age_seconds
    error_message = "batching_window is ${var.batching_window} and maximum_record_age_seconds ${var.maximum_record_age_seconds}: a record that waits for its batch would be given up before it is tried. Set batching_window below ${var.maximum_record_age_seconds}."
  }
}

variable "bisect_batch_on_function_error" {
  description = "Halve a batch whose invocation failed, so that a record that always fails ends up alone; halving does not count as a retry. Without it the whole batch is retried, and given up, with that record."
  type        = bool
  default     = true
  nullable    = false
}

variable "destination_kms_key_arn" {
  description = "KMS key of the on-failure queue and its dead-letter queue, or of `on_failure_destination_arn`; null means a key that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.destination_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.destination_kms_key_arn))
    error_message = "destination_kms_key_arn is ${var.destination_kms_key_arn == null ? "null" : var.destination_kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }

  validation {
    condition     = var.destination_kms_key_arn == null || var.on_failure_queue || var.on_failure_destination_arn != null
    error_message = "destination_kms_key_arn is given, but there is nothing that it encrypts: on_failure_queue is false and on_failure_destination_arn null. Remove it, or use kms_key_arn for the stream's key."
  }
}

variable "enabled" {
  description = "Read the stream; false leaves the records on it, until they leave at the end of its retention."
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
    error_message = "execution_timeout is ${var.execution_timeout == null ? 0 : var.execution_timeout}: a mapping waits for the whole execution, and Lambda refuses one to a durable function that may take more than 900 seconds. Set it to 900 or less, or put the dispatcher module behind the stream, which starts executions of up to a year."
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
    error_message = "filter_kms_key_arn is given without filter_patterns, which are all that it encrypts. Remove it, or use kms_key_arn for the stream's key."
  }
}

variable "filter_patterns" {
  description = "Event patterns as JSON: on `data` of a Kinesis record, on `eventName` and `dynamodb` of a change. Records that match one of them are handled, all others are passed over for good. None means that all are handled."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.filter_patterns) <= 5
    error_message = "filter_patterns has ${length(var.filter_patterns)} patterns: a mapping takes 5. Merge some; a pattern takes lists of alternatives, {\"data\": {\"kind\": [\"a\", \"b\"]}}."
  }

  validation {
    condition     = alltrue([for pattern in var.filter_patterns : can(keys(jsondecode(pattern)))])
    error_message = "filter_patterns holds what is no JSON object: ${join(" and ", [for pattern in var.filter_patterns : pattern if !can(keys(jsondecode(pattern)))])}. Write it with jsonencode({ data = { kind = [\"a\"] } })."
  }

  validation {
    condition     = alltrue([for pattern in var.filter_patterns : length(pattern) <= 4096])
    error_message = "filter_patterns holds a pattern of ${max(0, [for pattern in var.filter_patterns : length(pattern)]...)} characters: a mapping takes 4096. Shorten it."
  }

  # Numbers of an item are strings in a stream, {"N": "5"}. Written anew, a pattern has no spaces, and a quote in one of
  # its strings a backslash: so this finds the operator alone, in the list of an N or NS.
  validation {
    condition     = !local.dynamodb || !anytrue([for pattern in var.filter_patterns : can(regex("\"NS?\":\\[[^\\]]*\\{\"numeric\":", jsonencode(jsondecode(pattern))))])
    error_message = "filter_patterns compares an attribute of type N by \"numeric\", which never matches: numbers in a DynamoDB stream are strings. Match them as strings, {\"N\": [\"5\"]}, or compare them in the function."
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

variable "kms_key_arn" {
  description = "KMS key of the stream, or of the table behind it, if it is one of your own; null means a key that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${var.kms_key_arn == null ? "null" : var.kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }
}

variable "maximum_record_age_seconds" {
  description = "Seconds after its arrival at which a record is given up, tried or not: 60 to 604800, less than `stream_retention_seconds`. The difference is the time to get it back from the stream: by default 18 of 24 hours. -1 for no limit, with `allow_unlimited_retries`; nothing gets back what expires on the stream."
  type        = number
  default     = 21600
  nullable    = false

  validation {
    condition     = var.maximum_record_age_seconds == -1 || var.maximum_record_age_seconds >= 60 && var.maximum_record_age_seconds <= 604800 && floor(var.maximum_record_age_seconds) == var.maximum_record_age_seconds
    error_message = "maximum_record_age_seconds is ${var.maximum_record_age_seconds}: a mapping takes 60 to 604800 seconds (7 days), or -1. Choose a whole number in that range."
  }

  validation {
    condition     = var.maximum_record_age_seconds != -1 || var.allow_unlimited_retries
    error_message = "maximum_record_age_seconds is -1: records that cannot be handled, or are not reached in time, expire on the stream, and nothing gets them back. Set it to 60 or more, or allow_unlimited_retries to true."
  }

  validation {
    condition     = var.maximum_record_age_seconds < var.stream_retention_seconds
    error_message = "maximum_record_age_seconds is ${var.maximum_record_age_seconds} and stream_retention_seconds is ${var.stream_retention_seconds}: a record would have left the stream when it is given up, and nothing could get it back. Lower maximum_record_age_seconds well below the retention, or raise the stream's retention."
  }
}

variable "maximum_retry_attempts" {
  description = "Tries after the first: 0 to 10000. Three outlast what mends itself in seconds, such as a throttled table; more would hold up the shard for what does not, and it ends in the on-failure queue either way, from which it is redriven. Lambda waits longer before each. Throttled invocations and the halving of a batch do not count. -1 for no limit, with `allow_unlimited_retries`."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.maximum_retry_attempts >= -1 && var.maximum_retry_attempts <= 10000 && floor(var.maximum_retry_attempts) == var.maximum_retry_attempts
    error_message = "maximum_retry_attempts is ${var.maximum_retry_attempts}: a mapping takes 0 to 10000, or -1. Choose a whole number in that range."
  }

  validation {
    condition     = var.maximum_retry_attempts != -1 || var.allow_unlimited_retries
    error_message = "maximum_retry_attempts is -1: one record that always fails would hold up its shard until it is too old. Set it to 0 or more, or allow_unlimited_retries to true."
  }
}

variable "metrics" {
  description = "Publish the mapping's event counts (EventCount: polled, filtered out, invoked, dropped, delivered to the destination ...) to CloudWatch."
  type        = bool
  default     = false
  nullable    = false
}

variable "name" {
  description = "Name of the consumer: the on-failure queue is `<name>-failed`, its dead-letter queue `<name>-failed-dlq`, the policy `consume-<name>`."
  type        = string
  nullable    = false

  validation {
    condition     = var.name != ""
    error_message = "name is empty: the on-failure queue, its dead-letter queue and the policy are named by it. Give it one, such as orders."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]*$", var.name))
    error_message = "name is \"${var.name}\": queue names hold letters, digits, - and _ only. Remove the other characters."
  }

  validation {
    condition     = length(var.name) <= 69
    error_message = "name is ${length(var.name)} characters long: with the suffix -failed-dlq it exceeds the 80 of a queue name. Shorten it to 69."
  }
}

variable "on_failure_destination_arn" {
  description = "ARN of an SQS queue or SNS topic, standard both, or an S3 bucket of this account, in place of the on-failure queue. A bucket gets the records themselves, queue and topic where they are on the stream."
  type        = string
  default     = null

  validation {
    condition     = var.on_failure_destination_arn == null || can(regex("^arn:[a-z-]+:(s(qs|ns):[^:]+:[0-9]{12}:[A-Za-z0-9._-]+|s3:::[a-z0-9.-]+)$", var.on_failure_destination_arn))
    error_message = "on_failure_destination_arn is ${var.on_failure_destination_arn == null ? "null" : var.on_failure_destination_arn}: a mapping of a stream sends failures to an SQS queue, an SNS topic or an S3 bucket. Give the ARN of one, without a path."
  }

  validation {
    condition     = var.on_failure_destination_arn == null ? true : !endswith(var.on_failure_destination_arn, ".fifo")
    error_message = "on_failure_destination_arn is ${var.on_failure_destination_arn == null ? "null" : var.on_failure_destination_arn}: Lambda cannot send to FIFO queues and topics, and every failure would be lost. Give a standard one."
  }
}

variable "on_failure_queue" {
  description = "Create `<name>-failed`, to which Lambda tells where on the stream the records are that it gave up, with its dead-letter queue. It keeps messages for 13 days, and 14 in the dead-letter queue."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.on_failure_queue || var.on_failure_destination_arn != null || var.allow_discarding_failures
    error_message = "on_failure_queue is false and on_failure_destination_arn null: records that the function cannot handle would be lost. Set on_failure_queue to true, give on_failure_destination_arn, or set allow_discarding_failures to true."
  }

  validation {
    condition     = !var.on_failure_queue || var.on_failure_destination_arn == null
    error_message = "on_failure_queue is true and on_failure_destination_arn given: a mapping has one destination. Set on_failure_queue to false, or remove on_failure_destination_arn."
  }
}

variable "on_failure_visibility_timeout" {
  description = "Visibility timeout of `<name>-failed` in seconds: at least 6 x the timeout of the function that reads it. Checked by `queue`."
  type        = number
  default     = 360
  nullable    = false
}

variable "parallelization_factor" {
  description = "Batches of one shard at a time, 1 to 10. Above 1 the order is kept for each partition key or item, not for the shard."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.parallelization_factor >= 1 && var.parallelization_factor <= 10 && floor(var.parallelization_factor) == var.parallelization_factor
    error_message = "parallelization_factor is ${var.parallelization_factor}: a mapping takes 1 to 10 batches of a shard at a time. Choose a whole number in that range, or add shards."
  }
}

variable "report_batch_item_failures" {
  description = "Take `batchItemFailures` from the function, so that what came before the first failed record is not handled again. Without it a batch fails or succeeds as a whole, and what a function reports is IGNORED: its failed records are passed over."
  type        = bool
  default     = true
  nullable    = false
}

variable "role_name" {
  description = "Name of the function's execution role, with which Lambda polls and sends failures; it gets a policy for this stream and this destination."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.role_name))
    error_message = "role_name is \"${var.role_name}\": give the name of the role, not its ARN."
  }
}

variable "source_arn" {
  description = "ARN of a Kinesis stream, of an enhanced fan-out consumer of one, or of a DynamoDB stream (the table's `stream_arn`)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:(kinesis:[^:]+:[0-9]{12}:stream/[A-Za-z0-9_.-]+(/consumer/[A-Za-z0-9_.-]+:[0-9]+)?|dynamodb:[^:]+:[0-9]{12}:table/[A-Za-z0-9_.-]+/stream/[^/]+)$", var.source_arn))
    error_message = "source_arn is \"${var.source_arn}\": give the ARN of a Kinesis stream, of a consumer of one, or of a DynamoDB stream (stream_arn of the table, not its arn)."
  }
}

variable "starting_position" {
  description = "Where a new mapping begins: TRIM_HORIZON, with all that is on the stream; AT_TIMESTAMP (Kinesis), at `starting_position_timestamp`; LATEST, with what comes next, which LOSES what arrives while the mapping is made, up to minutes. A change makes a new mapping."
  type        = string
  default     = "TRIM_HORIZON"
  nullable    = false

  validation {
    condition     = contains(["TRIM_HORIZON", "AT_TIMESTAMP", "LATEST"], var.starting_position)
    error_message = "starting_position is \"${var.starting_position}\": there are \"TRIM_HORIZON\", \"AT_TIMESTAMP\" and \"LATEST\". Use one of them."
  }

  validation {
    condition     = var.starting_position != "AT_TIMESTAMP" || !local.dynamodb
    error_message = "starting_position is \"AT_TIMESTAMP\", which only Kinesis streams have. Use \"TRIM_HORIZON\"."
  }
}

variable "starting_position_timestamp" {
  description = "With AT_TIMESTAMP: the time of arrival to begin at, not in the future, as `2025-01-31T12:00:00Z`. Null otherwise."
  type        = string
  default     = null

  validation {
    condition     = (var.starting_position_timestamp != null) == (var.starting_position == "AT_TIMESTAMP")
    error_message = "starting_position is \"${var.starting_position}\" and starting_position_timestamp is ${var.starting_position_timestamp == null ? "null: AT_TIMESTAMP begins at a time. Give starting_position_timestamp, as 2025-01-31T12:00:00Z, or take TRIM_HORIZON." : "given: only AT_TIMESTAMP begins at a time. Remove it, or set starting_position to AT_TIMESTAMP."}"
  }

  # Whole seconds of UTC, as the provider reads it back: another form of the same time would be a new mapping at each apply.
  validation {
    condition     = var.starting_position_timestamp == null || can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", var.starting_position_timestamp)) && can(timeadd(var.starting_position_timestamp, "0s"))
    error_message = "starting_position_timestamp is ${var.starting_position_timestamp == null ? "null" : var.starting_position_timestamp}: give a time of UTC in whole seconds, as 2025-01-31T12:00:00Z."
  }

  validation {
    condition     = !can(timeadd(var.starting_position_timestamp, "0s")) ? true : timecmp(var.starting_position_timestamp, plantimestamp()) <= 0
    error_message = "starting_position_timestamp is ${var.starting_position_timestamp == null ? "null" : var.starting_position_timestamp}: Lambda refuses a time in the future. Give one that has been."
  }
}

variable "stream_retention_seconds" {
  description = "Seconds for which the stream keeps a record: checked, not set. 86400 to 31536000 (365 days) for Kinesis, as many as the stream has; always 86400 for DynamoDB."
  type        = number
  default     = 86400
  nullable    = false

  validation {
    condition     = var.stream_retention_seconds >= 86400 && var.stream_retention_seconds <= 31536000
    error_message = "stream_retention_seconds is ${var.stream_retention_seconds}: a stream keeps records for 86400 (24 hours) to 31536000 seconds (365 days). Give the stream's retention, in seconds."
  }

  validation {
    condition     = var.stream_retention_seconds == 86400 || !local.dynamodb
    error_message = "stream_retention_seconds is ${var.stream_retention_seconds}: a DynamoDB stream keeps records for 24 hours. Set it to 86400, or leave it out."
  }
}

variable "tags" {
  description = "Tags of the mapping, the on-failure queue and its dead-letter queue."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "tumbling_window_seconds" {
  description = "Seconds over which a function that is not durable aggregates a shard, 1 to 900: it gets `window` and `state`, and has to return `state`. 0 for none."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.tumbling_window_seconds >= 0 && var.tumbling_window_seconds <= 900 && floor(var.tumbling_window_seconds) == var.tumbling_window_seconds
    error_message = "tumbling_window_seconds is ${var.tumbling_window_seconds}: a mapping takes windows of 0 to 900 seconds. Choose a whole number in that range."
  }

  validation {
    condition     = var.tumbling_window_seconds == 0 || var.execution_timeout == null
    error_message = "tumbling_window_seconds is ${var.tumbling_window_seconds} with execution_timeout: a window's state goes from one invocation to the next, and a durable function keeps its own. Set tumbling_window_seconds to 0, or use a function that is not durable."
  }

  validation {
    condition     = var.tumbling_window_seconds == 0 || var.parallelization_factor == 1
    error_message = "tumbling_window_seconds is ${var.tumbling_window_seconds} and parallelization_factor ${var.parallelization_factor}: a shard has one state, so a window takes one batch at a time. Set parallelization_factor to 1, or tumbling_window_seconds to 0."
  }
}
