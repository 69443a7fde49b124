variable "architecture" {
  description = "Processor of the redrive: arm64 (cheaper) or x86_64. Checked by `function`."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "artifact_bucket" {
  description = "S3 bucket for the redrive's package, in its region."
  type        = string
  nullable    = false
}

variable "batch_size" {
  description = "Most messages in one invocation of the redrive, 1 to 10, each of which may tell of many records; with 1 each has the whole `timeout`."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size is ${var.batch_size}: the messages of an invocation are worked off one after another within its timeout. Choose a whole number from 1 to 10."
  }
}

variable "durable" {
  description = "Of `target_alias_arn`, and to be said with it: true for a durable function, whose executions are started asynchronously and named after the records, so that none starts twice; false for a plain one, which is invoked with each record as by the stream's mapping and waited for, so that a record it fails with stays on the queue. Null with other targets."
  type        = bool
  default     = null

  validation {
    condition     = var.durable != null || var.target_alias_arn == null
    error_message = "durable is null with target_alias_arn: whether records are started or waited for depends on it. Say durable = true for a durable function (modules/durable-function) or durable = false for a plain one (modules/function)."
  }

  validation {
    condition     = var.durable == null || var.target_alias_arn != null
    error_message = "durable is ${coalesce(var.durable, false)} without target_alias_arn: only a function is durable or not. Remove it, or give target_alias_arn."
  }
}

variable "enabled" {
  description = "Redrive what is on the queue. Turn it on once the handler is mended; with a queue or a bucket as target at once, since these keep the records beyond the stream's retention."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key of the on-failure queue, and for the redrive's package, environment and logs; null means keys that AWS manages. Its key policy must allow logs.<region>.amazonaws.com for the logs."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days for which CloudWatch Logs keeps the redrive's output, one of its numbers, e.g. 7, 30, 90 or 365 (all are in `execution-role`, which checks it); 0 keeps it for ever."
  type        = number
  default     = 30
  nullable    = false
}

variable "maximum_concurrency" {
  description = "Most concurrent invocations of the redrive, 2 to 1000; null for no limit. They share the five reads a second of a shard with its consumers. Checked by `event-source-mapping`."
  type        = number
  default     = 2
}

variable "memory_size" {
  description = "Memory of the redrive in MB, 128 to 10240; a page of records takes up to 10 MB, and several times that while it is read. Checked by `function`."
  type        = number
  default     = 512
  nullable    = false
}

variable "metrics" {
  description = "Publish the mapping's event counts to CloudWatch."
  type        = bool
  default     = false
  nullable    = false
}

variable "name" {
  description = "Name of the redrive function."
  type        = string
  nullable    = false

  validation {
    condition     = var.name != ""
    error_message = "name is empty: the redrive function, its role and its log group are named by it. Give it one, such as orders-redrive."
  }
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
  description = "Lambda runtime of the redrive. Its boto3 must know durable executions: python3.13 or newer."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = can(regex("^python3\\.(1[3-9]|[2-9][0-9])$", var.runtime))
    error_message = "runtime is \"${var.runtime}\": the redrive names executions, which the boto3 of older runtimes may not know. Use python3.13 or newer."
  }
}

variable "source_bucket" {
  description = "Name of the bucket that is the mapping's on-failure destination, if it is one: its notifications go to `source_queue_arn`, and the records are in its objects. Null otherwise."
  type        = string
  default     = null

  validation {
    condition     = var.source_bucket == null || can(regex("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", var.source_bucket))
    error_message = "source_bucket is \"${var.source_bucket == null ? "null" : var.source_bucket}\": give the name of a bucket of this account, not its ARN; it has lower-case letters, digits, - and . only."
  }

  validation {
    condition     = var.source_bucket == null || can(regex("^.{3,63}$", var.source_bucket))
    error_message = "source_bucket is \"${var.source_bucket == null ? "null" : var.source_bucket}\", ${var.source_bucket == null ? 0 : length(var.source_bucket)} characters long: a bucket's name has 3 to 63. Give the name of a bucket of this account."
  }
}

variable "source_bucket_kms_key_arn" {
  description = "KMS key of `source_bucket`; null means a key that S3 manages."
  type        = string
  default     = null

  validation {
    condition     = var.source_bucket_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.source_bucket_kms_key_arn))
    error_message = "source_bucket_kms_key_arn is ${var.source_bucket_kms_key_arn == null ? "null" : var.source_bucket_kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }

  validation {
    condition     = var.source_bucket_kms_key_arn == null || var.source_bucket != null
    error_message = "source_bucket_kms_key_arn is given without source_bucket, which is all that it encrypts. Remove it, or use kms_key_arn for the queue's key or stream_kms_key_arn for the stream's."
  }
}

variable "source_queue_arn" {
  description = "ARN of the on-failure queue: `on_failure_queue_arn` of `stream-consumer`, a pipe's dead-letter queue, or a queue that the on-failure topic or bucket tells. It needs a dead-letter queue of its own, for what cannot be redriven."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.source_queue_arn))
    error_message = "source_queue_arn is \"${var.source_queue_arn}\": give the ARN of a standard SQS queue; a stream's failures do not go to a FIFO queue."
  }
}

variable "stream_arn" {
  description = "ARN of the Kinesis or DynamoDB stream whose failures are on the queue."
  type        = string
  nullable    = false

  validation {
    condition     = !strcontains(var.stream_arn, "/consumer/")
    error_message = "stream_arn is \"${var.stream_arn}\", an enhanced fan-out consumer; its failures are read back from the stream. Give ${element(split("/consumer/", var.stream_arn), 0)}."
  }

  validation {
    condition     = can(regex("^arn:[a-z-]+:(kinesis:[^:]+:[0-9]{12}:stream/[A-Za-z0-9_.-]+(/consumer/.+)?|dynamodb:[^:]+:[0-9]{12}:table/[A-Za-z0-9_.-]+/stream/[^/]+)$", var.stream_arn))
    error_message = "stream_arn is \"${var.stream_arn}\": give the ARN of a Kinesis stream or of a DynamoDB stream (stream_arn of the table, not its arn)."
  }
}

variable "stream_kms_key_arn" {
  description = "KMS key of the stream, or of the table; null means a key that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.stream_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.stream_kms_key_arn))
    error_message = "stream_kms_key_arn is ${var.stream_kms_key_arn == null ? "null" : var.stream_kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }
}

variable "tags" {
  description = "Tags of the redrive, its role, its log group and its mapping."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "target_alias_arn" {
  description = "ARN of the alias or version of the function that gets each record: see `durable`. Give exactly one of `target_alias_arn`, `target_queue_arn` and `target_bucket`."
  type        = string
  default     = null

  validation {
    condition     = length([for target in [var.target_alias_arn, var.target_queue_arn, var.target_bucket] : target if target != null]) == 1
    error_message = "${length([for target in [var.target_alias_arn, var.target_queue_arn, var.target_bucket] : target if target != null])} of target_alias_arn, target_queue_arn and target_bucket are given: failed records are handed over to one. Give exactly one."
  }

  validation {
    condition     = var.target_alias_arn == null || can(regex("^arn:[a-z-]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$", var.target_alias_arn))
    error_message = "target_alias_arn is ${var.target_alias_arn == null ? "null" : var.target_alias_arn}: give the ARN of an alias, arn:aws:lambda:<region>:<account>:function:<name>:<alias>."
  }
}

variable "target_bucket" {
  description = "Name of a bucket of this account in which each record becomes an object, `<target_prefix>/<stream or table>/<shard id>/<sequence number>.json`."
  type        = string
  default     = null

  validation {
    condition     = var.target_bucket == null || can(regex("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", var.target_bucket))
    error_message = "target_bucket is \"${var.target_bucket == null ? "null" : var.target_bucket}\": give the name of a bucket of this account, not its ARN; it has lower-case letters, digits, - and . only."
  }

  validation {
    condition     = var.target_bucket == null || can(regex("^.{3,63}$", var.target_bucket))
    error_message = "target_bucket is \"${var.target_bucket == null ? "null" : var.target_bucket}\", ${var.target_bucket == null ? 0 : length(var.target_bucket)} characters long: a bucket's name has 3 to 63. Give the name of a bucket of this account."
  }

  validation {
    condition     = var.target_bucket == null || var.source_bucket == null || var.target_bucket != var.source_bucket
    error_message = "target_bucket is ${var.target_bucket == null ? "null" : var.target_bucket}, which is source_bucket as well: each object written would be taken for a failure. Give another bucket."
  }
}

variable "target_kms_key_arn" {
  description = "KMS key of `target_queue_arn` or `target_bucket`; null means a key that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.target_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.target_kms_key_arn))
    error_message = "target_kms_key_arn is ${var.target_kms_key_arn == null ? "null" : var.target_kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }

  validation {
    condition     = var.target_kms_key_arn == null || var.target_alias_arn == null
    error_message = "target_kms_key_arn is given with target_alias_arn: a function is invoked without a key. Remove it."
  }
}

variable "target_prefix" {
  description = "Begins the keys in `target_bucket`, without slashes at either end; empty for none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9!_.'()-]+(/[A-Za-z0-9!_.'()-]+)*)?$", var.target_prefix))
    error_message = "target_prefix is \"${var.target_prefix}\": use letters, digits and !_.'()-, with single slashes in between but at neither end."
  }

  validation {
    condition     = var.target_prefix == "" || var.target_bucket != null
    error_message = "target_prefix is \"${var.target_prefix}\" without target_bucket, the only target with keys. Remove it, or give target_bucket."
  }
}

variable "target_queue_arn" {
  description = "ARN of an SQS queue that gets each record, standard or FIFO. On a FIFO queue a record's key is its message group, and a repetition within five minutes a duplicate."
  type        = string
  default     = null

  validation {
    condition     = var.target_queue_arn == null || can(regex("^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+(\\.fifo)?$", var.target_queue_arn))
    error_message = "target_queue_arn is ${var.target_queue_arn == null ? "null" : var.target_queue_arn}: give the ARN of an SQS queue."
  }

  validation {
    condition     = var.target_queue_arn == null || var.target_queue_arn != var.source_queue_arn
    error_message = "target_queue_arn is source_queue_arn as well: each record sent would be taken for a failure. Give another queue."
  }
}

variable "target_timeout" {
  description = "Timeout of the plain function behind `target_alias_arn` in seconds, 1 to 840: how long the redrive waits for it. At most `timeout` - 15; records of one key are handed over one after another, so that a message of many of them takes a multiple. Without effect on other targets."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.target_timeout >= 1 && var.target_timeout <= 840 && floor(var.target_timeout) == var.target_timeout
    error_message = "target_timeout is ${var.target_timeout}: the redrive waits for the function, and has 900 seconds itself. Choose a whole number from 1 to 840, or give a queue or a bucket as target."
  }

  validation {
    # 13 are what an invocation may take beyond the function's timeout (clients.py), 2 to read the record back.
    condition     = coalesce(var.durable, true) || var.timeout >= var.target_timeout + 15
    error_message = "target_timeout is ${var.target_timeout} and timeout ${var.timeout}: nothing begins that might not end in time, so no record would be handed over. Set timeout to ${var.target_timeout + 15} or more (and the queue's visibility timeout to 6 times that), or give a shorter target_timeout if the function has one."
  }
}

variable "timeout" {
  description = "Seconds for one invocation of the redrive, 60 to 900. It begins nothing that might not end in time; a message of which a part is left is delivered again, whole."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout >= 60 && var.timeout <= 900 && floor(var.timeout) == var.timeout
    error_message = "timeout is ${var.timeout}: a read takes up to 27 seconds with its retries and a hand-over 11, and Lambda stops a function after 900. Choose a whole number from 60 to 900."
  }
}

variable "visibility_timeout" {
  description = "Visibility timeout of the queue in seconds, at least 6 x `timeout`: checked, not set."
  type        = number
  nullable    = false

  validation {
    condition     = var.visibility_timeout >= 6 * var.timeout
    error_message = "visibility_timeout is ${var.visibility_timeout}: a message would be delivered again while it is being redriven. Set the queue's (on_failure_visibility_timeout of stream-consumer) to ${6 * var.timeout} or more, 6 x timeout (${var.timeout}), or lower timeout."
  }
}
