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

  name                    = var.name
  queue_arn               = module.orders.queue_arn
  client_id_from          = "query"
  artifact_bucket         = module.orders.artifact_bucket
  create_account_log_role = var.create_account_log_role
}
