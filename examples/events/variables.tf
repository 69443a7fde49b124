variable "name" {
  description = "Name of the bus, and prefix of all other names."
  type        = string
  default     = "orders"
  nullable    = false
}
