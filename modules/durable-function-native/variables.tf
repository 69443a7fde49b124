variable "architecture" {
  description = "Processor of the function: arm64 (cheaper) or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is \"${var.architecture}\": Lambda offers arm64 and x86_64. Use one of them."
  }
}

variable "code_hash" {
  description = "A text that changes whenever the code does: `hash` of `package`. While it stays the same, new code is not deployed. A change publishes a version."
  type        = string
  nullable    = false
}

variable "dead_letter_queue_arn" {
  description = "SQS queue for the event of each asynchronously started execution that ends FAILED, TIMED_OUT or STOPPED; null for none, which loses them. What is larger than the queue's `max_message_size`, the error's 2 KB included, is lost as well."
  type        = string
  default     = null

  validation {
    condition     = var.dead_letter_queue_arn == null || can(regex("^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.dead_letter_queue_arn))
    error_message = "dead_letter_queue_arn is ${var.dead_letter_queue_arn == null ? "null" : var.dead_letter_queue_arn}: give the ARN of a standard SQS queue (Lambda takes no FIFO queue here)."
  }
}

variable "description" {
  description = "What the function does."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = length(var.description) <= 200
    error_message = "description has ${length(var.description)} characters: keep it to 200."
  }
}

variable "environment_variables" {
  description = "Environment of the function. Values are plain text in state and plan: give the name of a secret, not the secret."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.environment_variables) : can(regex("^[A-Za-z][A-Za-z0-9_]+$", key))])
    error_message = "environment_variables has ${join(", ", [for key in keys(var.environment_variables) : "\"${key}\"" if !can(regex("^[A-Za-z][A-Za-z0-9_]+$", key))])}: Lambda takes two or more letters, digits and _, a letter first. Rename it."
  }

  validation {
    condition = length(setintersection(keys(var.environment_variables), [
      "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
      "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
      "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION",
      "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
    ])) == 0
    error_message = "environment_variables sets a name that Lambda keeps for itself (AWS_REGION, AWS_LAMBDA_*, LAMBDA_TASK_ROOT, credentials ...): ${join(", ", keys(var.environment_variables))}. Rename or remove it."
  }

  validation {
    condition     = length(jsonencode(var.environment_variables)) <= 4096
    error_message = "environment_variables takes ${length(jsonencode(var.environment_variables))} bytes as JSON: Lambda takes 4096 in all. Move large values to SSM parameters or into the package."
  }
}

variable "execution_timeout" {
  description = "Seconds that a whole execution may take, waits included, 1 to 31622400 (366 days). `timeout` limits each invocation within it."
  type        = number
  default     = 86400
  nullable    = false

  validation {
    condition     = var.execution_timeout >= 1 && var.execution_timeout <= 31622400 && floor(var.execution_timeout) == var.execution_timeout
    error_message = "execution_timeout is ${var.execution_timeout}: a durable execution takes 1 to 31622400 seconds (366 days). Choose a whole number in that range."
  }
}

variable "handler" {
  description = "Handler, `module.function`."
  type        = string
  default     = "handler.handler"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_./-]+\\.[A-Za-z_][A-Za-z0-9_]*$", var.handler))
    error_message = "handler is \"${var.handler}\": Lambda needs <module>.<function>, e.g. handler.handler for the function handler in handler.py."
  }
}

variable "kms_excludes_durable_data" {
  description = "true accepts that `kms_key_arn` is not for durable data, which stay under a key of AWS; without it a plan with `kms_key_arn` is refused."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key for the environment, the logs and, as far as the role needs it, dead letters; null means keys that AWS manages. Not for durable data (inputs, results, errors of steps), which the provider cannot give a key: see `kms_excludes_durable_data`. For the log group the key policy must allow logs.<region>.amazonaws.com."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${var.kms_key_arn == null ? "null" : var.kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }

  validation {
    condition     = var.kms_key_arn == null || var.kms_excludes_durable_data
    error_message = "kms_key_arn is given, but the AWS provider can give durable data (inputs, results, errors of steps) no key: they would stay under one of AWS. Use modules/durable-function, which gives them the key with this provider too, or accept it with kms_excludes_durable_data = true."
  }
}

variable "kms_services" {
  description = "Services besides Lambda (variables) and SQS (dead letters) through which the function may use `kms_key_arn`, e.g. [\"dynamodb\"]: as kms:ViaService has them, <service>.<region>.amazonaws.com. Without effect if `kms_key_arn` is null."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which CloudWatch Logs keeps the function's output, one of its numbers, e.g. 7, 30, 90 or 365 (all are in `execution-role`, which checks it); 0 keeps it for ever."
  type        = number
  default     = 30
  nullable    = false
}

variable "memory_size" {
  description = "Memory in MB, 128 to 10240; processor share grows with it."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "memory_size is ${var.memory_size}: Lambda takes whole MB from 128 to 10240. Choose a value in that range."
  }
}

variable "name" {
  description = "Name of the function."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,63}$", var.name))
    error_message = "name is \"${var.name}\" (${length(var.name)} characters): 1 to 64 letters, digits and -, a letter first, as durable-function takes, so that either can replace the other. Shorten it or remove the other characters."
  }
}

variable "on_failure_destination_arn" {
  description = "None: AWS has no destinations for durable functions. Here to say so, and what there is instead."
  type        = string
  default     = null

  validation {
    condition     = var.on_failure_destination_arn == null
    error_message = "on_failure_destination_arn is given: AWS has no destinations for durable functions. Remove it, and give the target to modules/outcome-events (on_failure of the root), which sends a record of each execution that FAILED, TIMED_OUT or was STOPPED; dead_letter_queue_arn keeps the events."
  }
}

variable "on_success_destination_arn" {
  description = "None: AWS has no destinations for durable functions. Here to say so, and what there is instead."
  type        = string
  default     = null

  validation {
    condition     = var.on_success_destination_arn == null
    error_message = "on_success_destination_arn is given: AWS has no destinations for durable functions. Remove it, and give the target to modules/outcome-events (on_success of the root), which sends a record of each execution that SUCCEEDED."
  }
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds the role; null for none. Checked by `execution-role`."
  type        = string
  default     = null
}

variable "policy_statements" {
  description = "What the function may do besides its own upkeep: `sid`, `effect`, `actions`, `resources`, `conditions`, as in `execution-role`, which checks them."
  type = list(object({
    sid       = optional(string)
    effect    = optional(string, "Allow")
    actions   = list(string)
    resources = list(string)
    conditions = optional(list(object({
      test     = string
      variable = string
      values   = list(string)
    })), [])
  }))
  default  = []
  nullable = false
}

variable "reserved_concurrency" {
  description = "Concurrent invocations kept for, and allowed to, this function; -1 for no reservation, 0 stops the function."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.reserved_concurrency >= -1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency is ${var.reserved_concurrency}: give a number of invocations, 0 to stop the function, or -1 for no reservation."
  }
}

variable "retention_days" {
  description = "Days for which the history of an ended execution is kept, 1 to 90. Holds for executions that start after a change."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 90 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days is ${var.retention_days}: Lambda keeps executions for 1 to 90 days. Choose a whole number in that range."
  }
}

variable "role" {
  description = <<-EOT
    An existing execution role, which nothing is attached to; null creates one. What it has to allow is in the output `required_policy`.
    - `arn`: its ARN, which may be known only after apply: therefore an object. Checked by `execution-role`.
  EOT
  type        = object({ arn = string })
  default     = null
}

variable "runtime" {
  description = "Lambda runtime: python3.13 or python3.14, the Python runtimes that have durable functions."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = can(regex("^python3\\.(1[3-9]|[2-9][0-9])$", var.runtime))
    error_message = "runtime is \"${var.runtime}\": of the Python runtimes only python3.13 and newer have durable functions. Use python3.13."
  }
}

variable "s3_bucket" {
  description = "Bucket of the package, in the function's region: `s3_bucket` of `package`."
  type        = string
  nullable    = false
}

variable "s3_key" {
  description = "Key of the package: `s3_key` of `package`."
  type        = string
  nullable    = false
}

variable "s3_object_version" {
  description = "Version of the package in a versioned bucket: `s3_object_version` of `package`; null for the newest."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the function, its role and its log group."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "timeout" {
  description = "Seconds for one invocation, 1 to 900: the longest stretch of work between two suspensions, not the whole execution."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout >= 1 && var.timeout <= 900 && floor(var.timeout) == var.timeout
    error_message = "timeout is ${var.timeout}: one invocation takes 1 to 900 seconds. Choose a whole number in that range; set execution_timeout for the whole execution."
  }
}
