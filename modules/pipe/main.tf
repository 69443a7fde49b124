data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id
  arn       = "arn:${local.partition}:pipes:${local.region}:${local.account}:pipe/${var.name}"
}

resource "aws_pipes_pipe" "this" {
  name          = var.name
  description   = var.description
  role_arn      = aws_iam_role.this.arn
  desired_state = var.desired_state

  source = var.source_queue_arn
  target = var.target_alias_arn

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

    # Explicit even where they are the API's defaults, which the provider would report as a change.
    sqs_queue_parameters {
      batch_size                         = var.batch_size
      maximum_batching_window_in_seconds = var.batching_window
    }
  }

  target_parameters {
    input_template = var.input_template

    # The pipe waits five minutes at most; an execution may take a year.
    lambda_function_parameters {
      invocation_type = "FIRE_AND_FORGET"
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

  # A pipe whose role cannot read its queue yet fails on creation.
  depends_on = [aws_iam_role_policy.this]
}
