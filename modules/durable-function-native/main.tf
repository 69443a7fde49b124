locals {
  # Built, not read, so that a change of the code does not mark each invoker as changed too.
  arn = module.role.function_arn

  # What Lambda freezes in a version. Tags and reserved concurrency are not part of one.
  fingerprint = substr(sha256(jsonencode([
    var.name, var.runtime, var.architecture, var.handler, module.role.role_arn, var.memory_size, var.timeout,
    var.s3_bucket, var.s3_key, var.s3_object_version, var.code_hash, var.environment_variables,
    var.execution_timeout, var.retention_days, var.kms_key_arn, var.dead_letter_queue_arn, module.role.log_group_name,
    var.description,
  ])), 0, 16)
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Traces are billed by request and are no part of this module
  #checkov:skip=CKV_AWS_117:The function calls AWS APIs alone, which need no VPC
  #checkov:skip=CKV_AWS_272:Signing needs a signing profile of the account; source_code_hash ties the function to its sources
  function_name = var.name
  description   = trimspace("${var.description} [${local.fingerprint}]")
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

  # Each update publishes a version, and the provider deletes none before the function: an execution ends on the version
  # that it began on. skip_destroy is not for that: it would leave the whole function behind.
  publish                        = true
  reserved_concurrent_executions = var.reserved_concurrency

  # Both limits always: where one is left out, documents disagree about the default.
  durable_config {
    execution_timeout = var.execution_timeout
    retention_period  = var.retention_days
  }

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

  timeouts {
    # The provider stops the running executions first, one after another, and Lambda then drains the function.
    delete = "60m"
  }
}

resource "aws_lambda_alias" "this" {
  name             = "live"
  description      = "What invokers call"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}
