module "queue" {
  source = "./modules/queue"

  name                      = var.name
  fifo                      = var.fifo
  max_message_size          = var.max_message_size
  max_receive_count         = var.max_receive_count
  message_retention_seconds = var.message_retention_seconds
  visibility_timeout        = var.visibility_timeout
  kms_key_arn               = var.kms_key_arn
  tags                      = var.tags
}

module "pipe" {
  source = "./modules/pipe"
  count  = var.bridge == "pipe" ? 1 : 0

  name                 = var.name
  source_queue_arn     = module.queue.arn
  target_alias_arn     = module.function.alias_arn
  batch_size           = var.batch_size
  batching_window      = var.batching_window
  filter_patterns      = var.filter_patterns
  max_message_size     = var.max_message_size
  log_level            = var.pipe_log_level
  log_retention_days   = var.log_retention_days
  kms_key_arn          = var.kms_key_arn
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}
