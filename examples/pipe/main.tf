# Reminders: a message waits for its date, for months if need be. Queue -> pipe -> durable function -> table.
locals {
  longest_days = 180
}

resource "aws_dynamodb_table" "this" {
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "message_id"

  attribute {
    name = "message_id"
    type = "S"
  }
}

module "reminders" {
  source = "../.."

  name                  = var.name
  source_dir            = "${path.module}/src"
  pip_arguments         = ["--no-deps"]
  execution_timeout     = (local.longest_days + 1) * 86400
  environment_variables = { LONGEST_DAYS = local.longest_days, TABLE_NAME = aws_dynamodb_table.this.name }
  policy_statements     = [{ sid = "StoreReminders", actions = ["dynamodb:PutItem"], resources = [aws_dynamodb_table.this.arn] }]
  observability         = var.observability
}
