output "arn" {
  description = "ARN of the redrive function, unqualified."
  value       = module.function.arn
}

output "event_source_mapping_uuid" {
  description = "Identifier of the mapping of the on-failure queue to the redrive."
  value       = module.mapping.uuid
}

output "log_group_name" {
  description = "Name of the redrive's log group, which tells what became of each message."
  value       = module.function.log_group_name
}

output "name" {
  description = "Name of the redrive function."
  value       = module.function.name
}

output "role_arn" {
  description = "ARN of the redrive's execution role."
  value       = module.function.role_arn
}
