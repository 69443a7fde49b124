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
        Action   = lookup(local.read_actions, local.source_service, [])
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
        Condition = { StringEquals = { "kms:ViaService" = ["${local.source_service}.${local.region}.amazonaws.com"] } }
      }),
    ],
  )

  # A bucket's ARN names no account: should it be deleted and its name taken by another account, nothing is sent there.
  own_account = { StringEquals = { "aws:ResourceAccount" = [data.aws_caller_identity.current.account_id] } }

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
    local.destination_service == "s3" ? [
      jsonencode({
        Sid       = "WriteFailures"
        Effect    = "Allow"
        Action    = ["s3:PutObject"]
        Resource  = ["${local.destination_arn}/*"]
        Condition = local.own_account
      }),
      jsonencode({
        Sid       = "FindBucketOfFailures"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [local.destination_arn]
        Condition = local.own_account
      }),
    ] : [],
    var.destination_kms_key_arn == null ? [] : [
      jsonencode({
        Sid    = "EncryptFailures"
        Effect = "Allow"
        # SQS and SNS decrypt the data key that they share between messages.
        Action   = local.destination_service == "s3" ? ["kms:GenerateDataKey"] : ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource = [var.destination_kms_key_arn]
        Condition = {
          StringEquals = { "kms:ViaService" = ["${local.destination_service}.${local.region}.amazonaws.com"] }
        }
      }),
    ],
  )
}

locals {
  # Statements differ in shape and a list has one element type: hence the detour over their JSON.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in concat(local.source_statements, local.destination_statements) : jsondecode(statement)
    ]
  })
}

# Lambda polls, and sends what failed, with the function's own role. A policy of its own: the mapping comes and goes with
# what it needs, and whoever owns the role need not know of it.
resource "aws_iam_role_policy" "this" {
  count = var.attach_policy ? 1 : 0

  name   = "consume-${var.name}"
  role   = var.role_name
  policy = local.policy
}
