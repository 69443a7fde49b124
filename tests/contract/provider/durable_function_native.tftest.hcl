# Run by tests/hygiene/test_native_module.py. With an AWS provider older than 6.25 the module is tested without its block
# durable_config, so nothing here names that. What is refused word for word as by durable-function is tested there.
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
    source = "./modules/durable-function-native"
  }

  assert {
    condition     = aws_lambda_function.this.function_name == "orders" && aws_lambda_function.this.handler == "handler.handler" && aws_lambda_function.this.runtime == "python3.13" && aws_lambda_function.this.architectures == tolist(["arm64"]) && aws_lambda_function.this.timeout == 60 && aws_lambda_function.this.memory_size == 256
    error_message = "The function is as given."
  }

  assert {
    condition     = aws_lambda_function.this.s3_bucket == "artifacts" && aws_lambda_function.this.s3_key == "orders/abc.zip" && aws_lambda_function.this.source_code_hash == "abc"
    error_message = "The code is the package's."
  }

  assert {
    condition     = one(aws_lambda_function.this.logging_config).log_format == "JSON" && one(aws_lambda_function.this.logging_config).log_group == "/aws/lambda/orders"
    error_message = "Logs are JSON in the function's group."
  }

  assert {
    condition     = aws_lambda_function.this.publish && !coalesce(aws_lambda_function.this.skip_destroy, false) && aws_lambda_function.this.timeouts.delete == "60m"
    error_message = "Versions are published and go with the function; a deletion may take an hour."
  }

  assert {
    condition     = aws_lambda_alias.this.name == "live" && aws_lambda_alias.this.function_name == "orders" && aws_lambda_alias.this.function_version == aws_lambda_function.this.version
    error_message = "The alias points at the new version."
  }

  assert {
    condition     = output.alias_arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders:live" && output.arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders" && output.version == "3"
    error_message = "The outputs are the alias, the function and its version."
  }

  assert {
    condition     = length(aws_lambda_function.this.dead_letter_config) == 0 && length(aws_lambda_function.this.environment) == 0 && aws_lambda_function.this.reserved_concurrent_executions == -1 && aws_lambda_function.this.kms_key_arn == null
    error_message = "Nothing is set that was not asked for."
  }

  assert {
    condition     = aws_lambda_function.this.description == "[${output.fingerprint}]"
    error_message = "The description shows, and changes with, the fingerprint."
  }

  assert {
    condition     = output.execution_timeout == 86400 && output.timeout == 60 && output.reserved_concurrency == -1 && output.dead_letter_queue_arn == null && output.role_managed
    error_message = "The outputs tell a bridge what it has to know."
  }

  assert {
    condition     = anytrue([for statement in jsondecode(output.required_policy).Statement : contains(flatten([statement.Action]), "lambda:CheckpointDurableExecution")])
    error_message = "The role may checkpoint."
  }
}

run "with_everything" {
  command = apply

  module {
    source = "./modules/durable-function-native"
  }

  variables {
    dead_letter_queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:failed"
    description               = "Orders"
    environment_variables     = { A1 = "x" }
    kms_key_arn               = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    kms_excludes_durable_data = true
    reserved_concurrency      = 5
    s3_object_version         = "v1"
    tags                      = { team = "orders" }
  }

  assert {
    condition     = one(aws_lambda_function.this.dead_letter_config).target_arn == var.dead_letter_queue_arn && one(aws_lambda_function.this.environment).variables == tomap({ A1 = "x" }) && aws_lambda_function.this.reserved_concurrent_executions == 5 && aws_lambda_function.this.s3_object_version == "v1" && aws_lambda_function.this.tags == tomap({ team = "orders" }) && aws_lambda_function.this.description == "Orders [${output.fingerprint}]"
    error_message = "Everything is passed on."
  }

  assert {
    condition     = aws_lambda_function.this.kms_key_arn == var.kms_key_arn
    error_message = "The key holds for the environment."
  }

  assert {
    condition     = anytrue([for statement in jsondecode(output.required_policy).Statement : contains(flatten([statement.Resource]), var.kms_key_arn) && contains(statement.Condition.StringEquals["kms:ViaService"], "sqs.eu-west-1.amazonaws.com") if contains(keys(statement), "Condition")])
    error_message = "The role may use the key for dead letters."
  }
}

run "publishes_on_code" {
  command = plan

  module {
    source = "./modules/durable-function-native"
  }

  variables {
    code_hash = "def"
  }

  assert {
    condition     = local.fingerprint != run.minimal.fingerprint
    error_message = "A change of code publishes a version."
  }
}

run "publishes_on_limits" {
  command = plan

  module {
    source = "./modules/durable-function-native"
  }

  variables {
    execution_timeout = 86401
  }

  assert {
    condition     = local.fingerprint != run.minimal.fingerprint
    error_message = "A change of the durable configuration publishes a version."
  }
}

run "publishes_nothing_for_tags_and_concurrency" {
  command = plan

  module {
    source = "./modules/durable-function-native"
  }

  variables {
    reserved_concurrency = 5
    tags                 = { team = "orders" }
  }

  assert {
    condition     = local.fingerprint == run.minimal.fingerprint
    error_message = "Tags and reserved concurrency are no part of a version."
  }
}

run "refuses_a_key_that_durable_data_would_not_have" {
  command = plan

  module {
    source = "./modules/durable-function-native"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  expect_failures = [var.kms_key_arn]
}

run "existing_role" {
  command = apply

  module {
    source = "./modules/durable-function-native"
  }

  variables {
    role = { arn = "arn:aws:iam::123456789012:role/teams/orders" }
  }

  assert {
    condition     = aws_lambda_function.this.role == var.role.arn && output.role_arn == var.role.arn && output.role_name == "orders" && !output.role_managed
    error_message = "The function has the role that is given."
  }
}
