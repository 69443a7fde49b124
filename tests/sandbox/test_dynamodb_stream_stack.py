"""examples/dynamodb-stream: an execution of two weeks for each new order, a dispatcher that cannot start, the redrive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pytest
from deployment import Deployment, inventory
from observe import only
from pytest_terraform import terraform

from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(240)  # the first test applies, which takes a minute

FORTNIGHT = 14 * 86400
GOOD = [f"good-{number}" for number in range(8)]
WITHDRAWN = "withdrawn"
NO_ADDRESS = "no-address"
LATER = "later"
REFUSED = [f"refused-{number}" for number in range(3)]


class Orders:
    """The applied example."""

    def __init__(self, sandbox: Sandbox, outputs: Mapping[str, Any]) -> None:
        self.sandbox = sandbox
        self.outputs = outputs
        self.sqs = sandbox.client("sqs")
        self.functions = sandbox.client("lambda")
        self.dynamodb = sandbox.client("dynamodb")
        self._streams = sandbox.client("dynamodbstreams")

    def put(self, order_id: str, **attributes: str) -> None:
        """Write an order."""
        item = {"order_id": order_id, **attributes}
        self.dynamodb.put_item(
            TableName=self.outputs["table_name"], Item={name: {"S": value} for name, value in item.items()}
        )

    def statuses(self) -> dict[str, str | None]:
        """The table: order to status."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.outputs["table_name"])
        rows = [row for page in pages for row in page["Items"]]
        return {row["order_id"]["S"]: row.get("status", {}).get("S") for row in rows}

    def names(self, *order_ids: str) -> dict[str, str]:
        """Names that the executions of orders must have, by order: made of the sequence number on the table's stream."""
        label = hashlib.sha256(self._stream_arn().encode()).hexdigest()[:7]
        inserts = {_order_id(one): one["dynamodb"] for one in self.changes() if one["eventName"] == "INSERT"}
        return {order_id: f"{inserts[order_id]['SequenceNumber']}-{label}" for order_id in order_ids}

    def changes(self) -> Iterator[dict[str, Any]]:
        """What is on the stream, as GetRecords returns it."""
        arn = self._stream_arn()
        for shard in self._streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            iterator: str | None = self._streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator is not None:
                page = self._streams.get_records(ShardIterator=iterator)
                if not page["Records"]:
                    break
                yield from page["Records"]
                iterator = page.get("NextShardIterator")

    def executions(self) -> dict[str, dict[str, Any]]:
        """All executions by name; no two have the same."""
        pages = self.functions.get_paginator("list_durable_executions_by_function")
        found = [
            summary
            for page in pages.paginate(FunctionName=self.outputs["function_name"])
            for summary in page["DurableExecutions"]
        ]
        named = {summary["DurableExecutionName"]: summary for summary in found}
        assert len(named) == len(found)
        return named

    def ended(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """The executions of these names, once all have ended: as GetDurableExecution returns them."""

        def probe() -> dict[str, dict[str, Any]] | None:
            found = self.executions()
            ended = [name for name in names if name in found and found[name]["Status"] != "RUNNING"]
            return found if len(ended) == len(names) else None

        found = eventually(probe, 60, "of executions")
        return {
            name: self.functions.get_durable_execution(
                DurableExecutionArn=found[name]["DurableExecutionArn"], IncludeExecutionData=True
            )
            for name in names
        }

    def messages(self, output: str) -> list[dict[str, Any]]:
        """What is on a queue; it stays there."""
        url, found = self.outputs[output], []
        while messages := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0, MessageAttributeNames=["All"]
        ).get("Messages"):
            found += messages
        for message in found:
            self.sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        return found

    def depth(self, output: str) -> int:
        """Messages on a queue, in flight too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        shown = self.sqs.get_queue_attributes(QueueUrl=self.outputs[output], AttributeNames=names)["Attributes"]
        return sum(int(shown[name]) for name in names)

    def deny_starts(self) -> None:
        """Take the permission to start executions from the dispatcher."""
        function = self.functions.get_function(FunctionName=f"{self.outputs['function_name']}-dispatcher")
        role = function["Configuration"]["Role"].rpartition("/")[2]
        iam = self.sandbox.client("iam")
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            kept = [one for one in document["Statement"] if one.get("Sid") != "StartExecutions"]
            if kept != document["Statement"]:
                changed = json.dumps({**document, "Statement": kept})
                iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=changed)
                return
        pytest.fail(f"{role} has no statement StartExecutions")

    def _stream_arn(self) -> str:
        arn: str = self.dynamodb.describe_table(TableName=self.outputs["table_name"])["Table"]["LatestStreamArn"]
        return arn


def _order_id(change: Mapping[str, Any]) -> str:
    order_id: str = change["dynamodb"]["Keys"]["order_id"]["S"]
    return order_id


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the apply."""
    return inventory(sandbox)


@pytest.fixture(scope="module")
def deployed(before: set[str], sandbox: Sandbox, request: pytest.FixtureRequest) -> Orders:  # noqa: ARG001 - order
    applied = request.getfixturevalue("dynamodb-stream")
    return Orders(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


@pytest.fixture(scope="module")
def held(deployed: Orders) -> dict[str, dict[str, Any]]:
    """The executions of the first orders, all over: by order."""
    for order_id in GOOD:
        deployed.put(order_id, address="Harbour 5")
    deployed.put(WITHDRAWN, address="Harbour 5", status="WITHDRAWN")
    deployed.put(NO_ADDRESS)
    names = deployed.names(*GOOD, WITHDRAWN, NO_ADDRESS)
    ended = deployed.ended(names.values())
    return {order_id: ended[name] for order_id, name in names.items()}


@terraform("dynamodb-stream", scope="module")
def test_each_new_order_is_one_execution_under_its_record_s_name(
    deployed: Orders, held: Mapping[str, dict[str, Any]]
) -> None:
    names = deployed.names(*held)
    assert deployed.executions().keys() == set(names.values())
    for order_id, execution in held.items():
        record = json.loads(execution["InputPayload"])
        assert record["messageId"] == names[order_id] == execution["DurableExecutionName"]
        assert record["dynamodb"]["Keys"] == {"order_id": {"S": order_id}}


def test_an_order_is_held_for_a_fortnight_and_shipped(deployed: Orders, held: Mapping[str, dict[str, Any]]) -> None:
    for order_id in GOOD:
        execution = held[order_id]
        assert json.loads(execution["Result"]) == {"order_id": order_id, "status": "SHIPPED"}
        assert (execution["EndTimestamp"] - execution["StartTimestamp"]).total_seconds() >= FORTNIGHT
    pages = deployed.functions.get_paginator("get_durable_execution_history")
    history = pages.paginate(DurableExecutionArn=held[GOOD[0]]["DurableExecutionArn"], IncludeExecutionData=True)
    waits = [
        event["WaitStartedDetails"] for page in history for event in page["Events"] if "WaitStartedDetails" in event
    ]
    assert [wait["Duration"] for wait in waits] == [FORTNIGHT]
    assert {deployed.statuses()[order_id] for order_id in GOOD} == {"SHIPPED"}


def test_a_withdrawn_order_is_not_shipped(deployed: Orders, held: Mapping[str, dict[str, Any]]) -> None:
    assert json.loads(held[WITHDRAWN]["Result"])["status"] == "WITHDRAWN"
    assert deployed.statuses()[WITHDRAWN] == "WITHDRAWN"


def test_an_order_without_address_fails_and_its_event_is_kept(
    deployed: Orders, held: Mapping[str, dict[str, Any]]
) -> None:
    assert held[NO_ADDRESS]["Status"] == "FAILED"
    assert deployed.statuses()[NO_ADDRESS] is None
    message = only(eventually(lambda: deployed.messages("failed_executions_url") or None, 30, "of dead letters"))
    assert message["Body"] == held[NO_ADDRESS]["InputPayload"]
    assert "order no-address has no address" in message["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert deployed.depth("failed_queue_url") == 0


def test_changes_and_removals_start_nothing(deployed: Orders, held: Mapping[str, dict[str, Any]]) -> None:
    deployed.put(GOOD[0], address="Harbour 6")
    deployed.dynamodb.delete_item(TableName=deployed.outputs["table_name"], Key={"order_id": {"S": GOOD[1]}})
    deployed.put(LATER, address="Harbour 5")
    kinds = [(change["eventName"], _order_id(change)) for change in deployed.changes()]
    assert {order_id for kind, order_id in kinds if kind == "MODIFY"} == set(GOOD), "shipping changes the order"
    assert ("REMOVE", GOOD[1]) in kinds
    deployed.ended(deployed.names(LATER).values())  # the stream's one shard has been read up to here
    assert deployed.executions().keys() == set(deployed.names(*held, LATER).values())


def test_plan_after_apply_is_empty(deployed: Orders, request: pytest.FixtureRequest) -> None:  # noqa: ARG001 - applied
    Deployment.of(request.getfixturevalue("dynamodb-stream")).assert_nothing_to_change()


@pytest.fixture(scope="module")
def refused(deployed: Orders, held: Mapping[str, dict[str, Any]]) -> dict[str, str]:  # noqa: ARG001 - comes after them
    """Names of executions that the dispatcher could not start, by order; their records are given up."""
    deployed.deny_starts()
    for order_id in REFUSED:
        deployed.put(order_id, address="Harbour 5")
    eventually(lambda: True if deployed.depth("failed_queue_url") >= len(REFUSED) else None, 60, "of failures")
    return deployed.names(*REFUSED)


def test_records_that_start_nothing_are_given_up_one_by_one(deployed: Orders, refused: Mapping[str, str]) -> None:
    failures = [json.loads(message["Body"]) for message in deployed.messages("failed_queue_url")]
    batches = [failure["DDBStreamBatchInfo"] for failure in failures]
    numbers = sorted(name.partition("-")[0] for name in refused.values())
    assert sorted(batch["startSequenceNumber"] for batch in batches) == numbers
    assert sorted(batch["endSequenceNumber"] for batch in batches) == numbers
    assert {batch["batchSize"] for batch in batches} == {1}
    assert {failure["requestContext"]["condition"] for failure in failures} == {"RetryAttemptsExhausted"}
    assert not deployed.executions().keys() & set(refused.values())


def test_a_redrive_starts_precisely_what_was_given_up(
    deployed: Orders, refused: Mapping[str, str], request: Any
) -> None:
    """The apply mends the cause as well: the role's policy was changed by hand."""
    known = deployed.executions().keys()
    deployment = Deployment.of(request.getfixturevalue("dynamodb-stream"))
    deployment.changed("apply", redrive="true")
    ended = deployed.ended(refused.values())
    assert {json.loads(execution["Result"])["status"] for execution in ended.values()} == {"SHIPPED"}
    assert {deployed.statuses()[order_id] for order_id in REFUSED} == {"SHIPPED"}
    eventually(lambda: True if deployed.depth("failed_queue_url") == 0 else None, 30, "for the queue to empty")
    assert deployed.executions().keys() == known | set(refused.values())
    deployed.put("mended", address="Harbour 5")
    deployed.ended(deployed.names("mended").values())
    assert deployed.executions().keys() == known | set(refused.values()) | set(deployed.names("mended").values())
    assert deployed.depth("failed_executions_url") == 1, "only the order without address failed"
    deployment.assert_nothing_to_change(redrive="true")


def test_destroy_leaves_nothing(deployed: Orders, request: pytest.FixtureRequest, before: set[str]) -> None:
    Deployment.of(request.getfixturevalue("dynamodb-stream")).changed("destroy")
    assert inventory(deployed.sandbox) - before == set()
