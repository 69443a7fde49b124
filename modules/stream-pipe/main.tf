data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id
  arn       = "arn:${local.partition}:pipes:${local.region}:${local.account}:pipe/${var.name}"

  dynamodb   = var.source_type == "dynamodb"
  consumer   = strcontains(var.source_arn, "/consumer/")
  stream_arn = element(split("/consumer/", var.source_arn), 0)

  # Told without the destination's ARN, which the plan may not know yet: whether the pipe has the block, it has to know.
  discards                 = !var.on_failure_queue && var.allow_discarding_failures
  existing_destination_arn = var.on_failure_destination_arn == null ? "" : var.on_failure_destination_arn
  destination_arn          = var.on_failure_queue ? one(module.on_failure_queue[*].arn) : local.existing_destination_arn
  destination_service      = element(split(":", local.destination_arn), 2)
  destination_arns         = local.discards ? [] : [local.destination_arn]

  on_partial_batch_item_failure = var.bisect_on_partial_failure ? "AUTOMATIC_BISECT" : null
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

resource "aws_pipes_pipe" "this" {
  name          = var.name
  description   = var.description
  role_arn      = aws_iam_role.this.arn
  desired_state = var.desired_state

  source = var.source_arn
  target = var.function_alias_arn

  source_parameters {
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

    # Explicit even where they are the API's defaults: an update sends 0 for what is left out, and the API refuses it.
    dynamic "kinesis_stream_parameters" {
      for_each = local.dynamodb ? [] : [var.starting_position]

      content {
        starting_position                  = kinesis_stream_parameters.value
        starting_position_timestamp        = var.starting_position_timestamp
        batch_size                         = var.batch_size
        maximum_batching_window_in_seconds = var.batching_window
        maximum_record_age_in_seconds      = var.maximum_record_age_seconds
        maximum_retry_attempts             = var.maximum_retry_attempts
        on_partial_batch_item_failure      = local.on_partial_batch_item_failure
        parallelization_factor             = var.parallelization_factor

        dynamic "dead_letter_config" {
          for_each = local.destination_arns

          content {
            arn = dead_letter_config.value
          }
        }
      }
    }

    dynamic "dynamodb_stream_parameters" {
      for_each = local.dynamodb ? [var.starting_position] : []

      content {
        starting_position                  = dynamodb_stream_parameters.value
        batch_size                         = var.batch_size
        maximum_batching_window_in_seconds = var.batching_window
        maximum_record_age_in_seconds      = var.maximum_record_age_seconds
        maximum_retry_attempts             = var.maximum_retry_attempts
        on_partial_batch_item_failure      = local.on_partial_batch_item_failure
        parallelization_factor             = var.parallelization_factor

        dynamic "dead_letter_config" {
          for_each = local.destination_arns

          content {
            arn = dead_letter_config.value
          }
        }
      }
    }
  }

  target_parameters {
    input_template = var.input_template

    # A stream is read in order, so the pipe waits; only then it learns what failed.
    lambda_function_parameters {
      invocation_type = "REQUEST_RESPONSE"
    }
  }

  dynamic "log_configuration" {
    for_each = aws_cloudwatch_log_group.this

    content {
      level = var.log_level

      cloudwatch_logs_log_destination {
        log_group_arn = log_configuration.value.arn
      }
    }
  }

  tags = var.tags

  # A pipe whose role cannot read its stream or reach its queue yet fails on creation.
  depends_on = [aws_iam_role_policy.this]
}
