locals {
  sample       = var.source_dir == null
  sample_steps = local.sample && var.steps == null

  # The sample bundles the durable SDK alone: the runtime ships the rest, and 19 MB more would be paid at cold starts.
  pip_arguments = concat(local.sample ? ["--no-deps"] : [], var.pip_arguments)

  # Of a durable execution's 3000 operations two are the execution's and its map's own. A message's reports take up to 7 for the
  # result, with its repetitions, and 4 for progress.
  sample_operations  = 4 + (var.reply_function_arn == null ? 0 : var.reply_progress ? 11 : 7)
  sample_batch_limit = floor((3000 - 2) / local.sample_operations)
}

module "package" {
  source = "./modules/package"

  name          = var.name
  source_dir    = local.sample ? "${path.module}/functions/pipeline" : var.source_dir
  handler       = var.handler
  runtime       = var.runtime
  architecture  = var.architecture
  pip_arguments = local.pip_arguments
  python        = var.python
  bucket        = local.artifact_bucket
  kms_key_arn   = var.kms_key_arn
}

module "function" {
  source = "./modules/durable-function"

  name              = var.name
  description       = local.sample ? "Sample pipeline: validate, transform, store" : "Durable pipeline"
  handler           = var.handler
  runtime           = var.runtime
  architecture      = var.architecture
  memory_size       = var.memory_size
  timeout           = var.timeout
  execution_timeout = local.execution_timeout
  retention_days    = var.retention_days

  s3_bucket = module.package.s3_bucket
  s3_key    = module.package.s3_key
  code_hash = module.package.hash

  environment_variables = merge(local.step_environment, local.reply_environment, var.environment_variables)
  policy_statements     = concat(local.step_statements, local.reply_statements, var.policy_statements)

  dead_letter_queue_arn = module.failed_queue.arn
  kms_key_arn           = var.kms_key_arn
  log_retention_days    = var.log_retention_days
  permissions_boundary  = var.permissions_boundary
  reserved_concurrency  = var.reserved_concurrency
  tags                  = var.tags
}

# Events whose execution was started asynchronously and ended FAILED, TIMED_OUT or STOPPED. Apart from the queue's own
# dead-letter queue, whose messages never started: the two are mended in different ways. With every bridge, also the
# mapping, behind which only an execution started by hand can fail into it: changing the bridge must not delete the queue
# with the events in it. Standard also for a FIFO source: Lambda sends to no other.
module "failed_queue" {
  source = "./modules/queue"

  name                      = "${var.name}-failed"
  dead_letter_queue         = false
  max_message_size          = coalesce(var.failed_max_message_size, local.least_failed_size)
  message_retention_seconds = 1209600
  kms_key_arn               = var.kms_key_arn
  tags                      = var.tags
}
