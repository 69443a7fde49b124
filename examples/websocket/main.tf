# Orders over a WebSocket: client -> API -> FIFO queue -> durable function -> steps, and each step's news back to the client.
module "orders" {
  source = "../.."

  name               = var.name
  fifo               = true
  bridge             = "esm"
  reply_function_arn = module.ingress.reply_function_arn
  observability      = var.observability
}

module "ingress" {
  source = "../../modules/websocket-ingress"

  name                        = var.name
  queue_arn                   = module.orders.queue_arn
  authorization               = "CUSTOM"
  authorizer_function_arn     = module.authorizer.alias_arn
  authorizer_identity_sources = ["route.request.querystring.client_id"]
  client_id_from              = "authorizer"
  artifact_bucket             = module.orders.artifact_bucket
  create_account_log_role     = var.create_account_log_role
}

module "authorizer_package" {
  source = "../../modules/package"

  name       = "${var.name}-authorizer"
  source_dir = "${path.module}/src/authorizer"
  handler    = "handler.handler"
  bucket     = module.orders.artifact_bucket
}

module "authorizer" {
  source = "../../modules/function"

  name      = "${var.name}-authorizer"
  s3_bucket = module.authorizer_package.s3_bucket
  s3_key    = module.authorizer_package.s3_key
  code_hash = module.authorizer_package.hash
  timeout   = 10
}
