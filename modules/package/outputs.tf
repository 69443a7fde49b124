output "hash" {
  description = "Changes with the code: hash of the sources, of the archive, or of the place in S3."
  value       = local.hash
}

output "s3_bucket" {
  description = "Bucket of the archive, known once it is uploaded."
  value       = local.bucket
  depends_on  = [aws_s3_object.this]
}

output "s3_key" {
  description = "Key of the archive, known once it is uploaded."
  value       = local.key
  depends_on  = [aws_s3_object.this]
}

output "s3_object_version" {
  description = "Version of the archive given in `s3`; null otherwise, since a key with a hash needs none."
  value       = var.s3 == null ? null : var.s3.object_version
}
