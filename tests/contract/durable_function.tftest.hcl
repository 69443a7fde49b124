mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  name      = "orders"
  s3_bucket = "artifacts"
  s3_key    = "orders/abc.zip"
  code_hash = "abc"
}

run "minimal" {
  command = apply

  module {
    source = "./modules/durable-function"
  }

  assert {
    condition     = jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.DurableConfig == { ExecutionTimeout = 86400, RetentionPeriodInDays = 14 }
    error_message = "Both limits are always set."
  }

  assert {
    condition     = jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.FunctionName == "orders" && jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.Handler == "handler.handler" && jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.Runtime == "python3.13" && jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.Architectures == ["arm64"]
    error_message = "The function is as given."
  }

  assert {
    condition     = jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.Code == { S3Bucket = "artifacts", S3Key = "orders/abc.zip" }
    error_message = "The code is the package's."
  }

  assert {
    condition     = jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.LoggingConfig.LogFormat == "JSON" && jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.LoggingConfig.LogGroup == "/aws/lambda/orders"
    error_message = "Logs are JSON in the function's group."
  }

  assert {
    condition     = jsondecode(aws_cloudformation_stack.this.template_body).Resources[one([for key in keys(jsondecode(aws_cloudformation_stack.this.template_body).Resources) : key if startswith(key, "Version")])].DeletionPolicy == "Retain" && jsondecode(aws_cloudformation_stack.this.template_body).Resources[one([for key in keys(jsondecode(aws_cloudformation_stack.this.template_body).Resources) : key if startswith(key, "Version")])].UpdateReplacePolicy == "Retain"
    error_message = "Old versions stay for the executions on them."
  }

  assert {
    condition     = jsondecode(aws_cloudformation_stack.this.template_body).Resources.Alias.Properties.FunctionVersion["Fn::GetAtt"][0] == one([for key in keys(jsondecode(aws_cloudformation_stack.this.template_body).Resources) : key if startswith(key, "Version")]) && jsondecode(aws_cloudformation_stack.this.template_body).Resources.Alias.Properties.Name == "live"
    error_message = "The alias points at the new version."
  }

  assert {
    condition     = output.alias_arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders:live" && output.version == "7"
    error_message = "The outputs are the alias and the stack's version."
  }

  assert {
    condition     = aws_cloudformation_stack.this.on_failure == "DELETE" && aws_cloudformation_stack.this.timeouts.delete == "60m"
    error_message = "A failed creation leaves nothing; a deletion may take an hour."
  }

  assert {
    condition     = !contains(keys(jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties), "DeadLetterConfig") && !contains(keys(jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties), "ReservedConcurrentExecutions") && !contains(keys(jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties), "KmsKeyArn")
    error_message = "Nothing is set that was not asked for."
  }

  assert {
    condition     = endswith(jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.Description, "[${substr(one([for key in keys(jsondecode(aws_cloudformation_stack.this.template_body).Resources) : key if startswith(key, "Version")]), 7, 16)}]")
    error_message = "The description shows, and changes with, the fingerprint."
  }

}

run "with_everything" {
  command = apply

  module {
    source = "./modules/durable-function"
  }

  variables {
    dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:failed"
    kms_key_arn           = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    reserved_concurrency  = 5
    environment_variables = { A1 = "x" }
    s3_object_version     = "v1"
    execution_timeout     = 31622400
    retention_days        = 90
  }

  assert {
    condition     = jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.DurableConfig == { ExecutionTimeout = 31622400, RetentionPeriodInDays = 90, KMSKeyArn = var.kms_key_arn } && jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.KmsKeyArn == var.kms_key_arn
    error_message = "The key holds for durable data and environment."
  }

  assert {
    condition     = jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.DeadLetterConfig.TargetArn == var.dead_letter_queue_arn && jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.ReservedConcurrentExecutions == 5 && jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.Environment.Variables.A1 == "x" && jsondecode(aws_cloudformation_stack.this.template_body).Resources.Function.Properties.Code.S3ObjectVersion == "v1"
    error_message = "Everything is passed on."
  }

}

run "publishes_on_code" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    code_hash = "def"
  }

  assert {
    condition     = local.fingerprint != run.minimal.fingerprint
    error_message = "A change of code publishes a version."
  }

}

run "publishes_on_description" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    description = "new"
  }

  assert {
    condition     = local.fingerprint != run.minimal.fingerprint
    error_message = "A change of description publishes a version."
  }

}

run "publishes_on_environment" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    environment_variables = { A1 = "x" }
  }

  assert {
    condition     = local.fingerprint != run.minimal.fingerprint
    error_message = "A change of environment publishes a version."
  }

}

run "publishes_on_memory" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    memory_size = 512
  }

  assert {
    condition     = local.fingerprint != run.minimal.fingerprint
    error_message = "A change of memory publishes a version."
  }

}

run "publishes_on_timeout" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    timeout = 61
  }

  assert {
    condition     = local.fingerprint != run.minimal.fingerprint
    error_message = "A change of timeout publishes a version."
  }

}

run "publishes_on_retention" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    retention_days = 15
  }

  assert {
    condition     = local.fingerprint != run.minimal.fingerprint
    error_message = "A change of retention publishes a version."
  }

}

run "publishes_nothing_on_tags" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    tags = { team = "a" }
  }

  assert {
    condition     = local.fingerprint == run.minimal.fingerprint
    error_message = "Tags is no part of a version: publishing an unchanged one fails."
  }

}

run "publishes_nothing_on_concurrency" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    reserved_concurrency = 5
  }

  assert {
    condition     = local.fingerprint == run.minimal.fingerprint
    error_message = "Concurrency is no part of a version: publishing an unchanged one fails."
  }

}

run "refuses_architecture" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    architecture = "arm"
  }

  expect_failures = [var.architecture]
}

run "refuses_dead_letter_queue_arn" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:failed.fifo"
  }

  expect_failures = [var.dead_letter_queue_arn]
}

run "refuses_description" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    description = replace(format("%201s", ""), " ", "d")
  }

  expect_failures = [var.description]
}

run "refuses_environment_key" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    environment_variables = { "1A" = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "refuses_reserved_environment_key" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    environment_variables = { AWS_REGION = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "refuses_large_environment" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    environment_variables = { LARGE = replace(format("%4090s", ""), " ", "x") }
  }

  expect_failures = [var.environment_variables]
}

run "refuses_handler" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    handler = "handler"
  }

  expect_failures = [var.handler]
}

run "refuses_kms_key_arn" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    kms_key_arn = "alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_too_little_memory" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    memory_size = 127
  }

  expect_failures = [var.memory_size]
}

run "refuses_too_much_memory" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    memory_size = 10241
  }

  expect_failures = [var.memory_size]
}

run "refuses_name_too_long" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    name = replace(format("%65s", ""), " ", "n")
  }

  expect_failures = [var.name]
}

run "refuses_name_charset" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    name = "a b"
  }

  expect_failures = [var.name]
}

run "refuses_reserved_concurrency" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    reserved_concurrency = -2
  }

  expect_failures = [var.reserved_concurrency]
}

run "refuses_no_timeout" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    timeout = 0
  }

  expect_failures = [var.timeout]
}

run "refuses_too_long_timeout" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    timeout = 901
  }

  expect_failures = [var.timeout]
}

run "refuses_no_execution_timeout" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    execution_timeout = 0
  }

  expect_failures = [var.execution_timeout]
}

run "refuses_too_long_execution_timeout" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    execution_timeout = 31622401
  }

  expect_failures = [var.execution_timeout]
}

run "refuses_no_retention" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    retention_days = 0
  }

  expect_failures = [var.retention_days]
}

run "refuses_too_long_retention" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    retention_days = 91
  }

  expect_failures = [var.retention_days]
}

run "refuses_destination_on_failure" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    on_failure_destination_arn = "arn:aws:sqs:eu-west-1:123456789012:failures"
  }

  expect_failures = [var.on_failure_destination_arn]
}

run "refuses_destination_on_success" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    on_success_destination_arn = "arn:aws:lambda:eu-west-1:123456789012:function:next:live"
  }

  expect_failures = [var.on_success_destination_arn]
}

run "refuses_runtime" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    runtime = "python3.12"
  }

  expect_failures = [var.runtime]
}

run "refuses_name_with_underscore" {
  command = plan

  module {
    source = "./modules/durable-function"
  }

  variables {
    name = "a_b"
  }

  expect_failures = [var.name]
}
