# Vended logs: the prefix lets one resource policy of the account cover all of them.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is an input, log_retention_days
  count = var.log_level == "OFF" ? 0 : 1

  name              = "/aws/vendedlogs/pipes/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}
