# The root with records of outcomes: of failures on a queue from outside, of successes on one of its own.
module "jobs" {
  source = "../../.."

  # Proven by the scenarios alarms-*: here it would double the apply.
  observability = false

  name          = "jobs"
  source_dir    = "${path.module}/handler"
  pip_arguments = ["--no-deps"]
  timeout       = 10
  on_failure    = { type = "queue", arn = module.alerts.arn }
  on_success    = { type = "new_queue" }
}

module "alerts" {
  source = "../../../modules/queue"

  name              = "alerts"
  dead_letter_queue = false
  event_rule_arns   = [module.jobs.on_failure_rule_arn]
}

# Another function, whose name begins with the first one's: its outcomes are no business of these rules.
module "package" {
  source = "../../../modules/package"

  name          = "jobs-2"
  source_dir    = "${path.module}/handler"
  pip_arguments = ["--no-deps"]
  bucket        = module.jobs.artifact_bucket
}

module "other" {
  source = "../../../modules/durable-function"

  name      = "jobs-2"
  s3_bucket = module.package.s3_bucket
  s3_key    = module.package.s3_key
  code_hash = module.package.hash
}

output "alerts_queue_arn" { value = module.alerts.arn }
output "alerts_queue_url" { value = module.alerts.url }
output "failed_queue_url" { value = module.jobs.failed_queue_url }
output "function_name" { value = module.jobs.function_name }
output "on_failure_rule_arn" { value = module.jobs.on_failure_rule_arn }
output "on_success_queue_url" { value = module.jobs.on_success_queue_url }
output "other_alias_arn" { value = module.other.alias_arn }
output "outcomes_dead_letter_queue_url" { value = module.jobs.outcomes_dead_letter_queue_url }
output "queue_url" { value = module.jobs.queue_url }
