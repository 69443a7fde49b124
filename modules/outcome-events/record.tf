# The record of an outcome has the shape of a Lambda destination's record, as far as the event goes. The event tells neither
# the payload nor the result or error: GetDurableExecution does, by executionArn.
# https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html (event),
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html (record)
locals {
  record_paths = {
    time           = "$.time"
    function_arn   = "$.detail.functionArn"
    status         = "$.detail.status"
    execution_arn  = "$.detail.durableExecutionArn"
    execution_name = "$.detail.durableExecutionName"
    started        = "$.detail.startTimestamp"
    ended          = "$.detail.endTimestamp"
  }

  # A heredoc: jsonencode() writes < and > as \u003c and \u003e, which EventBridge takes for text. No quotes around
  # placeholders: EventBridge puts a string's own.
  record = trimspace(<<-EOT
    {
      "version": "1.0",
      "timestamp": <time>,
      "requestContext": {
        "functionArn": <function_arn>,
        "condition": <status>,
        "executionArn": <execution_arn>,
        "executionName": <execution_name>
      },
      "responseContext": {
        "status": <status>,
        "startTimestamp": <started>,
        "endTimestamp": <ended>
      }
    }
  EOT
  )
}
