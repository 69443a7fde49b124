"""An SDK's second try of a call whose answer was lost."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest
from server_support import Running, running

from durable_sandbox.aws.http import HttpRequest, HttpResponse
from durable_sandbox.retries import Answers
from durable_sandbox.wiring import build_apigateway

SCOPE = "AWS4-HMAC-SHA256 Credential=sandbox/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=x"


def attempt(number: int, call: str = "c") -> dict[str, str]:
    return {"amz-sdk-invocation-id": call, "amz-sdk-request": f"attempt={number}; max=25"}


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(build_apigateway, iam=True) as started:
        yield started


def post(server: Running, service: str, path: str, body: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    place = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
    connection.request("POST", path, body, {"Authorization": SCOPE.format(service), **headers})
    answer = connection.getresponse()
    return answer.status, answer.read()


def create_api(server: Running, headers: Mapping[str, str]) -> tuple[int, str]:
    body = json.dumps({"name": "a", "protocolType": "WEBSOCKET", "routeSelectionExpression": "$request.body.action"})
    status, text = post(server, "apigateway", "/v2/apis", body, headers)
    return status, json.loads(text)["apiId"]


def test_what_was_created_is_not_created_again(server: Running) -> None:
    first = create_api(server, attempt(1, "one"))
    assert create_api(server, attempt(2, "one")) == first
    assert create_api(server, attempt(3, "one")) == first
    assert create_api(server, attempt(1, "other")) != first
    assert create_api(server, {}) != first


def test_what_is_still_being_updated_is_not_updated_again() -> None:
    """A mapping, for one, which refuses a second update until the first is through. A row is written again, as on AWS."""
    answers, answer = Answers(), HttpResponse(200)
    for operation in ("UpdateEventSourceMapping", "UpdateItem"):
        first, second = (HttpRequest("PUT", "/", "", attempt(number, operation)) for number in (1, 2))
        answers.keep(first, operation, answer)
        assert answers.again(second) is (None if operation == "UpdateItem" else answer)


def test_of_motos_services_as_well(server: Running) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    body = f"Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument={trust}"
    first = post(server, "iam", "/", body, headers | attempt(1, "role"))
    assert first[0] == 200
    assert post(server, "iam", "/", body, headers | attempt(2, "role")) == first
    assert post(server, "iam", "/", body, headers | attempt(1, "another"))[0] == 409


@pytest.mark.parametrize(
    ("operation", "status", "kept"),
    [
        ("CreateAlias", 201, True),
        ("AddPermission", 201, True),
        ("PublishVersion", 201, True),
        ("CreateAlias", 409, False),
        ("CreateAlias", 503, False),
        ("Invoke", 200, False),
        ("SendMessage", 200, False),
        ("Publish", 200, False),
        ("GetAlias", 200, False),
    ],
)
def test_which_answers_are_given_again(operation: str, status: int, *, kept: bool) -> None:
    answers, response = Answers(), HttpResponse(status)
    answers.keep(HttpRequest("POST", "/", headers=attempt(1)), operation, response)
    assert answers.again(HttpRequest("POST", "/", headers=attempt(1))) is None
    assert answers.again(HttpRequest("POST", "/", headers=attempt(2))) is (response if kept else None)


def test_a_reset_forgets_them_and_so_does_time() -> None:
    answers = Answers()
    for number in range(600):
        answers.keep(HttpRequest("POST", "/", headers=attempt(1, str(number))), "CreateAlias", HttpResponse(201))
    assert answers.again(HttpRequest("POST", "/", headers=attempt(2, "0"))) is None
    assert answers.again(HttpRequest("POST", "/", headers=attempt(2, "599"))) is not None
    answers.forget()
    assert answers.again(HttpRequest("POST", "/", headers=attempt(2, "599"))) is None
