"""Lambda's data plane for plain functions: synchronous, asynchronous, errors, limits, logs, killed environments."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from lambda_support import ECHO, Functions

from durable_sandbox.pytest_plugin import Sandbox, eventually


@pytest.fixture
def functions(sandbox: Sandbox) -> Functions:
    return Functions(sandbox.client("lambda"))


@pytest.fixture
def queue(sandbox: Sandbox) -> str:
    url: str = sandbox.client("sqs").create_queue(QueueName=f"q-{uuid4().hex[:12]}")["QueueUrl"]
    return url


def _arn(queue_url: str) -> str:
    return f"arn:aws:sqs:us-east-1:123456789012:{queue_url.rsplit('/', 1)[1]}"


def _messages(sandbox: Sandbox, queue_url: str, within: float = 15) -> list[dict[str, Any]]:
    def received() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] | None = (
            sandbox.client("sqs")
            .receive_message(
                QueueUrl=queue_url, WaitTimeSeconds=1, MessageAttributeNames=["All"], MaxNumberOfMessages=10
            )
            .get("Messages")
        )
        return found

    return eventually(received, within)


def test_an_alias_runs_its_version(functions: Functions) -> None:
    live = functions.deploy(ECHO)
    answer = functions.client.invoke(FunctionName=live, Payload=b'{"a": [1, null, "\xc3\xa9"]}', LogType="Tail")
    assert json.loads(answer["Payload"].read()) == {"event": {"a": [1, None, "é"]}, "version": "1"}
    assert answer["ExecutedVersion"] == "1"
    assert "START RequestId" in base64.b64decode(answer["LogResult"]).decode()


def test_a_handler_can_ask_for_the_versions_of_the_runtimes_modules(functions: Functions) -> None:
    live = functions.deploy(
        "from importlib.metadata import version\n\ndef handler(event, context):\n    return [version(name) for name in event]\n"
    )
    names = ["boto3", "python-dateutil", "snapshot-restore-py", "aws-durable-execution-sdk-python"]
    answer = functions.client.invoke(FunctionName=live, Payload=json.dumps(names).encode())
    assert json.loads(answer["Payload"].read()) == [version(name) for name in names]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("def handler(event, context):\n    raise ValueError('no good')\n", ("ValueError", "no good")),
        ("import missing_module\n", ("Runtime.ImportModuleError", "missing_module")),
        (
            "def handler(event, context):\n    raise ValueError(exit and quit and 'all there')\n",
            ("ValueError", "all there"),
        ),
        # Installed beside the sandbox, and not bundled.
        ("import moto\n", ("Runtime.ImportModuleError", "No module named 'moto'")),
        ("import os\ndef handler(event, context):\n    os._exit(3)\n", ("Runtime.ExitError", "exit status 3")),
        (
            "import time\ndef handler(event, context):\n    time.sleep(30)\n",
            ("Sandbox.Timedout", "Task timed out after 1.00 seconds"),
        ),
        (
            "def handler(event, context):\n    return 'x' * (6 * 1024 * 1024)\n",
            ("Function.ResponseSizeTooLarge", "exceeded maximum"),
        ),
    ],
)
def test_a_failing_handler_answers_as_on_lambda(functions: Functions, source: str, error: tuple[str, str]) -> None:
    live = functions.deploy(source, Timeout=1)
    answer = functions.client.invoke(FunctionName=live, Payload=b"{}")
    payload = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == error[0]
    assert error[1] in payload["errorMessage"]


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("def handler(event, context):\n    return 1\n", "success"),
        ("def handler(event, context):\n    raise ValueError('no good')\n", "error"),
        ("import os\ndef handler(event, context):\n    os._exit(3)\n", "failure"),
        ("import time\ndef handler(event, context):\n    time.sleep(30)\n", "timeout"),
    ],
)
def test_the_report_says_how_an_invocation_ended(
    sandbox: Sandbox, functions: Functions, source: str, status: str
) -> None:
    group = f"/sandbox-test/{uuid4().hex}"
    live = functions.deploy(source, Timeout=1, LoggingConfig={"LogFormat": "JSON", "LogGroup": group})
    functions.client.invoke(FunctionName=live)
    logs = sandbox.client("logs")

    def report() -> str | None:
        try:
            said = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return None
        return next((line for line in said if "platform.report" in line), None)

    assert json.loads(eventually(report))["record"]["status"] == status


def test_output_lands_in_the_functions_log_group(sandbox: Sandbox, functions: Functions) -> None:
    group = f"/sandbox-test/{uuid4().hex}"
    source = "def handler(event, context):\n    print('seen', event['id'])\n"
    live = functions.deploy(source, LoggingConfig={"LogFormat": "JSON", "LogGroup": group})
    functions.client.invoke(FunctionName=live, Payload=b'{"id": 42}')
    logs = sandbox.client("logs")

    def lines() -> list[str] | None:
        try:
            found = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return None
        return found if any("platform.report" in line for line in found) else None

    assert "seen 42" in eventually(lines)


def test_a_handler_runs_with_its_role_and_not_with_the_machines_profile(functions: Functions) -> None:
    source = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    credentials = boto3.Session().get_credentials()\n"
        "    return {'key': credentials.access_key, 'method': credentials.method}\n"
    )
    payload = json.loads(functions.client.invoke(FunctionName=functions.deploy(source))["Payload"].read())
    assert payload["key"].startswith("ASIA")
    assert payload["method"] == "env"


def test_an_async_event_is_tried_three_times_then_dead_lettered(
    sandbox: Sandbox, functions: Functions, queue: str
) -> None:
    source = "def handler(event, context):\n    raise RuntimeError('attempt of ' + context.aws_request_id)\n"
    group = f"/sandbox-test/{uuid4().hex}"
    live = functions.deploy(source, DeadLetterConfig={"TargetArn": _arn(queue)}, LoggingConfig={"LogGroup": group})
    answer = functions.client.invoke(FunctionName=live, InvocationType="Event", Payload=b'{"n": 1}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    (message,) = _messages(sandbox, queue)
    assert json.loads(message["Body"]) == {"n": 1}
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["ErrorCode"] == "200"
    assert attributes["ErrorMessage"] == f"attempt of {attributes['RequestID']}"

    def starts() -> int | None:
        events = sandbox.client("logs").filter_log_events(logGroupName=group, filterPattern="START")["events"]
        return len(events) if len(events) >= 3 else None

    assert eventually(starts) == 3


def test_zero_reserved_concurrency_sends_an_async_event_straight_to_the_dead_letter_queue(
    sandbox: Sandbox, functions: Functions, queue: str
) -> None:
    live = functions.deploy(ECHO, DeadLetterConfig={"TargetArn": _arn(queue)})
    functions.client.put_function_concurrency(FunctionName=live.split(":")[0], ReservedConcurrentExecutions=0)
    with pytest.raises(functions.client.exceptions.TooManyRequestsException):
        functions.client.invoke(FunctionName=live)
    functions.client.invoke(FunctionName=live, InvocationType="Event", Payload=b'{"n": 2}')
    (message,) = _messages(sandbox, queue)
    assert json.loads(message["Body"]) == {"n": 2}
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"


@pytest.mark.parametrize(("kind", "limit"), [("Event", 1024 * 1024), ("RequestResponse", 6 * 1024 * 1024)])
def test_a_payload_over_the_limit_is_refused(functions: Functions, kind: str, limit: int) -> None:
    live = functions.deploy(ECHO)
    with pytest.raises(functions.client.exceptions.RequestTooLargeException, match=str(limit)):
        functions.client.invoke(FunctionName=live, InvocationType=kind, Payload=b'"' + b"x" * limit + b'"')


@pytest.mark.parametrize(
    "payload", [b"not json", b"\xff", '{"a": 1}'.encode("utf-16"), b'{"a": NaN}', b"[" * 100_000 + b"]" * 100_000]
)
def test_a_payload_that_is_no_json_is_refused(functions: Functions, payload: bytes) -> None:
    with pytest.raises(functions.client.exceptions.InvalidRequestContentException):
        functions.client.invoke(FunctionName=functions.deploy(ECHO), Payload=payload)


def test_a_killed_environment_is_replaced(sandbox: Sandbox, functions: Functions) -> None:
    live = functions.deploy(ECHO)
    name = live.split(":")[0]
    functions.client.invoke(FunctionName=live)
    environments = sandbox.request("/_sandbox/environments")["environments"]
    pids = [e["pid"] for e in environments if e["function_name"] == name]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)

    def gone() -> bool | None:
        now = sandbox.request("/_sandbox/environments")["environments"]
        return None if any(e["pid"] in pids for e in now) else True

    eventually(gone)
    assert "FunctionError" not in functions.client.invoke(FunctionName=live)


def test_an_update_fails_no_event_that_waits(functions: Functions) -> None:
    name = functions.deploy(f"import time\ntime.sleep(1)\n{ECHO}").split(":")[0]
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(functions.client.invoke, FunctionName=name) for _ in range(4)]
        time.sleep(0.3)  # within the second that the module takes to load
        functions.client.update_function_configuration(FunctionName=name, Description="new")
        answers = [call.result() for call in calls]
    assert [answer.get("FunctionError") for answer in answers] == [None] * 4


def test_an_unknown_function_is_not_found(functions: Functions) -> None:
    with pytest.raises(ClientError, match=r"Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody"):
        functions.client.invoke(FunctionName="nobody")
