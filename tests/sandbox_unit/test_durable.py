"""Durable executions through boto3: names, qualifiers, time, history, callbacks, versions, dead letters, lost environments."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from lambda_support import DURABLE, ECHO, Functions, package

from durable_sandbox.pytest_plugin import Sandbox, eventually


@pytest.fixture
def functions(sandbox: Sandbox) -> Functions:
    return Functions(sandbox.client("lambda"))


@pytest.fixture
def queue(sandbox: Sandbox) -> str:
    url: str = sandbox.client("sqs").create_queue(QueueName=f"failed-{uuid4().hex[:12]}")["QueueUrl"]
    return url


def _callback_id(functions: Functions, arn: str) -> str:
    def started() -> str | None:
        for event in functions.history(arn):
            if event["EventType"] == "CallbackStarted":
                found: str = event["CallbackStartedDetails"]["CallbackId"]
                return found
        return None

    return eventually(started)


def test_an_arn_is_a_real_one(functions: Functions) -> None:
    live = functions.durable()
    arn = functions.start(live, {"value": 1}, DurableExecutionName="order-7")
    prefix = f"arn:aws:lambda:us-east-1:123456789012:function:{live.split(':')[0]}:1/durable-execution/order-7/"
    assert arn.startswith(prefix)
    execution = functions.finished(arn)
    assert (execution["Status"], json.loads(execution["Result"])) == ("SUCCEEDED", {"done": 1, "revision": 1})
    assert (execution["DurableExecutionName"], execution["Version"]) == ("order-7", "1")
    assert json.loads(execution["InputPayload"]) == {"value": 1}


def test_a_name_starts_one_execution(functions: Functions) -> None:
    live = functions.durable()
    first = functions.start(live, {"value": 1}, DurableExecutionName="once")
    assert functions.start(live, {"value": 1}, DurableExecutionName="once") == first
    functions.finished(first)
    assert functions.start(live, {"value": 1}, DurableExecutionName="once") == first
    listed = functions.client.list_durable_executions_by_function(FunctionName=live.split(":")[0])
    assert len(listed["DurableExecutions"]) == 1


def test_a_name_with_another_payload_or_version_is_a_conflict(functions: Functions) -> None:
    live = functions.durable()
    arn = functions.start(live, {"value": 1}, DurableExecutionName="once")
    started = functions.client.exceptions.DurableExecutionAlreadyStartedException
    with pytest.raises(started) as conflict:
        functions.start(live, {"value": 2}, DurableExecutionName="once")
    assert conflict.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert arn in str(conflict.value)
    name = live.split(":")[0]
    functions.client.update_function_code(FunctionName=name, ZipFile=package(DURABLE + "\n"), Publish=True)
    functions.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    with pytest.raises(started):
        functions.start(live, {"value": 1}, DurableExecutionName="once")


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
def test_an_unqualified_invoke_is_refused(functions: Functions, kind: str) -> None:
    name = functions.durable().split(":")[0]
    with pytest.raises(functions.client.exceptions.InvalidParameterValueException, match="unqualified ARN"):
        functions.client.invoke(FunctionName=name, InvocationType=kind)


def test_a_synchronous_invoke_waits_and_is_refused_over_15_minutes(functions: Functions) -> None:
    answer = functions.client.invoke(FunctionName=functions.durable(timeout=900), Payload=b'{"hold": 60, "value": 5}')
    assert json.loads(answer["Payload"].read())["done"] == 5
    assert "durable-execution" in answer["DurableExecutionArn"]
    failed = functions.client.invoke(FunctionName=functions.durable(timeout=900), Payload=b'{"fail": "no good"}')
    assert failed["FunctionError"] == "Unhandled"
    assert json.loads(failed["Payload"].read())["errorMessage"] == "no good"
    with pytest.raises(functions.client.exceptions.InvalidParameterValueException, match="greater than 15 minutes"):
        functions.client.invoke(FunctionName=functions.durable(timeout=901))


def test_a_wait_is_modelled_and_ages_no_other_execution(functions: Functions) -> None:
    live = functions.durable()
    with ThreadPoolExecutor(4) as pool:
        held, *quick = pool.map(
            lambda event: functions.start(live, event), [{"hold": 1800}, {"value": 1}, {"value": 2}, {"value": 3}]
        )
    execution = functions.finished(held)
    assert execution["EndTimestamp"] - execution["StartTimestamp"] >= timedelta(seconds=1800)
    started = next(e for e in functions.history(held) if e["EventType"] == "WaitStarted")
    assert started["WaitStartedDetails"]["Duration"] == 1800
    for arn in quick:
        other = functions.finished(arn)
        assert other["EndTimestamp"] - other["StartTimestamp"] < timedelta(seconds=60)


def test_an_execution_times_out_in_modelled_time(sandbox: Sandbox, functions: Functions, queue: str) -> None:
    target = f"arn:aws:sqs:us-east-1:123456789012:{queue.rsplit('/', 1)[1]}"
    live = functions.durable(timeout=600, DeadLetterConfig={"TargetArn": target})
    execution = functions.finished(functions.start(live, {"hold": 601}))
    assert execution["Status"] == "TIMED_OUT"
    assert execution["EndTimestamp"] - execution["StartTimestamp"] == pytest.approx(
        timedelta(seconds=600), abs=timedelta(seconds=10)
    )
    message = sandbox.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"][0]
    assert json.loads(message["Body"]) == {"hold": 601}


def test_a_timeout_counts_what_was_skipped(functions: Functions) -> None:
    live = functions.durable(timeout=61)
    execution = functions.finished(functions.start(live, {"hold": 60, "callback": True}))
    assert execution["Status"] == "TIMED_OUT"
    lasted = (execution["EndTimestamp"] - execution["StartTimestamp"]).total_seconds()
    assert lasted == pytest.approx(61, abs=1)


def test_a_parent_waits_for_its_child_no_longer_than_its_own_timeout(functions: Functions) -> None:
    child = functions.durable(timeout=7200)
    parent = functions.durable(DURABLE.replace('{"from": "parent"}', '{"hold": 3600}'), timeout=600)
    execution = functions.finished(functions.start(parent, {"invoke": child}))
    assert execution["Status"] == "TIMED_OUT"
    lasted = (execution["EndTimestamp"] - execution["StartTimestamp"]).total_seconds()
    assert lasted == pytest.approx(600, abs=5)
    patient = functions.durable(DURABLE.replace('{"from": "parent"}', '{"hold": 3600}'), timeout=4000)
    execution = functions.finished(functions.start(patient, {"invoke": child}))
    assert execution["Status"] == "SUCCEEDED"
    assert execution["EndTimestamp"] - execution["StartTimestamp"] >= timedelta(hours=1)


def test_a_failed_execution_sends_its_event_to_the_dead_letter_queue(
    sandbox: Sandbox, functions: Functions, queue: str
) -> None:
    target = f"arn:aws:sqs:us-east-1:123456789012:{queue.rsplit('/', 1)[1]}"
    live = functions.durable(DeadLetterConfig={"TargetArn": target})
    functions.finished(functions.start(live, {"value": "fine"}))
    execution = functions.finished(functions.start(live, {"fail": "broken input"}))
    assert (execution["Status"], execution["Error"]["ErrorMessage"]) == ("FAILED", "broken input")
    received = sandbox.client("sqs").receive_message(
        QueueUrl=queue, WaitTimeSeconds=10, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )["Messages"]
    assert [json.loads(message["Body"]) for message in received] == [{"fail": "broken input"}]
    assert received[0]["MessageAttributes"]["ErrorMessage"]["StringValue"] == "broken input"


def test_a_chained_invoke_reaches_plain_and_durable_functions(functions: Functions) -> None:
    parent = functions.durable()
    plain, child = functions.deploy(ECHO), functions.durable(timeout=60)
    result = functions.finished(functions.start(parent, {"invoke": plain}))
    assert json.loads(result["Result"]) == {"event": {"from": "parent"}, "version": "1"}
    result = functions.finished(functions.start(parent, {"invoke": child}))
    assert json.loads(result["Result"]) == {"done": None, "revision": 1}
    for wrong, message in (("nobody:live", "not found"), (child.split(":")[0], "unqualified")):
        failed = functions.finished(functions.start(parent, {"invoke": wrong}))
        assert failed["Status"] == "FAILED"
        assert message in failed["Error"]["ErrorMessage"]


def test_callbacks_complete_fail_and_are_answered_once(functions: Functions) -> None:
    live = functions.durable()
    arn = functions.start(live, {"callback": True})
    callback = _callback_id(functions, arn)
    functions.client.send_durable_execution_callback_heartbeat(CallbackId=callback)
    functions.client.send_durable_execution_callback_success(CallbackId=callback, Result=b'"yes"')
    assert json.loads(functions.finished(arn)["Result"])["approved"] == '"yes"'
    with pytest.raises(ClientError, match="no longer waiting"):
        functions.client.send_durable_execution_callback_success(CallbackId=callback, Result=b'"again"')
    arn = functions.start(live, {"callback": True})
    functions.client.send_durable_execution_callback_failure(
        CallbackId=_callback_id(functions, arn), Error={"ErrorType": "Rejected", "ErrorMessage": "not today"}
    )
    failed = functions.finished(arn)
    assert (failed["Status"], "not today" in failed["Error"]["ErrorMessage"]) == ("FAILED", True)


def test_a_waiting_execution_finishes_on_the_version_it_started_on(functions: Functions) -> None:
    live = functions.durable()
    name = live.split(":")[0]
    arn = functions.start(live, {"callback": True})
    callback = _callback_id(functions, arn)
    new_code = package(DURABLE.replace("REVISION = 1", "REVISION = 2"))
    functions.client.update_function_code(FunctionName=name, ZipFile=new_code, Publish=True)
    functions.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    functions.client.send_durable_execution_callback_success(CallbackId=callback, Result=b'"go"')
    assert json.loads(functions.finished(arn)["Result"])["revision"] == 1
    fresh = functions.finished(functions.start(live, {"value": 1}))
    assert (json.loads(fresh["Result"])["revision"], fresh["Version"]) == (2, "2")


def test_stop_ends_an_execution_for_good(functions: Functions) -> None:
    live = functions.durable()
    arn = functions.start(live, {"callback": True})
    _callback_id(functions, arn)
    stopped = functions.client.stop_durable_execution(
        DurableExecutionArn=arn, Error={"ErrorType": "Operator", "ErrorMessage": "enough"}
    )
    again = functions.client.stop_durable_execution(DurableExecutionArn=arn)
    assert again["StopTimestamp"] == stopped["StopTimestamp"]
    assert functions.finished(arn)["Status"] == "STOPPED"


def test_executions_are_listed_by_status_name_version_and_page(functions: Functions) -> None:
    live = functions.durable()
    name = live.split(":")[0]
    arns = [functions.start(live, {"value": i}, DurableExecutionName=f"n-{i}") for i in range(3)]
    arns.append(functions.start(live, {"callback": True}, DurableExecutionName="open"))
    for arn in arns[:3]:
        functions.finished(arn)

    def listed(**filters: Any) -> list[str]:
        page = functions.client.list_durable_executions_by_function(FunctionName=name, **filters)
        return [execution["DurableExecutionArn"] for execution in page["DurableExecutions"]]

    assert listed() == arns[::-1], "newest first"
    assert listed(ReverseOrder=True) == arns
    assert listed(Statuses=["RUNNING"]) == [arns[3]]
    assert listed(DurableExecutionName="n-1") == [arns[1]]
    assert listed(Qualifier="1") == arns[::-1]
    first = functions.client.list_durable_executions_by_function(FunctionName=name, MaxItems=3)
    arns.append(functions.start(live, {"value": 9}))
    functions.finished(arns[4])
    assert listed(Marker=first["NextMarker"]) == [arns[0]], "one that started since moves nothing"
    with pytest.raises(ClientError, match="is an alias"):
        listed(Qualifier="live")
    functions.client.stop_durable_execution(DurableExecutionArn=arns[3])


def test_killing_environments_loses_no_execution(sandbox: Sandbox, functions: Functions) -> None:
    source = DURABLE.replace(
        '    if event.get("fail"):', "    __import__('time').sleep(0.3)\n    if event.get(\"fail\"):"
    )
    live = functions.durable(source)
    name = live.split(":")[0]
    arns = [functions.start(live, {"value": i, "hold": 60}) for i in range(8)]

    def busy() -> list[int] | None:
        environments = sandbox.request("/_sandbox/environments")["environments"]
        return [e["pid"] for e in environments if e["function_name"] == name and e["busy"]] or None

    for pid in eventually(busy):
        os.kill(pid, signal.SIGKILL)
    results = [functions.finished(arn, within=40) for arn in arns]
    assert [r["Status"] for r in results] == ["SUCCEEDED"] * 8
    assert [json.loads(r["Result"])["done"] for r in results] == list(range(8))


def test_deleting_a_function_stops_its_executions(sandbox: Sandbox, functions: Functions, queue: str) -> None:
    target = f"arn:aws:sqs:us-east-1:123456789012:{queue.rsplit('/', 1)[1]}"
    live = functions.durable(DeadLetterConfig={"TargetArn": target})
    arn = functions.start(live, {"callback": True})
    _callback_id(functions, arn)
    functions.client.delete_function(FunctionName=live.split(":")[0])
    message = sandbox.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"][0]
    assert json.loads(message["Body"]) == {"callback": True}


def test_deleting_a_version_loses_no_event(sandbox: Sandbox, functions: Functions, queue: str) -> None:
    target = f"arn:aws:sqs:us-east-1:123456789012:{queue.rsplit('/', 1)[1]}"
    live = functions.durable(DeadLetterConfig={"TargetArn": target})
    name = live.split(":")[0]
    _callback_id(functions, functions.start(live, {"callback": True}))
    functions.client.delete_alias(FunctionName=name, Name="live")
    functions.client.delete_function(FunctionName=name, Qualifier="1")
    functions.client.delete_function(FunctionName=name)
    message = sandbox.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"][0]
    assert json.loads(message["Body"]) == {"callback": True}


def test_an_error_message_that_sqs_refuses_loses_no_event(sandbox: Sandbox, functions: Functions, queue: str) -> None:
    target = f"arn:aws:sqs:us-east-1:123456789012:{queue.rsplit('/', 1)[1]}"
    live = functions.durable(DeadLetterConfig={"TargetArn": target})
    functions.start(live, {"fail": "\x1b[31mred"})
    message = sandbox.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10, MessageAttributeNames=["All"])
    assert (
        message["Messages"][0]["MessageAttributes"]["ErrorMessage"]["StringValue"] == "\N{REPLACEMENT CHARACTER}[31mred"
    )


@pytest.mark.parametrize("token", [b"[1]", b'{"arn": 1, "op": 2}', b'{"arn": "foo", "op": "2"}', b"{}", b"\xff"])
def test_a_made_up_callback_id_is_the_callers_mistake(functions: Functions, token: bytes) -> None:
    with pytest.raises(ClientError) as refused:
        functions.client.send_durable_execution_callback_success(CallbackId=base64.b64encode(token).decode())
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_throttles_are_waited_out(functions: Functions) -> None:
    slow = functions.deploy("import time\ndef handler(event, context):\n    time.sleep(0.1)\n    return 'done'\n")
    live = functions.durable()
    for function in (slow, live):
        functions.client.put_function_concurrency(FunctionName=function.split(":")[0], ReservedConcurrentExecutions=1)
    arns = [functions.start(live, {"invoke": slow}) for _ in range(6)]
    assert [functions.finished(arn)["Status"] for arn in arns] == ["SUCCEEDED"] * 6


def test_a_synchronous_invoke_without_concurrency_is_refused(functions: Functions) -> None:
    live, url = functions.durable(timeout=900), functions.client.meta.endpoint_url
    functions.client.put_function_concurrency(FunctionName=live.split(":")[0], ReservedConcurrentExecutions=0)
    keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox", "region_name": "us-east-1"}
    once = boto3.client("lambda", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}), **keys)
    with pytest.raises(once.exceptions.TooManyRequestsException):
        once.invoke(FunctionName=live)
    name = live.split(":")[0]
    assert not functions.client.list_durable_executions_by_function(FunctionName=name)["DurableExecutions"]


def test_a_stopped_execution_that_was_throttled_runs_no_handler(functions: Functions, tmp_path: Path) -> None:
    note = tmp_path / "runs"
    live = functions.durable(DURABLE.replace("REVISION = 1", f"REVISION = open({str(note)!r}, 'a').write('x')"))
    name = live.split(":")[0]
    functions.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    arn = functions.start(live, {"value": 1})
    functions.client.stop_durable_execution(DurableExecutionArn=arn)
    functions.client.delete_function_concurrency(FunctionName=name)
    time.sleep(0.5)  # the back-off ends, and nothing is to happen
    assert not note.exists()
    assert functions.finished(functions.start(live, {"value": 2}))["Status"] == "SUCCEEDED"
    assert note.exists()
