# Backlog protection: messages that are too old when the dispatcher gets them go to a queue of their own, which comes to the same
# function through a mapping of its own. The function knows them by their queue, and starts them no faster than it is told.
locals {
  sideline = var.sideline == null ? [] : [var.sideline]

  # Each of the mapping's concurrent invocations starts its messages so far apart that together they keep the rate.
  start_seconds = one([for sideline in local.sideline : sideline.maximum_concurrency / sideline.starts_per_second])

  # A start may take 11 s, and 2 are to spare; what is left of an invocation is for the pauses.
  pacing_seconds     = var.timeout - 13
  backlog_batch_size = one([for seconds in local.start_seconds[*] : max(1, min(10, floor(local.pacing_seconds / seconds)))])

  # Six times the function's timeout, as AWS advises, and no window.
  backlog_visibility_timeout = 6 * var.timeout

  sideline_environment = merge([
    for sideline in local.sideline : {
      BACKLOG_QUEUE_ARN     = module.backlog[0].arn
      BACKLOG_QUEUE_URL     = module.backlog[0].url
      BACKLOG_START_SECONDS = tostring(local.start_seconds)
      MAX_AGE_SECONDS       = tostring(sideline.max_age_seconds)
    }
  ]...)

  sideline_statements = concat(
    [for backlog in module.backlog : {
      sid        = "SendToBacklog"
      actions    = ["sqs:SendMessage"]
      resources  = [backlog.arn]
      conditions = []
    }],
    # SQS decrypts the data key that it shares between messages.
    [for key in var.sideline == null ? [] : compact([var.kms_key_arn]) : {
      sid       = "EncryptForBacklog"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [key]
      conditions = [
        { test = "StringEquals", variable = "kms:ViaService", values = ["sqs.${data.aws_region.current.id}.amazonaws.com"] },
      ]
    }],
  )
}

module "backlog" {
  source = "../queue"
  count  = length(local.sideline)

  name                      = "${element(split(":", var.source_queue_arn), 5)}-backlog"
  max_message_size          = var.sideline.max_message_size
  max_receive_count         = var.sideline.max_receive_count
  message_retention_seconds = var.sideline.message_retention_seconds
  visibility_timeout        = local.backlog_visibility_timeout
  kms_key_arn               = var.kms_key_arn
  tags                      = var.tags
}

module "backlog_mapping" {
  source = "../event-source-mapping"
  count  = length(local.sideline)

  function_alias_arn = module.function.alias_arn
  function_timeout   = var.timeout
  role_name          = module.function.role_name
  source_queue_arn   = module.backlog[0].arn
  visibility_timeout = local.backlog_visibility_timeout
  enabled            = var.enabled

  batch_size                 = local.backlog_batch_size
  report_batch_item_failures = true

  # No filter patterns: what is here has passed them.
  maximum_concurrency = var.sideline.maximum_concurrency
  metrics             = var.metrics
  kms_key_arn         = var.kms_key_arn
  tags                = var.tags
}
