data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # Built, so that the queues which let the rule in need not wait for it. A rule of the default bus does not name its bus.
  path = var.event_bus_name == "default" ? var.name : "${var.event_bus_name}/${var.name}"
  arn = join(":", [
    "arn", data.aws_partition.current.partition, "events", data.aws_region.current.id,
    data.aws_caller_identity.current.account_id, "rule/${local.path}",
  ])

  existing_dead_letter_arn = var.dead_letter_queue_arn == null ? "" : var.dead_letter_queue_arn
  dead_letter_arn          = var.dead_letter_queue ? one(module.dead_letter_queue[*].arn) : local.existing_dead_letter_arn

  placeholders          = flatten(regexall("<([^<>\\s]+)>", var.input_template == null ? "" : var.input_template))
  reserved_placeholders = [for what in ["event", "event.ingestion-time", "event.json", "rule-arn", "rule-name"] : "aws.events.${what}"]

  # Function and alias of arn:<partition>:lambda:<region>:<account>:function:<name>:<alias>.
  function_name = element(split(":", var.function_alias_arn), 6)
  qualifier     = element(split(":", var.function_alias_arn), 7)
}

# Events that EventBridge could not hand over. What the function fails on is the function's: its own dead-letter queue or
# destination.
module "dead_letter_queue" {
  source = "../queue"
  count  = var.dead_letter_queue ? 1 : 0

  name                      = "${var.name}-dlq"
  dead_letter_queue         = false
  event_rule_arns           = [local.arn]
  message_retention_seconds = 1209600
  kms_key_arn               = var.kms_key_arn
  tags                      = var.tags
}

resource "aws_cloudwatch_event_rule" "this" {
  name                = var.name
  description         = var.description
  event_bus_name      = var.event_bus_name
  event_pattern       = var.event_pattern
  schedule_expression = var.schedule_expression
  state               = var.enabled ? "ENABLED" : "DISABLED"
  tags                = var.tags
}

resource "aws_lambda_permission" "this" {
  statement_id  = "event-rule-${var.name}"
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  function_name = local.function_name
  qualifier     = local.qualifier
  source_arn    = local.arn
}

resource "aws_cloudwatch_event_target" "this" {
  target_id      = "function"
  rule           = aws_cloudwatch_event_rule.this.name
  event_bus_name = var.event_bus_name
  arn            = var.function_alias_arn
  input          = var.input

  dynamic "input_transformer" {
    for_each = var.input_template == null ? [] : [var.input_template]

    content {
      input_paths    = var.input_paths
      input_template = input_transformer.value
    }
  }

  retry_policy {
    maximum_event_age_in_seconds = var.maximum_event_age_seconds
    maximum_retry_attempts       = var.maximum_retry_attempts
  }

  dead_letter_config {
    arn = local.dead_letter_arn
  }

  # The rule runs from here on.
  depends_on = [aws_lambda_permission.this]
}
