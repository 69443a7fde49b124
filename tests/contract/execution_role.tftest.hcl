mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  function_name = "orders"
}

run "plain" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  assert {
    condition     = length(jsondecode(aws_iam_role_policy.this[0].policy).Statement) == 1
    error_message = "A plain function may only write its logs."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[0].Resource == ["arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/orders:*"]
    error_message = "Logs of this function alone."
  }

  assert {
    condition     = aws_iam_role.this[0].name == "orders-eu-west-1"
    error_message = "The role's name has the region."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/orders" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The log group is Lambda's, with retention."
  }

}

run "role_from_outside" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    role    = { arn = "arn:aws:iam::123456789012:role/platform/orders" }
    durable = true
  }

  assert {
    condition     = length(aws_iam_role.this) + length(aws_iam_role_policy.this) == 0
    error_message = "An existing role is left as it is."
  }

  assert {
    condition     = output.role_arn == var.role.arn && output.role_name == "orders" && aws_cloudwatch_log_group.this.name == "/aws/lambda/orders"
    error_message = "It is the function's role, whose name is without its path; the log group is made in any case."
  }

  assert {
    condition     = jsondecode(output.required_policy).Statement[*].Sid == ["WriteLogs", "CheckpointExecutions"]
    error_message = "Its owner reads what it has to allow."
  }
}

run "role_by_name" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    role = { arn = "orders" }
  }

  expect_failures = [var.role]
}

run "boundary_of_a_role_from_outside" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    role                 = { arn = "arn:aws:iam::123456789012:role/orders" }
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
  }

  expect_failures = [var.role]
}

run "durable" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    durable = true
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.this[0].policy).Statement : s if try(s.Sid, "") == "CheckpointExecutions"]).Resource == ["arn:aws:lambda:eu-west-1:123456789012:function:orders:*"]
    error_message = "Checkpoints are authorised below the function's versions."
  }

  assert {
    condition     = toset(one([for s in jsondecode(aws_iam_role_policy.this[0].policy).Statement : s if try(s.Sid, "") == "CheckpointExecutions"]).Action) == toset(["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"])
    error_message = "The two checkpoint actions, in the singular."
  }

}

run "dead_letters" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    dead_letter_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:failed"
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.this[0].policy).Statement : s if try(s.Sid, "") == "SendDeadLetters"]).Resource == ["arn:aws:sqs:eu-west-1:123456789012:failed"] && one([for s in jsondecode(aws_iam_role_policy.this[0].policy).Statement : s if try(s.Sid, "") == "SendDeadLetters"]).Action == ["sqs:SendMessage"]
    error_message = "Lambda sends with the function's role."
  }

}

run "own_key" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    kms_key_arn  = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    kms_services = ["lambda", "dynamodb"]
  }

  assert {
    condition     = toset(one([for s in jsondecode(aws_iam_role_policy.this[0].policy).Statement : s if try(s.Sid, "") == "UseKey"]).Condition.StringEquals["kms:ViaService"]) == toset(["lambda.eu-west-1.amazonaws.com", "dynamodb.eu-west-1.amazonaws.com"])
    error_message = "The key is used through the named services only."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "Logs are encrypted with the key."
  }

}

run "own_statements" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
    policy_statements    = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::b/*"], sid = "Read", conditions = [{ test = "StringEquals", variable = "aws:PrincipalTag/team", values = ["a", "b"] }, { test = "StringEquals", variable = "aws:SourceVpc", values = ["vpc-1"] }, { test = "Bool", variable = "aws:SecureTransport", values = ["true"] }] }, { actions = ["s3:GetObject"], resources = ["arn:aws:s3:::b/*"], effect = "Deny" }]
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.this[0].policy).Statement : s if try(s.Sid, "") == "Read"]).Condition.StringEquals == { "aws:PrincipalTag/team" = ["a", "b"], "aws:SourceVpc" = ["vpc-1"] }
    error_message = "Conditions with one operator are joined."
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.this[0].policy).Statement : s if try(s.Sid, "") == "Read"]).Condition.Bool["aws:SecureTransport"] == ["true"]
    error_message = "Each operator has its own conditions."
  }

  assert {
    condition     = length([for s in jsondecode(aws_iam_role_policy.this[0].policy).Statement : s if s.Effect == "Deny"]) == 1
    error_message = "Deny is passed on."
  }

  assert {
    condition     = aws_iam_role.this[0].permissions_boundary == var.permissions_boundary
    error_message = "The boundary is attached."
  }

}

run "refuses_function_name_charset" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    function_name = "a b"
  }

  expect_failures = [var.function_name]
}

run "refuses_function_name_too_long" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    function_name = replace(format("%65s", ""), " ", "n")
  }

  expect_failures = [var.function_name]
}

run "refuses_role_name_too_long" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    function_name = replace(format("%56s", ""), " ", "n")
  }

  expect_failures = [aws_iam_role.this]
}

run "refuses_kms_key_arn" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    kms_key_arn = "1234abcd"
  }

  expect_failures = [var.kms_key_arn]
}

run "key_for_the_logs_alone" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    kms_services = []
    kms_key_arn  = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this[0].policy).Statement : s.Sid] == ["WriteLogs"] && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "Without a service the role must not use the key; the log group must."
  }
}

run "refuses_log_retention_days" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_permissions_boundary" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    permissions_boundary = "boundary"
  }

  expect_failures = [var.permissions_boundary]
}

run "refuses_effect" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    policy_statements = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::b/*"], effect = "allow" }]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_statement_without_actions" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    policy_statements = [{ actions = [], resources = ["arn:aws:s3:::b/*"] }]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_statement_without_resources" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    policy_statements = [{ actions = ["s3:GetObject"], resources = [] }]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_any_action" {
  command = plan

  module {
    source = "./modules/execution-role"
  }

  variables {
    policy_statements = [{ actions = ["*"], resources = ["arn:aws:s3:::b/*"] }]
  }

  expect_failures = [var.policy_statements]
}
