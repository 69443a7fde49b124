data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  region = data.aws_region.current.id

  # The ARN of a stream that this apply creates is unknown to the plan. So what it tells goes into values alone, never into
  # whether something is created.
  source_service = element(split(":", var.source_arn), 2)
  dynamodb       = local.source_service == "dynamodb"
  consumer       = strcontains(var.source_arn, "/consumer/")
  stream_arn     = element(split("/consumer/", var.source_arn), 0)

  # Known to every plan: without a queue there is an existing destination, unless failures may be discarded.
  destination              = var.on_failure_queue || !var.allow_discarding_failures
  existing_destination_arn = var.on_failure_destination_arn == null ? "" : var.on_failure_destination_arn
  destination_arn          = var.on_failure_queue ? one(module.on_failure_queue[*].arn) : local.existing_destination_arn
  destination_service      = element(split(":", local.destination_arn), 2)
}

module "on_failure_queue" {
  source = "../queue"
  count  = var.on_failure_queue ? 1 : 0

  name = "${var.name}-failed"
  # As long as a dead-letter queue that keeps longer, as it must, allows: SQS ends at 14 days.
  message_retention_seconds = 1123200
  visibility_timeout        = var.on_failure_visibility_timeout
  kms_key_arn               = var.destination_kms_key_arn
  tags                      = var.tags
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn = var.source_arn
  function_name    = var.function_alias_arn
  enabled          = var.enabled

  starting_position           = var.starting_position
  starting_position_timestamp = var.starting_position_timestamp

  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batching_window
  parallelization_factor             = var.parallelization_factor
  tumbling_window_in_seconds         = var.tumbling_window_seconds
  function_response_types            = var.report_batch_item_failures ? ["ReportBatchItemFailures"] : null
  kms_key_arn                        = var.filter_kms_key_arn

  bisect_batch_on_function_error = var.bisect_batch_on_function_error
  maximum_record_age_in_seconds  = var.maximum_record_age_seconds
  maximum_retry_attempts         = var.maximum_retry_attempts

  dynamic "destination_config" {
    for_each = local.destination ? [local.destination_arn] : []

    content {
      on_failure {
        destination_arn = destination_config.value
      }
    }
  }

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

  dynamic "metrics_config" {
    for_each = var.metrics ? [["EventCount"]] : []

    content {
      metrics = metrics_config.value
    }
  }

  tags = var.tags

  # Lambda refuses a mapping whose function cannot read the stream or reach the destination yet.
  depends_on = [aws_iam_role_policy.this]
}
