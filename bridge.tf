locals {
  # A pipe's batch is one execution, which fails with any of its messages. A mapping's batch is one execution as well, but
  # its failed messages return alone; the dispatcher starts an execution for each. For both, ten is what one receive brings.
  # In a FIFO group what is behind a failure returns with it: alone in its batch, a message keeps its receives to itself,
  # and does not follow another one into the dead-letter queue without having run.
  batch_size = var.batch_size != null ? var.batch_size : var.bridge == "pipe" || var.fifo ? 1 : 10

  dispatcher_timeout = 30

  # How long a message has to stay hidden, so that it is not delivered again while it is being handed over: six times the
  # time that this may take, as AWS advises, and the window in which its batch is collected. A pipe is given 10 s for its
  # call. Behind a mapping the message stays for the whole execution, and 30 s more, as Lambda itself adds to a window.
  visibility_terms = {
    pipe       = "60 + batching_window (${var.batching_window}), since the pipe collects its batch and makes a call"
    esm        = "6 x timeout (${local.timeout}) + batching_window (${var.batching_window}), and execution_timeout (${local.execution_timeout}) + batching_window + 30, since the mapping waits for the whole execution"
    dispatcher = "6 x ${local.dispatcher_timeout} (the dispatcher's timeout) + batching_window (${var.batching_window})"
  }
  least_visibility_timeout = lookup({
    pipe       = 60 + var.batching_window
    esm        = max(6 * local.timeout, local.execution_timeout + 30) + var.batching_window
    dispatcher = 6 * local.dispatcher_timeout + var.batching_window
  }, var.bridge, 0)
  visibility_timeout = var.queue != null ? var.queue.visibility_timeout : var.visibility_timeout != null ? var.visibility_timeout : local.least_visibility_timeout

  # What a failed execution leaves in <name>-failed: the messages that it started with, each with an envelope of 2048 bytes,
  # and 2048 for the attributes in which Lambda tells the error (1 KB of its message). A larger event is lost. Whether the
  # provider knows queues of 1 MiB (6.8) a source above 262144 bytes shows.
  failed_messages   = var.bridge == "pipe" ? local.batch_size : 1
  failed_event_size = local.failed_messages * (var.max_message_size + 2048) + 2048
  least_failed_size = var.max_message_size > 262144 ? 1048576 : 262144

  # The backlog queue is as the queue. A message that steps aside gets a new time, so its life there is counted anew.
  sideline = var.sideline == null ? null : merge(var.sideline, {
    max_message_size          = var.max_message_size
    max_receive_count         = var.max_receive_count
    message_retention_seconds = coalesce(var.sideline.message_retention_seconds, var.message_retention_seconds)
  })
}

locals {
  # Of this module or from outside: what is wired to it need not know.
  queue = var.queue != null ? {
    arn              = var.queue.arn
    url              = var.queue.url
    name             = element(split(":", var.queue.arn), 5)
    dead_letter_arn  = var.queue.dead_letter_queue_arn
    dead_letter_url  = var.queue.dead_letter_queue_url
    dead_letter_name = element(split(":", var.queue.dead_letter_queue_arn), 5)
    } : {
    arn              = one(module.queue[*].arn)
    url              = one(module.queue[*].url)
    name             = one(module.queue[*].name)
    dead_letter_arn  = one(module.queue[*].dead_letter_arn)
    dead_letter_url  = one(module.queue[*].dead_letter_url)
    dead_letter_name = one(module.queue[*].dead_letter_name)
  }

  # What would be ignored beside a queue from outside; the backlog queue of `sideline` has these two as well.
  inputs_of_own_queue = [
    for input, given in {
      max_receive_count         = var.max_receive_count != 5 && var.sideline == null
      message_retention_seconds = var.message_retention_seconds != 345600 && var.sideline == null
      visibility_timeout        = var.visibility_timeout != null
    } : input if given
  ]
}

module "queue" {
  source = "./modules/queue"
  count  = var.queue == null ? 1 : 0

  name                      = var.name
  fifo                      = var.fifo
  max_message_size          = var.max_message_size
  max_receive_count         = var.max_receive_count
  message_retention_seconds = var.message_retention_seconds
  visibility_timeout        = local.visibility_timeout
  kms_key_arn               = var.kms_key_arn
  tags                      = var.tags
}

module "pipe" {
  source = "./modules/pipe"
  count  = var.bridge == "pipe" ? 1 : 0

  name                 = var.name
  source_queue_arn     = local.queue.arn
  target_alias_arn     = local.function.alias_arn
  desired_state        = var.bridge_enabled ? "RUNNING" : "STOPPED"
  batch_size           = local.batch_size
  batching_window      = var.batching_window
  filter_patterns      = var.filter_patterns
  max_message_size     = var.max_message_size
  log_level            = var.pipe_log_level
  log_retention_days   = var.log_retention_days
  kms_key_arn          = var.kms_key_arn
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

module "event_source_mapping" {
  source = "./modules/event-source-mapping"
  count  = var.bridge == "esm" ? 1 : 0

  source_queue_arn   = local.queue.arn
  visibility_timeout = local.visibility_timeout
  function_alias_arn = local.function.alias_arn
  function_timeout   = local.timeout
  execution_timeout  = local.execution_timeout
  role_name          = local.function.role_name
  attach_policy      = local.function.role_managed
  # A function of this module may use the key through SQS already, for its dead letters.
  kms_key_arn         = var.function == null ? null : var.kms_key_arn
  enabled             = var.bridge_enabled
  batch_size          = local.batch_size
  batching_window     = var.batching_window
  filter_patterns     = var.filter_patterns
  filter_kms_key_arn  = length(var.filter_patterns) == 0 ? null : var.kms_key_arn
  maximum_concurrency = var.maximum_concurrency
  metrics             = var.observability
  tags                = var.tags
}

module "dispatcher" {
  source = "./modules/dispatcher"
  count  = var.bridge == "dispatcher" ? 1 : 0

  name                 = "${var.name}-dispatcher"
  source_queue_arn     = local.queue.arn
  visibility_timeout   = local.visibility_timeout
  target_alias_arn     = local.function.alias_arn
  enabled              = var.bridge_enabled
  batch_size           = local.batch_size
  batching_window      = var.batching_window
  filter_patterns      = var.filter_patterns
  maximum_concurrency  = var.maximum_concurrency
  metrics              = var.observability
  sideline             = local.sideline
  timeout              = local.dispatcher_timeout
  runtime              = var.runtime
  architecture         = var.architecture
  python               = var.python
  artifact_bucket      = local.artifact_bucket
  log_retention_days   = var.log_retention_days
  kms_key_arn          = var.kms_key_arn
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

locals {
  # By index: a splat over a module waits for all of its outputs, so for the function, whose role is to have this first.
  required_policies = concat(
    var.function == null ? [module.function[0].required_policy] : [],
    var.bridge == "esm" ? [module.event_source_mapping[0].required_policy] : [],
  )
}
