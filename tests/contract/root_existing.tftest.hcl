# Queue, function and role from outside.
mock_provider "aws" {
  source = "./tests/contract/mocks"
}

# The command "true" in place of python: nothing is built here.
variables {
  name          = "orders"
  python        = "true"
  observability = true
}

run "queue" {
  command = apply

  variables {
    queue = {
      arn                   = "arn:aws:sqs:eu-west-1:123456789012:incoming"
      dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:incoming-gave-up"
      max_message_size      = 258048
      url                   = "https://sqs.eu-west-1.amazonaws.com/123456789012/incoming"
      visibility_timeout    = 60
    }
  }

  assert {
    condition     = length(module.queue) == 0 && output.queue_arn == var.queue.arn && output.queue_url == var.queue.url && output.dead_letter_queue_arn == var.queue.dead_letter_queue_arn && output.dead_letter_queue_url == null
    error_message = "No queue is made, and the outputs tell the given one."
  }

  assert {
    condition     = local.queue.name == "incoming" && local.queue.dead_letter_name == "incoming-gave-up" && anytrue([for name in values(output.alarm_names) : strcontains(name, "queue")])
    error_message = "The given queues are watched."
  }

  assert {
    condition     = output.function_name == "orders" && output.failed_queue_arn != null
    error_message = "The rest is as ever."
  }
}

run "queue_behind_a_mapping" {
  command = plan

  variables {
    bridge = "esm"
    fifo   = true
    queue = {
      arn                   = "arn:aws:sqs:eu-west-1:123456789012:incoming.fifo"
      dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:gave-up.fifo"
      max_message_size      = 258048
      visibility_timeout    = 930
    }
  }

  assert {
    condition     = local.visibility_timeout == 930 && output.queue_arn == var.queue.arn && output.queue_url == null
    error_message = "The mapping is told the queue's own visibility timeout."
  }
}

run "queue_that_is_none" {
  command = plan

  variables {
    queue = {
      arn                   = "incoming"
      dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:incoming-gave-up"
      max_message_size      = 258048
      visibility_timeout    = 60
    }
  }

  expect_failures = [var.queue]
}

run "queue_of_another_type" {
  command = plan

  variables {
    queue = {
      arn                   = "arn:aws:sqs:eu-west-1:123456789012:incoming.fifo"
      dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:gave-up.fifo"
      max_message_size      = 258048
      visibility_timeout    = 60
    }
  }

  expect_failures = [var.queue]
}

run "queue_with_too_short_a_visibility_timeout" {
  command = plan

  variables {
    batching_window = 5
    queue = {
      arn                   = "arn:aws:sqs:eu-west-1:123456789012:incoming"
      dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:incoming-gave-up"
      max_message_size      = 258048
      visibility_timeout    = 64
    }
  }

  expect_failures = [var.queue]
}

run "queue_and_what_it_would_ignore" {
  command = plan

  variables {
    max_receive_count = 6
    queue = {
      arn                   = "arn:aws:sqs:eu-west-1:123456789012:incoming"
      dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:incoming-gave-up"
      max_message_size      = 258048
      visibility_timeout    = 60
    }
  }

  expect_failures = [var.queue]
}

run "queue_whose_messages_may_be_larger_than_what_failed_may_hold" {
  command = plan

  variables {
    queue = {
      arn                   = "arn:aws:sqs:eu-west-1:123456789012:incoming"
      dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:incoming-gave-up"
      max_message_size      = 262144
      visibility_timeout    = 60
    }
  }

  expect_failures = [output.queue_arn]
}

run "queue_of_another_region" {
  command = plan

  variables {
    queue = {
      arn                   = "arn:aws:sqs:us-east-1:123456789012:incoming"
      dead_letter_queue_arn = "arn:aws:sqs:us-east-1:123456789012:incoming-gave-up"
      max_message_size      = 258048
      visibility_timeout    = 60
    }
  }

  expect_failures = [output.queue_arn]
}

run "function" {
  command = apply

  variables {
    function = {
      alias_arn             = "arn:aws:lambda:eu-west-1:123456789012:function:native:live"
      arn                   = "arn:aws:lambda:eu-west-1:123456789012:function:native"
      dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:native-failed"
      execution_timeout     = 3600
      log_group_name        = "/aws/lambda/native"
      name                  = "native"
      role_name             = "native-eu-west-1"
      timeout               = 120
      version               = "3"
      not_an_input          = "left out: all outputs of a module are given"
    }
  }

  assert {
    condition     = length(module.function) + length(module.package) + length(module.step) + length(aws_dynamodb_table.this) == 0
    error_message = "No function is made, nor the sample's steps and table."
  }

  assert {
    condition     = output.function_name == "native" && output.function_alias_arn == var.function.alias_arn && output.function_arn == var.function.arn && output.function_version == "3" && output.log_group_name == "/aws/lambda/native" && output.required_policy == null
    error_message = "The outputs tell the given one."
  }

  assert {
    condition     = module.pipe[0].name == "orders" && local.failed_queue_name == "native-failed" && local.timeout == 120 && local.execution_timeout == 3600
    error_message = "Bridge and alarms are the stack's own, and know the function's limits and queue."
  }
}

run "function_behind_a_mapping" {
  command = plan

  variables {
    bridge              = "esm"
    maximum_concurrency = 2
    function = {
      alias_arn            = "arn:aws:lambda:eu-west-1:123456789012:function:native:live"
      arn                  = "arn:aws:lambda:eu-west-1:123456789012:function:native"
      execution_timeout    = 300
      name                 = "native"
      reserved_concurrency = 2
      role_managed         = false
      role_name            = "native"
      timeout              = 200
    }
  }

  assert {
    condition     = local.visibility_timeout == 1200 && jsondecode(output.required_policy).Statement[*].Sid == ["ReadQueue"]
    error_message = "The visibility timeout fits the function's own timeout, and its role has to allow to read the queue."
  }

  assert {
    condition     = local.failed_queue_name == "orders-failed"
    error_message = "Behind a mapping a function needs no queue of its own."
  }
}

run "function_and_what_it_would_ignore" {
  command = plan

  variables {
    memory_size = 512
    steps       = { check = { source_dir = "./functions/validate" } }
    function = {
      alias_arn             = "arn:aws:lambda:eu-west-1:123456789012:function:native:live"
      arn                   = "arn:aws:lambda:eu-west-1:123456789012:function:native"
      dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:native-failed"
      execution_timeout     = 3600
      name                  = "native"
      role_name             = "native"
      timeout               = 60
    }
  }

  expect_failures = [output.function_alias_arn]
}

run "function_that_loses_events" {
  command = plan

  variables {
    function = {
      alias_arn         = "arn:aws:lambda:eu-west-1:123456789012:function:native:live"
      arn               = "arn:aws:lambda:eu-west-1:123456789012:function:native"
      execution_timeout = 3600
      name              = "native"
      role_name         = "native"
      timeout           = 60
    }
  }

  expect_failures = [var.function]
}

run "function_that_outlasts_a_mapping" {
  command = plan

  variables {
    bridge = "esm"
    function = {
      alias_arn         = "arn:aws:lambda:eu-west-1:123456789012:function:native:live"
      arn               = "arn:aws:lambda:eu-west-1:123456789012:function:native"
      execution_timeout = 901
      name              = "native"
      role_name         = "native"
      timeout           = 60
    }
  }

  expect_failures = [var.function]
}

run "function_with_less_concurrency_than_its_mapping" {
  command = plan

  variables {
    bridge = "esm"
    function = {
      alias_arn            = "arn:aws:lambda:eu-west-1:123456789012:function:native:live"
      arn                  = "arn:aws:lambda:eu-west-1:123456789012:function:native"
      execution_timeout    = 60
      name                 = "native"
      reserved_concurrency = 5
      role_name            = "native"
      timeout              = 60
    }
  }

  expect_failures = [var.function]
}

run "role" {
  command = plan

  variables {
    bridge               = "esm"
    role                 = { arn = "arn:aws:iam::123456789012:role/orders" }
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = local.function.role_name == "orders" && !local.function.role_managed
    error_message = "The durable function has the given role, and nothing is attached to it."
  }

  assert {
    condition     = alltrue([for sid in ["WriteLogs", "CheckpointExecutions", "SendDeadLetters", "InvokeSteps", "ReadQueue"] : contains(jsondecode(output.required_policy).Statement[*].Sid, sid)])
    error_message = "What it has to allow includes what the mapping needs."
  }
}
