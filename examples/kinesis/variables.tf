variable "name" {
  description = "Name of the stream, the function and the table, and prefix of all other names."
  type        = string
  default     = "readings"
  nullable    = false
}

variable "redrive" {
  description = "Hand the records that were given up to the function again: turn it on once the function is mended."
  type        = bool
  default     = false
  nullable    = false
}

variable "source_dir" {
  description = "Other sources for the function; null for the example's own."
  type        = string
  default     = null
}
