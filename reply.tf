# Reports to who sent a message, by a function of another module: the sample reads these variables, an own handler may.
locals {
  reply_variables = ["REPLY_FUNCTION_ARN", "REPLY_PROGRESS"]

  reply_environment = var.reply_function_arn == null ? {} : {
    REPLY_FUNCTION_ARN = var.reply_function_arn
    REPLY_PROGRESS     = tostring(var.reply_progress)
  }

  reply_statements = [for arn in compact([var.reply_function_arn]) : {
    sid        = "InvokeReply"
    effect     = "Allow"
    actions    = ["lambda:InvokeFunction"]
    resources  = [arn]
    conditions = []
  }]
}
