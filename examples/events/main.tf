# What happens to orders: bus -> rule -> function -> destination, and bus -> rule -> durable function.
resource "aws_cloudwatch_event_bus" "this" {
  name = var.name
}

resource "aws_s3_bucket" "artifacts" {
  bucket_prefix = "${var.name}-artifacts-"
  force_destroy = true
}

# --- An order is placed: charge it, and tell what came of it. -------------------------------------------------------------

module "charge_package" {
  source = "../../modules/package"

  name       = "${var.name}-charge"
  source_dir = "${path.module}/src/charge"
  handler    = "handler.handler"
  bucket     = aws_s3_bucket.artifacts.bucket
}

module "charge" {
  source = "../../modules/function"

  name                       = "${var.name}-charge"
  s3_bucket                  = module.charge_package.s3_bucket
  s3_key                     = module.charge_package.s3_key
  code_hash                  = module.charge_package.hash
  on_success_destination_arn = module.charged.arn
  on_failure_destination_arn = module.not_charged.arn
  dead_letter_queue_arn      = module.failed.arn
}

module "on_placed" {
  source = "../../modules/event-rule"

  name               = "${var.name}-placed"
  event_bus_name     = aws_cloudwatch_event_bus.this.name
  event_pattern      = jsonencode({ source = ["shop"], detail-type = ["Order placed"] })
  function_alias_arn = module.charge.alias_arn
}

module "charged" {
  source = "../../modules/queue"

  name              = "${var.name}-charged"
  dead_letter_queue = false
}

module "not_charged" {
  source = "../../modules/queue"

  name                      = "${var.name}-not-charged"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
}

# --- An order is delivered: ask for a review a week later. ----------------------------------------------------------------

module "review_package" {
  source = "../../modules/package"

  name          = "${var.name}-review"
  source_dir    = "${path.module}/src/review"
  handler       = "handler.handler"
  pip_arguments = ["--no-deps"]
  bucket        = aws_s3_bucket.artifacts.bucket
}

module "review" {
  source = "../../modules/durable-function"

  name                  = "${var.name}-review"
  execution_timeout     = 14 * 86400
  s3_bucket             = module.review_package.s3_bucket
  s3_key                = module.review_package.s3_key
  code_hash             = module.review_package.hash
  dead_letter_queue_arn = module.failed.arn
}

module "on_delivered" {
  source = "../../modules/event-rule"

  name           = "${var.name}-delivered"
  event_bus_name = aws_cloudwatch_event_bus.this.name
  event_pattern = jsonencode({
    source      = ["shop"]
    detail-type = ["Order delivered"]
    detail      = { order_id = [{ exists = true }] }
  })
  function_alias_arn = module.review.alias_arn
  input_paths        = { order_id = "$.detail.order_id" }
  input_template     = "{\"order_id\": <order_id>}"
}

# Events on which either function failed for good, ready to be sent again.
module "failed" {
  source = "../../modules/queue"

  name                      = "${var.name}-failed"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
}
