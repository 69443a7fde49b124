mock_provider "aws" {
  source = "./tests/contract/mocks"
}

# A function without code of its own to build, and without steps: what is asked here is about outcomes.
variables {
  name            = "orders"
  python          = "true"
  source_dir      = "./tests/terraform/callback/handler"
  artifact_bucket = "mine"
}

run "none" {
  command = plan

  assert {
    condition     = length(module.outcomes) == 0 && output.on_failure_queue_url == null && output.on_success_queue_url == null && output.outcomes_dead_letter_queue_arn == null && output.outcomes_dead_letter_queue_url == null && length(output.outcomes_target_policy_statements) == 0
    error_message = "Nobody is told unless someone is named."
  }

  assert {
    condition     = output.on_failure_rule_arn == "arn:aws:events:eu-west-1:123456789012:rule/orders-on-failure" && output.on_success_rule_arn == "arn:aws:events:eu-west-1:123456789012:rule/orders-on-success"
    error_message = "A queue may name its rule before the rule is there."
  }
}

run "both" {
  command = plan

  variables {
    on_failure = { type = "topic", arn = "arn:aws:sns:eu-west-1:123456789012:alerts" }
    on_success = { type = "queue", arn = "arn:aws:sqs:eu-west-1:123456789012:done" }
  }

  assert {
    condition     = module.outcomes[0].on_failure_target_arn == var.on_failure.arn && module.outcomes[0].on_success_target_arn == var.on_success.arn
    error_message = "Each outcome has its target."
  }

  assert {
    condition     = module.outcomes[0].on_failure_rule_arn == output.on_failure_rule_arn && module.outcomes[0].on_success_rule_arn == output.on_success_rule_arn
    error_message = "The rules have the ARNs that were told before."
  }

  assert {
    condition     = output.outcomes_dead_letter_queue_arn == "arn:aws:sqs:eu-west-1:123456789012:orders-outcomes-dlq" && toset(keys(output.outcomes_target_policy_statements)) == toset(["on_failure", "on_success"])
    error_message = "What they need is told."
  }
}
