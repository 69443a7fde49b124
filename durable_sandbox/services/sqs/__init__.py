"""Amazon SQS: queues in memory, one method an API operation. Knows of ``aws`` only.

``queue`` and ``fifo`` are data structures with an injected clock; ``store`` adds names and long polling; ``service``
is the API. Facts not in botocore's model come from the SQS Developer Guide
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/) and from error texts that AWS returned.
"""
