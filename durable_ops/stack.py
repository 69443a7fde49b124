"""A deployed pipeline, found by its name.

The names are the root module's: queue ``<name>``, ``<name>-dlq``, ``<name>-failed`` (main.tf, modules/queue), with
``sideline`` also ``<name>-backlog`` and ``<name>-backlog-dlq`` (modules/dispatcher), function ``<name>`` with alias ``live``
(modules/durable-function). A queue that the root was given has other names, and so has its dead-letter queue: existing.py.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from durable_ops.clients import Clients
from durable_ops.errors import Exit, OpsError, code_of
from durable_ops.existing import bridged_queue, dead_letter_queue
from durable_ops.names import stack_name
from durable_ops.queue import Queue

ALIAS = "live"
_FIFO = ".fifo"
_BACKLOG = "backlog"
_MISSING = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"})


class Kind(StrEnum):
    """The places of dead letters, as the names of their queues end."""

    DLQ = "dlq"
    BACKLOG = "backlog-dlq"
    FAILED = "failed"


class Stack:
    """The pipeline called ``name``, the root module's input. Nothing is asked for before it is needed.

    Raises OpsError (USAGE) for what is no name.
    """

    def __init__(self, name: str, clients: Clients) -> None:
        self.name = stack_name(name)
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
        """The queue that takes the messages: the stack's own, else the one that it was given. Raises OpsError (NOT_FOUND)."""
        return self._there(self._taking, self.name, self.name + _FIFO)

    @cached_property
    def _taking(self) -> Queue | None:
        return self._look_up(self.name, self.name + _FIFO) or bridged_queue(self.name, ALIAS, self._clients)

    @cached_property
    def _backlog(self) -> str:
        """Its name is made of the queue's, which may be an existing one."""
        return f"{self.source.name.removesuffix(_FIFO)}-{_BACKLOG}"

    def _given_up(self) -> Queue | None:
        return None if self._taking is None else dead_letter_queue(self._taking, self._clients)

    def came_from(self, kind: Kind) -> Queue:
        """The queue that gave the dead letters of ``kind`` up. Raises OpsError (NOT_FOUND)."""
        return self._there(self._look_up(self._backlog), self._backlog) if kind is Kind.BACKLOG else self.source

    def dead_letters(self, kind: Kind) -> Queue:
        """The queue of this kind. Raises OpsError (NOT_FOUND) if the stack has none, or there is no such stack."""
        if kind is not Kind.BACKLOG:
            names = self._names(kind)
            found = self._look_up(*names) or (self._given_up() if kind is Kind.DLQ else None)
            return self._there(found, *names)
        if (found := self._look_up(*self._names(kind))) is None:
            raise OpsError(
                f"There is no queue {self.name}-{kind} in {self.sqs.meta.region_name}.",
                "A stack has it with the input `sideline` alone. Name another --queue, or check NAME, --region and --profile.",
                Exit.NOT_FOUND,
            )
        return found

    def all_dead_letters(self) -> list[tuple[Kind, Queue]]:
        """Every queue that the stack has; without ``sideline`` none of kind BACKLOG. Raises OpsError (NOT_FOUND)."""
        dlq, failed = self.dead_letters(Kind.DLQ), self.dead_letters(Kind.FAILED)
        backlog = self._look_up(*self._names(Kind.BACKLOG))
        beside = [] if backlog is None else [(Kind.BACKLOG, backlog)]
        return [(Kind.DLQ, dlq), *beside, (Kind.FAILED, failed)]

    def _names(self, kind: Kind) -> tuple[str, ...]:
        if kind is Kind.BACKLOG:
            return (f"{self._backlog}-{Kind.DLQ}",)
        name = f"{self.name}-{kind}"
        return (name, name + _FIFO) if kind is Kind.DLQ else (name,)

    def _there(self, found: Queue | None, *names: str) -> Queue:
        if found is None:
            region = self.sqs.meta.region_name
            raise OpsError(
                f'There is no stack "{self.name}" in {region}: no queue {" or ".join(names)}.',
                "NAME is the root module's input `name`. Check it, --region and --profile.",
                Exit.NOT_FOUND,
            )
        return found

    def _look_up(self, *names: str) -> Queue | None:
        for name in names:
            try:
                return Queue(self.sqs, self.sqs.get_queue_url(QueueName=name)["QueueUrl"])
            except ClientError as error:
                if code_of(error) not in _MISSING:
                    raise
        return None
