# A stream with two consumers, functions for events, and every alarm on them; what fails soon is given up soon.
locals {
  name = "watched"
  functions = {
    reader = { timeout = 3 }
    keeper = { timeout = 3 }
    worker = { timeout = 60, reserved_concurrency = 1 }
    jobs   = { timeout = 10, maximum_event_age_seconds = 120 }
  }
}

resource "aws_kinesis_stream" "this" {
  name             = local.name
  shard_count      = 1
  retention_period = 24
}

resource "aws_s3_bucket" "artifacts" {
  bucket_prefix = "${local.name}-artifacts-"
  force_destroy = true
}

module "package" {
  source = "../../../modules/package"

  name       = local.name
  source_dir = "${path.module}/handler"
  handler    = "handler.handler"
  bucket     = aws_s3_bucket.artifacts.bucket
}

module "function" {
  source   = "../../../modules/function"
  for_each = local.functions

  name                       = "${local.name}-${each.key}"
  s3_bucket                  = module.package.s3_bucket
  s3_key                     = module.package.s3_key
  code_hash                  = module.package.hash
  timeout                    = each.value.timeout
  reserved_concurrency       = lookup(each.value, "reserved_concurrency", -1)
  maximum_event_age_seconds  = lookup(each.value, "maximum_event_age_seconds", 21600)
  maximum_retry_attempts     = 1
  dead_letter_queue_arn      = each.key == "jobs" ? module.dead_letters.arn : null
  on_failure_destination_arn = each.key == "jobs" ? module.failures.arn : null
}

module "dead_letters" {
  source = "../../../modules/queue"

  name              = "${local.name}-dead-letters"
  dead_letter_queue = false
}

module "failures" {
  source = "../../../modules/queue"

  name              = "${local.name}-failures"
  dead_letter_queue = false
}

# It tells nobody what it gave up.
module "reader" {
  source = "../../../modules/stream-consumer"

  name                      = "${local.name}-reader"
  source_arn                = aws_kinesis_stream.this.arn
  function_alias_arn        = module.function["reader"].alias_arn
  role_name                 = module.function["reader"].role_name
  batch_size                = 1
  maximum_retry_attempts    = 0
  on_failure_queue          = false
  allow_discarding_failures = true
  metrics                   = true
}

module "keeper" {
  source = "../../../modules/stream-consumer"

  name                   = "${local.name}-keeper"
  source_arn             = aws_kinesis_stream.this.arn
  function_alias_arn     = module.function["keeper"].alias_arn
  role_name              = module.function["keeper"].role_name
  batch_size             = 1
  maximum_retry_attempts = 0
  filter_patterns        = [jsonencode({ data = { fail = ["report"] } })]
  metrics                = true
}

# Two routes: one function may be called, and fails; the other may not be called.
resource "aws_apigatewayv2_api" "this" {
  name                       = local.name
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.action"
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = toset(["reader", "keeper"])

  api_id             = aws_apigatewayv2_api.this.id
  integration_type   = "AWS_PROXY"
  integration_method = "POST"
  integration_uri    = module.function[each.key].alias_arn
}

resource "aws_apigatewayv2_route" "this" {
  for_each = aws_apigatewayv2_integration.this

  api_id    = aws_apigatewayv2_api.this.id
  route_key = each.key
  target    = "integrations/${each.value.id}"
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "live"
  auto_deploy = true

  depends_on = [aws_apigatewayv2_route.this]
}

resource "aws_lambda_permission" "this" {
  function_name = module.function["reader"].name
  qualifier     = "live"
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*"
}

module "observability" {
  source = "../../../modules/observability"

  name          = local.name
  alarm_actions = []
  dashboard     = false

  functions = {
    reader = { name = module.function["reader"].name, timeout = local.functions.reader.timeout }
    keeper = { name = module.function["keeper"].name, timeout = local.functions.keeper.timeout, destinations = true }
    worker = { name = module.function["worker"].name, timeout = local.functions.worker.timeout, reserved_concurrency = local.functions.worker.reserved_concurrency }
    jobs = {
      name                      = module.function["jobs"].name
      timeout                   = local.functions.jobs.timeout
      asynchronous              = true
      maximum_event_age_seconds = local.functions.jobs.maximum_event_age_seconds
      dead_letter_queue         = true
      destinations              = true
    }
  }
  event_source_mappings = {
    reader = { uuid = module.reader.uuid, kind = "stream", function_name = module.function["reader"].name }
    keeper = { uuid = module.keeper.uuid, kind = "stream", function_name = module.function["keeper"].name }
  }
  kinesis_streams = { stream = aws_kinesis_stream.this.name }
  websocket_apis  = { socket = aws_apigatewayv2_api.this.id }

  # An event is a minute old when it is tried again, a record lags by seconds, and few fail.
  async_age_percent    = 40
  failed_events        = 1
  iterator_age_seconds = 1
}

output "alarm_names" { value = module.observability.alarm_names }
output "composite_alarm_name" { value = module.observability.composite_alarm_name }
output "dead_letter_queue_url" { value = module.dead_letters.url }
output "failures_queue_url" { value = module.failures.url }
output "function_alias_arns" { value = { for key, function in module.function : key => function.alias_arn } }
output "keeper_failed_queue_url" { value = module.keeper.on_failure_queue_url }
output "socket_url" { value = "${aws_apigatewayv2_api.this.api_endpoint}/${aws_apigatewayv2_stage.this.name}" }
output "stream_name" { value = aws_kinesis_stream.this.name }
