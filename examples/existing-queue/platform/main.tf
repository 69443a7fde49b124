# What is there before the pipeline comes, and stays its owners': a queue, a bucket for packages, a role.
data "aws_caller_identity" "current" {}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-gave-up"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue" "this" {
  name                       = var.name
  visibility_timeout_seconds = 120
  max_message_size           = 131072
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 5
  })
}

resource "aws_s3_bucket" "packages" {
  bucket        = "${var.name}-packages-${data.aws_caller_identity.current.account_id}"
  force_destroy = true
}

resource "aws_iam_role" "this" {
  name = "${var.name}-service"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "service"
  role   = aws_iam_role.this.name
  policy = var.role_policy
}
