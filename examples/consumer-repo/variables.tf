variable "name" {
  description = "Name of the durable function, the queue and the table, and prefix of all other names."
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
