variable "dead_letter_queue" {
  description = "Create `<name>-dlq` for the events that could not be handed to the function within `maximum_event_age_seconds`."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.dead_letter_queue || var.dead_letter_queue_arn != null
    error_message = "dead_letter_queue is false and dead_letter_queue_arn null: events that cannot be handed over would be lost. Set dead_letter_queue to true, or give dead_letter_queue_arn."
  }

  validation {
    condition     = !var.dead_letter_queue || var.dead_letter_queue_arn == null
    error_message = "dead_letter_queue is true and dead_letter_queue_arn given: a target has one dead-letter queue. Set dead_letter_queue to false, or remove dead_letter_queue_arn."
  }
}

variable "dead_letter_queue_arn" {
  description = "ARN of an existing standard queue in place of `<name>-dlq`; its policy has to hold `dead_letter_policy_statement`."
  type        = string
  default     = null

  validation {
    condition     = var.dead_letter_queue_arn == null || can(regex("^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.dead_letter_queue_arn))
    error_message = "dead_letter_queue_arn is ${var.dead_letter_queue_arn == null ? "null" : var.dead_letter_queue_arn}: give the ARN of a standard SQS queue (EventBridge takes no FIFO queue here)."
  }
}

variable "description" {
  description = "What the rule is for."
  type        = string
  default     = "Starts a function"
  nullable    = false

  validation {
    condition     = length(var.description) <= 512
    error_message = "description has ${length(var.description)} characters: a rule takes 512. Shorten it."
  }
}

variable "enabled" {
  description = "Whether the rule runs. Events that pass a disabled rule are gone."
  type        = bool
  default     = true
  nullable    = false
}

variable "event_bus_name" {
  description = "Name of the bus whose events the rule sees. AWS services send to `default`, which is also the bus of schedules."
  type        = string
  default     = "default"
  nullable    = false

  validation {
    condition     = can(regex("^[/.A-Za-z0-9_-]{1,256}$", var.event_bus_name))
    error_message = "event_bus_name is \"${var.event_bus_name}\": names of buses have 1 to 256 letters, digits, ., -, _ and /. Give the name, not the ARN."
  }
}

variable "event_pattern" {
  description = "Events that start the function, as JSON: `jsonencode({ source = [\"orders\"], detail-type = [\"Order placed\"] })`. Null with `schedule_expression`."
  type        = string
  default     = null

  validation {
    condition     = var.event_pattern == null || can(keys(jsondecode(var.event_pattern))[0])
    error_message = "event_pattern is ${var.event_pattern == null ? "null" : var.event_pattern}: a pattern is a JSON object with one key or more. Write it with jsonencode({ source = [\"orders\"] })."
  }

  validation {
    condition     = length(var.event_pattern == null ? "" : var.event_pattern) <= 4096
    error_message = "event_pattern has ${length(var.event_pattern == null ? "" : var.event_pattern)} characters: a rule takes 4096. Shorten it, or use a rule each for its alternatives."
  }

  validation {
    condition     = (var.event_pattern == null) != (var.schedule_expression == null)
    error_message = "event_pattern and schedule_expression are ${var.event_pattern == null ? "both null" : "both given"}: a rule of this module waits for events or for a time. Give exactly one of them."
  }
}

variable "function_alias_arn" {
  description = "ARN of the alias of the function to start, so that a deployment moves the rule as well; a durable function has to be named by alias or version. It is invoked asynchronously."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$", var.function_alias_arn))
    error_message = "function_alias_arn is \"${var.function_alias_arn}\": give the ARN of an alias, arn:aws:lambda:<region>:<account>:function:<name>:<alias>."
  }
}

variable "input" {
  description = "JSON that the function gets in place of every event, e.g. jsonencode({ job = \"nightly\" }); null for the event."
  type        = string
  default     = null

  validation {
    condition     = var.input == null || can(jsondecode(var.input))
    error_message = "input is no JSON: ${var.input == null ? "null" : var.input}. Write it with jsonencode()."
  }

  validation {
    condition     = length(var.input == null ? "" : var.input) <= 8192
    error_message = "input has ${length(var.input == null ? "" : var.input)} characters: a target takes 8192. Shorten it, or let the function fetch it."
  }

  validation {
    condition     = var.input == null || var.input_template == null
    error_message = "input and input_template are both given: a target takes one of them. Remove input_template if every event is to be replaced by the same text, else input."
  }
}

variable "input_paths" {
  description = "Placeholders of `input_template`: name to the path of what it stands for in the event, e.g. { order = \"$.detail.order\" }."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.input_paths) <= 100
    error_message = "input_paths has ${length(var.input_paths)} entries: a transformer takes 100. Take a whole object by one path, e.g. $.detail."
  }

  validation {
    condition     = alltrue([for name in keys(var.input_paths) : can(regex("^[A-Za-z0-9_-]{1,256}$", name)) && !startswith(lower(name), "aws")])
    error_message = "input_paths has the name ${join(", ", [for name in keys(var.input_paths) : "\"${name}\"" if !can(regex("^[A-Za-z0-9_-]{1,256}$", name)) || startswith(lower(name), "aws")])}: names have letters, digits, - and _, and do not begin with AWS. Rename it."
  }

  validation {
    condition     = alltrue([for path in values(var.input_paths) : can(regex("^\\$(\\.[^\\s'\"]+)?$", path)) && !can(regex("\\[['\"]", path))])
    error_message = "input_paths has the path ${join(", ", [for path in values(var.input_paths) : "\"${path}\"" if !can(regex("^\\$(\\.[^\\s'\"]+)?$", path)) || can(regex("\\[['\"]", path))])}: EventBridge takes dot notation, e.g. $.detail.order, $.resources[0]. Write it so."
  }

  validation {
    condition     = length(var.input_paths) == 0 || var.input_template != null
    error_message = "input_paths is given without input_template, which they are for. Give input_template, or remove input_paths."
  }

  validation {
    condition     = length(setsubtract(local.placeholders, concat(keys(var.input_paths), local.reserved_placeholders))) == 0
    error_message = "input_paths lacks ${join(", ", setsubtract(local.placeholders, concat(keys(var.input_paths), local.reserved_placeholders)))}, which input_template has as a placeholder, and EventBridge has no such value of its own. Add it, or correct input_template."
  }
}

variable "input_template" {
  description = "What the function gets in place of the event: JSON with the placeholders of `input_paths`, without quotes around them: {\"order\": <order>}. Also without a path: <aws.events.rule-arn>, <aws.events.rule-name>, <aws.events.event.ingestion-time>, <aws.events.event>, <aws.events.event.json>. Null for the event."
  type        = string
  default     = null

  validation {
    condition     = length(var.input_template == null ? "" : var.input_template) <= 8192
    error_message = "input_template has ${length(var.input_template == null ? "" : var.input_template)} characters: a target takes 8192. Shorten it."
  }

  validation {
    condition     = !can(regex("\\\\u003[cCeE]", var.input_template))
    error_message = "input_template holds \\u003c or \\u003e, the form in which jsonencode() writes < and >: EventBridge would take it for text, not for a placeholder. Write the template as a heredoc, e.g. {\"order\": <order>}."
  }
}

variable "kms_key_arn" {
  description = "KMS key of `<name>-dlq`; null means a key that SQS manages. Its key policy must let events.amazonaws.com use kms:GenerateDataKey and kms:Decrypt."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${var.kms_key_arn == null ? "null" : var.kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }

  validation {
    condition     = var.kms_key_arn == null || var.dead_letter_queue
    error_message = "kms_key_arn is given with dead_letter_queue = false: an existing queue has its own key. Remove it."
  }
}

variable "maximum_event_age_seconds" {
  description = "Seconds for which EventBridge tries to hand an event to Lambda, 60 to 86400 (24 hours). How long Lambda then tries to run it is the function's `maximum_event_age_seconds`."
  type        = number
  default     = 86400
  nullable    = false

  validation {
    condition     = var.maximum_event_age_seconds >= 60 && var.maximum_event_age_seconds <= 86400 && floor(var.maximum_event_age_seconds) == var.maximum_event_age_seconds
    error_message = "maximum_event_age_seconds is ${var.maximum_event_age_seconds}: EventBridge keeps events for 60 to 86400 seconds (24 hours). Choose a whole number in that range."
  }
}

variable "maximum_retry_attempts" {
  description = "Tries after the first to hand an event to Lambda, 0 to 185, with growing waits."
  type        = number
  default     = 185
  nullable    = false

  validation {
    condition     = var.maximum_retry_attempts >= 0 && var.maximum_retry_attempts <= 185 && floor(var.maximum_retry_attempts) == var.maximum_retry_attempts
    error_message = "maximum_retry_attempts is ${var.maximum_retry_attempts}: EventBridge tries 0 to 185 times again. Choose a whole number in that range."
  }
}

variable "name" {
  description = "Name of the rule. The dead-letter queue is `<name>-dlq`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "name is \"${var.name}\" (${length(var.name)} characters): a rule and its queue take 1 to 64 letters, digits, - and _. Shorten it or remove the other characters."
  }
}

variable "schedule_expression" {
  description = "Times at which the function is started, in UTC: rate(5 minutes), cron(0 3 * * ? *). Null with `event_pattern`."
  type        = string
  default     = null

  validation {
    condition     = var.schedule_expression == null || can(regex("^(rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)|cron\\([^ ()]+( [^ ()]+){5}\\))$", var.schedule_expression))
    error_message = "schedule_expression is ${var.schedule_expression == null ? "null" : var.schedule_expression}: give rate(1 minute), rate(5 minutes) ..., or cron(<minutes> <hours> <day of month> <month> <day of week> <year>), e.g. cron(0 3 * * ? *)."
  }

  validation {
    condition     = var.schedule_expression == null || var.event_bus_name == "default"
    error_message = "schedule_expression is given with event_bus_name \"${var.event_bus_name}\": only the default bus has schedules. Remove event_bus_name."
  }
}

variable "tags" {
  description = "Tags of the rule and the dead-letter queue."
  type        = map(string)
  default     = {}
  nullable    = false
}
