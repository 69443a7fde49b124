variable "name" {
  description = "Name of the queue, and prefix of all other names."
  type        = string
  nullable    = false
}

variable "role_policy" {
  description = "What the role is to allow, as the JSON of a policy."
  type        = string
  nullable    = false
}
