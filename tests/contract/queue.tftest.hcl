mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  name = "orders"
}

run "standard_pair" {
  command = plan

  module {
    source = "./modules/queue"
  }

  assert {
    condition     = aws_sqs_queue.this.name == "orders" && aws_sqs_queue.dead_letter[0].name == "orders-dlq"
    error_message = "Names are <name> and <name>-dlq."
  }

  assert {
    condition     = output.max_message_size == 262144
    error_message = "Senders and readers learn what fits."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq", maxReceiveCount = 5 }
    error_message = "The queue redrives to its dead-letter queue after 5 receives."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.dead_letter[0].redrive_allow_policy).sourceQueueArns[0] == "arn:aws:sqs:eu-west-1:123456789012:orders"
    error_message = "Only the queue may redrive to its dead-letter queue."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false" && jsondecode(aws_sqs_queue.this.policy).Statement[0].Effect == "Deny"
    error_message = "Plain HTTP is denied."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.dead_letter[0].policy).Statement[0].Resource == "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
    error_message = "The dead-letter queue's policy is about itself."
  }

  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead_letter[0].sqs_managed_sse_enabled
    error_message = "Both queues are encrypted."
  }

  assert {
    condition     = aws_sqs_queue.dead_letter[0].message_retention_seconds == 1209600
    error_message = "The dead-letter queue keeps messages for 14 days."
  }

}

run "fifo_pair" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    fifo = true
  }

  assert {
    condition     = aws_sqs_queue.this.name == "orders.fifo" && aws_sqs_queue.dead_letter[0].name == "orders-dlq.fifo"
    error_message = "Both names end in .fifo."
  }

  assert {
    condition     = aws_sqs_queue.this.fifo_queue && aws_sqs_queue.dead_letter[0].fifo_queue
    error_message = "A FIFO queue has a FIFO dead-letter queue."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_policy).deadLetterTargetArn == "arn:aws:sqs:eu-west-1:123456789012:orders-dlq.fifo"
    error_message = "The redrive policy names the FIFO dead-letter queue."
  }

  assert {
    condition     = aws_sqs_queue.this.deduplication_scope == "messageGroup" && aws_sqs_queue.this.fifo_throughput_limit == "perMessageGroupId"
    error_message = "High throughput needs both settings."
  }

}

run "single_queue" {
  command = apply

  module {
    source = "./modules/queue"
  }

  variables {
    dead_letter_queue = false
  }

  assert {
    condition     = length(aws_sqs_queue.dead_letter) == 0
    error_message = "No dead-letter queue."
  }

  assert {
    condition     = output.dead_letter_arn == null && output.dead_letter_url == null && output.dead_letter_name == null
    error_message = "No dead-letter outputs."
  }

}

run "own_key" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = aws_sqs_queue.this.kms_master_key_id == var.kms_key_arn && aws_sqs_queue.dead_letter[0].kms_master_key_id == var.kms_key_arn
    error_message = "Both queues use the key."
  }

}

run "longest_name" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    name = replace(format("%71s", ""), " ", "n")
    fifo = true
  }

}

run "refuses_delay_seconds" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    delay_seconds = 901
  }

  expect_failures = [var.delay_seconds]
}

run "refuses_dead_letter_retention_out_of_range" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    dead_letter_retention_seconds = 1209601
  }

  expect_failures = [var.dead_letter_retention_seconds]
}

run "refuses_dead_letter_retention_not_longer" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    dead_letter_retention_seconds = 345600
  }

  expect_failures = [var.dead_letter_retention_seconds]
}

run "refuses_kms_key_arn" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    kms_key_arn = "alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_max_message_size" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    max_message_size = 1023
  }

  expect_failures = [var.max_message_size]
}

run "refuses_no_receive" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    max_receive_count = 0
  }

  expect_failures = [var.max_receive_count]
}

run "refuses_too_many_receives" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    max_receive_count = 1001
  }

  expect_failures = [var.max_receive_count]
}

run "refuses_message_retention_seconds" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    message_retention_seconds = 59
  }

  expect_failures = [var.message_retention_seconds]
}

run "refuses_name_charset" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    name = "orders.fifo"
  }

  expect_failures = [var.name]
}

run "refuses_name_too_long_with_dlq" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    name = replace(format("%77s", ""), " ", "n")
  }

  expect_failures = [var.name]
}

run "refuses_name_too_long_with_fifo" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    name = replace(format("%72s", ""), " ", "n")
    fifo = true
  }

  expect_failures = [var.name]
}

run "refuses_visibility_timeout" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    visibility_timeout = 43201
  }

  expect_failures = [var.visibility_timeout]
}
