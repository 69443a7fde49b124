data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

module "package" {
  source = "../package"

  name         = var.name
  source_dir   = "${path.module}/../../functions/stream_redrive"
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
  description  = "Hands over what a stream's mapping or pipe gave up"
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

  function_alias_arn = module.function.alias_arn
  function_timeout   = var.timeout
  role_name          = module.function.role_name
  source_queue_arn   = var.source_queue_arn
  visibility_timeout = var.visibility_timeout
  enabled            = var.enabled

  batch_size = var.batch_size
  # The redrive names the messages that are not done: without this, Lambda would delete them.
  report_batch_item_failures = true

  maximum_concurrency = var.maximum_concurrency
  metrics             = var.metrics
  kms_key_arn         = var.kms_key_arn
  tags                = var.tags
}
