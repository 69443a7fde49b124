"""The queue of a stack that was given one, the root's input `queue`: it has a name of its own, and the bridge knows it.

What the modules call the bridge: pipe ``<name>`` (modules/pipe), mapping of function ``<name>`` or ``<name>-dispatcher``, alias
``live`` (bridge.tf).
"""

from __future__ import annotations

import json

from botocore.exceptions import ClientError

from durable_ops.clients import Clients
from durable_ops.errors import code_of
from durable_ops.queue import Queue

_MISSING = frozenset({"NotFoundException", "ResourceNotFoundException"})


def bridged_queue(name: str, alias: str, clients: Clients) -> Queue | None:
    """The queue from which the bridge of the stack ``name`` takes; None if there is no bridge, or it takes from a stream."""
    found = [*_of_pipe(name, clients), *_of_mappings((f"{name}:{alias}", f"{name}-dispatcher:{alias}"), clients)]
    queues = [arn for arn in found if arn.split(":")[2] == "sqs"]
    return _by_arn(queues[0], clients) if queues else None


def dead_letter_queue(source: Queue, clients: Clients) -> Queue | None:
    """The queue that the redrive policy of ``source`` names; None without one."""
    answer = clients("sqs").get_queue_attributes(QueueUrl=source.url, AttributeNames=["RedrivePolicy"])
    policy = answer.get("Attributes", {}).get("RedrivePolicy")
    return _by_arn(json.loads(policy)["deadLetterTargetArn"], clients) if policy else None


def _of_pipe(name: str, clients: Clients) -> list[str]:
    try:
        return [clients("pipes").describe_pipe(Name=name)["Source"]]
    except ClientError as error:
        if code_of(error) not in _MISSING:
            raise
        return []


def _of_mappings(functions: tuple[str, ...], clients: Clients) -> list[str]:
    found: list[str] = []
    for function in functions:
        pages = clients("lambda").get_paginator("list_event_source_mappings").paginate(FunctionName=function)
        try:
            found += [mapping["EventSourceArn"] for page in pages for mapping in page["EventSourceMappings"]]
        except ClientError as error:
            if code_of(error) not in _MISSING:
                raise
    return found


def _by_arn(arn: str, clients: Clients) -> Queue:
    account, name = arn.split(":")[4:6]
    sqs = clients("sqs")
    return Queue(sqs, sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"])
