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
  command = plan

  module {
    source = "./modules/function"
  }

  assert {
    condition     = aws_lambda_function.this.publish && aws_lambda_alias.this.name == "live"
    error_message = "A version is published and aliased."
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == "abc" && aws_lambda_function.this.s3_key == "orders/abc.zip"
    error_message = "The code is the package's."
  }

  assert {
    condition     = aws_lambda_function.this.logging_config[0].log_format == "JSON" && aws_lambda_function.this.logging_config[0].log_group == "/aws/lambda/orders"
    error_message = "Logs are JSON in the function's group."
  }

  assert {
    condition     = output.alias_arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders:live" && output.arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders"
    error_message = "ARNs are known at plan."
  }

  assert {
    condition     = length(aws_lambda_function.this.environment) == 0 && length(aws_lambda_function.this.dead_letter_config) == 0
    error_message = "No empty blocks."
  }

}

run "alias_follows_version" {
  command = apply

  module {
    source = "./modules/function"
  }

  assert {
    condition     = aws_lambda_alias.this.function_version == aws_lambda_function.this.version && output.version == aws_lambda_function.this.version
    error_message = "The alias points at the published version."
  }

}

run "with_everything" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    environment_variables = { A1 = "x" }
    dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:failed"
    kms_key_arn           = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    reserved_concurrency  = 0
    architecture          = "x86_64"
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables == tomap({ A1 = "x" })
    error_message = "The environment is passed on."
  }

  assert {
    condition     = aws_lambda_function.this.dead_letter_config[0].target_arn == var.dead_letter_queue_arn
    error_message = "The dead-letter queue is passed on."
  }

  assert {
    condition     = aws_lambda_function.this.kms_key_arn == var.kms_key_arn && aws_lambda_function.this.reserved_concurrent_executions == 0
    error_message = "Key and concurrency are passed on."
  }

}

run "refuses_architecture" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    architecture = "arm"
  }

  expect_failures = [var.architecture]
}

run "refuses_dead_letter_queue_arn" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:failed.fifo"
  }

  expect_failures = [var.dead_letter_queue_arn]
}

run "refuses_description" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    description = replace(format("%201s", ""), " ", "d")
  }

  expect_failures = [var.description]
}

run "refuses_environment_key" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    environment_variables = { "1A" = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "refuses_reserved_environment_key" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    environment_variables = { AWS_REGION = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "refuses_large_environment" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    environment_variables = { LARGE = replace(format("%4090s", ""), " ", "x") }
  }

  expect_failures = [var.environment_variables]
}

run "refuses_handler" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    handler = "handler"
  }

  expect_failures = [var.handler]
}

run "refuses_kms_key_arn" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    kms_key_arn = "alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_too_little_memory" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    memory_size = 127
  }

  expect_failures = [var.memory_size]
}

run "refuses_too_much_memory" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    memory_size = 10241
  }

  expect_failures = [var.memory_size]
}

run "refuses_name_too_long" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    name = replace(format("%65s", ""), " ", "n")
  }

  expect_failures = [var.name]
}

run "refuses_name_charset" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    name = "a b"
  }

  expect_failures = [var.name]
}

run "refuses_reserved_concurrency" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    reserved_concurrency = -2
  }

  expect_failures = [var.reserved_concurrency]
}

run "refuses_no_timeout" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    timeout = 0
  }

  expect_failures = [var.timeout]
}

run "refuses_too_long_timeout" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    timeout = 901
  }

  expect_failures = [var.timeout]
}

run "refuses_runtime" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    runtime = "python3.10"
  }

  expect_failures = [var.runtime]
}
