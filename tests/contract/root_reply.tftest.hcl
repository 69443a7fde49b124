mock_provider "aws" {
  source = "./tests/contract/mocks"
}

# The command "true" in place of python: nothing is built here.
variables {
  name               = "orders"
  python             = "true"
  observability      = false
  reply_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders-reply:live"
}

run "no_reply" {
  command = plan

  variables {
    reply_function_arn = null
  }

  assert {
    condition     = length(local.reply_environment) == 0 && length(local.reply_statements) == 0 && local.sample_batch_limit == 749
    error_message = "Nothing is reported unless somebody is there to report it."
  }
}

run "sample" {
  command = plan

  assert {
    condition     = tomap(local.reply_environment) == tomap({ REPLY_FUNCTION_ARN = var.reply_function_arn, REPLY_PROGRESS = "true" })
    error_message = "The pipeline finds the reply function in its environment."
  }

  assert {
    condition     = length(local.reply_statements) == 1 && local.reply_statements[0].actions == ["lambda:InvokeFunction"] && local.reply_statements[0].resources == [var.reply_function_arn]
    error_message = "The pipeline may invoke it, and it alone."
  }

  assert {
    condition     = local.sample_operations == 15 && local.sample_batch_limit == 199
    error_message = "Reports count among the operations of an execution."
  }
}

run "own_sources_without_progress" {
  command = plan

  variables {
    source_dir      = "./tests/terraform/callback/handler"
    artifact_bucket = "mine"
    reply_progress  = false
  }

  assert {
    condition     = local.reply_environment.REPLY_FUNCTION_ARN == var.reply_function_arn && local.reply_environment.REPLY_PROGRESS == "false" && length(local.reply_statements) == 1
    error_message = "An own handler may report as well, and learns whether progress is wanted."
  }
}

run "own_variables_of_these_names_without_a_reply_function" {
  command = plan

  variables {
    reply_function_arn    = null
    environment_variables = { REPLY_PROGRESS = "mine" }
    steps                 = { reply = { source_dir = "./functions/validate" } }
    source_dir            = "./tests/terraform/callback/handler"
  }

  assert {
    condition     = local.step_variables == { reply = "REPLY_FUNCTION_ARN" }
    error_message = "The names are free where the module does not use them."
  }
}

run "largest_batch" {
  command = plan

  variables {
    bridge           = "esm"
    batch_size       = 199
    batching_window  = 1
    max_message_size = 1024
  }
}

run "refuses_unqualified_function" {
  command = plan

  variables {
    reply_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders-reply"
  }

  expect_failures = [var.reply_function_arn]
}

run "refuses_step_of_the_same_name" {
  command = plan

  variables {
    source_dir = "./tests/terraform/callback/handler"
    steps      = { reply = { source_dir = "./functions/validate" } }
  }

  expect_failures = [var.reply_function_arn]
}

run "refuses_variables_that_the_module_sets" {
  command = plan

  variables {
    environment_variables = { REPLY_PROGRESS = "false" }
  }

  expect_failures = [var.environment_variables]
}

run "refuses_less_of_nothing" {
  command = plan

  variables {
    reply_function_arn = null
    reply_progress     = false
  }

  expect_failures = [var.reply_progress]
}

run "refuses_batch_whose_reports_are_too_many" {
  command = plan

  variables {
    bridge           = "esm"
    batch_size       = 200
    batching_window  = 1
    max_message_size = 1024
  }

  expect_failures = [output.function_alias_arn]
}
