# The sample pipeline, as `terraform apply` at the root deploys it, under a name of its own.
module "pipeline" {
  source = "../../.."

  # Proven by the scenarios alarms-*: here it would double the apply.
  observability = false

  name = "sample"
  tags = { scenario = "pipeline" }
}

output "artifact_bucket" { value = module.pipeline.artifact_bucket }
output "dead_letter_queue_url" { value = module.pipeline.dead_letter_queue_url }
output "failed_queue_url" { value = module.pipeline.failed_queue_url }
output "function_alias_arn" { value = module.pipeline.function_alias_arn }
output "function_name" { value = module.pipeline.function_name }
output "function_version" { value = module.pipeline.function_version }
output "log_group_name" { value = module.pipeline.log_group_name }
output "pipe_arn" { value = module.pipeline.pipe_arn }
output "pipe_name" { value = module.pipeline.pipe_name }
output "queue_arn" { value = module.pipeline.queue_arn }
output "queue_url" { value = module.pipeline.queue_url }
output "step_function_arns" { value = module.pipeline.step_function_arns }
output "step_function_names" { value = module.pipeline.step_function_names }
output "table_name" { value = module.pipeline.table_name }
