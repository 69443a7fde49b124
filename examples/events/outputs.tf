output "bus_name" {
  description = "Name of the bus, to put events on."
  value       = aws_cloudwatch_event_bus.this.name
}

output "charge_alias_arn" {
  description = "ARN of the alias of the function that charges orders."
  value       = module.charge.alias_arn
}

output "charged_queue_url" {
  description = "URL of the queue of records of orders that were charged."
  value       = module.charged.url
}

output "delivered_dead_letter_url" {
  description = "URL of the queue of delivered orders for which no execution could be started."
  value       = module.on_delivered.dead_letter_queue_url
}

output "failed_queue_url" {
  description = "URL of the queue of events on which a function failed."
  value       = module.failed.url
}

output "not_charged_queue_url" {
  description = "URL of the queue of records of orders that could not be charged."
  value       = module.not_charged.url
}

output "placed_dead_letter_url" {
  description = "URL of the queue of placed orders that could not be handed to the function."
  value       = module.on_placed.dead_letter_queue_url
}

output "placed_rule_arn" {
  description = "ARN of the rule for placed orders."
  value       = module.on_placed.arn
}

output "review_function_name" {
  description = "Name of the durable function that asks for reviews."
  value       = module.review.name
}
