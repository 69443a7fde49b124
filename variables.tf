variable "alarm_actions" {
  description = "ARNs of what hears of an alarm that goes off or ends, 5 at most: SNS topics, or functions that let CloudWatch in. Null creates the topic `<name>-alarms`, to subscribe to; [] tells nobody."
  type        = list(string)
  default     = null
}

variable "alarm_thresholds" {
  description = "At and above which values alarms go off, where not at the defaults of the module `observability`, which gives the reasons: e.g. { queue_age_seconds = 900, errors_percent = 5 }. `backlog_age_seconds` is for the backlog of `sideline`, a quarter of its retention unless given."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.alarm_thresholds), local.alarm_thresholds)) == 0
    error_message = "alarm_thresholds has ${join(", ", setsubtract(keys(var.alarm_thresholds), local.alarm_thresholds))}, which no alarm here has. There are ${join(", ", local.alarm_thresholds)}."
  }
}

variable "architecture" {
  description = "Processor of all functions: arm64 (cheaper) or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "artifact_bucket" {
  description = "S3 bucket for the packages, in the functions' region; null creates one. The plan has to know whether there is one: of a bucket in the same configuration give a name that it has in full (`bucket`, not `bucket_prefix`)."
  type        = string
  default     = null
}

variable "batch_size" {
  description = "Most messages that the bridge hands over at once: 1 to 10000, above 10 with a `batching_window` of 1 or more; on a FIFO queue up to 10. Null means 10 where messages fail alone, and 1 where they fail together: with bridge pipe, whose batch is one execution, and in the groups of a FIFO queue."
  type        = number
  default     = null
}

variable "batching_window" {
  description = "Seconds for which the bridge collects a batch, 0 to 300; at least 1 for a `batch_size` above 10. Not on a FIFO queue."
  type        = number
  default     = 0
  nullable    = false
}

variable "bridge" {
  description = "How messages reach the durable function: pipe (EventBridge Pipe, executions of up to a year), esm (event source mapping, up to 15 minutes, waits for the result) or dispatcher (a small function that starts executions of up to a year, once a message)."
  type        = string
  default     = "pipe"
  nullable    = false

  validation {
    condition     = contains(["pipe", "esm", "dispatcher"], var.bridge)
    error_message = "bridge is \"${var.bridge}\": there are \"pipe\", \"esm\" and \"dispatcher\". Use one of them."
  }
}

variable "bridge_enabled" {
  description = "Take messages from the queue; false leaves them on it. Running executions go on."
  type        = bool
  default     = true
  nullable    = false
}

variable "environment_variables" {
  description = "Environment of the durable function, besides `<STEP>_FUNCTION_ARN` for each step and, with `reply_function_arn`, REPLY_FUNCTION_ARN and REPLY_PROGRESS. Values are plain text in state and plan: give the name of a secret, not the secret. The sample reads HOLD_SECONDS."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.environment_variables), values(local.step_variables))) == 0
    error_message = "environment_variables sets ${join(", ", setintersection(keys(var.environment_variables), values(local.step_variables)))}, which the module sets to the alias of that step. Remove it, or rename the step."
  }

  validation {
    condition     = var.reply_function_arn == null || length(setintersection(keys(var.environment_variables), local.reply_variables)) == 0
    error_message = "environment_variables sets ${join(", ", setintersection(keys(var.environment_variables), local.reply_variables))}, which the module sets from reply_function_arn and reply_progress. Remove it."
  }
}

variable "execution_timeout" {
  description = "Seconds that a whole execution may take, waits included: 1 to 31622400 (366 days), with bridge esm to 900. Null means 86400, with esm 900."
  type        = number
  default     = null

  validation {
    condition     = var.bridge != "esm" || var.execution_timeout == null ? true : var.execution_timeout <= 900
    error_message = "execution_timeout is ${var.execution_timeout == null ? 0 : var.execution_timeout} with bridge \"esm\": the mapping waits for the whole execution, 900 seconds at most. Set it to 900 or less, or use bridge = \"dispatcher\" or \"pipe\"."
  }
}

variable "failed_max_message_size" {
  description = "Largest event in bytes that `<name>-failed` takes. Null means 1048576 for a `max_message_size` above 262144, else 262144, where AWS provider 5.x stops; from provider 6.8 on set 1048576. An event is lost if it is larger, so the plan refuses what could be: `batch_size` (with bridge pipe) x (`max_message_size` + 2048 for the envelope) + 2048 for the error. It cannot foresee that each quote and line end of a body counts twice in the event: a body of half as much fits in any case, of 129024 bytes with the defaults, and of what does not fit the alarm `durable-dead-letter-errors` tells."
  type        = number
  default     = null

  validation {
    condition     = var.bridge == "esm" || coalesce(var.failed_max_message_size, local.least_failed_size) >= local.failed_event_size
    error_message = "failed_max_message_size is ${coalesce(var.failed_max_message_size, local.least_failed_size)}${var.failed_max_message_size == null ? " unless given" : ""}: the event of a failed execution goes to ${var.name}-failed, and could have ${local.failed_event_size} bytes, ${local.failed_messages} x (max_message_size ${var.max_message_size} + 2048 for the envelope) + 2048 for the error. It would be LOST. Lower max_message_size to ${floor((coalesce(var.failed_max_message_size, local.least_failed_size) - 2048) / local.failed_messages) - 2048}${local.failed_messages == 1 ? "" : " or batch_size"}${local.failed_event_size > 1048576 ? "" : ", or set failed_max_message_size to ${local.failed_event_size} or more (above 262144 with AWS provider 6.8 or newer)"}."
  }
}

variable "fifo" {
  description = "Take messages from a FIFO queue, in the order of their message groups. Not with the pipe bridge."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.fifo || var.bridge != "pipe"
    error_message = "fifo is true with bridge \"pipe\": the pipe starts executions without waiting for them (FIRE_AND_FORGET), so the order would be lost. Use bridge = \"esm\" (order kept) or \"dispatcher\" (started in order), or set fifo = false."
  }
}

variable "filter_patterns" {
  description = "Event patterns as JSON, 5 at most; messages that match none are DELETED by the bridge, not kept. None means that all are handled."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "function" {
  description = <<-EOT
    A durable function from outside, in place of one that this module makes from `source_dir`: `function = module.x` takes the
    outputs of `durable-function` or `durable-function-native`. What it invokes it brings along (`function`), for `steps` belong to
    a function of this module. It may take `failed_queue_arn`, for its `dead_letter_queue_arn`, and `artifact_bucket` of this module;
    other outputs depend on it. With `kms_key_arn` it needs the same key, to send to `<name>-failed`. `durable-ops` knows it by
    `name`, and its dead letters by `<name>-failed`: call it so. Given to a stack that has a function, it deletes that one.
    - `alias_arn`: alias that the bridge invokes
    - `arn`: its ARN, unqualified
    - `dead_letter_queue_arn`: queue for the events of its failed executions, which is watched; null with bridge esm alone
    - `execution_timeout`: seconds that a whole execution may take
    - `log_group_name`: name of its log group, for the output
    - `name`: its name
    - `reserved_concurrency`: concurrent invocations kept for it; -1 for no reservation
    - `role_managed`: whether a policy may be added to its role, for bridge esm; else the role has to allow to read the queue
    - `role_name`: name of its execution role
    - `timeout`: seconds that one invocation may take
    - `version`: version that the alias points at, for the output
  EOT
  type = object({
    alias_arn             = string
    arn                   = string
    dead_letter_queue_arn = optional(string)
    execution_timeout     = number
    log_group_name        = optional(string)
    name                  = string
    reserved_concurrency  = optional(number, -1)
    role_managed          = optional(bool, true)
    role_name             = string
    timeout               = number
    version               = optional(string)
  })
  default = null

  validation {
    condition     = var.function == null || var.bridge == "esm" ? true : var.function.dead_letter_queue_arn != null
    error_message = "function.dead_letter_queue_arn is null with bridge \"${var.bridge}\": the events of failed executions would be lost. Give the function a dead-letter queue, failed_queue_arn of this module for one."
  }

  validation {
    condition     = var.function == null || var.bridge != "esm" ? true : var.function.execution_timeout <= 900
    error_message = "function.execution_timeout is ${jsonencode(one(var.function[*].execution_timeout))} with bridge \"esm\": the mapping waits for the whole execution, 900 seconds at most. Set it to 900 or less, or use bridge = \"dispatcher\" or \"pipe\"."
  }

  validation {
    condition     = var.function == null || var.bridge != "esm" ? true : var.function.reserved_concurrency < 0 ? true : var.maximum_concurrency == null ? false : var.maximum_concurrency <= var.function.reserved_concurrency
    error_message = "function.reserved_concurrency is ${jsonencode(one(var.function[*].reserved_concurrency))} with bridge \"esm\": the mapping would poll beyond it, and messages that never ran would end in the dead-letter queue. Set maximum_concurrency to it or less (2 at the least), or reserve none."
  }
}

variable "handler" {
  description = "Handler of the durable function, `module.function`; the module is a file in `source_dir`."
  type        = string
  default     = "handler.handler"
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key for queues, logs, table, packages, environments, a mapping's filter patterns and durable data; null means keys that AWS manages. Its key policy must allow logs.<region>.amazonaws.com for the logs and, for filter patterns of a mapping, kms:Decrypt to lambda.amazonaws.com; with `on_failure` or `on_success` kms:GenerateDataKey and kms:Decrypt to events.amazonaws.com; with `observability` kms:GenerateDataKey* and kms:Decrypt to cloudwatch.amazonaws.com, unless `alarm_actions` are given."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days for which CloudWatch Logs keeps the logs of functions and pipe, one of its numbers, e.g. 7, 30, 90 or 365 (all are in `execution-role`, which checks it); 0 keeps them for ever."
  type        = number
  default     = 30
  nullable    = false
}

variable "max_message_size" {
  description = "Largest message in bytes. An asynchronous start takes 1 MB for a whole batch, and what fails has to fit into `<name>-failed`: see `failed_max_message_size`, which checks it. AWS provider 5.x stops at 262144."
  type        = number
  default     = 258048
  nullable    = false
}

variable "max_receive_count" {
  description = "Receives without a start after which a message moves to `<name>-dlq`, 1 to 1000. AWS advises 5 or more."
  type        = number
  default     = 5
  nullable    = false
}

variable "maximum_concurrency" {
  description = "Bridges esm and dispatcher: most batches in hand at once, 2 to 1000; null for no limit. Behind esm that many executions run; a dispatcher only starts them."
  type        = number
  default     = null

  validation {
    condition     = var.maximum_concurrency == null || var.bridge != "pipe"
    error_message = "maximum_concurrency is given with bridge \"pipe\", which has no such limit. Remove it, or use bridge = \"esm\" or \"dispatcher\"."
  }
}

variable "memory_size" {
  description = "Memory of the durable function in MB, 128 to 10240; processor share grows with it."
  type        = number
  default     = 256
  nullable    = false
}

variable "message_retention_seconds" {
  description = "Seconds for which the queue keeps a message, 60 to 1209599: less than the 14 days (1209600) of the dead-letter queue."
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
    error_message = "name is ${length(var.name)} characters long: with the suffixes -<bridge> or -<step> and -<region> it would exceed the 64 characters of a role name. Shorten it to ${local.name_limit}."
  }
}

variable "observability" {
  description = "Create alarms for what the stack contains, one over all of them and a dashboard: about 30 alarms, which CloudWatch bills by the month and the alarm."
  type        = bool
  default     = true
  nullable    = false
}

variable "on_failure" {
  description = <<-EOT
    What gets a record of each execution that ended without a result, however it was started; null for nothing. As in
    `outcome-events`, which checks it; `<name>-failed`, with the events themselves, is there in any case:
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
}

variable "on_success" {
  description = <<-EOT
    What gets a record of each execution that SUCCEEDED; null for nothing. As in `outcome-events`, which checks it:
    - `type`: `queue` (standard SQS queue), `topic` (standard SNS topic), `function` (alias of a function), `bus` (event bus, which
      gets the event as it is), or `new_queue` to create `<name>-on-success`
    - `arn`: ARN of the target; none with new_queue
  EOT
  type = object({
    type = string
    arn  = optional(string)
  })
  default = null
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds all roles that are created; null for none."
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

variable "queue" {
  description = <<-EOT
    An existing queue that takes the messages; null creates `<name>` and `<name>-dlq`. Encrypted by SQS itself or with `kms_key_arn`.
    Given to a stack that has a queue, it deletes that one, with its messages.
    - `arn`: its ARN; with `fifo` of a FIFO queue
    - `dead_letter_queue_arn`: the queue that its redrive policy names, without which a message that cannot be started is lost
    - `dead_letter_queue_url`, `url`: for the outputs alone
    - `max_message_size`: the largest message in bytes that it takes, as it is: at most the input `max_message_size`
    - `visibility_timeout`: its visibility timeout in seconds, as it is: at least what `visibility_timeout` would be
  EOT
  type = object({
    arn                   = string
    dead_letter_queue_arn = string
    dead_letter_queue_url = optional(string)
    max_message_size      = number
    url                   = optional(string)
    visibility_timeout    = number
  })
  default = null

  validation {
    condition     = var.queue == null ? true : alltrue([for arn in [var.queue.arn, var.queue.dead_letter_queue_arn] : can(regex("^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+(\\.fifo)?$", arn))])
    error_message = "queue.arn is ${jsonencode(one(var.queue[*].arn))} and queue.dead_letter_queue_arn ${jsonencode(one(var.queue[*].dead_letter_queue_arn))}: give ARNs of SQS queues, arn:aws:sqs:<region>:<account>:<name>."
  }

  validation {
    condition     = var.queue == null ? true : endswith(var.queue.arn, ".fifo") == var.fifo
    error_message = "queue.arn is ${jsonencode(one(var.queue[*].arn))} with fifo = ${var.fifo}: the name of a FIFO queue ends in .fifo, and no other does. Set fifo = ${!var.fifo}, or give the other queue."
  }

  validation {
    condition     = var.queue == null ? true : var.queue.visibility_timeout >= local.least_visibility_timeout
    error_message = "queue.visibility_timeout is ${jsonencode(one(var.queue[*].visibility_timeout))}: with bridge \"${var.bridge}\" a message could be delivered again while it is in hand. It takes ${lookup(local.visibility_terms, var.bridge, "")}. Set the queue's to ${local.least_visibility_timeout} or more, and say so here."
  }

  validation {
    condition     = var.queue == null ? true : length(local.inputs_of_own_queue) == 0
    error_message = "queue is given together with ${join(", ", local.inputs_of_own_queue)}, which would be ignored: the queue comes from outside. Set it there, and remove it here."
  }
}

variable "reply_function_arn" {
  description = "ARN of the alias of a function through which the durable function may report to who sent a message: `reply_function_arn` of `websocket-ingress`. It finds it in REPLY_FUNCTION_ARN and may invoke it. The sample reports progress and result to senders behind a WebSocket; null for no reports."
  type        = string
  default     = null

  validation {
    condition     = var.reply_function_arn == null || can(regex("^arn:[a-z-]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$", var.reply_function_arn))
    error_message = "reply_function_arn is ${var.reply_function_arn == null ? "null" : var.reply_function_arn}: give the ARN of an alias, arn:aws:lambda:<region>:<account>:function:<name>:<alias>."
  }

  validation {
    condition     = var.reply_function_arn == null || !contains(local.most_step_keys, "reply")
    error_message = "reply_function_arn is given, and steps has the key \"reply\": both would be REPLY_FUNCTION_ARN. Rename the step."
  }
}

variable "reply_progress" {
  description = "Report progress as well as the result: the durable function finds it in REPLY_PROGRESS. Without it a client that `websocket-ingress` knows by `client_id_from = \"query\"` is found only while its connection lasts. Each report is an operation of the execution and an invocation."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.reply_progress || var.reply_function_arn != null
    error_message = "reply_progress is false without reply_function_arn: nothing is reported in any case. Remove it, or give reply_function_arn."
  }
}

variable "reserved_concurrency" {
  description = "Concurrent invocations kept for, and allowed to, the durable function; -1 for no reservation, 0 stops it. With bridge esm at least `maximum_concurrency`, so that the mapping is never throttled."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.bridge != "esm" || var.reserved_concurrency < 0 ? true : var.maximum_concurrency == null ? false : var.maximum_concurrency <= var.reserved_concurrency
    error_message = "reserved_concurrency is ${var.reserved_concurrency} with bridge \"esm\": the mapping would poll beyond it, and messages that never ran would end in the dead-letter queue. Set maximum_concurrency to it or less (2 at the least), or reserved_concurrency = -1; to stop the flow set bridge_enabled = false."
  }
}

variable "retention_days" {
  description = "Days for which the history of an ended execution is kept: 1 to 90."
  type        = number
  default     = 14
  nullable    = false
}

variable "role" {
  description = <<-EOT
    An existing execution role for the durable function, which nothing is attached to; null creates one. What it has to allow is in the
    output `required_policy`. Not with `function`, which has a role.
    - `arn`: its ARN, which may be known only after apply: therefore an object
  EOT
  type        = object({ arn = string })
  default     = null
}

variable "runtime" {
  description = "Lambda runtime of the functions: python3.13, or python3.14 (steps of it need AWS provider 6)."
  type        = string
  default     = "python3.13"
  nullable    = false
}

variable "sideline" {
  description = <<-EOT
    Backlog protection with bridge dispatcher: messages older than `max_age_seconds` when they are received go to the queue
    `<name>-backlog`, and start from there slowly, so that fresh ones start first. Null for none. As in `dispatcher`, which
    checks it:
    - `max_age_seconds`: age from which on a message steps aside; more than `batching_window`
    - `starts_per_second`: how fast the backlog starts, at most: less than what the function and its steps can take beside the
      fresh messages
    - `maximum_concurrency`: most concurrent invocations of the dispatcher for the backlog, 2 to 1000
    - `message_retention_seconds`: of the backlog queue, counted anew from when a message steps aside; null means as of the queue
  EOT
  type = object({
    max_age_seconds           = number
    starts_per_second         = optional(number, 10)
    maximum_concurrency       = optional(number, 5)
    message_retention_seconds = optional(number)
  })
  default = null

  validation {
    condition     = var.sideline == null || var.bridge == "dispatcher"
    error_message = "sideline is given with bridge \"${var.bridge}\": only a dispatcher sees how old a message is before it starts. Remove it, or use bridge = \"dispatcher\"."
  }

  validation {
    condition     = var.sideline == null || !var.fifo
    error_message = "sideline is given with fifo = true: messages that step aside would lose their order. Remove it, or set fifo = false."
  }

  validation {
    condition     = var.sideline == null ? true : var.sideline.max_age_seconds < var.message_retention_seconds
    error_message = "sideline.max_age_seconds is ${var.sideline == null ? 0 : var.sideline.max_age_seconds} and message_retention_seconds is ${var.message_retention_seconds}: messages would expire before they are that old. Lower the one or raise the other."
  }

  validation {
    condition     = var.sideline == null ? true : var.sideline.message_retention_seconds == null ? true : var.sideline.message_retention_seconds >= var.message_retention_seconds - var.sideline.max_age_seconds
    error_message = "sideline.message_retention_seconds is ${join("", [for given in var.sideline[*].message_retention_seconds : given if given != null])}: a message that steps aside could expire before it would have on the queue. Set it to ${var.sideline == null ? 0 : var.message_retention_seconds - var.sideline.max_age_seconds} or more, message_retention_seconds (${var.message_retention_seconds}) less max_age_seconds, or leave it out."
  }
}

variable "source_dir" {
  description = "Folder with the durable function: the handler's file and, if any, requirements.txt. Null deploys the sample pipeline with its three steps and its table, unless `function` is given."
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
    condition     = var.bridge != "dispatcher" || !contains(keys(var.steps == null ? {} : var.steps), "dispatcher")
    error_message = "steps has the key \"dispatcher\", which with bridge \"dispatcher\" is the name of the module's own function. Rename it."
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
  description = "Seconds for which a received message stays hidden; a message that was not handled is tried again after it. Null means the least that is safe: 60 + `batching_window` for pipe, 180 + `batching_window` for dispatcher, and for esm the greater of 6 x `timeout` and `execution_timeout` + 30, + `batching_window`."
  type        = number
  default     = null

  validation {
    condition     = var.visibility_timeout == null ? true : var.visibility_timeout >= local.least_visibility_timeout
    error_message = "visibility_timeout is ${var.visibility_timeout == null ? 0 : var.visibility_timeout}: with bridge \"${var.bridge}\" a message could be delivered again while it is in hand. It takes ${lookup(local.visibility_terms, var.bridge, "")}. Set it to ${local.least_visibility_timeout} or more, or leave it out."
  }
}
