variable "allow_discarding_failures" {
  description = "Needed to have neither `on_failure_queue` nor `on_failure_destination_arn`: records that are given up are then LOST, and only the pipe's log and its metric ExecutionFailed tell that there were any."
  type        = bool
  default     = false
  nullable    = false
}

variable "allow_unlimited_retries" {
  description = "Needed for -1 as `maximum_retry_attempts` or `maximum_record_age_seconds`: one record that always fails then holds up its shard until it leaves the stream, and what is behind it may leave with it, unread."
  type        = bool
  default     = false
  nullable    = false
}

variable "batch_size" {
  description = "Most records in one invocation, all of one shard: 1 to 10000, 6 MB at most."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size is ${var.batch_size}: a pipe takes 1 to 10000 records of a stream at once. Choose a whole number in that range."
  }
}

variable "batching_window" {
  description = "Seconds for which the pipe collects a batch, 0 to 300 and less than `maximum_record_age_seconds`; 0 invokes with what there is."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.batching_window >= 0 && var.batching_window <= 300 && floor(var.batching_window) == var.batching_window
    error_message = "batching_window is ${var.batching_window}: a pipe collects for 0 to 300 seconds. Choose a whole number in that range."
  }

  validation {
    condition     = var.maximum_record_age_seconds == -1 || var.batching_window < var.maximum_record_age_seconds
    error_message = "batching_window is ${var.batching_window} and maximum_record_age_seconds ${var.maximum_record_age_seconds}: a record would be too old before its batch is complete, and a pipe refuses that. Set batching_window below maximum_record_age_seconds."
  }
}

variable "bisect_on_partial_failure" {
  description = "Halve a batch of which records failed (AUTOMATIC_BISECT), until a record that always fails is alone. Without it the whole batch is retried, and given up, with that record."
  type        = bool
  default     = true
  nullable    = false
}

variable "description" {
  description = "What the pipe is for."
  type        = string
  default     = "Passes a stream's records to a function"
  nullable    = false

  validation {
    condition     = length(var.description) <= 512
    error_message = "description has ${length(var.description)} characters: a pipe takes 512. Shorten it."
  }
}

variable "desired_state" {
  description = "RUNNING, or STOPPED to leave the records on the stream, until they leave at the end of its retention."
  type        = string
  default     = "RUNNING"
  nullable    = false

  validation {
    condition     = contains(["RUNNING", "STOPPED"], var.desired_state)
    error_message = "desired_state is \"${var.desired_state}\": a pipe is RUNNING or STOPPED. Use one of them."
  }
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

variable "execution_timeout" {
  description = "Of a durable function: seconds that a whole execution may take, 300 at most, because the pipe waits for it. Null for a function that is not durable."
  type        = number
  default     = null

  validation {
    condition     = var.execution_timeout == null ? true : var.execution_timeout >= 1 && var.execution_timeout <= 300
    error_message = "execution_timeout is ${var.execution_timeout == null ? 0 : var.execution_timeout}: a pipe waits for the whole execution, for 300 seconds at most, and would start another one beside it. Set it to 300 or less; use the stream-consumer module, which waits for 900; or put the dispatcher module behind that, which starts executions of up to a year."
  }
}

variable "filter_patterns" {
  description = "Event patterns as JSON: on `data` of a Kinesis record, on `eventName` and `dynamodb` of a change. Records that match one of them are handled, all others are passed over for good. None means that all are handled."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.filter_patterns) <= 5
    error_message = "filter_patterns has ${length(var.filter_patterns)} patterns: a pipe takes 5. Merge some; a pattern takes lists of alternatives, {\"data\": {\"kind\": [\"a\", \"b\"]}}."
  }

  validation {
    condition     = alltrue([for pattern in var.filter_patterns : can(keys(jsondecode(pattern)))])
    error_message = "filter_patterns holds what is no JSON object: ${join(" and ", [for pattern in var.filter_patterns : pattern if !can(keys(jsondecode(pattern)))])}. Write it with jsonencode({ data = { kind = [\"a\"] } })."
  }

  validation {
    condition     = alltrue([for pattern in var.filter_patterns : length(pattern) <= 4096])
    error_message = "filter_patterns holds a pattern of ${max(0, [for pattern in var.filter_patterns : length(pattern)]...)} characters: a pipe takes 4096. Shorten it."
  }

  # Numbers of an item are strings in a stream, {"N": "5"}. Written anew, a pattern has no spaces, and a quote in one of
  # its strings a backslash: so this finds the operator alone, in the list of an N or NS.
  validation {
    condition     = var.source_type != "dynamodb" || !anytrue([for pattern in var.filter_patterns : can(regex("\"NS?\":\\[[^\\]]*\\{\"numeric\":", jsonencode(jsondecode(pattern))))])
    error_message = "filter_patterns compares an attribute of type N by \"numeric\", which never matches: numbers in a DynamoDB stream are strings. Match them as strings, {\"N\": [\"5\"]}, or compare them in the function."
  }
}

variable "function_alias_arn" {
  description = "ARN of the function's alias, so that a deployment moves the pipe as well; a durable function has to be named by alias or version."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$", var.function_alias_arn))
    error_message = "function_alias_arn is \"${var.function_alias_arn}\": give the ARN of an alias, arn:aws:lambda:<region>:<account>:function:<name>:<alias>."
  }
}

variable "function_timeout" {
  description = "Of a function that is not durable: its timeout in seconds, 300 at most, because the pipe waits no longer. Checked, not set; null if it is not to be checked."
  type        = number
  default     = null

  validation {
    condition     = var.function_timeout == null || var.execution_timeout != null ? true : var.function_timeout >= 1 && var.function_timeout <= 300
    error_message = "function_timeout is ${var.function_timeout == null ? 0 : var.function_timeout}: a pipe waits for 300 seconds at most, and would then invoke the function again while it still runs. Set the function's timeout to 300 or less, or use the stream-consumer module, which waits for 900."
  }
}

variable "input_template" {
  description = "What the function gets for each record instead of it, with placeholders such as <$.eventID>; null for the record. Keep what identifies and orders records: sequence number, keys, eventID, eventSource and eventSourceARN, without which the functions of this library refuse them."
  type        = string
  default     = null

  validation {
    condition     = length(var.input_template == null ? "" : var.input_template) <= 8192
    error_message = "input_template has ${length(var.input_template == null ? "" : var.input_template)} characters: a pipe takes 8192. Shorten it."
  }

  validation {
    condition     = !can(regex("\\\\u003[cCeE]", var.input_template))
    error_message = "input_template holds \\u003c or \\u003e, the form in which jsonencode() writes < and >: the pipe would take it for text, not for a placeholder. Write the template as a heredoc, e.g. {\"eventID\": <$.eventID>, \"data\": <$.data>}."
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

variable "log_kms_key_arn" {
  description = "KMS key of the pipe's log group; null means a key that AWS manages. Its key policy must allow its use to logs.<region>.amazonaws.com."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn is ${var.log_kms_key_arn == null ? "null" : var.log_kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
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

variable "maximum_record_age_seconds" {
  description = "Seconds after its arrival at which a record is given up, tried or not: 60 to 604800, less than `stream_retention_seconds`. The difference is the time to get it back from the stream: by default 18 of 24 hours. -1 for no limit, with `allow_unlimited_retries`; nothing gets back what expires on the stream."
  type        = number
  default     = 21600
  nullable    = false

  validation {
    condition     = var.maximum_record_age_seconds == -1 || var.maximum_record_age_seconds >= 60 && var.maximum_record_age_seconds <= 604800 && floor(var.maximum_record_age_seconds) == var.maximum_record_age_seconds
    error_message = "maximum_record_age_seconds is ${var.maximum_record_age_seconds}: a pipe takes 60 to 604800 seconds (7 days), or -1. Choose a whole number in that range."
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
  description = "Tries after the first: 1 to 10000. Three outlast what mends itself in seconds, such as a throttled table; more would hold up the shard for what does not, and it ends in the on-failure queue either way, from which it is redriven. The pipe slows down meanwhile. Its own errors do not count. -1 for no limit, with `allow_unlimited_retries`."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.maximum_retry_attempts >= -1 && var.maximum_retry_attempts <= 10000 && floor(var.maximum_retry_attempts) == var.maximum_retry_attempts
    error_message = "maximum_retry_attempts is ${var.maximum_retry_attempts}: a pipe takes 1 to 10000, or -1. Choose a whole number in that range."
  }

  validation {
    condition     = var.maximum_retry_attempts != -1 || var.allow_unlimited_retries
    error_message = "maximum_retry_attempts is -1: one record that always fails would hold up its shard until it is too old. Set it to 1 or more, or allow_unlimited_retries to true."
  }

  # As of 5.100 the provider leaves out a 0 when it creates a pipe (hashicorp/terraform-provider-aws#33019).
  validation {
    condition     = var.maximum_retry_attempts != 0
    error_message = "maximum_retry_attempts is 0: the AWS provider leaves a 0 out when it creates a pipe, which would then retry without limit. Set it to 1 or more, or use the stream-consumer module, which takes 0."
  }
}

variable "name" {
  description = "Name of the pipe. Its role is `<name>-pipe-<region>`, the on-failure queue `<name>-failed`, the dead-letter queue of that `<name>-failed-dlq`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "name is \"${var.name}\" (${length(var.name)} characters): a pipe whose queues are named after it takes 1 to 64 letters, digits, - and _. Shorten it or remove the other characters."
  }
}

variable "on_failure_destination_arn" {
  description = "ARN of an SQS queue or SNS topic, standard both, in place of the on-failure queue. It gets where the records are on the stream. A pipe sends to no S3 bucket."
  type        = string
  default     = null

  validation {
    condition     = var.on_failure_destination_arn == null || can(regex("^arn:[a-z-]+:s(qs|ns):[^:]+:[0-9]{12}:[A-Za-z0-9._-]+$", var.on_failure_destination_arn))
    error_message = "on_failure_destination_arn is ${var.on_failure_destination_arn == null ? "null" : var.on_failure_destination_arn}: a pipe sends failures to an SQS queue or an SNS topic. Give the ARN of one; for an S3 bucket use the stream-consumer module."
  }

  validation {
    condition     = var.on_failure_destination_arn == null ? true : !endswith(var.on_failure_destination_arn, ".fifo")
    error_message = "on_failure_destination_arn is ${var.on_failure_destination_arn == null ? "null" : var.on_failure_destination_arn}: a pipe cannot send failures to FIFO queues and topics, and every failure would be lost. Give a standard one."
  }
}

variable "on_failure_queue" {
  description = "Create `<name>-failed`, to which the pipe tells where on the stream the records are that it gave up, with its dead-letter queue. It keeps messages for 13 days, and 14 in the dead-letter queue."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.on_failure_queue || var.on_failure_destination_arn != null || var.allow_discarding_failures
    error_message = "on_failure_queue is false and on_failure_destination_arn null: records that the function cannot handle would be lost. Set on_failure_queue to true, give on_failure_destination_arn, or set allow_discarding_failures to true."
  }

  validation {
    condition     = !var.on_failure_queue || var.on_failure_destination_arn == null
    error_message = "on_failure_queue is true and on_failure_destination_arn given: a pipe has one destination. Set on_failure_queue to false, or remove on_failure_destination_arn."
  }

  # With both, the plan could not tell whether the pipe has a destination that the apply is to create.
  validation {
    condition     = var.on_failure_queue || var.on_failure_destination_arn == null || !var.allow_discarding_failures
    error_message = "on_failure_destination_arn is given with allow_discarding_failures: either failures are sent or they are discarded. Remove allow_discarding_failures, or on_failure_destination_arn."
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
    error_message = "parallelization_factor is ${var.parallelization_factor}: a pipe takes 1 to 10 batches of a shard at a time. Choose a whole number in that range, or add shards."
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

variable "source_arn" {
  description = "ARN of a Kinesis stream, of an enhanced fan-out consumer of one, or of a DynamoDB stream (the table's `stream_arn`)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:(kinesis:[^:]+:[0-9]{12}:stream/[A-Za-z0-9_.-]+(/consumer/[A-Za-z0-9_.-]+:[0-9]+)?|dynamodb:[^:]+:[0-9]{12}:table/[A-Za-z0-9_.-]+/stream/[^/]+)$", var.source_arn))
    error_message = "source_arn is \"${var.source_arn}\": give the ARN of a Kinesis stream, of a consumer of one, or of a DynamoDB stream (stream_arn of the table, not its arn)."
  }

  validation {
    condition     = element(split(":", var.source_arn), 2) == var.source_type
    error_message = "source_arn is \"${var.source_arn}\" and source_type \"${var.source_type}\": they are of different services. Set source_type to \"${element(split(":", var.source_arn), 2)}\", or give the stream that you mean."
  }
}

variable "source_type" {
  description = "\"kinesis\" or \"dynamodb\": the service of `source_arn`. Asked for because the ARN of a stream that the same apply creates is unknown to the plan, which has to know what kind of pipe it plans. The ARN is checked against it as soon as it is known."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["kinesis", "dynamodb"], var.source_type)
    error_message = "source_type is \"${var.source_type}\": there are \"kinesis\" and \"dynamodb\". Use one of them."
  }
}

variable "starting_position" {
  description = "Where a new pipe begins: TRIM_HORIZON, with all that is on the stream; AT_TIMESTAMP (Kinesis), at `starting_position_timestamp`; LATEST, with what comes next, which LOSES what arrives while the pipe is made, up to minutes. A change makes a new pipe."
  type        = string
  default     = "TRIM_HORIZON"
  nullable    = false

  validation {
    condition     = contains(["TRIM_HORIZON", "AT_TIMESTAMP", "LATEST"], var.starting_position)
    error_message = "starting_position is \"${var.starting_position}\": there are \"TRIM_HORIZON\", \"AT_TIMESTAMP\" and \"LATEST\". Use one of them."
  }

  validation {
    condition     = var.starting_position != "AT_TIMESTAMP" || var.source_type != "dynamodb"
    error_message = "starting_position is \"AT_TIMESTAMP\", which only Kinesis streams have. Use \"TRIM_HORIZON\"."
  }
}

variable "starting_position_timestamp" {
  description = "With AT_TIMESTAMP: the time of arrival to begin at, not in the future, as `2025-01-31T12:00:00Z`. Null otherwise."
  type        = string
  default     = null

  validation {
    condition     = (var.starting_position_timestamp != null) == (var.starting_position == "AT_TIMESTAMP")
    error_message = "starting_position is \"${var.starting_position}\" and starting_position_timestamp is ${var.starting_position_timestamp == null ? "null" : "given"}: AT_TIMESTAMP needs one, nothing else takes one. Give it, or remove it."
  }

  # Whole seconds of UTC, as the provider reads it back: another form of the same time would be a new pipe at each apply.
  validation {
    condition     = var.starting_position_timestamp == null || can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", var.starting_position_timestamp)) && can(timeadd(var.starting_position_timestamp, "0s"))
    error_message = "starting_position_timestamp is ${var.starting_position_timestamp == null ? "null" : var.starting_position_timestamp}: give a time of UTC in whole seconds, as 2025-01-31T12:00:00Z."
  }

  validation {
    condition     = !can(timeadd(var.starting_position_timestamp, "0s")) ? true : timecmp(var.starting_position_timestamp, plantimestamp()) <= 0
    error_message = "starting_position_timestamp is ${var.starting_position_timestamp == null ? "null" : var.starting_position_timestamp}: a pipe begins at no time in the future. Give one that has been."
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
    condition     = var.stream_retention_seconds == 86400 || var.source_type != "dynamodb"
    error_message = "stream_retention_seconds is ${var.stream_retention_seconds}: a DynamoDB stream keeps records for 24 hours. Set it to 86400, or leave it out."
  }
}

variable "tags" {
  description = "Tags of the pipe, its role and its log group, the on-failure queue and its dead-letter queue."
  type        = map(string)
  default     = {}
  nullable    = false
}
