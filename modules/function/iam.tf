locals {
  # Lambda decrypts variables as the role, and the role sends dead letters: without either it needs no key.
  kms_services = setunion(
    length(var.environment_variables) == 0 ? [] : ["lambda"],
    var.dead_letter_queue_arn == null ? [] : ["sqs"],
    var.kms_services,
  )
}

module "role" {
  source = "../execution-role"

  function_name         = var.name
  dead_letter_queue_arn = var.dead_letter_queue_arn
  kms_key_arn           = var.kms_key_arn
  kms_services          = local.kms_services
  log_retention_days    = var.log_retention_days
  permissions_boundary  = var.permissions_boundary
  policy_statements     = var.policy_statements
  tags                  = var.tags
}
