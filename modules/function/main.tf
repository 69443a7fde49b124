locals {
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
