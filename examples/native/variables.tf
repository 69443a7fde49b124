variable "name" {
  description = "Name of the queue, the function and the table, and prefix of all other names."
  type        = string
  default     = "bookings"
  nullable    = false
}

variable "source_dir" {
  description = "Other sources for the function; null for the example's own."
  type        = string
  default     = null
}
