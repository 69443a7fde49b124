data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id

  # Built, so that a target whose policy names its rule need not wait for it.
  rule_prefix = "arn:${local.partition}:events:${local.region}:${local.account}:rule"
  rule_arns   = { for outcome in ["on_failure", "on_success"] : outcome => "${local.rule_prefix}/${local.rule_names[outcome]}" }
  rule_names  = { on_failure = "${var.name}-on-failure", on_success = "${var.name}-on-success" }
  default_bus = "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/default"

  targets = merge(
    { for target in var.on_failure[*] : "on_failure" => { type = target.type, arn = target.arn, statuses = target.statuses } },
    { for target in var.on_success[*] : "on_success" => { type = target.type, arn = target.arn, statuses = ["SUCCEEDED"] } },
  )

  # Told by the type, which every plan knows, not by the ARN, which it may not.
  functions = { for outcome, target in local.targets : outcome => target if target.type == "function" }
  buses     = { for outcome, target in local.targets : outcome => target if target.type == "bus" }
  queues    = { for outcome, target in local.targets : outcome => target if target.type == "new_queue" }

  target_arns = { for outcome, target in local.targets : outcome => target.type == "new_queue" ? module.queue[outcome].arn : target.arn }

  existing_dead_letter_arn = var.dead_letter_queue_arn == null ? "" : var.dead_letter_queue_arn
  dead_letter_arn          = var.dead_letter_queue ? one(module.dead_letter_queue[*].arn) : local.existing_dead_letter_arn
}

module "queue" {
  source   = "../queue"
  for_each = local.queues

  name                      = local.rule_names[each.key]
  dead_letter_queue         = false
  event_rule_arns           = [local.rule_arns[each.key]]
  message_retention_seconds = 1209600
  visibility_timeout        = var.visibility_timeout
  kms_key_arn               = var.kms_key_arn
  tags                      = var.tags
}

# Events that EventBridge could not deliver.
module "dead_letter_queue" {
  source = "../queue"
  count  = var.dead_letter_queue ? 1 : 0

  name                      = "${var.name}-outcomes-dlq"
  dead_letter_queue         = false
  event_rule_arns           = [for outcome in sort(keys(local.targets)) : local.rule_arns[outcome]]
  message_retention_seconds = 1209600
  kms_key_arn               = var.kms_key_arn
  tags                      = var.tags
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.targets

  name        = local.rule_names[each.key]
  description = "Durable executions of ${element(split(":", var.function_arn), 6)} that ended ${join(", ", each.value.statuses)}"

  # An event names the function by version or alias, and one name may begin with another: hence the colon.
  event_pattern = jsonencode({
    source      = ["aws.lambda"]
    detail-type = ["Durable Execution Status Change"]
    detail = {
      functionArn = [{ prefix = "${var.function_arn}:" }]
      status      = each.value.statuses
    }
  })

  tags = var.tags
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.targets

  # One name whatever the type: a target of another takes its place at once, without a gap.
  target_id = "target"
  rule      = aws_cloudwatch_event_rule.this[each.key].name
  arn       = local.target_arns[each.key]
  role_arn  = each.value.type == "bus" ? aws_iam_role.this[0].arn : null

  # A bus takes events, not texts: it gets the event as it is.
  dynamic "input_transformer" {
    for_each = each.value.type == "bus" ? [] : [local.record]

    content {
      input_paths    = local.record_paths
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

  lifecycle {
    precondition {
      condition     = !startswith(local.target_arns[each.key], "${var.function_arn}:")
      error_message = "The target of ${each.key} is the function itself: each outcome would start an execution, and bring another outcome. Give another function."
    }

    precondition {
      condition     = local.target_arns[each.key] != local.default_bus
      error_message = "The target of ${each.key} is the default bus, from which its events come: each would be sent again, without end. Give another bus."
    }
  }

  # The rule runs from here on. A role without its policy, or a function that lets no one in, would lose the first events.
  depends_on = [aws_iam_role_policy.this, aws_lambda_permission.this]
}
