data "aws_region" "current" {}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn = var.source_queue_arn
  function_name    = var.function_alias_arn
  enabled          = var.enabled

  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batching_window
  function_response_types            = var.report_batch_item_failures ? ["ReportBatchItemFailures"] : null
  kms_key_arn                        = var.filter_kms_key_arn

  dynamic "filter_criteria" {
    for_each = length(var.filter_patterns) == 0 ? [] : [var.filter_patterns]

    content {
      dynamic "filter" {
        for_each = filter_criteria.value

        content {
          pattern = filter.value
        }
      }
    }
  }

  dynamic "scaling_config" {
    for_each = var.maximum_concurrency == null ? [] : [var.maximum_concurrency]

    content {
      maximum_concurrency = scaling_config.value
    }
  }

  dynamic "provisioned_poller_config" {
    for_each = local.provisioned ? [{ minimum = local.minimum_pollers, maximum = local.maximum_pollers }] : []

    content {
      minimum_pollers = provisioned_poller_config.value.minimum
      maximum_pollers = provisioned_poller_config.value.maximum
    }
  }

  dynamic "metrics_config" {
    for_each = var.metrics ? [["EventCount"]] : []

    content {
      metrics = metrics_config.value
    }
  }

  tags = var.tags

  # Lambda refuses a mapping whose function cannot read the queue yet.
  depends_on = [aws_iam_role_policy.this]
}

locals {
  region = data.aws_region.current.id

  # Both are given: the provider would report Lambda's own choice as a change.
  provisioned     = var.minimum_pollers != null || var.maximum_pollers != null
  minimum_pollers = var.minimum_pollers == null ? 2 : var.minimum_pollers
  maximum_pollers = var.maximum_pollers == null ? max(200, local.minimum_pollers) : var.maximum_pollers

  fifo = endswith(var.source_queue_arn, ".fifo")

  # AWS advises six times the function's timeout, so that throttled batches can be retried. A durable function keeps its
  # messages for the whole execution, however short its invocations; the margin is what Lambda itself adds to a window.
  invocation_seconds     = 6 * var.function_timeout + var.batching_window
  execution_seconds      = var.execution_timeout == null ? 0 : var.execution_timeout + var.batching_window + 30
  least_visibility       = max(local.invocation_seconds, local.execution_seconds)
  least_visibility_terms = local.invocation_seconds >= local.execution_seconds ? "6 x function_timeout (${var.function_timeout}) + batching_window (${var.batching_window})" : "execution_timeout (${var.execution_timeout == null ? 0 : var.execution_timeout}) + batching_window (${var.batching_window}) + 30"
}
