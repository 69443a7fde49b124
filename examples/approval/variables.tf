variable "days_to_answer" {
  description = "Days after which an expense that nobody answered is EXPIRED, 1 to 13: a question stays on its queue for 14."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.days_to_answer >= 1 && var.days_to_answer <= 13
    error_message = "days_to_answer is ${var.days_to_answer}: a question stays on its queue for 14 days. Choose 1 to 13."
  }
}

variable "name" {
  description = "Name of the queue, the durable function and the table, and prefix of all other names."
  type        = string
  default     = "expenses"
  nullable    = false
}

variable "observability" {
  description = "Create alarms and a dashboard."
  type        = bool
  default     = true
  nullable    = false
}
