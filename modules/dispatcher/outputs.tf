output "alias_arn" {
  description = "ARN of the dispatcher's alias `live`, for a mapping from elsewhere; known once it exists."
  value       = module.function.alias_arn
}

output "arn" {
  description = "ARN of the dispatcher function, unqualified."
  value       = module.function.arn
}

output "backlog_dead_letter_queue_arn" {
  description = "ARN of the backlog queue's dead-letter queue; null without `sideline`."
  value       = one(module.backlog[*].dead_letter_arn)
}

output "backlog_dead_letter_queue_name" {
  description = "Name of the backlog queue's dead-letter queue, for alarms; null without `sideline`."
  value       = one(module.backlog[*].dead_letter_name)
}

output "backlog_dead_letter_queue_url" {
  description = "URL of the backlog queue's dead-letter queue; null without `sideline`."
  value       = one(module.backlog[*].dead_letter_url)
}

output "backlog_event_source_mapping_uuid" {
  description = "Identifier of the mapping of the backlog queue to the dispatcher; null without `sideline`."
  value       = one(module.backlog_mapping[*].uuid)
}

output "backlog_queue_arn" {
  description = "ARN of the backlog queue; null without `sideline`."
  value       = one(module.backlog[*].arn)
}

output "backlog_queue_name" {
  description = "Name of the backlog queue, for alarms; null without `sideline`."
  value       = one(module.backlog[*].name)
}

output "backlog_queue_url" {
  description = "URL of the backlog queue; null without `sideline`."
  value       = one(module.backlog[*].url)
}

output "event_source_mapping_uuid" {
  description = "Identifier of the mapping of the queue to the dispatcher; null without a queue."
  value       = one(module.mapping[*].uuid)
}

output "log_group_name" {
  description = "Name of the dispatcher's log group, which tells the execution of each message."
  value       = module.function.log_group_name
}

output "name" {
  description = "Name of the dispatcher function."
  value       = module.function.name
}

output "role_arn" {
  description = "ARN of the dispatcher's execution role."
  value       = module.function.role_arn
}

output "role_name" {
  description = "Name of the dispatcher's execution role, known once its permissions are in place; a mapping from elsewhere adds its own."
  value       = module.function.role_name
}

output "timeout" {
  description = "Seconds for one invocation of the dispatcher."
  value       = var.timeout
}
