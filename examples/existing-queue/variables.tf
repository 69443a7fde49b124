variable "name" {
  description = "Name of the durable function and of the pipe, and prefix of all other names."
  type        = string
  default     = "parcels"
  nullable    = false
}

variable "observability" {
  description = "Create alarms and a dashboard."
  type        = bool
  default     = true
  nullable    = false
}
