locals {
  statements = concat(
    [
      jsonencode({
        Sid      = "ReadQueue"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = [var.source_queue_arn]
      }),
      jsonencode({
        Sid      = "StartExecutions"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = [var.target_alias_arn]
      }),
    ],
    var.kms_key_arn == null ? [] : [
      jsonencode({
        Sid       = "ReadEncryptedMessages"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [var.kms_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = ["sqs.${local.region}.amazonaws.com"] } }
      }),
    ],
  )
}

resource "aws_iam_role" "this" {
  # Roles are global and pipes regional: with the region in its name one stack fits into several regions.
  name                 = "${var.name}-pipe-${local.region}"
  description          = "Role of the pipe ${var.name}"
  permissions_boundary = var.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pipes.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = local.account
          "aws:SourceArn"     = local.arn
        }
      }
    }]
  })

  tags = var.tags

  lifecycle {
    precondition {
      condition     = length("${var.name}-pipe-${local.region}") <= 64
      error_message = "The role name ${var.name}-pipe-${local.region} has ${length("${var.name}-pipe-${local.region}")} characters; IAM takes 64. Shorten name by ${length("${var.name}-pipe-${local.region}") - 64}."
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name = "pipe"
  role = aws_iam_role.this.name

  # Statements differ in shape and a list has one element type: hence the detour over their JSON.
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in local.statements : jsondecode(statement)]
  })
}
