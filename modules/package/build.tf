resource "terraform_data" "build" {
  count = var.source_dir == null ? 0 : 1

  # Whatever makes Terraform upload the object again needs the archive again.
  triggers_replace = [var.bucket, local.key, var.kms_key_arn]

  provisioner "local-exec" {
    interpreter = [var.python, "${path.module}/build.py"]
    command     = local.archive
    quiet       = true
    environment = {
      PACKAGE_SPEC = jsonencode({
        source_dir    = var.source_dir
        exclude       = local.exclude
        runtime       = var.runtime
        architecture  = var.architecture
        pip_arguments = var.pip_arguments
      })
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}
