locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id

  stream_service    = element(split(":", var.stream_arn), 2)
  target_bucket_arn = var.target_bucket == null ? null : "arn:${local.partition}:s3:::${var.target_bucket}"
  # "" only where the inputs are refused.
  target_arn     = join("", compact([var.target_alias_arn, var.target_queue_arn, local.target_bucket_arn]))
  target_service = var.target_bucket == null ? "sqs" : "s3"

  environment = merge(
    { TARGET = local.target_arn },
    var.target_alias_arn == null ? {} : { TARGET_DURABLE = tostring(var.durable) },
    coalesce(var.durable, true) ? {} : { TARGET_TIMEOUT = tostring(var.target_timeout) },
    var.target_prefix == "" ? {} : { TARGET_PREFIX = var.target_prefix },
  )

  # A bucket's ARN names no account: should it be deleted and its name taken by another account, nothing is sent there.
  own_account = [{ test = "StringEquals", variable = "aws:ResourceAccount", values = [local.account] }]

  statements = concat(
    [{
      sid        = "ReadStream"
      actions    = ["${local.stream_service}:GetRecords", "${local.stream_service}:GetShardIterator"]
      resources  = [var.stream_arn]
      conditions = []
    }],
    [for arn in compact([var.target_alias_arn]) : {
      sid        = "InvokeTarget"
      actions    = ["lambda:InvokeFunction"]
      resources  = [arn]
      conditions = []
    }],
    [for arn in compact([var.target_queue_arn]) : {
      sid        = "SendToTarget"
      actions    = ["sqs:GetQueueUrl", "sqs:SendMessage"]
      resources  = [arn]
      conditions = []
    }],
    [for arn in compact([local.target_bucket_arn]) : {
      sid        = "WriteToTarget"
      actions    = ["s3:PutObject"]
      resources  = ["${arn}/${var.target_prefix == "" ? "" : "${var.target_prefix}/"}*"]
      conditions = local.own_account
    }],
    [for bucket in compact([var.source_bucket]) : {
      sid        = "ReadFailures"
      actions    = ["s3:GetObject", "s3:GetObjectVersion"]
      resources  = ["arn:${local.partition}:s3:::${bucket}/*"]
      conditions = local.own_account
    }],
    local.key_statements,
  )

  # Which service may use which key, and for what.
  key_uses = [
    { sid = "DecryptStream", key = var.stream_kms_key_arn, service = local.stream_service, actions = ["kms:Decrypt"] },
    { sid = "DecryptFailures", key = var.source_bucket_kms_key_arn, service = "s3", actions = ["kms:Decrypt"] },
    {
      sid     = "EncryptForTarget"
      key     = var.target_kms_key_arn
      service = local.target_service
      # SQS decrypts the data key that it shares between messages.
      actions = local.target_service == "s3" ? ["kms:GenerateDataKey"] : ["kms:GenerateDataKey", "kms:Decrypt"]
    },
  ]
  key_statements = [for use in local.key_uses : {
    sid       = use.sid
    actions   = use.actions
    resources = [use.key]
    conditions = [
      { test = "StringEquals", variable = "kms:ViaService", values = ["${use.service}.${local.region}.amazonaws.com"] },
    ]
  } if use.key != null]
}
