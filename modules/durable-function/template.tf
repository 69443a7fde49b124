locals {
  # What Lambda freezes in a version. Tags and reserved concurrency are not part of one.
  versioned = merge(
    {
      FunctionName  = var.name
      Runtime       = var.runtime
      Architectures = [var.architecture]
      Handler       = var.handler
      Role          = module.role.role_arn
      MemorySize    = var.memory_size
      Timeout       = var.timeout
      Code = merge(
        { S3Bucket = var.s3_bucket, S3Key = var.s3_key },
        var.s3_object_version == null ? {} : { S3ObjectVersion = var.s3_object_version },
      )
      Environment = { Variables = var.environment_variables }
      DurableConfig = merge(
        { ExecutionTimeout = var.execution_timeout, RetentionPeriodInDays = var.retention_days },
        var.kms_key_arn == null ? {} : { KMSKeyArn = var.kms_key_arn },
      )
      LoggingConfig = {
        LogFormat           = "JSON"
        LogGroup            = module.role.log_group_name
        ApplicationLogLevel = "INFO"
        SystemLogLevel      = "INFO"
      }
    },
    var.kms_key_arn == null ? {} : { KmsKeyArn = var.kms_key_arn },
    var.dead_letter_queue_arn == null ? {} : { DeadLetterConfig = { TargetArn = var.dead_letter_queue_arn } },
  )

  fingerprint = substr(sha256(jsonencode([local.versioned, var.code_hash, var.description])), 0, 16)

  # In the description the fingerprint makes every new one a change of the function: Lambda publishes no version of an
  # unchanged function, and CloudFormation takes that for an error.
  function = merge(
    local.versioned,
    { Description = trimspace("${var.description} [${local.fingerprint}]") },
    var.reserved_concurrency < 0 ? {} : { ReservedConcurrentExecutions = var.reserved_concurrency },
  )

  # A version cannot be changed: a new logical id publishes a new one, and Retain keeps the old one, on which running
  # executions end. All versions go with the function.
  version_id = "Version${local.fingerprint}"

  template = jsonencode({
    AWSTemplateFormatVersion = "2010-09-09"
    Description              = "Durable Lambda function ${var.name}"
    Resources = {
      Function = {
        Type       = "AWS::Lambda::Function"
        Properties = local.function
      }
      (local.version_id) = {
        Type                = "AWS::Lambda::Version"
        DeletionPolicy      = "Retain"
        UpdateReplacePolicy = "Retain"
        Properties          = { FunctionName = { Ref = "Function" } }
      }
      Alias = {
        Type = "AWS::Lambda::Alias"
        Properties = {
          Name            = "live"
          FunctionName    = { Ref = "Function" }
          FunctionVersion = { "Fn::GetAtt" = [local.version_id, "Version"] }
        }
      }
    }
    Outputs = {
      FunctionArn = { Value = { "Fn::GetAtt" = ["Function", "Arn"] } }
      Version     = { Value = { "Fn::GetAtt" = [local.version_id, "Version"] } }
      AliasArn    = { Value = { Ref = "Alias" } }
    }
  })
}
