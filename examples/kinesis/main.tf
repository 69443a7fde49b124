# Readings of devices: Kinesis stream -> function -> table. What the function cannot handle is set aside and can be redriven.
data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  table_arn = join(":", [
    "arn", data.aws_partition.current.partition, "dynamodb", data.aws_region.current.id,
    data.aws_caller_identity.current.account_id, "table/${var.name}",
  ])
}

resource "aws_kinesis_stream" "this" {
  name             = var.name
  shard_count      = 4
  retention_period = 24
  encryption_type  = "KMS"
  kms_key_id       = "alias/aws/kinesis"
}

resource "aws_dynamodb_table" "this" {
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "device"
  range_key    = "sequence_number"

  attribute {
    name = "device"
    type = "S"
  }

  attribute {
    name = "sequence_number"
    type = "S"
  }
}

resource "aws_s3_bucket" "artifacts" {
  bucket_prefix = "${var.name}-artifacts-"
  force_destroy = true
}

module "package" {
  source = "../../modules/package"

  name       = var.name
  source_dir = var.source_dir == null ? "${path.module}/src" : var.source_dir
  handler    = "handler.handler"
  bucket     = aws_s3_bucket.artifacts.bucket
}

module "function" {
  source = "../../modules/function"

  name                  = var.name
  s3_bucket             = module.package.s3_bucket
  s3_key                = module.package.s3_key
  code_hash             = module.package.hash
  environment_variables = { TABLE_NAME = var.name }
  policy_statements     = [{ sid = "StoreReadings", actions = ["dynamodb:PutItem"], resources = [local.table_arn] }]
}

module "consumer" {
  source = "../../modules/stream-consumer"

  name               = var.name
  source_arn         = aws_kinesis_stream.this.arn
  function_alias_arn = module.function.alias_arn
  role_name          = module.function.role_name
}

module "redrive" {
  source = "../../modules/stream-redrive"

  name               = "${var.name}-redrive"
  artifact_bucket    = aws_s3_bucket.artifacts.bucket
  stream_arn         = aws_kinesis_stream.this.arn
  source_queue_arn   = module.consumer.on_failure_queue_arn
  visibility_timeout = module.consumer.on_failure_visibility_timeout
  target_alias_arn   = module.function.alias_arn
  durable            = false
  enabled            = var.redrive
}
