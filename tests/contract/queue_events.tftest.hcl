mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  name = "orders"
}

run "event_rules" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    event_rule_arns = ["arn:aws:events:eu-west-1:123456789012:rule/placed", "arn:aws:events:eu-west-1:123456789012:rule/shop/paid"]
  }

  assert {
    condition = jsonencode(jsondecode(aws_sqs_queue.this.policy).Statement[1]) == jsonencode({
      Sid       = "AllowEventRules"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:eu-west-1:123456789012:orders"
      Condition = { ArnEquals = { "aws:SourceArn" = var.event_rule_arns } }
    })
    error_message = "The queue lets exactly these rules in."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.policy).Statement[0].Effect == "Deny" && length(jsondecode(aws_sqs_queue.dead_letter[0].policy).Statement) == 1
    error_message = "Plain HTTP stays denied, and the queue's own dead-letter queue closed to them."
  }
}

run "no_event_rules" {
  command = plan

  module {
    source = "./modules/queue"
  }

  assert {
    condition     = length(jsondecode(aws_sqs_queue.this.policy).Statement) == 1
    error_message = "Without rules nobody is let in."
  }
}

run "refuses_event_rule_arns" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    event_rule_arns = ["placed"]
  }

  expect_failures = [var.event_rule_arns]
}
