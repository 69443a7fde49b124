mock_provider "aws" {
  source = "./tests/contract/mocks"
}

# The command "true" in place of python: nothing is built here.
variables {
  name               = "orders-dispatcher"
  source_queue_arn   = "arn:aws:sqs:eu-west-1:123456789012:orders"
  target_alias_arn   = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
  artifact_bucket    = "artifacts"
  visibility_timeout = 180
  python             = "true"
}

run "minimal" {
  command = apply

  module {
    source = "./modules/dispatcher"
  }

  assert {
    condition     = output.name == "orders-dispatcher" && output.arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders-dispatcher" && output.log_group_name == "/aws/lambda/orders-dispatcher"
    error_message = "The outputs name the function."
  }

  assert {
    condition     = output.event_source_mapping_uuid != null && output.role_arn != null
    error_message = "The outputs name mapping and role."
  }

  assert {
    condition     = local.environment == { TARGET_FUNCTION_ARN = var.target_alias_arn } && local.statements[0].resources == [var.target_alias_arn] && length(local.statements) == 1
    error_message = "The dispatcher finds its target and may invoke exactly that."
  }
}

run "fifo" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
  }
}

run "with_everything" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    filter_patterns     = ["{}"]
    kms_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    maximum_concurrency = 2
    metrics             = true
    enabled             = false
    batch_size          = 100
    batching_window     = 5
    visibility_timeout  = 185
  }
}

run "provisioned" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    minimum_pollers = 2
    maximum_pollers = 4
  }
}

run "refuses_runtime" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    runtime = "python3.12"
  }

  expect_failures = [var.runtime]
}

run "refuses_unqualified_target" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    target_alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
  }

  expect_failures = [var.target_alias_arn]
}

run "refuses_too_short_timeout" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    timeout = 14
  }

  expect_failures = [var.timeout]
}

run "refuses_too_long_timeout" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    timeout            = 901
    visibility_timeout = 43200
  }

  expect_failures = [var.timeout]
}
