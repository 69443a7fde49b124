"""Amazon DynamoDB and DynamoDB Streams (both have the prefix ``dynamodb``).

Source: Service Authorization Reference list_amazondynamodb; DynamoDB Developer Guide transaction-apis-iam (a transaction
needs the actions of its items) and ql-iam (PartiQL actions by statement). A query on an index is asked on the index.
"""

from __future__ import annotations

import re
from typing import Any

from durable_sandbox.iam.actions.rules import Need, Operation, Rule, Table, UnmappedError, anything, each, named, on

_STATEMENT = re.compile(
    r"""\s*(?P<verb>select|insert|update|delete)\b.*?(?:\bfrom\b|\binto\b|\bupdate\b|(?<=update))\s*
        "?(?P<table>[A-Za-z0-9_.-]+)"?(?:\."(?P<index>[A-Za-z0-9_.-]+)")?""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)

table = named("table/", "TableName")


def _table_arn(operation: Operation, name: str) -> str:
    return name if name.startswith("arn:") else operation.arn(f"table/{name}")


def _table_or_index(operation: Operation) -> str:
    index = operation.params.get("IndexName")
    return f"{table(operation)}/index/{index}" if index else table(operation)


def _batch(action: str) -> Rule:
    def rule(operation: Operation) -> tuple[Need, ...]:
        items = operation.params.get("RequestItems") or {}
        if not items:
            raise UnmappedError("RequestItems names no table")
        return tuple(Need(f"dynamodb:{action}", _table_arn(operation, name)) for name in items)

    return rule


def _transaction(actions: dict[str, str]) -> Rule:
    def rule(operation: Operation) -> tuple[Need, ...]:
        needs = [
            Need(f"dynamodb:{actions[kind]}", _table_arn(operation, str(item["TableName"])))
            for entry in operation.params.get("TransactItems") or ()
            for kind, item in entry.items()
        ]
        if not needs:
            raise UnmappedError("TransactItems is empty")
        return tuple({(need.action, need.resource): need for need in needs}.values())

    return rule


def _partiql(operation: Operation, statement: Any) -> Need:
    match = _STATEMENT.match(str(statement))
    if match is None:
        raise UnmappedError(f"cannot tell the table of the statement {str(statement)[:80]!r}")
    arn = _table_arn(operation, match["table"])
    if match["index"]:
        arn = f"{arn}/index/{match['index']}"
    return Need(f"dynamodb:PartiQL{match['verb'].capitalize()}", arn)


def _statement(operation: Operation) -> tuple[Need, ...]:
    return (_partiql(operation, operation.text("Statement")),)


def _statements(operation: Operation) -> tuple[Need, ...]:
    entries = operation.params.get("Statements") or operation.params.get("TransactStatements") or ()
    if not entries:
        raise UnmappedError("there are no statements")
    return tuple(_partiql(operation, entry["Statement"]) for entry in entries)


TABLE: Table = {
    **each(
        "CreateTable DeleteItem DeleteTable DescribeContinuousBackups DescribeTable DescribeTimeToLive GetItem PutItem "
        "UpdateContinuousBackups UpdateItem UpdateTable UpdateTimeToLive",
        on(table),
    ),
    **each("Query Scan", on(_table_or_index)),
    "BatchGetItem": _batch("BatchGetItem"),
    "BatchWriteItem": _batch("BatchWriteItem"),
    "TransactGetItems": _transaction({"Get": "GetItem"}),
    "TransactWriteItems": _transaction(
        {"ConditionCheck": "ConditionCheckItem", "Put": "PutItem", "Delete": "DeleteItem", "Update": "UpdateItem"}
    ),
    "ExecuteStatement": _statement,
    **each("BatchExecuteStatement ExecuteTransaction", _statements),
    **each("ListTagsOfResource TagResource UntagResource", on(named("table/", "ResourceArn"))),
    **each("GetResourcePolicy PutResourcePolicy DeleteResourcePolicy", on(named("table/", "ResourceArn"))),
    **each("DescribeEndpoints DescribeLimits ListTables", on(anything)),
}


def _of_iterator(operation: Operation) -> str:
    """A stream's iterator is ``streamArn|shard|...``."""
    arn, separator, _ = operation.text("ShardIterator").partition("|")
    if not separator or not arn.startswith("arn:"):
        raise UnmappedError("ShardIterator names no stream")
    return arn


def _streams(operation: Operation) -> str:
    """ListStreams has no resource type; with a TableName AWS asks on that table's streams.

    A poller of one stream asks on that one, by its ARN in place of the table's.
    """
    name = str(operation.params.get("TableName") or "")
    if "/stream/" in name:
        return name
    return f"{_table_arn(operation, name)}/stream/*" if name else "*"


STREAMS: Table = {
    **each("DescribeStream GetShardIterator", on(named("", "StreamArn"))),
    "GetRecords": on(_of_iterator),
    "ListStreams": on(_streams),
}
