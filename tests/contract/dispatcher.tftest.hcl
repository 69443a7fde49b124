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
    condition     = output.alias_arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders-dispatcher:live" && output.role_name == "orders-dispatcher-eu-west-1" && output.timeout == 30
    error_message = "The outputs are what a mapping from elsewhere takes."
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

run "without_queue" {
  command = apply

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn   = null
    visibility_timeout = null
  }

  assert {
    condition     = length(module.mapping) == 0 && output.event_source_mapping_uuid == null
    error_message = "There is no mapping."
  }

  assert {
    condition     = output.alias_arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders-dispatcher:live"
    error_message = "There is a function for a mapping from elsewhere."
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

run "refuses_queue_without_visibility_timeout" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    visibility_timeout = null
  }

  expect_failures = [var.source_queue_arn]
}

run "refuses_visibility_timeout_without_queue" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn = null
  }

  expect_failures = [var.source_queue_arn]
}

run "refuses_batch_size_without_queue" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn   = null
    visibility_timeout = null
    batch_size         = 100
  }

  expect_failures = [var.visibility_timeout]
}

run "refuses_batching_window_without_queue" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn   = null
    visibility_timeout = null
    batching_window    = 1
  }

  expect_failures = [var.visibility_timeout]
}

run "refuses_enabled_without_queue" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn   = null
    visibility_timeout = null
    enabled            = false
  }

  expect_failures = [var.visibility_timeout]
}

run "refuses_filter_patterns_without_queue" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn   = null
    visibility_timeout = null
    filter_patterns    = ["{}"]
  }

  expect_failures = [var.visibility_timeout]
}

run "refuses_maximum_concurrency_without_queue" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn    = null
    visibility_timeout  = null
    maximum_concurrency = 2
  }

  expect_failures = [var.visibility_timeout]
}

run "refuses_maximum_pollers_without_queue" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn   = null
    visibility_timeout = null
    maximum_pollers    = 4
  }

  expect_failures = [var.visibility_timeout]
}

run "refuses_metrics_without_queue" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn   = null
    visibility_timeout = null
    metrics            = true
  }

  expect_failures = [var.visibility_timeout]
}

run "refuses_minimum_pollers_without_queue" {
  command = plan

  module {
    source = "./modules/dispatcher"
  }

  variables {
    source_queue_arn   = null
    visibility_timeout = null
    minimum_pollers    = 2
  }

  expect_failures = [var.visibility_timeout]
}
