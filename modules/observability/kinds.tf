# What an alarm of each kind watches, on which dimension ("" for the account), over how long, and what to do when it goes off.
# How high is too high, and for what there is an alarm: alarms.tf.
#
# Metrics: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html,
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html, .../lambda/latest/dg/durable-monitoring.html (which
# tells no dimensions; CloudWatch has FunctionName, and none for the Approximate ones),
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-monitoring.html,
# https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html,
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html
locals {
  # Columns: namespace, metric, dimension, statistic, seconds of a period, periods in a row. `share_of`: another metric of the
  # same dimension, of which the alarm watches the metric's percentage.
  kinds = {
    age = {
      namespace = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimension = "QueueName", statistic = "Maximum", period = 60, periods = 3, share_of = ""
      tells     = "messages wait on the queue for too long: they arrive faster than they are taken, or are not taken at all"
      first     = "see whether the bridge runs (state of the pipe or mapping) and is throttled, then whether more arrives than usual"
    }
    in-flight = {
      namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesNotVisible", dimension = "QueueName", statistic = "Maximum", period = 60, periods = 1, share_of = ""
      tells     = "so many messages are received and not yet deleted that the queue soon gives out no more"
      first     = "look for a consumer that receives and neither deletes nor ends; a lower visibility timeout brings them back sooner"
    }
    depth = {
      namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimension = "QueueName", statistic = "Maximum", period = 60, periods = 1, share_of = ""
      tells     = "the queue that should be empty holds what failed"
      first     = "read one message and the error with it, mend the cause, then redrive; they expire with the queue's retention"
    }
    executions-failed = {
      namespace = "AWS/Lambda", metric = "DurableExecutionFailed", dimension = "FunctionName", statistic = "Sum", period = 60, periods = 1, share_of = ""
      tells     = "durable executions ended FAILED"
      first     = "list the failed executions and read the error and the last step of one"
    }
    executions-timed-out = {
      namespace = "AWS/Lambda", metric = "DurableExecutionTimedOut", dimension = "FunctionName", statistic = "Sum", period = 60, periods = 1, share_of = ""
      tells     = "durable executions did not end within their execution_timeout"
      first     = "see on which step or callback one of them was waiting; send its callback, or raise execution_timeout"
    }
    execution-time = {
      namespace = "AWS/Lambda", metric = "DurableExecutionDuration", dimension = "FunctionName", statistic = "p99", period = 300, periods = 1, share_of = ""
      tells     = "the slowest durable executions come near their execution_timeout, at which they are ended"
      first     = "see in the timeline of a long one what it waits for; raise execution_timeout before they time out"
    }
    operations = {
      namespace = "AWS/Lambda", metric = "DurableExecutionOperations", dimension = "FunctionName", statistic = "Maximum", period = 60, periods = 1, share_of = ""
      tells     = "a durable execution comes near 3000 operations, at which it fails"
      first     = "lower batch_size, or split the work over chained executions"
    }
    storage = {
      namespace = "AWS/Lambda", metric = "DurableExecutionStorageWrittenBytes", dimension = "FunctionName", statistic = "Maximum", period = 60, periods = 1, share_of = ""
      tells     = "a durable execution comes near 100 MB of written data, at which it fails"
      first     = "return references (an S3 key) from steps in place of data, or lower batch_size"
    }
    running-executions = {
      namespace = "AWS/Lambda", metric = "ApproximateRunningDurableExecutionsUtilization", dimension = "", statistic = "Maximum", period = 60, periods = 3, share_of = ""
      tells     = "the account runs nearly as many durable executions as the Region allows; beyond that none starts"
      first     = "see which function has the most running ones and whether they wait for what never comes; ask for a higher quota"
    }
    errors = {
      namespace = "AWS/Lambda", metric = "Errors", dimension = "FunctionName", statistic = "Sum", period = 300, periods = 1, share_of = "Invocations"
      tells     = "too large a share of the function's invocations fails: exceptions, timeouts, crashes"
      first     = "read the first error in the function's log group, and compare with the last deployment; the alias goes back in one apply"
    }
    throttles = {
      namespace = "AWS/Lambda", metric = "Throttles", dimension = "FunctionName", statistic = "Sum", period = 60, periods = 3, share_of = ""
      tells     = "Lambda refuses invocations for want of concurrency; in front of a queue each costs its messages a receive"
      first     = "compare the function's concurrency with its reserved_concurrency and the account's limit; raise the one that is reached, or lower maximum_concurrency"
    }
    duration = {
      namespace = "AWS/Lambda", metric = "Duration", dimension = "FunctionName", statistic = "p99", period = 300, periods = 1, share_of = ""
      tells     = "the slowest invocations come near the function's timeout, at which they are killed"
      first     = "see in the log what is slow; raise timeout (and with it visibility_timeout) or memory_size"
    }
    concurrency = {
      namespace = "AWS/Lambda", metric = "ConcurrentExecutions", dimension = "FunctionName", statistic = "Maximum", period = 60, periods = 5, share_of = ""
      tells     = "the function uses nearly all of its reserved concurrency; beyond it Lambda refuses invocations"
      first     = "raise reserved_concurrency, or lower maximum_concurrency of what invokes it"
    }
    async-dropped = {
      namespace = "AWS/Lambda", metric = "AsyncEventsDropped", dimension = "FunctionName", statistic = "Sum", period = 60, periods = 1, share_of = ""
      tells     = "Lambda gave up events that the function never handled"
      first     = "look into the function's dead-letter queue or on-failure destination: without one, or if that failed as well, they are lost"
    }
    async-age = {
      namespace = "AWS/Lambda", metric = "AsyncEventAge", dimension = "FunctionName", statistic = "Maximum", period = 60, periods = 3, share_of = ""
      tells     = "events wait so long for their invocation that Lambda will give them up"
      first     = "look for throttles and for errors that are retried; raise the function's concurrency"
    }
    dead-letter-errors = {
      namespace = "AWS/Lambda", metric = "DeadLetterErrors", dimension = "FunctionName", statistic = "Sum", period = 60, periods = 1, share_of = ""
      tells     = "Lambda could not send an event to the function's dead-letter queue: it is LOST"
      first     = "see whether the queue exists and takes so large an event, and the function's role may send to it and use its key; a durable execution keeps its event"
    }
    destination-errors = {
      namespace = "AWS/Lambda", metric = "DestinationDeliveryFailures", dimension = "FunctionName", statistic = "Sum", period = 60, periods = 1, share_of = ""
      tells     = "Lambda could not send a record to a destination of the function: it is LOST"
      first     = "see whether the destination exists, is no FIFO queue, takes the size, and the function's role may send to it"
    }
    failed-events = {
      namespace = "AWS/Lambda", metric = "FailedInvokeEventCount", dimension = "EventSourceMappingUUID", statistic = "Sum", period = 300, periods = 1, share_of = ""
      tells     = "messages or records of a mapping fail, also those that the function reports one by one, which count as no error"
      first     = "read in the function's log why they fail, before they are tried for the last time"
    }
    dropped-events = {
      namespace = "AWS/Lambda", metric = "DroppedEventCount", dimension = "EventSourceMappingUUID", statistic = "Sum", period = 60, periods = 1, share_of = ""
      tells     = "a mapping gave up records of its stream and told no destination: they are lost when they leave the stream"
      first     = "read in the function's log why they failed; read them again from the stream while it has them; give the mapping an on-failure queue"
    }
    iterator-age = {
      namespace = "AWS/Lambda", metric = "IteratorAge", dimension = "FunctionName", statistic = "Maximum", period = 60, periods = 3, share_of = ""
      tells     = "the function lags behind its stream; what gets older than the stream's retention is lost unread"
      first     = "look for a batch that keeps failing (errors, failed-events), else raise parallelization_factor or the number of shards"
    }
    read-age = {
      namespace = "AWS/Kinesis", metric = "GetRecords.IteratorAgeMilliseconds", dimension = "StreamName", statistic = "Maximum", period = 60, periods = 3, share_of = ""
      tells     = "a reader of the stream lags behind; what gets older than the stream's retention is lost unread"
      first     = "see whether the pipe runs and what its log says of failed batches, else raise its parallelization_factor"
    }
    failed = {
      namespace = "AWS/EventBridge/Pipes", metric = "ExecutionFailed", dimension = "PipeName", statistic = "Sum", period = 60, periods = 1, share_of = ""
      tells     = "executions of the pipe failed: their messages are tried again until they move to the dead-letter queue"
      first     = "read the error in the pipe's log group, and the state of the pipe with its reason"
    }
    throttled = {
      namespace = "AWS/EventBridge/Pipes", metric = "ExecutionThrottled", dimension = "PipeName", statistic = "Sum", period = 60, periods = 3, share_of = ""
      tells     = "the pipe is throttled: its messages come later"
      first     = "compare with the concurrency of the account's pipes and the concurrency of the function"
    }
    timed-out = {
      namespace = "AWS/EventBridge/Pipes", metric = "ExecutionTimeout", dimension = "PipeName", statistic = "Sum", period = 60, periods = 1, share_of = ""
      tells     = "executions of the pipe took longer than 5 minutes, for which it waits, and count as failed"
      first     = "see what the function is slow with; lower the pipe's batch_size"
    }
    target-failed = {
      namespace = "AWS/EventBridge/Pipes", metric = "TargetStageFailed", dimension = "PipeName", statistic = "Sum", period = 60, periods = 1, share_of = ""
      tells     = "the pipe could not hand messages to its target, or the target failed on them"
      first     = "read the target's answer in the pipe's log group: a permission, a throttle, a payload too large, or an error of the function"
    }
    integration-errors = {
      namespace = "AWS/ApiGateway", metric = "IntegrationError", dimension = "ApiId", statistic = "Sum", period = 60, periods = 1, share_of = ""
      tells     = "what the WebSocket API leads to answers with errors: a client's message is not on the queue, and the client was told so"
      first     = "read integrationStatus and route in the API's access log: a permission of its role, a queue that is gone, or an error of the connections function"
    }
    integration-failures = {
      namespace = "AWS/ApiGateway", metric = "ExecutionError", dimension = "ApiId", statistic = "Sum", period = 60, periods = 1, share_of = ""
      tells     = "the WebSocket API could not call what it leads to, or its authorizer failed: clients are refused, or told of an error"
      first     = "read integrationError and authorizerError in the API's access log: a permission of a function, a role, a timeout"
    }
  }
}
