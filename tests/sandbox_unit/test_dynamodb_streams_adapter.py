"""What writes to DynamoDB tables put in their streams, as moto and the adapter give it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from dynamodb_streams_support import KEY, Reader, create, ids, put
from kinesis_support import at_once
from server_support import Running, running

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def dynamodb(served: Running) -> Any:
    return served.client("dynamodb", max_pool_connections=20)


@pytest.fixture(scope="module")
def streams(served: Running) -> Any:
    return served.client("dynamodbstreams")


@pytest.fixture
def table(dynamodb: Any) -> str:
    return create(dynamodb)


# --- records ----------------------------------------------------------------------------------------------------------


def test_a_record_is_as_on_aws(served: Running) -> None:
    """Sizes of https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.Lambda.Tutorial2.html."""
    dynamodb = served.client("dynamodb", region="eu-west-1")
    dynamodb.create_table(
        TableName="sized",
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    before = datetime.now(UTC).replace(microsecond=0)
    for text in ("New item!", "This item has changed"):
        dynamodb.put_item(TableName="sized", Item={"Id": {"N": "101"}, "Message": {"S": text}})
    dynamodb.delete_item(TableName="sized", Key={"Id": {"N": "101"}})
    records = Reader(dynamodb, served.client("dynamodbstreams", region="eu-west-1"), "sized").records()
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert [record["dynamodb"]["SizeBytes"] for record in records] == [26, 59, 38]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    assert numbers == sorted(set(numbers))
    assert len(numbers[0]) >= 21
    first = records[0]
    assert (first["eventVersion"], first["eventSource"], first["awsRegion"]) == ("1.1", "aws:dynamodb", "eu-west-1")
    assert re.fullmatch(r"[0-9a-f]{32}", first["eventID"])
    body = first["dynamodb"]
    assert body["Keys"] == {"Id": {"N": "101"}}
    assert body["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert body["ApproximateCreationDateTime"].microsecond == 0
    assert before <= body["ApproximateCreationDateTime"] <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", (False, False)),
        ("NEW_IMAGE", (False, True)),
        ("OLD_IMAGE", (True, False)),
        ("NEW_AND_OLD_IMAGES", (True, True)),
    ],
)
def test_a_view_type_chooses_the_images(dynamodb: Any, streams: Any, view: str, images: tuple[bool, bool]) -> None:
    table = create(dynamodb, view)
    for number in ("1", "2"):
        dynamodb.put_item(TableName=table, Item={**KEY, "n": {"N": number}})
    _, (_, old, new) = Reader(dynamodb, streams, table).events()
    assert (old is not None, new is not None) == images


def test_every_kind_of_write_reaches_the_stream_once(dynamodb: Any, streams: Any, table: str) -> None:
    def item(name: str) -> dict[str, Any]:
        return {"id": {"S": name}}

    set_n = {
        "UpdateExpression": "SET n = :n",
        "ExpressionAttributeValues": {":n": {"N": "1"}},
        "TableName": table,
    }
    put(dynamodb, table, "put")
    dynamodb.update_item(Key=item("put"), **set_n)
    dynamodb.update_item(Key=item("upsert"), **set_n)
    dynamodb.delete_item(TableName=table, Key=item("put"))
    dynamodb.batch_write_item(
        RequestItems={
            table: [{"PutRequest": {"Item": item("batch")}}, {"DeleteRequest": {"Key": item("upsert")}}],
        }
    )
    dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": item("transaction")}},
            {"Update": {"Key": item("batch"), **set_n}},
            {"Update": {"Key": item("both"), **set_n}},
        ]
    )
    dynamodb.execute_statement(Statement=f"DELETE FROM \"{table}\" WHERE id = 'both'")  # noqa: S608 - a name of ours
    one = {"n": {"N": "1"}}
    assert Reader(dynamodb, streams, table).events() == [
        ("INSERT", None, item("put")),
        ("MODIFY", item("put"), {**item("put"), **one}),
        ("INSERT", None, {**item("upsert"), **one}),
        ("REMOVE", {**item("put"), **one}, None),
        ("INSERT", None, item("batch")),
        ("REMOVE", {**item("upsert"), **one}, None),
        ("INSERT", None, item("transaction")),
        ("MODIFY", item("batch"), {**item("batch"), **one}),
        ("INSERT", None, {**item("both"), **one}),
        ("REMOVE", {**item("both"), **one}, None),
    ]


def test_what_changes_nothing_writes_no_record(dynamodb: Any, streams: Any, table: str) -> None:
    item = {**KEY, "tags": {"SS": ["x", "y"]}, "deep": {"M": {"l": {"L": [{"N": "1"}, {"NULL": True}]}}}}
    dynamodb.put_item(TableName=table, Item=item)
    dynamodb.put_item(TableName=table, Item={**item, "tags": {"SS": ["y", "x"]}})
    dynamodb.update_item(
        TableName=table,
        Key=KEY,
        UpdateExpression="SET deep.l[0] = :n",
        ExpressionAttributeValues={":n": {"N": "1"}},
    )
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "unknown"}})
    assert [event[0] for event in Reader(dynamodb, streams, table).events()] == ["INSERT"]


def test_records_are_copies(dynamodb: Any, streams: Any, table: str) -> None:
    item = {**KEY, "m": {"M": {"l": {"L": [{"N": "1"}]}}}, "b": {"B": b"\x00\xff"}, "bs": {"BS": [b"\x01"]}}
    dynamodb.put_item(TableName=table, Item=item)
    changed = {
        "UpdateExpression": "SET m.l[0] = :n",
        "ExpressionAttributeValues": {":n": {"N": "2"}},
    }
    dynamodb.update_item(TableName=table, Key=KEY, **changed)
    dynamodb.delete_item(TableName=table, Key=KEY)
    after = {**item, "m": {"M": {"l": {"L": [{"N": "2"}]}}}}
    assert Reader(dynamodb, streams, table).events() == [
        ("INSERT", None, item),
        ("MODIFY", item, after),
        ("REMOVE", after, None),
    ]


def test_a_transaction_that_fails_writes_no_records(dynamodb: Any, streams: Any, table: str) -> None:
    put(dynamodb, table, "there")
    there = {"TableName": table, "Item": {"id": {"S": "there"}}, "ConditionExpression": "attribute_not_exists(id)"}
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": {"id": {"S": "new"}}}}, {"Put": there}]
        )
    put(dynamodb, table, "later")
    assert [event[2]["id"]["S"] for event in Reader(dynamodb, streams, table).events()] == ["there", "later"]


# --- writes at the same time ------------------------------------------------------------------------------------------


def test_writes_from_many_threads_lose_nothing(dynamodb: Any, streams: Any, table: str) -> None:
    def add(_: int) -> None:
        dynamodb.update_item(
            TableName=table, Key=KEY, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}}
        )

    at_once(add, range(200))
    records = Reader(dynamodb, streams, table).records()
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    assert len(set(numbers)) == 200
    assert numbers == sorted(numbers)
    assert [record["dynamodb"]["NewImage"]["n"]["N"] for record in records] == [str(n) for n in range(1, 201)]


def test_a_failing_transaction_undoes_only_its_own_writes(dynamodb: Any, streams: Any, table: str) -> None:
    put(dynamodb, table, "there")
    failing = [
        {"Put": {"TableName": table, "Item": {"id": {"S": "new"}}}},
        {
            "Put": {
                "TableName": table,
                "Item": {"id": {"S": "there"}},
                "ConditionExpression": "attribute_not_exists(id)",
            }
        },
    ]

    reader, seen = Reader(dynamodb, streams, table), set[str]()

    def write(number: int) -> None:
        if number % 2:
            put(dynamodb, table, str(number))
            seen.update(event[2]["id"]["S"] for event in reader.events())
            return
        with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
            dynamodb.transact_write_items(TransactItems=failing)

    at_once(write, range(100))
    wanted = {"there", *(str(number) for number in range(1, 100, 2))}
    assert {item["id"]["S"] for item in dynamodb.scan(TableName=table)["Items"]} == wanted
    assert {event[2]["id"]["S"] for event in reader.events()} == wanted
    assert "new" not in seen


def test_motos_own_lambda_gets_nothing(dynamodb: Any, streams: Any, table: str) -> None:
    from moto.dynamodb import dynamodb_backends  # noqa: PLC0415 - the sandbox sets moto's options before it loads it

    mappings = dynamodb_backends[ACCOUNT]["us-east-1"].tables[table].lambda_event_source_mappings
    mappings[f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"] = object()
    put(dynamodb, table, "a")
    assert ids(Reader(dynamodb, streams, table).records()) == "a"
