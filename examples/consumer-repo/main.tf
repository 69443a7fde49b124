# Orders: queue -> pipe -> durable function -> step, all of the module's making; the handlers and the table are this repository's own.
module "orders" {
  # Copied out of its repository: an address with a version, see README.md.
  source = "../.."

  name                  = var.name
  source_dir            = "${path.module}/src"
  pip_arguments         = ["--no-deps"] # the SDK's one dependency, boto3, is in the runtime
  execution_timeout     = 2 * 86400
  environment_variables = { TABLE_NAME = aws_dynamodb_table.this.name }
  policy_statements     = [{ sid = "StoreOrders", actions = ["dynamodb:PutItem"], resources = [aws_dynamodb_table.this.arn] }]
  steps                 = { price = { source_dir = "${path.module}/price", handler = "price.handler" } }
  observability         = var.observability
}

resource "aws_dynamodb_table" "this" {
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "order_id"

  attribute {
    name = "order_id"
    type = "S"
  }
}
