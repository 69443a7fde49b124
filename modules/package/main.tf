locals {
  # Never part of a package and never part of its hash: what tools leave beside the sources.
  exclude = join("|", concat(
    [
      "(^|/)(__pycache__|\\.git|\\.venv|\\.mypy_cache|\\.pytest_cache|\\.ruff_cache|\\.terraform|\\.terraform-build)/",
      "\\.py[co]$",
      "(^|/)\\.(DS_Store|gitignore)$",
    ],
    var.exclude,
  ))

  files = var.source_dir == null ? [] : [
    for file in sort(fileset(var.source_dir, "**")) : file if length(regexall(local.exclude, file)) == 0
  ]

  # Of the inputs, not of the archive: a runner without the archive must arrive at the same plan, and an archive made
  # by another zlib may differ in bytes. Paths are relative to source_dir, so that machines agree.
  source_hash = var.source_dir == null ? null : sha256(jsonencode({
    files         = { for file in local.files : file => filesha256("${var.source_dir}/${file}") }
    exclude       = local.exclude
    runtime       = var.runtime
    architecture  = var.architecture
    pip_arguments = var.pip_arguments
    builder       = filesha256("${path.module}/build.py")
  }))
  file_hash = var.filename == null ? null : filesha256(var.filename)
  s3_hash   = var.s3 == null ? null : coalesce(var.s3.hash, sha256(jsonencode(var.s3)))

  hash   = coalesce(local.source_hash, local.file_hash, local.s3_hash)
  key    = var.s3 == null ? "${var.name}/${local.hash}.zip" : var.s3.key
  bucket = var.s3 == null ? var.bucket : var.s3.bucket
  upload = var.s3 == null

  build_dir = var.build_dir == null ? "${path.root}/.terraform-build" : var.build_dir
  archive   = var.filename == null ? "${local.build_dir}/${var.name}/${local.hash}.zip" : var.filename
}

resource "aws_s3_object" "this" {
  count = local.upload ? 1 : 0

  bucket                 = var.bucket
  key                    = local.key
  source                 = local.archive
  source_hash            = local.hash
  content_type           = "application/zip"
  kms_key_id             = var.kms_key_arn
  server_side_encryption = var.kms_key_arn == null ? null : "aws:kms"

  # Objects take ten tags at most, fewer than a provider's default tags may be.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    # The old archive goes after its users have moved on: CloudFormation needs it to roll a failed update back.
    create_before_destroy = true
  }

  depends_on = [terraform_data.build]
}
