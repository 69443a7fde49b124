"""From a frame to SQS, without a function between: event-sources 6.1 and 6.2."""

from __future__ import annotations

import json

import pytest
from enforcement_support import Account, allow, trust, unique
from websocket_support import FORM, Api, messages, sender

from durable_sandbox.pytest_plugin import Sandbox, eventually

INJECTION = '{"text": "&MessageGroupId=other&x=%26+ \\u00fc"}'


@pytest.fixture(scope="module")
def account(sandbox: Sandbox) -> Account:
    return Account(sandbox)


@pytest.fixture
def queue(account: Account) -> tuple[str, str]:
    """URL and ARN of a FIFO queue."""
    name = f"{unique('queue')}.fifo"
    url = account.sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:123456789012:{name}"


@pytest.fixture
def api(sandbox: Sandbox, account: Account) -> Api:
    return Api(sandbox, account)


def refused(api: Api, account: Account, url: str, frame: str = "{}") -> None:
    """The client is told of an error, and nothing is on the queue."""
    with api.connect() as client:
        assert client.ask(frame)["message"] == "Internal server error"
    attributes = account.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_6_1_a_frame_arrives_byte_for_byte(api: Api, account: Account, queue: tuple[str, str]) -> None:
    url, arn = queue
    api.route("$default", api.to_queue(url, sender(account, arn)))
    with api.connect() as client:
        client.send(INJECTION)
        (message,) = messages(account, url)
        assert message["Body"] == INJECTION
    assert len(message["Attributes"]["MessageGroupId"]) == 16  # the connection's id


def test_6_1_what_is_not_encoded_changes_other_fields(api: Api, account: Account, queue: tuple[str, str]) -> None:
    """The defect of the public samples."""
    url, arn = queue
    plain = FORM.replace("$util.urlEncode($input.body)", "$input.body")
    api.route("$default", api.to_queue(url, sender(account, arn), plain))
    with api.connect() as client:
        client.send(INJECTION)
        (message,) = messages(account, url)
    assert message["Body"] == '{"text": "'
    assert message["Attributes"]["MessageGroupId"] == "other"


def test_6_1_no_message_group(api: Api, account: Account, queue: tuple[str, str]) -> None:
    url, arn = queue
    api.route("$default", api.to_queue(url, sender(account, arn), "Action=SendMessage&MessageBody=x"))
    refused(api, account, url)


def test_the_role_must_be_allowed_to_send(api: Api, account: Account, queue: tuple[str, str]) -> None:
    url, arn = queue
    role = account.role(allow("sqs:ReceiveMessage", arn), trusted=trust("apigateway"))
    api.route("$default", api.to_queue(url, role))
    refused(api, account, url)


def test_the_role_must_trust_api_gateway(api: Api, account: Account, queue: tuple[str, str]) -> None:
    url, arn = queue
    role = account.role(allow("sqs:SendMessage", arn), trusted=trust("lambda"))
    api.route("$default", api.to_queue(url, role))
    refused(api, account, url)


def test_6_1_passthrough_never_without_a_template(api: Api, account: Account, queue: tuple[str, str]) -> None:
    url, arn = queue
    integration = api.to_queue(url, sender(account, arn), RequestTemplates={"other": FORM})
    api.route("$default", integration)
    refused(api, account, url)


def test_a_template_that_cannot_be_applied(api: Api, account: Account, queue: tuple[str, str]) -> None:
    url, arn = queue
    api.route("$default", api.to_queue(url, sender(account, arn), FORM + "&x=$input.path('$.x')"))
    refused(api, account, url, "not JSON")


class TestAnswers:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-responses.html."""

    def answered(self, api: Api, integration: str, **responses: str) -> None:
        for key, template in responses.items():
            api.client.create_integration_response(
                ApiId=api.id,
                IntegrationId=integration,
                IntegrationResponseKey={"default": "$default", "refused": r"/4\d\d/"}[key],
                ResponseTemplates={"$default": template},
                TemplateSelectionExpression="\\$default",
            )

    def test_a_two_way_route_maps_the_answer(self, api: Api, account: Account, queue: tuple[str, str]) -> None:
        url, arn = queue
        integration = api.to_queue(url, sender(account, arn))
        self.answered(
            api, integration, default='{"ok": "$context.requestId"}', refused='{"no": $context.integrationStatus}'
        )
        api.route("$default", integration, two_way=True)
        with api.connect() as client:
            assert len(client.ask({})["ok"]) == 16
            account.sqs.delete_queue(QueueUrl=url)
            assert client.ask({}) == {"no": 400}

    def test_without_a_response_for_it_an_answer_is_an_error(
        self, api: Api, account: Account, queue: tuple[str, str]
    ) -> None:
        url, arn = queue
        integration = api.to_queue(url, sender(account, arn))
        self.answered(api, integration, refused='{"no": 1}')
        api.route("$default", integration, two_way=True)
        with api.connect() as client:
            assert client.ask({})["message"] == "Internal server error"

    def test_mock(self, api: Api) -> None:
        integration = api.to_nothing()
        self.answered(api, integration, default='{"pong": "$context.connectionId"}')
        api.route("ping", integration, two_way=True)
        with api.connect() as client:
            answer = client.ask({"action": "ping"})
            assert answer == {"pong": client.id()}

    def test_an_action_of_another_service(self, api: Api, account: Account, sandbox: Sandbox) -> None:
        """DynamoDB speaks JSON: the template writes the call's body."""
        table = unique("table")
        sandbox.client("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}"
        role = account.role(allow("dynamodb:PutItem", arn), trusted=trust("apigateway"))
        item = {"id": {"S": "$input.path('$.id')"}, "connection": {"S": "$context.connectionId"}}
        integration = api.integration(
            IntegrationType="AWS",
            IntegrationMethod="POST",
            IntegrationUri="arn:aws:apigateway:us-east-1:dynamodb:action/PutItem",
            CredentialsArn=role.arn,
            TemplateSelectionExpression="\\$default",
            RequestTemplates={"$default": json.dumps({"TableName": table, "Item": item})},
        )
        api.route("$default", integration)
        with api.connect() as client:
            client.send({"id": "a"})
            rows = eventually(lambda: sandbox.client("dynamodb").scan(TableName=table)["Items"] or None)
        assert [row["id"]["S"] for row in rows] == ["a"]
        assert len(rows[0]["connection"]["S"]) == 16
