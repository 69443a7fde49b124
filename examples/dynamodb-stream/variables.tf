variable "name" {
  description = "Name of the table and the durable function, and prefix of all other names."
  type        = string
  default     = "orders"
  nullable    = false
}

variable "redrive" {
  description = "Start executions for records that the dispatcher gave up: turn it on once their cause is mended."
  type        = bool
  default     = false
  nullable    = false
}
