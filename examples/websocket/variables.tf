variable "create_account_log_role" {
  description = "Give API Gateway a role for logs, for the whole region; false if it has one there: `aws apigateway get-account`."
  type        = bool
  default     = true
  nullable    = false
}

variable "name" {
  description = "Name of the API, the queue, the durable function and the table, and prefix of all other names."
  type        = string
  default     = "orders"
  nullable    = false
}

variable "observability" {
  description = "Create alarms and a dashboard."
  type        = bool
  default     = true
  nullable    = false
}
