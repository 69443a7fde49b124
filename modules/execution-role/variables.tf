variable "dead_letter_queue_arn" {
  description = "SQS queue to which Lambda sends the events that the function failed on; null without one."
  type        = string
  default     = null
}

variable "durable" {
  description = "Allow checkpoints: the function is durable."
  type        = bool
  default     = false
  nullable    = false
}

variable "function_name" {
  description = "Name of the function. The role is `<function_name>-<region>`, the log group `/aws/lambda/<function_name>`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.function_name))
    error_message = "function_name is \"${var.function_name}\" (${length(var.function_name)} characters): Lambda takes 1 to 64 letters, digits, - and _. Shorten it or remove the other characters."
  }
}

variable "kms_key_arn" {
  description = "KMS key that the function's data is encrypted with; null means keys that AWS manages. For the log group the key policy must allow logs.<region>.amazonaws.com."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${var.kms_key_arn == null ? "null" : var.kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }
}

variable "kms_services" {
  description = "AWS services through which the function may use `kms_key_arn` (kms:ViaService), e.g. [\"lambda\", \"sqs\"]; with none the key is for the logs alone. Without effect if `kms_key_arn` is null."
  type        = set(string)
  default     = ["lambda"]
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which CloudWatch Logs keeps the function's output: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653; 0 keeps it for ever."
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

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds the role; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary is ${var.permissions_boundary == null ? "null" : var.permissions_boundary}: give the ARN of a policy, arn:aws:iam::<account>:policy/<name>."
  }
}

variable "policy_statements" {
  description = <<-EOT
    What the function may do besides writing its logs:
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

  validation {
    condition     = alltrue([for statement in var.policy_statements : contains(["Allow", "Deny"], statement.effect)])
    error_message = "policy_statements has the effect ${join(", ", [for statement in var.policy_statements : "\"${statement.effect}\"" if !contains(["Allow", "Deny"], statement.effect)])}: IAM knows Allow and Deny. Use one of them."
  }

  validation {
    condition = alltrue([
      for statement in var.policy_statements : length(statement.actions) > 0 && length(statement.resources) > 0
    ])
    error_message = "policy_statements has a statement without actions or without resources, which IAM refuses. Give both, or remove the statement."
  }

  validation {
    condition = alltrue(flatten([
      for statement in var.policy_statements : [for action in statement.actions : can(regex("^[a-z0-9-]+:[A-Za-z0-9*?]+$", action))]
    ]))
    error_message = "policy_statements names an action that is not service:Action: ${join(", ", flatten([for statement in var.policy_statements : [for action in statement.actions : "\"${action}\"" if !can(regex("^[a-z0-9-]+:[A-Za-z0-9*?]+$", action))]]))}. Name what the function needs, e.g. s3:GetObject; \"*\" is not accepted."
  }
}

variable "role" {
  description = <<-EOT
    An existing role for the function, which nothing is attached to; null creates one. What it has to allow is in the output
    `required_policy`, and lambda.amazonaws.com must be trusted to assume it.
    - `arn`: its ARN, which may be known only after apply: therefore an object
  EOT
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.role == null ? true : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", var.role.arn))
    error_message = "role.arn is ${jsonencode(one(var.role[*].arn))}: give the ARN of a role, arn:aws:iam::<account>:role/<name>, not its name."
  }

  validation {
    condition     = var.role == null || var.permissions_boundary == null
    error_message = "permissions_boundary is given together with role: the boundary of an existing role is its owner's to set. Remove one of them."
  }
}

variable "tags" {
  description = "Tags of the role and of the log group."
  type        = map(string)
  default     = {}
  nullable    = false
}
