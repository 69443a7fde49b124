data "aws_region" "current" {}

locals {
  environment = merge({ TARGET_FUNCTION_ARN = var.target_alias_arn }, local.sideline_environment)
  statements = concat(
    [{
      sid        = "StartExecutions"
      actions    = ["lambda:InvokeFunction"]
      resources  = [var.target_alias_arn]
      conditions = []
    }],
    local.sideline_statements,
  )

  # The plan may not know the queue's ARN yet, but it knows whether there is a visibility timeout.
  queue = var.visibility_timeout != null

  # What is given, but goes to the mapping alone.
  mapping_inputs = [
    for name, given in {
      batch_size          = var.batch_size != 10
      batching_window     = var.batching_window != 0
      enabled             = !var.enabled
      filter_patterns     = length(var.filter_patterns) > 0
      maximum_concurrency = var.maximum_concurrency != null
      maximum_pollers     = var.maximum_pollers != null
      metrics             = var.metrics
      minimum_pollers     = var.minimum_pollers != null
    } : name if given
  ]
}

module "package" {
  source = "../package"

  name         = var.name
  source_dir   = "${path.module}/../../functions/dispatcher"
  handler      = "handler.handler"
  runtime      = var.runtime
  architecture = var.architecture
  python       = var.python
  bucket       = var.artifact_bucket
  kms_key_arn  = var.kms_key_arn
}

module "function" {
  source = "../function"

  name         = var.name
  description  = "Starts a durable execution for each message"
  handler      = "handler.handler"
  runtime      = var.runtime
  architecture = var.architecture
  memory_size  = var.memory_size
  timeout      = var.timeout

  s3_bucket = module.package.s3_bucket
  s3_key    = module.package.s3_key
  code_hash = module.package.hash

  environment_variables = local.environment
  policy_statements     = local.statements

  kms_key_arn          = var.kms_key_arn
  log_retention_days   = var.log_retention_days
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

module "mapping" {
  source = "../event-source-mapping"
  count  = local.queue ? 1 : 0

  function_alias_arn = module.function.alias_arn
  function_timeout   = var.timeout
  role_name          = module.function.role_name
  source_queue_arn   = var.source_queue_arn
  visibility_timeout = var.visibility_timeout
  enabled            = var.enabled

  batch_size      = var.batch_size
  batching_window = var.batching_window
  # The dispatcher names what did not start: without this, Lambda would delete it.
  report_batch_item_failures = true

  filter_patterns     = var.filter_patterns
  filter_kms_key_arn  = length(var.filter_patterns) == 0 ? null : var.kms_key_arn
  maximum_concurrency = var.maximum_concurrency
  maximum_pollers     = var.maximum_pollers
  minimum_pollers     = var.minimum_pollers
  metrics             = var.metrics
  kms_key_arn         = var.kms_key_arn
  tags                = var.tags
}

moved {
  from = module.mapping
  to   = module.mapping[0]
}
