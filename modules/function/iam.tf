module "role" {
  source = "../execution-role"

  function_name         = var.name
  dead_letter_queue_arn = var.dead_letter_queue_arn
  kms_key_arn           = var.kms_key_arn
  kms_services          = setunion(["lambda", "sqs"], var.kms_services)
  log_retention_days    = var.log_retention_days
  permissions_boundary  = var.permissions_boundary
  policy_statements     = var.policy_statements
  tags                  = var.tags
}
