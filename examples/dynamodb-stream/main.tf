# An execution of days for each new order: table -> stream -> dispatcher -> durable function -> the order's status.
data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  table_arn = join(":", [
    "arn", data.aws_partition.current.partition, "dynamodb", data.aws_region.current.id,
    data.aws_caller_identity.current.account_id, "table/${var.name}",
  ])
}

resource "aws_dynamodb_table" "this" {
  name             = var.name
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "order_id"
  stream_enabled   = true
  stream_view_type = "NEW_IMAGE"

  attribute {
    name = "order_id"
    type = "S"
  }
}

resource "aws_s3_bucket" "artifacts" {
  bucket_prefix = "${var.name}-artifacts-"
  force_destroy = true
}

module "package" {
  source = "../../modules/package"

  name          = var.name
  source_dir    = "${path.module}/src"
  handler       = "handler.handler"
  pip_arguments = ["--no-deps"]
  bucket        = aws_s3_bucket.artifacts.bucket
}

module "function" {
  source = "../../modules/durable-function"

  name                  = var.name
  execution_timeout     = 30 * 86400
  s3_bucket             = module.package.s3_bucket
  s3_key                = module.package.s3_key
  code_hash             = module.package.hash
  environment_variables = { TABLE_NAME = var.name }
  policy_statements     = [{ sid = "ShipOrders", actions = ["dynamodb:UpdateItem"], resources = [local.table_arn] }]
  dead_letter_queue_arn = module.failed_executions.arn
}

# Events of executions that started and failed; apart from records that never started an execution.
module "failed_executions" {
  source = "../../modules/queue"

  name                      = "${var.name}-failed-executions"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
}

module "dispatcher" {
  source = "../../modules/dispatcher"

  name             = "${var.name}-dispatcher"
  artifact_bucket  = aws_s3_bucket.artifacts.bucket
  target_alias_arn = module.function.alias_arn
}

module "consumer" {
  source = "../../modules/stream-consumer"

  name               = var.name
  source_arn         = aws_dynamodb_table.this.stream_arn
  function_alias_arn = module.dispatcher.alias_arn
  role_name          = module.dispatcher.role_name
  batch_size         = 10
  # New orders only: the function changes them, and is not to start itself.
  filter_patterns = [jsonencode({ eventName = ["INSERT"] })]
}

module "redrive" {
  source = "../../modules/stream-redrive"

  name               = "${var.name}-redrive"
  artifact_bucket    = aws_s3_bucket.artifacts.bucket
  stream_arn         = aws_dynamodb_table.this.stream_arn
  source_queue_arn   = module.consumer.on_failure_queue_arn
  visibility_timeout = module.consumer.on_failure_visibility_timeout
  target_alias_arn   = module.function.alias_arn
  durable            = true
  enabled            = var.redrive
}
