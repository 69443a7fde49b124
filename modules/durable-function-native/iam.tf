locals {
  # Lambda encrypts what an execution keeps and decrypts variables; the role sends dead letters.
  kms_services = setunion(["lambda"], var.dead_letter_queue_arn == null ? [] : ["sqs"], var.kms_services)
}

module "role" {
  source = "../execution-role"

  function_name         = var.name
  durable               = true
  dead_letter_queue_arn = var.dead_letter_queue_arn
  kms_key_arn           = var.kms_key_arn
  kms_services          = local.kms_services
  log_retention_days    = var.log_retention_days
  permissions_boundary  = var.permissions_boundary
  policy_statements     = var.policy_statements
  role                  = var.role
  tags                  = var.tags
}
