locals {
  read_actions = {
    kinesis = [
      "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator",
      "kinesis:ListShards",
    ]
    dynamodb = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
  }

  source_statements = concat(
    [
      jsonencode({
        Sid      = "ReadStream"
        Effect   = "Allow"
        Action   = lookup(local.read_actions, var.source_type, [])
        Resource = [local.stream_arn]
      }),
    ],
    # Retries of a batch read the stream itself, so a consumer needs both.
    local.consumer ? [
      jsonencode({
        Sid      = "SubscribeToShards"
        Effect   = "Allow"
        Action   = ["kinesis:SubscribeToShard"]
        Resource = [var.source_arn]
      }),
    ] : [],
    # Asked on the streams of a table, not on one of them.
    local.dynamodb ? [
      jsonencode({
        Sid      = "ListStreams"
        Effect   = "Allow"
        Action   = ["dynamodb:ListStreams"]
        Resource = ["${element(split("/stream/", var.source_arn), 0)}/stream/*"]
      }),
    ] : [],
    var.kms_key_arn == null ? [] : [
      jsonencode({
        Sid       = "ReadEncryptedRecords"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [var.kms_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = ["${var.source_type}.${local.region}.amazonaws.com"] } }
      }),
    ],
  )

  target_statements = [
    jsonencode({
      Sid      = "InvokeFunction"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [var.function_alias_arn]
    }),
  ]

  destination_statements = concat(
    local.destination_service == "sqs" ? [
      jsonencode({
        Sid      = "SendFailures"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [local.destination_arn]
      }),
    ] : [],
    local.destination_service == "sns" ? [
      jsonencode({
        Sid      = "PublishFailures"
        Effect   = "Allow"
        Action   = ["sns:Publish"]
        Resource = [local.destination_arn]
      }),
    ] : [],
    var.destination_kms_key_arn == null ? [] : [
      jsonencode({
        Sid    = "EncryptFailures"
        Effect = "Allow"
        # SQS and SNS decrypt the data key that they share between messages.
        Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource = [var.destination_kms_key_arn]
        Condition = {
          StringEquals = { "kms:ViaService" = ["${local.destination_service}.${local.region}.amazonaws.com"] }
        }
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
    Version = "2012-10-17"
    Statement = [
      for statement in concat(local.source_statements, local.target_statements, local.destination_statements) :
      jsondecode(statement)
    ]
  })
}
