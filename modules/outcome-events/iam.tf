locals {
  # Existing queues and topics have policies of their own, which their owner writes: this is what those must hold. EventBridge
  # tells a topic no source, so a condition there would refuse everything:
  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
  queue_statements = {
    for outcome, target in local.targets : outcome => jsonencode({
      Sid       = outcome == "on_failure" ? "AllowOutcomesOfFailure" : "AllowOutcomesOfSuccess"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = target.arn
      Condition = { ArnEquals = { "aws:SourceArn" = local.rule_arns[outcome] } }
    }) if target.type == "queue"
  }
  topic_statements = {
    for outcome, target in local.targets : outcome => jsonencode({
      Sid       = outcome == "on_failure" ? "AllowOutcomesOfFailure" : "AllowOutcomesOfSuccess"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = target.arn
    }) if target.type == "topic"
  }
}

resource "aws_lambda_permission" "this" {
  for_each = local.functions

  statement_id  = local.rule_names[each.key]
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  function_name = element(split(":", each.value.arn), 6)
  qualifier     = element(split(":", each.value.arn), 7)
  source_arn    = local.rule_arns[each.key]
}

# Queues, topics and functions let a rule in by their own policies; to a bus the rule goes with a role.
resource "aws_iam_role" "this" {
  count = length(local.buses) == 0 ? 0 : 1

  # Roles are global and rules regional: with the region in its name one stack fits into several regions.
  name                 = "${var.name}-outcomes-${local.region}"
  description          = "Role of the rules ${join(", ", [for outcome in keys(local.buses) : local.rule_names[outcome]])}"
  permissions_boundary = var.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnEquals    = { "aws:SourceArn" = [for outcome in keys(local.buses) : local.rule_arns[outcome]] }
      }
    }]
  })

  tags = var.tags

  lifecycle {
    precondition {
      condition     = length("${var.name}-outcomes-${local.region}") <= 64
      error_message = "The role name ${var.name}-outcomes-${local.region} has ${length("${var.name}-outcomes-${local.region}")} characters; IAM takes 64. Shorten name by ${length("${var.name}-outcomes-${local.region}") - 64}."
    }
  }
}

resource "aws_iam_role_policy" "this" {
  count = length(local.buses) == 0 ? 0 : 1

  name = "outcomes"
  role = aws_iam_role.this[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "PutOutcomes"
      Effect   = "Allow"
      Action   = ["events:PutEvents"]
      Resource = distinct([for target in local.buses : target.arn])
    }]
  })
}
