locals {
  deny_plain_http = {
    Sid       = "DenyPlainHttp"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }

  # EventBridge sends as itself, so the queue's own policy has to let it in, for these rules alone:
  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
  allow_event_rules = {
    Sid       = "AllowEventRules"
    Effect    = "Allow"
    Principal = { Service = "events.amazonaws.com" }
    Action    = "sqs:SendMessage"
    Resource  = local.arn
    Condition = { ArnEquals = { "aws:SourceArn" = var.event_rule_arns } }
  }

  statements = concat(
    [jsonencode(merge(local.deny_plain_http, { Resource = local.arn }))],
    length(var.event_rule_arns) == 0 ? [] : [jsonencode(local.allow_event_rules)],
  )

  # Statements differ in shape and a list has one element type: hence the detour over their JSON.
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in local.statements : jsondecode(statement)]
  })
  dead_letter_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [merge(local.deny_plain_http, { Resource = local.dead_letter_arn })]
  })
}
