locals {
  # API Gateway names no source when it takes an integration's role, so a condition on aws:SourceAccount or aws:SourceArn
  # would refuse it ("does not have permission to assume the provided role"):
  # https://github.com/aws-solutions-library-samples/accelerated-intelligent-document-processing-on-aws/pull/479
  # Who configures an API with this role has to be allowed to pass it, which is of this account alone.
  trust_api_gateway = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "apigateway.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  send_statements = concat(
    [
      jsonencode({
        Sid      = "SendToQueue"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [var.queue_arn]
      }),
    ],
    # SQS decrypts the data key that it shares between messages.
    [
      for key in compact([var.queue_kms_key_arn]) : jsonencode({
        Sid       = "EncryptForQueue"
        Effect    = "Allow"
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = [key]
        Condition = { StringEquals = { "kms:ViaService" = ["sqs.${local.queue.region}.amazonaws.com"] } }
      })
    ],
  )
}

resource "aws_iam_role" "queue" {
  # Roles are global and APIs regional: with the region in its name one stack fits into several regions.
  name                 = "${var.name}-ingress-${local.region}"
  description          = "Role with which the WebSocket API ${var.name} sends to its queue"
  permissions_boundary = var.permissions_boundary
  assume_role_policy   = local.trust_api_gateway
  tags                 = var.tags
}

resource "aws_iam_role_policy" "queue" {
  name = "send"
  role = aws_iam_role.queue.name

  # Statements differ in shape and a list has one element type: hence the detour over their JSON.
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in local.send_statements : jsondecode(statement)]
  })
}
