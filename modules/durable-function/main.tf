locals {
  # Built, not taken from the stack's outputs: those are unknown in every plan that changes the code, and would mark
  # each invoker as changed too.
  arn = module.role.function_arn
}

# Not aws_lambda_function: its durable_config needs provider 6.25, has no key for durable data, and breaks validation
# of the whole configuration on older providers.
resource "aws_cloudformation_stack" "this" {
  #checkov:skip=CKV_AWS_124:Terraform waits for the stack and reports why it failed
  name          = var.name
  template_body = local.template

  # A stack whose creation failed would otherwise stay and block the next apply.
  on_failure         = "DELETE"
  timeout_in_minutes = 30

  # CloudFormation passes the stack's tags on to the function.
  tags = var.tags

  timeouts {
    create = "30m"
    update = "60m"
    # Lambda stops the running executions first.
    delete = "60m"
  }
}
