data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id

  # Built: the policy names the topic that it belongs to, and the alarms come after it.
  alarm_arn = "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.name}"
  topic_arn = "arn:${local.partition}:sns:${local.region}:${local.account}:${var.name}-alarms"
  actions   = var.alarm_actions == null ? aws_sns_topic.this[*].arn : var.alarm_actions
}

resource "aws_sns_topic" "this" {
  #checkov:skip=CKV_AWS_26:Encrypted with kms_key_arn when given; CloudWatch may not use the key that SNS manages
  count = var.alarm_actions == null ? 1 : 0

  name              = "${var.name}-alarms"
  display_name      = "Alarms of ${var.name}"
  kms_master_key_id = var.kms_key_arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AllowAlarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = [local.alarm_arn, "${local.alarm_arn}-*"] }
        }
      },
      {
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })

  tags = var.tags
}
