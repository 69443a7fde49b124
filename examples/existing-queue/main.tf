# A pipeline between what others own: their queue, their bucket, their role, and a durable function of your own making.
module "platform" {
  source = "./platform"

  name        = "${var.name}-incoming"
  role_policy = module.function.required_policy
}

module "package" {
  source = "../../modules/package"

  name          = var.name
  source_dir    = "${path.module}/src"
  handler       = "handler.handler"
  pip_arguments = ["--no-deps"]
  bucket        = module.platform.bucket
}

module "function" {
  source = "../../modules/durable-function"

  name                  = var.name
  s3_bucket             = module.package.s3_bucket
  s3_key                = module.package.s3_key
  code_hash             = module.package.hash
  role                  = { arn = module.platform.role_arn }
  dead_letter_queue_arn = module.pipeline.failed_queue_arn
  execution_timeout     = 30 * 86400
}

# Each of these modules takes outputs of the others, and none that depends on what it gives.
module "pipeline" {
  source = "../.."

  name            = var.name
  queue           = module.platform.queue
  function        = module.function
  artifact_bucket = module.platform.bucket
  observability   = var.observability
}
