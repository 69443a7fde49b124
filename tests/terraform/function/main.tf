# A durable function without queues, which is quick to apply: for applies that fail.
variable "s3_key" {
  description = "Another key of the archive, which need not exist; null for the package's own."
  type        = string
  default     = null
}

variable "timeout" {
  description = "Seconds for one invocation: a change of it publishes a version."
  type        = number
  default     = 30
  nullable    = false
}

resource "aws_s3_bucket" "artifacts" {
  bucket_prefix = "lone-artifacts-"
  force_destroy = true
}

module "package" {
  source = "../../../modules/package"

  name          = "lone"
  source_dir    = "${path.module}/../callback/handler"
  pip_arguments = ["--no-deps"]
  bucket        = aws_s3_bucket.artifacts.bucket
}

module "function" {
  source = "../../../modules/durable-function"

  name      = "lone"
  s3_bucket = module.package.s3_bucket
  s3_key    = var.s3_key == null ? module.package.s3_key : var.s3_key
  code_hash = module.package.hash
  timeout   = var.timeout
}

output "alias_arn" { value = module.function.alias_arn }
output "name" { value = module.function.name }
output "version" { value = module.function.version }
