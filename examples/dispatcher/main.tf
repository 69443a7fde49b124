# Renewals, held for a month: queue -> dispatcher -> durable sample pipeline -> table. A message is one execution.
module "renewals" {
  source = "../.."

  name                  = var.name
  bridge                = "dispatcher"
  execution_timeout     = 45 * 86400
  environment_variables = { HOLD_SECONDS = 30 * 86400 }
  observability         = var.observability
}
