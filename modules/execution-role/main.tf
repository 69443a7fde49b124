data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id

  # Roles are global and functions regional: with the region in its name one stack fits into several regions.
  role_name      = "${var.function_name}-${local.region}"
  log_group_name = "/aws/lambda/${var.function_name}"
  log_group_arn  = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group_name}"
  function_arn   = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.function_name}"
}

resource "aws_iam_role" "this" {
  count = var.role == null ? 1 : 0

  name                 = local.role_name
  description          = "Execution role of the Lambda function ${var.function_name}"
  permissions_boundary = var.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  tags = var.tags

  lifecycle {
    precondition {
      condition     = length(local.role_name) <= 64
      error_message = "The role name ${local.role_name} has ${length(local.role_name)} characters; IAM takes 64. Shorten the name by ${length(local.role_name) - 64}."
    }
  }
}

# Created here, not by Lambda on first use, so that retention, key and removal are under Terraform.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is an input, log_retention_days
  name              = local.log_group_name
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}
