# Bookings, one after another in each account: FIFO queue -> mapping -> durable sample pipeline -> table.
module "bookings" {
  source = "../.."

  name          = var.name
  fifo          = true
  bridge        = "esm"
  observability = var.observability

  # A failed message holds its group until it returns, after 90 s: the greater of 6 x timeout and execution_timeout + 30.
  timeout           = 10
  execution_timeout = 60
}
