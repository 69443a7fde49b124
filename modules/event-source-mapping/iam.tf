locals {
  statements = concat(
    [
      jsonencode({
        Sid      = "ReadQueue"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = [var.source_queue_arn]
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

locals {
  # Statements differ in shape and a list has one element type: hence the detour over their JSON.
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in local.statements : jsondecode(statement)]
  })
}

# Lambda polls with the function's own role. A policy of its own: the mapping comes and goes with what it needs, and
# whoever owns the role need not know of it.
resource "aws_iam_role_policy" "this" {
  count = var.attach_policy ? 1 : 0

  name   = "read-${element(split(":", var.source_queue_arn), 5)}"
  role   = var.role_name
  policy = local.policy
}
