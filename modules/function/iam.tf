locals {
  # Lambda sends records to destinations as the role. Their ARNs, often unknown to the plan, decide over values alone.
  destinations = [
    for destination in [
      { what = "Failures", arn = var.on_failure_destination_arn, key = var.on_failure_kms_key_arn },
      { what = "Successes", arn = var.on_success_destination_arn, key = var.on_success_kms_key_arn },
    ] : merge(destination, { service = element(split(":", destination.arn), 2) }) if destination.arn != null
  ]
  send_actions = {
    events = "events:PutEvents"
    lambda = "lambda:InvokeFunction"
    s3     = "s3:PutObject"
    sns    = "sns:Publish"
    sqs    = "sqs:SendMessage"
  }

  # A bucket's ARN names no account: should it be deleted and its name taken by another account, nothing is sent there.
  own_account = [{ test = "StringEquals", variable = "aws:ResourceAccount", values = [local.account] }]

  destination_statements = concat(
    [
      for destination in local.destinations : {
        sid        = "Send${destination.what}"
        effect     = "Allow"
        actions    = [lookup(local.send_actions, destination.service, "")]
        resources  = [destination.service == "s3" ? "${destination.arn}/*" : destination.arn]
        conditions = [for condition in local.own_account : condition if destination.service == "s3"]
      }
    ],
    [
      for destination in local.destinations : {
        sid        = "FindBucketOf${destination.what}"
        effect     = "Allow"
        actions    = ["s3:ListBucket"]
        resources  = [destination.arn]
        conditions = local.own_account
      } if destination.service == "s3"
    ],
    [
      for destination in local.destinations : {
        sid    = "Encrypt${destination.what}"
        effect = "Allow"
        # SQS and SNS decrypt the data key that they share between messages.
        actions   = destination.service == "s3" ? ["kms:GenerateDataKey"] : ["kms:GenerateDataKey", "kms:Decrypt"]
        resources = [destination.key]
        conditions = [{
          test     = "StringEquals"
          variable = "kms:ViaService"
          values   = ["${destination.service}.${data.aws_region.current.id}.amazonaws.com"]
        }]
      } if destination.key != null
    ],
  )
}

locals {
  # Lambda decrypts variables as the role, and the role sends dead letters: without either it needs no key.
  kms_services = setunion(
    length(var.environment_variables) == 0 ? [] : ["lambda"],
    var.dead_letter_queue_arn == null ? [] : ["sqs"],
    var.kms_services,
  )
}

module "role" {
  source = "../execution-role"

  function_name         = var.name
  dead_letter_queue_arn = var.dead_letter_queue_arn
  kms_key_arn           = var.kms_key_arn
  kms_services          = local.kms_services
  log_retention_days    = var.log_retention_days
  permissions_boundary  = var.permissions_boundary
  policy_statements     = concat(local.destination_statements, var.policy_statements)
  role                  = var.role
  tags                  = var.tags
}
