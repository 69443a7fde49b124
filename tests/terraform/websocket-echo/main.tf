# The smallest use of websocket-ingress: what a client sends comes back to it, over the queue. And a guarded way onto the same
# queue, whose messages the handler cannot answer: it knows the first API alone.
resource "aws_s3_bucket" "artifacts" {
  bucket_prefix = "echo-artifacts-"
  force_destroy = true
}

module "queue" {
  source = "../../../modules/queue"

  name               = "echo"
  fifo               = true
  visibility_timeout = 6 * module.ingress.reply_timeout
}

module "ingress" {
  source = "../../../modules/websocket-ingress"

  name                    = "echo"
  queue_arn               = module.queue.arn
  artifact_bucket         = aws_s3_bucket.artifacts.bucket
  create_account_log_role = true
}

module "mapping" {
  source = "../../../modules/event-source-mapping"

  source_queue_arn    = module.queue.arn
  visibility_timeout  = 6 * module.ingress.reply_timeout
  function_alias_arn  = module.ingress.reply_function_arn
  function_timeout    = module.ingress.reply_timeout
  role_name           = module.ingress.reply_role_name
  maximum_concurrency = 8
}

module "authorizer_package" {
  source = "../../../modules/package"

  name       = "echo-authorizer"
  source_dir = "${path.module}/authorizer"
  handler    = "handler.handler"
  bucket     = aws_s3_bucket.artifacts.bucket
}

module "authorizer" {
  source = "../../../modules/function"

  name      = "echo-authorizer"
  s3_bucket = module.authorizer_package.s3_bucket
  s3_key    = module.authorizer_package.s3_key
  code_hash = module.authorizer_package.hash
}

module "guarded" {
  source = "../../../modules/websocket-ingress"

  name                        = "guarded"
  stage_name                  = module.ingress.stage_name # and so after it: the role for logs comes with it
  queue_arn                   = module.queue.arn
  artifact_bucket             = aws_s3_bucket.artifacts.bucket
  authorization               = "CUSTOM"
  authorizer_function_arn     = module.authorizer.alias_arn
  authorizer_identity_sources = ["route.request.querystring.token"]
  client_id_from              = "authorizer"
  group                       = "client"
  default_route               = false
  routes = {
    order = {
      schema = jsonencode({
        type     = "object"
        required = ["id", "sum"]
        properties = {
          id  = { type = "string", pattern = "^[A-Za-z0-9_-]{1,128}$" }
          sum = { type = "number", minimum = 0 }
        }
      })
    }
  }
}

output "access_log_group_name" { value = module.ingress.log_group_name }
output "api_id" { value = module.ingress.api_id }
output "artifact_bucket" { value = aws_s3_bucket.artifacts.bucket }
output "connections_function_name" { value = module.ingress.connections_function_name }
output "dead_letter_queue_url" { value = module.queue.dead_letter_url }
output "event_source_mapping_uuid" { value = module.mapping.uuid }
output "guarded_access_log_group_name" { value = module.guarded.log_group_name }
output "guarded_table_name" { value = module.guarded.table_name }
output "guarded_url" { value = module.guarded.url }
output "management_endpoint" { value = module.ingress.management_endpoint }
output "queue_arn" { value = module.queue.arn }
output "queue_url" { value = module.queue.url }
output "reply_function_name" { value = module.ingress.reply_function_name }
output "reply_log_group_name" { value = module.ingress.reply_log_group_name }
output "role_arn" { value = module.ingress.role_arn }
output "stage_name" { value = module.ingress.stage_name }
output "table_name" { value = module.ingress.table_name }
output "url" { value = module.ingress.url }
