variable "name" {
  description = "Name of the queue, the durable function and the table, and prefix of all other names."
  type        = string
  default     = "bookings"
  nullable    = false
}

variable "observability" {
  description = "Create alarms and a dashboard."
  type        = bool
  default     = true
  nullable    = false
}
