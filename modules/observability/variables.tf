variable "alarm_actions" {
  description = "ARNs of what hears of an alarm that goes off or ends, 5 at most: SNS topics, or functions that let CloudWatch in. Null creates the topic `<name>-alarms`; [] tells nobody."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for arn in var.alarm_actions == null ? [] : var.alarm_actions : can(regex("^arn:[a-z-]+:[a-z0-9-]+:[^:]*:[^:]*:.+$", arn))])
    error_message = "alarm_actions holds what is no ARN: ${join(", ", [for arn in var.alarm_actions == null ? [] : var.alarm_actions : jsonencode(arn) if !can(regex("^arn:[a-z-]+:[a-z0-9-]+:[^:]*:[^:]*:.+$", arn))])}. Give the ARN of a topic or a function."
  }

  validation {
    condition     = var.alarm_actions == null ? true : length(var.alarm_actions) <= 5
    error_message = "alarm_actions holds ${length(var.alarm_actions == null ? [] : var.alarm_actions)} ARNs: an alarm takes 5. Give one topic, and subscribe the others to it."
  }
}

variable "dashboard" {
  description = "Create the dashboard, with the metrics of all alarms. CloudWatch bills dashboards beyond the account's first three."
  type        = bool
  default     = true
  nullable    = false
}

variable "dead_letter_queues" {
  description = "Queues that should be empty, as dead-letter, failed-event and on-failure queues: name by key. Alarm `<key>-depth`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.dead_letter_queues) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])
    error_message = "dead_letter_queues has the key ${join(", ", [for key in keys(var.dead_letter_queues) : jsonencode(key) if !can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])}: keys become part of the names of alarms, so they hold lower-case letters, digits and single -. Rename it."
  }
}

variable "durable_functions" {
  description = <<-EOT
    Durable functions, by key; their executions are counted on all versions, since running ones stay on theirs. Alarms
    `<key>-executions-failed`, `-executions-timed-out`, `-execution-time`, `-operations` and `-storage`. As a Lambda function each
    belongs into `functions` as well:
    - `name`: name of the function, without alias
    - `execution_timeout`: seconds that an execution may take
  EOT
  type = map(object({
    name              = string
    execution_timeout = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.durable_functions) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])
    error_message = "durable_functions has the key ${join(", ", [for key in keys(var.durable_functions) : jsonencode(key) if !can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])}: keys become part of the names of alarms, so they hold lower-case letters, digits and single -. Rename it."
  }
}

variable "event_source_mappings" {
  description = <<-EOT
    Event source mappings, by key. Alarms `<key>-failed-events`; of a stream also `-dropped-events` and `-iterator-age`. A mapping
    publishes event counts only if it is asked to: set `metrics = true` on its module, or the alarms see nothing:
    - `uuid`: identifier of the mapping
    - `kind`: queue or stream
    - `function_name`: with a stream, the function that reads it
  EOT
  type = map(object({
    uuid          = string
    kind          = string
    function_name = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.event_source_mappings) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])
    error_message = "event_source_mappings has the key ${join(", ", [for key in keys(var.event_source_mappings) : jsonencode(key) if !can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])}: keys become part of the names of alarms, so they hold lower-case letters, digits and single -. Rename it."
  }

  validation {
    condition     = alltrue([for mapping in var.event_source_mappings : contains(["queue", "stream"], mapping.kind)])
    error_message = "event_source_mappings has the kind ${join(", ", [for mapping in var.event_source_mappings : jsonencode(mapping.kind) if !contains(["queue", "stream"], mapping.kind)])}: there are \"queue\" and \"stream\". Use one of them."
  }

  validation {
    condition     = alltrue([for mapping in var.event_source_mappings : mapping.kind != "stream" || mapping.function_name != null])
    error_message = "event_source_mappings lacks function_name for the stream of ${join(", ", [for key, mapping in var.event_source_mappings : key if mapping.kind == "stream" && mapping.function_name == null])}: Lambda tells the age of its records by function. Give the function's name."
  }
}

variable "functions" {
  description = <<-EOT
    Lambda functions, by key. Alarms `<key>-errors`, `-throttles` and `-duration`, and those of what they have:
    - `name`: name of the function, without alias
    - `timeout`: its timeout in seconds
    - `asynchronous`: it is invoked asynchronously, by a pipe, a rule or the dispatcher: `-async-dropped`, `-async-age`
    - `maximum_event_age_seconds`: for how long Lambda keeps such an event, 6 hours unless set
    - `dead_letter_queue`: it has one: `-dead-letter-errors`
    - `destinations`: it, or the mapping of a stream to it, has destinations: `-destination-errors`
    - `reserved_concurrency`: its reserved concurrency, if it has one: `-concurrency`
  EOT
  type = map(object({
    name                      = string
    timeout                   = number
    asynchronous              = optional(bool, false)
    maximum_event_age_seconds = optional(number, 21600)
    dead_letter_queue         = optional(bool, false)
    destinations              = optional(bool, false)
    reserved_concurrency      = optional(number, -1)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.functions) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])
    error_message = "functions has the key ${join(", ", [for key in keys(var.functions) : jsonencode(key) if !can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])}: keys become part of the names of alarms, so they hold lower-case letters, digits and single -. Rename it."
  }
}

variable "kinesis_streams" {
  description = "Kinesis streams that a pipe, or whatever else is no mapping, reads by GetRecords: name by key. Alarm `<key>-read-age`. Of a mapping's stream `iterator-age` tells as much; of a DynamoDB stream behind a pipe CloudWatch knows no age."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.kinesis_streams) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])
    error_message = "kinesis_streams has the key ${join(", ", [for key in keys(var.kinesis_streams) : jsonencode(key) if !can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])}: keys become part of the names of alarms, so they hold lower-case letters, digits and single -. Rename it."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the topic; null leaves its messages, the texts of alarms, unencrypted at rest. Its key policy must let cloudwatch.amazonaws.com use kms:GenerateDataKey* and kms:Decrypt."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${var.kms_key_arn == null ? "null" : var.kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }
}

variable "name" {
  description = "Name of the composite alarm and the dashboard; alarms are `<name>-<key>`, the topic `<name>-alarms`. Usually the stack's."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.name))
    error_message = "name is \"${var.name}\": up to 128 letters, digits, - and _. Shorten it, or remove the others."
  }
}

variable "notify" {
  description = "Which alarms tell of their going off and ending: alarms, each by itself with what to do; or composite, only the one over all, which says less and comes once, however many go off."
  type        = string
  default     = "alarms"
  nullable    = false

  validation {
    condition     = contains(["alarms", "composite"], var.notify)
    error_message = "notify is \"${var.notify}\": there are \"alarms\" and \"composite\". Use one of them."
  }
}

variable "pipes" {
  description = "EventBridge Pipes: name by key. Alarms `<key>-failed`, `-throttled`, `-timed-out` and `-target-failed`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.pipes) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])
    error_message = "pipes has the key ${join(", ", [for key in keys(var.pipes) : jsonencode(key) if !can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])}: keys become part of the names of alarms, so they hold lower-case letters, digits and single -. Rename it."
  }
}

variable "queues" {
  description = "SQS queues that take work: name by key. Alarms `<key>-age` and `<key>-in-flight`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.queues) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])
    error_message = "queues has the key ${join(", ", [for key in keys(var.queues) : jsonencode(key) if !can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])}: keys become part of the names of alarms, so they hold lower-case letters, digits and single -. Rename it."
  }
}

variable "running_executions" {
  description = "With `durable_functions`, watch also how many executions the whole account runs in this Region (alarm `running-executions`). It takes one alarm an account, not one a stack."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of alarms and topic."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "websocket_apis" {
  description = "WebSocket APIs of API Gateway: id by key, `api_id` of `websocket-ingress`. Alarms `<key>-integration-errors` and `-integration-failures`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.websocket_apis) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])
    error_message = "websocket_apis has the key ${join(", ", [for key in keys(var.websocket_apis) : jsonencode(key) if !can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", key))])}: keys become part of the names of alarms, so they hold lower-case letters, digits and single -. Rename it."
  }
}
