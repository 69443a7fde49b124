# A durable function that the AWS provider makes itself, behind the root's queue and bridge: queue -> pipe -> function -> table.
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
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "message_id"

  attribute {
    name = "message_id"
    type = "S"
  }
}

module "package" {
  source = "../../modules/package"

  name          = var.name
  source_dir    = var.source_dir == null ? "${path.module}/src" : var.source_dir
  handler       = "handler.handler"
  pip_arguments = ["--no-deps"]
  bucket        = module.pipeline.artifact_bucket
}

module "function" {
  source = "../../modules/durable-function-native"

  name                  = var.name
  s3_bucket             = module.package.s3_bucket
  s3_key                = module.package.s3_key
  code_hash             = module.package.hash
  environment_variables = { TABLE_NAME = var.name }
  policy_statements     = [{ sid = "StoreBookings", actions = ["dynamodb:PutItem"], resources = [local.table_arn] }]
  dead_letter_queue_arn = module.pipeline.failed_queue_arn
}

# Each takes outputs of the other, and none that depends on what it gives.
module "pipeline" {
  source = "../.."

  name     = var.name
  function = module.function
}
