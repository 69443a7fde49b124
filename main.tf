locals {
  sample       = var.source_dir == null && var.function == null
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
  count  = var.function == null ? 1 : 0

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
  count  = var.function == null ? 1 : 0

  name              = var.name
  description       = local.sample ? "Sample pipeline: validate, transform, store" : "Durable pipeline"
  handler           = var.handler
  runtime           = var.runtime
  architecture      = var.architecture
  memory_size       = var.memory_size
  timeout           = var.timeout
  execution_timeout = local.execution_timeout
  retention_days    = var.retention_days

  s3_bucket = module.package[0].s3_bucket
  s3_key    = module.package[0].s3_key
  code_hash = module.package[0].hash

  environment_variables = merge(local.step_environment, local.reply_environment, var.environment_variables)
  policy_statements     = concat(local.step_statements, local.reply_statements, var.policy_statements)

  dead_letter_queue_arn = module.failed_queue.arn
  kms_key_arn           = var.kms_key_arn
  log_retention_days    = var.log_retention_days
  permissions_boundary  = var.role == null ? var.permissions_boundary : null
  reserved_concurrency  = var.reserved_concurrency
  role                  = var.role
  tags                  = var.tags
}

locals {
  # Of this module or from outside: what is wired to it need not know.
  function = var.function != null ? var.function : {
    alias_arn             = one(module.function[*].alias_arn)
    arn                   = one(module.function[*].arn)
    dead_letter_queue_arn = module.failed_queue.arn
    execution_timeout     = local.execution_timeout
    log_group_name        = one(module.function[*].log_group_name)
    name                  = one(module.function[*].name)
    reserved_concurrency  = var.reserved_concurrency
    role_managed          = var.role == null
    role_name             = one(module.function[*].role_name)
    timeout               = local.timeout
    version               = one(module.function[*].version)
  }

  # Apart from `function`, for checks of variables on which the function itself depends.
  timeout           = var.function != null ? var.function.timeout : var.timeout
  execution_timeout = var.function != null ? var.function.execution_timeout : var.execution_timeout != null ? var.execution_timeout : var.bridge == "esm" ? 900 : 86400

  # What would be ignored beside a function from outside, by the names of the inputs that are given.
  inputs_of_own_function = [
    for input, given in {
      environment_variables = length(var.environment_variables) > 0
      execution_timeout     = var.execution_timeout != null
      handler               = var.handler != "handler.handler"
      memory_size           = var.memory_size != 256
      pip_arguments         = length(var.pip_arguments) > 0
      policy_statements     = length(var.policy_statements) > 0
      reply_function_arn    = var.reply_function_arn != null
      reserved_concurrency  = var.reserved_concurrency != -1
      retention_days        = var.retention_days != 14
      role                  = var.role != null
      source_dir            = var.source_dir != null
      steps                 = var.steps != null
      timeout               = var.timeout != 60
    } : input if given
  ]
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
