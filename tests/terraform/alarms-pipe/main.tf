# The root with bridge pipe and every alarm that this gives, thresholds low enough to be reached by a few messages; and a plain
# function, whose events Lambda gives up after three tries.
module "watched" {
  source = "../../.."

  name          = "alarms"
  source_dir    = "${path.module}/handler"
  pip_arguments = ["--no-deps"]
  timeout       = 60
  # The most at which an execution can be waited for.
  execution_timeout    = 900
  reserved_concurrency = 2
  max_receive_count    = 1
  on_failure           = { type = "queue", arn = module.alerts.arn }

  alarm_actions = []
  alarm_thresholds = {
    async_age_percent          = 1
    duration_percent           = 15
    execution_operations       = 25
    execution_storage_bytes    = 100000
    queue_age_seconds          = 5
    queue_in_flight            = 3
    running_executions_percent = 0.00003 # of 10,000,000: three
  }
}

module "alerts" {
  source = "../../../modules/queue"

  name              = "alerts"
  dead_letter_queue = false
  event_rule_arns   = [module.watched.on_failure_rule_arn]
}

module "package" {
  source = "../../../modules/package"

  name       = "alarms-events"
  source_dir = "${path.module}/events"
  bucket     = module.watched.artifact_bucket
}

module "events" {
  source = "../../../modules/function"

  name                      = "alarms-events"
  s3_bucket                 = module.package.s3_bucket
  s3_key                    = module.package.s3_key
  code_hash                 = module.package.hash
  maximum_event_age_seconds = 300
}

module "alarms" {
  source = "../../../modules/observability"

  name          = "alarms-events"
  alarm_actions = []
  dashboard     = false
  functions = {
    events = { name = module.events.name, timeout = 30, asynchronous = true, maximum_event_age_seconds = 300 }
  }
}

output "alarm_names" { value = module.watched.alarm_names }
output "alerts_queue_url" { value = module.alerts.url }
output "composite_alarm_name" { value = module.watched.composite_alarm_name }
output "dead_letter_queue_url" { value = module.watched.dead_letter_queue_url }
output "events_alarm_names" { value = module.alarms.alarm_names }
output "events_alias_arn" { value = module.events.alias_arn }
output "failed_queue_url" { value = module.watched.failed_queue_url }
output "function_name" { value = module.watched.function_name }
output "outcomes_dead_letter_queue_url" { value = module.watched.outcomes_dead_letter_queue_url }
output "pipe_name" { value = module.watched.pipe_name }
output "queue_url" { value = module.watched.queue_url }
