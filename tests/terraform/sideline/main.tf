# Backlog protection: what is older than three seconds when it is received steps aside, and starts at a rate of its own.
variable "starts_per_second" {
  description = "How fast the backlog starts."
  type        = number
  default     = 20
}

module "sideline" {
  source = "../../.."

  # Proven by the scenarios alarms-*: here it would double the apply.
  observability = false

  name          = "sidelined"
  bridge        = "dispatcher"
  source_dir    = "${path.module}/handler"
  pip_arguments = ["--no-deps"]
  sideline      = { max_age_seconds = 3, starts_per_second = var.starts_per_second }
  tags          = { scenario = "sideline" }
}

output "backlog_dead_letter_queue_url" { value = module.sideline.backlog_dead_letter_queue_url }
output "backlog_queue_url" { value = module.sideline.backlog_queue_url }
output "dead_letter_queue_url" { value = module.sideline.dead_letter_queue_url }
output "event_source_mapping_uuid" { value = module.sideline.event_source_mapping_uuid }
output "failed_queue_url" { value = module.sideline.failed_queue_url }
output "function_name" { value = module.sideline.function_name }
output "queue_url" { value = module.sideline.queue_url }
