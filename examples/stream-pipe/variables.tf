variable "name" {
  description = "Name of the stream, the pipe, the function and the table, and prefix of all other names."
  type        = string
  default     = "payments"
  nullable    = false
}
