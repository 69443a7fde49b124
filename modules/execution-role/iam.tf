locals {
  write_logs = {
    Sid      = "WriteLogs"
    Effect   = "Allow"
    Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    Resource = ["${local.log_group_arn}:*"]
  }

  # Authorised against the ARN of the execution, which lies below a version: the unqualified ARN never matches.
  checkpoint = {
    Sid      = "CheckpointExecutions"
    Effect   = "Allow"
    Action   = ["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"]
    Resource = ["${local.function_arn}:*"]
  }

  use_key = {
    Sid      = "UseKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [var.kms_key_arn == null ? "" : var.kms_key_arn]
    Condition = {
      StringEquals = {
        "kms:ViaService" = [for service in var.kms_services : "${service}.${local.region}.amazonaws.com"]
      }
    }
  }

  send_dead_letters = {
    Sid      = "SendDeadLetters"
    Effect   = "Allow"
    Action   = ["sqs:SendMessage"]
    Resource = [var.dead_letter_queue_arn == null ? "" : var.dead_letter_queue_arn]
  }

  own_statements = concat(
    [jsonencode(local.write_logs)],
    var.durable ? [jsonencode(local.checkpoint)] : [],
    var.kms_key_arn == null || length(var.kms_services) == 0 ? [] : [jsonencode(local.use_key)],
    var.dead_letter_queue_arn == null ? [] : [jsonencode(local.send_dead_letters)],
  )

  further_statements = [
    for statement in var.policy_statements : jsonencode(merge(
      statement.sid == null ? {} : { Sid = statement.sid },
      { Effect = statement.effect, Action = statement.actions, Resource = statement.resources },
      length(statement.conditions) == 0 ? {} : {
        Condition = {
          for operator in distinct(statement.conditions[*].test) : operator => {
            for condition in statement.conditions : condition.variable => condition.values if condition.test == operator
          }
        }
      },
    ))
  ]
}

locals {
  # Statements differ in shape and a list has one element type: hence the detour over their JSON.
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in concat(local.own_statements, local.further_statements) : jsondecode(statement)]
  })
}

# Not on a role from outside: it is others' to change.
resource "aws_iam_role_policy" "this" {
  count = var.role == null ? 1 : 0

  name   = "execution"
  role   = aws_iam_role.this[0].name
  policy = local.policy
}
