locals {
  artifact_bucket = var.artifact_bucket == null ? one(aws_s3_bucket_policy.artifacts[*].bucket) : var.artifact_bucket
}

resource "aws_s3_bucket" "artifacts" {
  #checkov:skip=CKV_AWS_18:Access logs need a second bucket; whoever wants them gives artifact_bucket
  #checkov:skip=CKV_AWS_21:Keys hold the hash of the content, so nothing is ever overwritten
  #checkov:skip=CKV_AWS_144:Archives are made again from sources
  #checkov:skip=CKV_AWS_145:Each object names the key, kms_key_arn, when there is one
  #checkov:skip=CKV2_AWS_6:aws_s3_bucket_public_access_block.artifacts blocks it; checkov does not follow its count
  #checkov:skip=CKV2_AWS_61:Terraform deletes the archives that are no longer used
  #checkov:skip=CKV2_AWS_62:Nothing acts on an upload but the apply that makes it
  count = var.artifact_bucket == null ? 1 : 0

  # A prefix, for bucket names are shared by all of AWS; the provider adds the rest (63 in all).
  bucket_prefix = "${lower(substr(var.name, 0, 26))}-artifacts-"
  # Archives are made from sources and can be made again.
  force_destroy = true
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "artifacts" {
  count = var.artifact_bucket == null ? 1 : 0

  bucket                  = aws_s3_bucket.artifacts[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "artifacts" {
  count = var.artifact_bucket == null ? 1 : 0

  bucket = aws_s3_bucket.artifacts[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.artifacts[0].arn, "${aws_s3_bucket.artifacts[0].arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 refuses two changes of one bucket at a time.
  depends_on = [aws_s3_bucket_public_access_block.artifacts]
}
