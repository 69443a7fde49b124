"""Reports on a message to the WebSocket client that sent it, through the reply function.

Replayed like the steps: what a report depends on comes from the event, the settings and the answers of earlier ones.
"""

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, InvokeError
from aws_durable_execution_sdk_python.config import Duration
from messages import Message
from outcome import Outcome, describe
from settings import Settings

PROGRESS = ("accepted", "validated", "transformed", "held")
# Between the tries of a result. Behind a mapping the execution has 15 minutes for all of its batch.
RETRY_SECONDS = (5, 15, 45)
RESULT_OPERATIONS = 1 + 2 * len(RETRY_SECONDS)

# Of an id that the client chose: what is longer is no id, and a report is to stay far below the 128 KB that API Gateway posts.
MAX_ID_LENGTH = 128
# Of a reason why a report did not arrive.
MAX_REASON_LENGTH = 200


class Reporter:
    """Reports on one message; does nothing for a message of no connection, or without a reply function.

    Nothing that goes wrong here fails the message. The client's id, once an answer has told it, goes with later reports: it
    finds the client again when it has reconnected. A client that is gone for good gets no more of them.
    """

    def __init__(self, context: DurableContext, message: Message, settings: Settings, *, suffix: str) -> None:
        self._context = context
        self._settings = settings
        self._suffix = suffix
        self._sender = message.sender if settings.reply_arn else None
        self._connection_id = message.sender.connection_id if message.sender else ""
        self._client_id = message.sender.client_id if message.sender else None
        self._gone = False
        self._about = _about(message)
        self.unreported: list[str] = []

    def progress(self, status: str, **details: Any) -> None:
        """Report one of `PROGRESS`, once."""
        if self._settings.reply_progress and (failure := self._report(status, details, f"report-{status}")):
            self.unreported.append(f"{status}: {failure}")

    def result(self, outcome: Outcome) -> None:
        """Report "stored" or "failed", and up to three times again."""
        status, details = ("stored", {}) if outcome.error is None else ("failed", {"error": outcome.error})
        failure = self._report(status, details, f"report-{status}")
        for count, seconds in enumerate(RETRY_SECONDS, 1):
            if failure is None:
                return
            self._context.wait(Duration.from_seconds(seconds), name=f"wait-{count}-to-report{self._suffix}")
            failure = self._report(status, details, f"report-{status}-again-{count}")
        if failure is not None:
            self.unreported.append(f"{status}: {failure}")

    def _report(self, status: str, details: dict[str, Any], name: str) -> str | None:
        """Return why the report did not arrive; None if it did, or if nobody is there to get it."""
        if self._sender is None or self._gone:
            return None
        request = {"connection_id": self._connection_id, "data": {"status": status, **self._about, **details}}
        if self._client_id is not None:
            request["client_id"] = self._client_id
        try:
            answer = self._context.invoke(self._settings.reply_arn, request, name=f"{name}{self._suffix}")
        except InvokeError as error:
            return describe(error.error_type, error.message)[:MAX_REASON_LENGTH]
        if not isinstance(answer, dict):
            return "the reply function's answer is no object"
        self._client_id = answer.get("client_id") or self._client_id
        self._connection_id = answer.get("connection_id") or self._connection_id
        self._gone = not answer.get("delivered") and self._client_id is None
        return None


def max_operations(message: Message, settings: Settings) -> int:
    """Return how many durable operations the reports on a message take at most."""
    if message.sender is None or not settings.reply_arn:
        return 0
    return (len(PROGRESS) if settings.reply_progress else 0) + RESULT_OPERATIONS


def _about(message: Message) -> dict[str, Any]:
    """What each report tells, so that a client knows which of its requests it is about."""
    about: dict[str, Any] = {"message_id": message.message_id}
    if message.sender is not None and message.sender.request_id is not None:
        about["request_id"] = message.sender.request_id
    own = message.body.get("id") if isinstance(message.body, dict) else None
    if (isinstance(own, str) and len(own) <= MAX_ID_LENGTH) or (isinstance(own, int) and not isinstance(own, bool)):
        about["id"] = own
    return about
