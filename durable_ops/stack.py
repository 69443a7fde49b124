"""A deployed pipeline, found by its name.

The names are the root module's: queue ``<name>``, ``<name>-dlq``, ``<name>-failed`` (main.tf, modules/queue), function
``<name>`` with alias ``live`` (modules/durable-function), pipe ``<name>`` or mapping onto the function or its dispatcher.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from durable_ops.clients import Clients
from durable_ops.errors import Exit, OpsError, code_of, explain
from durable_ops.queue import Queue

ALIAS = "live"
_FIFO = ".fifo"


class Kind(StrEnum):
    """The two places of dead letters."""

    DLQ = "dlq"
    FAILED = "failed"


class Bridge(StrEnum):
    """How messages reach the function."""

    PIPE = "pipe"
    ESM = "esm"
    DISPATCHER = "dispatcher"
    UNKNOWN = "unknown"


class Stack:
    """The pipeline called ``name``, the root module's input. Nothing is asked for before it is needed."""

    def __init__(self, name: str, clients: Clients) -> None:
        self.name = name
        self._clients = clients

    @property
    def functions(self) -> Any:
        """Lambda's client."""
        return self._clients("lambda")

    @property
    def sqs(self) -> Any:
        """SQS' client."""
        return self._clients("sqs")

    @cached_property
    def source(self) -> Queue:
        """The queue that takes the messages."""
        return self._find(self.name, self.name + _FIFO)

    def dead_letters(self, kind: Kind) -> Queue:
        """One of the two queues. Raises OpsError (NOT_FOUND) if there is no such stack."""
        name = f"{self.name}-{kind}"
        return self._find(name, name + _FIFO) if kind is Kind.DLQ else self._find(name)

    @cached_property
    def bridge(self) -> Bridge:
        """How messages reach the function; UNKNOWN if that is none of the root module's ways, or may not be seen."""
        try:
            mappings = self.functions.list_event_source_mappings(EventSourceArn=self.source.arn())
            targets = {_function_name(one["FunctionArn"]) for one in mappings["EventSourceMappings"]}
            if self.name in targets:
                return Bridge.ESM
            if f"{self.name}-dispatcher" in targets:
                return Bridge.DISPATCHER
            if not targets and self._clients("pipes").describe_pipe(Name=self.name)["Source"] == self.source.arn():
                return Bridge.PIPE
        except ClientError as error:
            if explain(error).exit_code not in {Exit.NOT_FOUND, Exit.DENIED}:
                raise
        return Bridge.UNKNOWN

    def _find(self, *names: str) -> Queue:
        for name in names:
            try:
                return Queue(self.sqs, self.sqs.get_queue_url(QueueName=name)["QueueUrl"])
            except ClientError as error:
                if code_of(error) not in {"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}:
                    raise
        region = self.sqs.meta.region_name
        raise OpsError(
            f'There is no stack "{self.name}" in {region}: no queue {" or ".join(names)}.',
            "NAME is the root module's input `name`. Check it, --region and --profile.",
            Exit.NOT_FOUND,
        )


def _function_name(arn: str) -> str:
    """Of an ARN, qualified or not: https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html."""
    return arn.split(":function:", 1)[-1].split(":", 1)[0]
