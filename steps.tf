locals {
  # Apart from the steps themselves, so that the checks of variables which the steps depend on can use it.
  step_keys = var.steps != null ? keys(var.steps) : local.sample ? ["store", "transform", "validate"] : []

  # As far as can be told without var.function, which may depend on names and queues of this module: so nothing that these
  # depend on, checks of variables included, may depend on it.
  most_step_keys = var.steps != null ? keys(var.steps) : var.source_dir == null ? ["store", "transform", "validate"] : []

  step_variables = { for key in local.step_keys : key => "${upper(replace(key, "-", "_"))}_FUNCTION_ARN" }

  # The longest name made of var.name is a role's: <name>-<bridge or step>-<region>, with regions of up to 14 characters.
  name_limit = 49 - max([for suffix in concat([var.bridge == "dispatcher" ? "dispatcher" : "pipe"], local.most_step_keys) : length(suffix) + 1]...)

  # The same shape as var.steps, whose optional attributes a literal cannot leave out.
  default_steps = {
    validate = {
      source_dir            = "${path.module}/functions/validate"
      handler               = "handler.handler"
      runtime               = null
      environment_variables = {}
      memory_size           = 256
      timeout               = 30
      policy_statements     = []
      pip_arguments         = []
      reserved_concurrency  = -1
    }
    transform = {
      source_dir            = "${path.module}/functions/transform"
      handler               = "handler.handler"
      runtime               = null
      environment_variables = {}
      memory_size           = 256
      timeout               = 30
      policy_statements     = []
      pip_arguments         = []
      reserved_concurrency  = -1
    }
    store = {
      source_dir            = "${path.module}/functions/store"
      handler               = "handler.handler"
      runtime               = null
      environment_variables = { TABLE_NAME = var.name }
      memory_size           = 256
      timeout               = 30
      policy_statements = [{
        sid        = "StoreItems"
        effect     = "Allow"
        actions    = ["dynamodb:PutItem"]
        resources  = [local.table_arn]
        conditions = []
      }]
      pip_arguments        = []
      reserved_concurrency = -1
    }
  }

  no_steps = { for key, step in local.default_steps : key => step if false }
  steps    = var.steps != null ? var.steps : local.sample ? local.default_steps : local.no_steps

  step_environment = { for key, variable in local.step_variables : variable => module.step[key].alias_arn }

  step_statements = length(local.step_keys) == 0 ? [] : [{
    sid        = "InvokeSteps"
    effect     = "Allow"
    actions    = ["lambda:InvokeFunction"]
    resources  = [for key in local.step_keys : module.step[key].alias_arn]
    conditions = []
  }]
}

module "step_package" {
  source   = "./modules/package"
  for_each = local.steps

  name          = "${var.name}-${each.key}"
  source_dir    = each.value.source_dir
  handler       = each.value.handler
  runtime       = each.value.runtime == null ? var.runtime : each.value.runtime
  architecture  = var.architecture
  pip_arguments = each.value.pip_arguments
  python        = var.python
  bucket        = local.artifact_bucket
  kms_key_arn   = var.kms_key_arn
}

module "step" {
  source   = "./modules/function"
  for_each = local.steps

  name         = "${var.name}-${each.key}"
  description  = "Step ${each.key} of ${var.name}"
  handler      = each.value.handler
  runtime      = each.value.runtime == null ? var.runtime : each.value.runtime
  architecture = var.architecture
  memory_size  = each.value.memory_size
  timeout      = each.value.timeout

  s3_bucket = module.step_package[each.key].s3_bucket
  s3_key    = module.step_package[each.key].s3_key
  code_hash = module.step_package[each.key].hash

  environment_variables = each.value.environment_variables
  policy_statements     = each.value.policy_statements
  reserved_concurrency  = each.value.reserved_concurrency

  kms_key_arn          = var.kms_key_arn
  kms_services         = local.sample_steps && each.key == "store" ? ["dynamodb"] : []
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}
