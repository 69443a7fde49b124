locals {
  regional_arn = join(":", [
    "arn", data.aws_partition.current.partition, "%s", data.aws_region.current.id, data.aws_caller_identity.current.account_id,
  ])
  rule_arns_of_outcomes = {
    for outcome in ["on_failure", "on_success"] :
    outcome => "${format(local.regional_arn, "events")}:rule/${var.name}-${replace(outcome, "_", "-")}"
  }
}

# Records of how executions ended: durable functions have no destinations on AWS, but events. The function's ARN is built, for
# the rules need not wait for the function: they should be there before the first execution ends.
module "outcomes" {
  source = "./modules/outcome-events"
  count  = var.on_failure == null && var.on_success == null ? 0 : 1

  name                 = var.name
  function_arn         = var.function != null ? var.function.arn : "${format(local.regional_arn, "lambda")}:function:${var.name}"
  on_failure           = var.on_failure
  on_success           = var.on_success
  kms_key_arn          = var.kms_key_arn
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}
