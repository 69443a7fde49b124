# Settled payments: Kinesis stream -> pipe, which leaves the card out -> function -> table.
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
  shard_count      = 2
  retention_period = 24
  encryption_type  = "KMS"
  kms_key_id       = "alias/aws/kinesis"
}

resource "aws_dynamodb_table" "this" {
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "account"
  range_key    = "sequence_number"

  attribute {
    name = "account"
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
  source_dir = "${path.module}/src"
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
  policy_statements     = [{ sid = "BookPayments", actions = ["dynamodb:PutItem"], resources = [local.table_arn] }]
}

module "pipe" {
  source = "../../modules/stream-pipe"

  name               = var.name
  source_type        = "kinesis"
  source_arn         = aws_kinesis_stream.this.arn
  function_alias_arn = module.function.alias_arn
  filter_patterns    = [jsonencode({ data = { status = ["settled"] } })]

  # All that the function gets to see of a payment. In quotes, so that it is JSON also where there is no amount.
  input_template = <<-JSON
    {
      "eventID": "<$.eventID>",
      "partitionKey": "<$.partitionKey>",
      "sequenceNumber": "<$.sequenceNumber>",
      "amount": "<$.data.amount>"
    }
  JSON
}
