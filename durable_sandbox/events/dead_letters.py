"""A function's dead-letter target: the raw event and three attributes that say why it is there.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
"""

from __future__ import annotations

import logging
import re

from durable_sandbox.aws.arns import Arn, queue_url
from durable_sandbox.aws.call import Api, Caller
from durable_sandbox.aws.errors import AwsError

logger = logging.getLogger(__name__)

MAX_ERROR_BYTES = 1024
_UNSENDABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What SQS refuses in a message (its SendMessage page); a coloured error message must not cost the event."""


async def send_dead_letter(
    api: Api,
    caller: Caller,
    region: str,
    target_arn: str,
    *,
    body: bytes,
    request_id: str,
    error_code: int,
    error_message: str,
) -> bool:
    """Send ``body`` to an SQS queue or SNS topic with the function's role; whether it was taken.

    AWS counts a refusal (DeadLetterErrors) and drops the event.
    """
    target = Arn.parse(target_arn)
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": str(error_code)},
        "ErrorMessage": {
            "DataType": "String",
            "StringValue": _sendable(error_message) or "unknown",
        },
    }
    text = body.decode(errors="replace")
    try:
        if target.service == "sns":
            topic = {"TopicArn": target_arn, "Message": text, "MessageAttributes": attributes}
            await api.call(caller, region, "sns", "Publish", topic)
            return True
        message = {"QueueUrl": queue_url(target), "MessageBody": text, "MessageAttributes": attributes}
        await api.call(caller, target.region, "sqs", "SendMessage", message)
    except AwsError as error:
        logger.error(  # noqa: TRY400 - the refusal says all; a traceback would hide it
            "DeadLetterErrors: event %s could not be sent to %s: %s: %s",
            request_id,
            target_arn,
            error.code,
            error.message,
        )
    except Exception:
        logger.exception("DeadLetterErrors: event %s could not be sent to %s", request_id, target_arn)
    else:
        return True
    return False


def _sendable(text: str) -> str:
    shown = _UNSENDABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return shown.encode()[:MAX_ERROR_BYTES].decode(errors="ignore")
