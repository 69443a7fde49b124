# The sample behind each bridge, all under a customer managed key: every statement that the modules can write is there.
resource "aws_kms_key" "this" {
  description         = "Queues, tables, logs and variables of this scenario"
  enable_key_rotation = true
}

module "pipeline" {
  source   = "../../.."
  for_each = toset(["pipe", "esm", "dispatcher"])

  # Alarms have no roles, and would take half of the apply.
  observability = false

  name        = "guarded-${each.key}"
  bridge      = each.key
  kms_key_arn = aws_kms_key.this.arn
  tags        = { scenario = "encrypted" }

  # One with a role of others, which has what it is said to need and nothing else. Known once it has its policy: Lambda asks
  # what a role may do when a function or a mapping is created.
  role = each.key == "esm" ? { arn = aws_iam_role_policy.service.id == "" ? "" : aws_iam_role.service.arn } : null
}

resource "aws_iam_role" "service" {
  name = "guarded-esm-service"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "service" {
  name   = "service"
  role   = aws_iam_role.service.name
  policy = module.pipeline["esm"].required_policy
}

output "pipelines" {
  value = { for bridge, pipeline in module.pipeline : bridge => {
    queue_arn             = pipeline.queue_arn
    queue_url             = pipeline.queue_url
    dead_letter_queue_url = pipeline.dead_letter_queue_url
    failed_queue_url      = pipeline.failed_queue_url
    function_alias_arn    = pipeline.function_alias_arn
    function_name         = pipeline.function_name
    pipe_name             = pipeline.pipe_name
    table_name            = pipeline.table_name
  } }
}
