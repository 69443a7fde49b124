# Payments in batches: queue -> mapping -> durable function -> table. What fails in a batch returns alone.
resource "aws_dynamodb_table" "this" {
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "message_id"

  attribute {
    name = "message_id"
    type = "S"
  }
}

module "payments" {
  source = "../.."

  name                  = var.name
  bridge                = "esm"
  source_dir            = "${path.module}/src"
  pip_arguments         = ["--no-deps"]
  environment_variables = { TABLE_NAME = aws_dynamodb_table.this.name }
  policy_statements     = [{ sid = "StorePayments", actions = ["dynamodb:PutItem"], resources = [aws_dynamodb_table.this.arn] }]
  observability         = var.observability

  # A failed message returns after 60 s, the least for these: the greater of 6 x timeout and execution_timeout + 30.
  timeout           = 10
  execution_timeout = 30
}
