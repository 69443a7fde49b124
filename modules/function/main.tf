data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id

  # Built, so that a change of the code does not make every invoker's plan wait for it.
  arn = module.role.function_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Traces are billed by request and are no part of this module
  #checkov:skip=CKV_AWS_117:The function calls AWS APIs alone, which need no VPC
  #checkov:skip=CKV_AWS_272:Signing needs a signing profile of the account; source_code_hash ties the function to its sources
  function_name = var.name
  description   = var.description
  role          = module.role.role_arn

  runtime       = var.runtime
  architectures = [var.architecture]
  handler       = var.handler
  memory_size   = var.memory_size
  timeout       = var.timeout
  kms_key_arn   = var.kms_key_arn

  s3_bucket         = var.s3_bucket
  s3_key            = var.s3_key
  s3_object_version = var.s3_object_version
  source_code_hash  = var.code_hash

  # Old versions stay until the function goes: what was started on them ends on them.
  publish                        = true
  reserved_concurrent_executions = var.reserved_concurrency

  dynamic "environment" {
    for_each = length(var.environment_variables) == 0 ? [] : [var.environment_variables]

    content {
      variables = environment.value
    }
  }

  dynamic "dead_letter_config" {
    for_each = var.dead_letter_queue_arn == null ? [] : [var.dead_letter_queue_arn]

    content {
      target_arn = dead_letter_config.value
    }
  }

  logging_config {
    log_format            = "JSON"
    log_group             = module.role.log_group_name
    application_log_level = "INFO"
    system_log_level      = "INFO"
  }

  tags = var.tags
}

resource "aws_lambda_alias" "this" {
  name             = "live"
  description      = "What invokers call"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

# Always there, with its limits told: whether it has destinations may be unknown to the plan, whether it exists may not.
# Of the alias, since that is what invokers call: settings of the function itself do not count there.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.this.name

  maximum_event_age_in_seconds = var.maximum_event_age_seconds
  maximum_retry_attempts       = var.maximum_retry_attempts

  dynamic "destination_config" {
    for_each = length(local.destinations) == 0 ? [] : [local.destinations]

    content {
      dynamic "on_failure" {
        for_each = var.on_failure_destination_arn == null ? [] : [var.on_failure_destination_arn]

        content {
          destination = on_failure.value
        }
      }

      dynamic "on_success" {
        for_each = var.on_success_destination_arn == null ? [] : [var.on_success_destination_arn]

        content {
          destination = on_success.value
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = alltrue([for destination in local.destinations : !startswith(destination.arn, "${local.arn}:")])
      error_message = "A destination of ${var.name} is ${var.name} itself: each record would invoke it again, and bring another record. Give another function."
    }
  }

  # Lambda refuses a destination to which the role may not send yet.
  depends_on = [module.role]
}
