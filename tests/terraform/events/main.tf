# examples/events, from outside.
module "example" {
  source = "../../../examples/events"
}

output "bus_name" { value = module.example.bus_name }
output "charge_alias_arn" { value = module.example.charge_alias_arn }
output "charged_queue_url" { value = module.example.charged_queue_url }
output "delivered_dead_letter_url" { value = module.example.delivered_dead_letter_url }
output "failed_queue_url" { value = module.example.failed_queue_url }
output "not_charged_queue_url" { value = module.example.not_charged_queue_url }
output "placed_dead_letter_url" { value = module.example.placed_dead_letter_url }
output "placed_rule_arn" { value = module.example.placed_rule_arn }
output "review_function_name" { value = module.example.review_function_name }
