variable "architecture" {
  description = "Processor of all functions: arm64 (cheaper) or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "artifact_bucket" {
  description = "S3 bucket for the packages, in the functions' region; null creates one."
  type        = string
  default     = null
}

variable "batch_size" {
  description = "Most messages in one execution. A failed execution fails all its messages together, so 1 keeps them apart."
  type        = number
  default     = 1
  nullable    = false
}

variable "batching_window" {
  description = "Seconds for which the bridge collects a batch; at least 1 for a `batch_size` above 10."
  type        = number
  default     = 0
  nullable    = false
}

variable "bridge" {
  description = "How messages reach the durable function: pipe (EventBridge Pipe, executions of up to a year)."
  type        = string
  default     = "pipe"
  nullable    = false

  validation {
    condition     = contains(["pipe"], var.bridge)
    error_message = "bridge is \"${var.bridge}\": only \"pipe\" is available. Use bridge = \"pipe\"."
  }
}

variable "environment_variables" {
  description = "Environment of the durable function, besides `<STEP>_FUNCTION_ARN` for each step. The sample reads HOLD_SECONDS."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.environment_variables), values(local.step_variables))) == 0
    error_message = "environment_variables sets ${join(", ", setintersection(keys(var.environment_variables), values(local.step_variables)))}, which the module sets to the alias of that step. Remove it, or rename the step."
  }
}

variable "execution_timeout" {
  description = "Seconds that a whole execution may take, waits included: 1 to 31622400 (366 days)."
  type        = number
  default     = 86400
  nullable    = false
}

variable "fifo" {
  description = "Take messages from a FIFO queue, in the order of their message groups. Not with the pipe bridge."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.fifo || var.bridge != "pipe"
    error_message = "fifo is true with bridge \"pipe\": the pipe starts executions without waiting for them (FIRE_AND_FORGET), so the order would be lost. Set fifo = false."
  }
}

variable "filter_patterns" {
  description = "Event patterns as JSON, 5 at most; messages that match none are DELETED by the bridge, not kept. None means that all are handled."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "handler" {
  description = "Handler of the durable function, `module.function`; the module is a file in `source_dir`."
  type        = string
  default     = "handler.handler"
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key for queues, logs, table, packages, environments and durable data; null means keys that AWS manages. Its key policy must allow logs.<region>.amazonaws.com for the logs."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days for which CloudWatch Logs keeps the logs; 0 keeps them for ever."
  type        = number
  default     = 30
  nullable    = false
}

variable "max_message_size" {
  description = "Largest message in bytes. An asynchronous start takes 1 MB for a whole batch. AWS provider 5.x stops at 262144."
  type        = number
  default     = 262144
  nullable    = false
}

variable "max_receive_count" {
  description = "Receives without a start after which a message moves to `<name>-dlq`. AWS advises 5 or more."
  type        = number
  default     = 5
  nullable    = false
}

variable "memory_size" {
  description = "Memory of the durable function in MB."
  type        = number
  default     = 256
  nullable    = false
}

variable "message_retention_seconds" {
  description = "Seconds for which the queue keeps a message; less than the 14 days (1209600) of the dead-letter queue."
  type        = number
  default     = 345600
  nullable    = false
}

variable "name" {
  description = "Name of the durable function, the queue, the pipe and the table, and prefix of all other names."
  type        = string
  default     = "durable-pipeline"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]+$", var.name))
    error_message = "name is \"${var.name}\": letters, digits and -, a letter first, two or more characters. Remove the others."
  }

  validation {
    condition     = length(var.name) <= local.name_limit
    error_message = "name is ${length(var.name)} characters long: with the suffixes -pipe or -<step> and -<region> it would exceed the 64 characters of a role name. Shorten it to ${local.name_limit}."
  }
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds all roles; null for none."
  type        = string
  default     = null
}

variable "pip_arguments" {
  description = "Further arguments of pip install for `source_dir`, e.g. [\"--no-deps\"]."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "pipe_log_level" {
  description = "What the pipe logs: OFF, ERROR, INFO or TRACE."
  type        = string
  default     = "ERROR"
  nullable    = false
}

variable "policy_statements" {
  description = <<-EOT
    What the durable function may do besides its own upkeep and invoking its steps:
    - `sid`: name of the statement, letters and digits
    - `effect`: Allow (default) or Deny
    - `actions`: IAM actions, `service:Action`
    - `resources`: ARNs
    - `conditions`: `test` (operator, e.g. StringEquals), `variable` (condition key) and `values`
  EOT
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

variable "python" {
  description = "Command that starts Python 3.9 or newer with pip on the machine that runs Terraform; it builds the packages."
  type        = string
  default     = "python3"
  nullable    = false
}

variable "reserved_concurrency" {
  description = "Concurrent invocations kept for, and allowed to, the durable function; -1 for no reservation."
  type        = number
  default     = -1
  nullable    = false
}

variable "retention_days" {
  description = "Days for which the history of an ended execution is kept: 1 to 90."
  type        = number
  default     = 14
  nullable    = false
}

variable "runtime" {
  description = "Lambda runtime of the functions: python3.13, or python3.14 (steps of it need AWS provider 6)."
  type        = string
  default     = "python3.13"
  nullable    = false
}

variable "source_dir" {
  description = "Folder with the durable function: the handler's file and, if any, requirements.txt. Null deploys the sample pipeline with its three steps and its table."
  type        = string
  default     = null
}

variable "steps" {
  description = <<-EOT
    Functions that the durable function invokes, by key; null means the sample's own, or none with an own `source_dir`.
    The durable function finds the alias ARN of each in `<KEY>_FUNCTION_ARN` (upper case, `_` for `-`) and may invoke it.
    - `source_dir`: folder with the handler's file and, if any, requirements.txt
    - `handler`: `module.function`
    - `runtime`: as `runtime` unless given
    - `environment_variables`, `memory_size` (MB), `timeout` (seconds), `policy_statements`, `pip_arguments`,
      `reserved_concurrency`: as for the durable function
  EOT
  type = map(object({
    source_dir            = string
    handler               = optional(string, "handler.handler")
    runtime               = optional(string)
    environment_variables = optional(map(string), {})
    memory_size           = optional(number, 256)
    timeout               = optional(number, 30)
    policy_statements = optional(list(object({
      sid       = optional(string)
      effect    = optional(string, "Allow")
      actions   = list(string)
      resources = list(string)
      conditions = optional(list(object({
        test     = string
        variable = string
        values   = list(string)
      })), [])
    })), [])
    pip_arguments        = optional(list(string), [])
    reserved_concurrency = optional(number, -1)
  }))
  default = null

  validation {
    condition     = var.steps == null || alltrue([for key in keys(var.steps == null ? {} : var.steps) : can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", key))])
    error_message = "steps has the key ${join(", ", [for key in flatten([for steps in var.steps[*] : keys(steps)]) : jsonencode(key) if !can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", key))])}: keys become names of functions and of environment variables, so they hold lower-case letters, digits and single -, a letter first. Rename it."
  }

  validation {
    condition     = var.steps == null || var.source_dir != null || length(setsubtract(["validate", "transform", "store"], keys(var.steps == null ? {} : var.steps))) == 0
    error_message = "steps lacks ${join(", ", setsubtract(["validate", "transform", "store"], flatten([for steps in var.steps[*] : keys(steps)])))}, which the sample pipeline invokes. Add it, leave steps out, or set source_dir to a pipeline of your own."
  }
}

variable "tags" {
  description = "Tags of everything that takes them, objects in S3 excepted."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "timeout" {
  description = "Seconds for one invocation of the durable function, 1 to 900: the longest stretch of work between two suspensions."
  type        = number
  default     = 60
  nullable    = false
}

variable "visibility_timeout" {
  description = "Seconds for which a message stays hidden while the bridge hands it over; then it is tried again."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.visibility_timeout >= 60 + var.batching_window
    error_message = "visibility_timeout is ${var.visibility_timeout}: a message is in flight while the pipe collects its batch (batching_window, ${var.batching_window} s) and starts the execution (10 s are allowed for that call, times 6 as AWS advises for pipes, so that a slow one is not delivered twice). Set it to ${60 + var.batching_window} or more; the length of executions does not matter here."
  }
}
