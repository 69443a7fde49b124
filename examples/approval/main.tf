# Expenses that somebody has to approve: queue -> dispatcher -> durable function -> question -> answer -> table.
resource "aws_dynamodb_table" "this" {
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "message_id"

  attribute {
    name = "message_id"
    type = "S"
  }
}

# What waits for an answer, each with the id of its callback: for a mail, a chat, a form.
module "questions" {
  source = "../../modules/queue"

  name                      = "${var.name}-questions"
  dead_letter_queue         = false
  message_retention_seconds = 1209600
}

module "expenses" {
  source = "../.."

  name = var.name
  # A message that is delivered twice is one execution, so that nobody is asked twice.
  bridge            = "dispatcher"
  source_dir        = "${path.module}/src"
  pip_arguments     = ["--no-deps"]
  execution_timeout = (var.days_to_answer + 1) * 86400
  environment_variables = {
    QUESTIONS_URL  = module.questions.url
    DAYS_TO_ANSWER = var.days_to_answer
    TABLE_NAME     = aws_dynamodb_table.this.name
  }
  policy_statements = [
    { sid = "AskSomebody", actions = ["sqs:SendMessage"], resources = [module.questions.arn] },
    { sid = "RecordExpenses", actions = ["dynamodb:PutItem"], resources = [aws_dynamodb_table.this.arn] },
  ]
  observability = var.observability
}
