"""Everything that keeps the command from AWS: one line, one fix, an exit code."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from ops_support import ACCOUNT, Deployed, Said, environment, policy, queue_arn, run

from durable_ops.cli.main import cli
from durable_ops.errors import Exit, explain
from durable_sandbox.pytest_plugin import Sandbox

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "operate.md"
LIST = ("dead-letters", "list", "orders")


def assert_one_line_and_a_fix(said: Said, code: Exit, what: str, fix: str) -> None:
    assert (said.code, said.out) == (code, "")
    first, second = said.err.splitlines()
    assert first.startswith("Error: ")
    assert what in first
    assert fix in second


@pytest.fixture
def answering() -> Iterator[dict[str, str]]:
    """An endpoint that answers each call with the error that the test puts in."""
    error = {"code": "", "message": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.dumps({"__type": f"com.amazonaws.sqs#{error['code']}", "message": error["message"]}).encode()
            self.send_response(403)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    error["url"] = f"http://127.0.0.1:{server.server_port}"
    yield error
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_closed_port(sandbox: Sandbox) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"

    said = run(environment(sandbox, AWS_ENDPOINT_URL=url), *LIST)

    assert_one_line_and_a_fix(said, Exit.UNREACHABLE, f"Nothing answers at {url}", "--endpoint-url")


@pytest.mark.parametrize(
    "code",
    ["InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "UnrecognizedClientException", "InvalidSecurity"],
)
def test_wrong_credentials(sandbox: Sandbox, answering: dict[str, str], code: str) -> None:
    answering |= {"code": code, "message": "The security token included in the request is invalid."}

    said = run(environment(sandbox, AWS_ENDPOINT_URL=answering["url"]), *LIST, "--json")

    assert_one_line_and_a_fix(said, Exit.CREDENTIALS, code, "AWS_PROFILE")


def test_forgotten_credentials(sandbox: Sandbox) -> None:
    said = run(environment(sandbox, AWS_ACCESS_KEY_ID="ASIAAAAAAAAAAAAAAAAA", AWS_SESSION_TOKEN="t"), *LIST)
    assert_one_line_and_a_fix(said, Exit.CREDENTIALS, "InvalidClientTokenId", "AWS_PROFILE")


def test_no_credentials(sandbox: Sandbox) -> None:
    env = environment(sandbox)
    del env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
    assert_one_line_and_a_fix(run(env, *LIST), Exit.CREDENTIALS, "no credentials", "AWS_PROFILE")


def test_unknown_profile(sandbox: Sandbox) -> None:
    said = run(environment(sandbox), *LIST, "--profile", "nobody")
    assert_one_line_and_a_fix(said, Exit.CREDENTIALS, "nobody", "list-profiles")


def test_no_region(sandbox: Sandbox) -> None:
    env = environment(sandbox)
    del env["AWS_REGION"], env["AWS_DEFAULT_REGION"]
    assert_one_line_and_a_fix(run(env, *LIST), Exit.USAGE, "No region", "--region")


@pytest.mark.parametrize("command", ["list", "redrive"])
def test_unknown_stack(sandbox: Sandbox, command: str) -> None:
    said = run(environment(sandbox), "dead-letters", command, "orders")
    assert_one_line_and_a_fix(said, Exit.NOT_FOUND, 'no stack "orders" in us-east-1', "the root module's input `name`")


def test_a_stack_of_another_region_is_not_there(sandbox: Sandbox) -> None:
    name = Deployed(sandbox).name
    said = run(environment(sandbox), "dead-letters", "list", name, "--region", "eu-west-1")
    assert_one_line_and_a_fix(said, Exit.NOT_FOUND, f'no stack "{name}" in eu-west-1', "--region")


def test_without_permission_the_action_is_named_and_nothing_is_lost(sandbox: Sandbox) -> None:
    deployed = Deployed(sandbox)
    deployed.deploy()
    deployed.fail(2)
    deployed.mend()
    # All that redrive needs, but for the start.
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": queue_arn(deployed.failed)}
    env = environment(sandbox, **_session(sandbox, policy(statement)))

    said = run(env, "dead-letters", "redrive", deployed.name, "--queue", "failed")

    assert (said.code, said.out) == (Exit.DENIED, "")
    assert "Error: Not permitted: Invoke: " in said.err
    assert "lambda:InvokeFunction" in said.err
    assert "docs/guides/operate.md" in said.err
    assert deployed.visible(deployed.failed) == 2


def _session(sandbox: Sandbox, document: str) -> dict[str, str]:
    """Keys of a new role that may do what the policy says."""
    iam, name = sandbox.client("iam"), f"operator-{uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)
    keys = sandbox.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


def test_wrong_usage(sandbox: Sandbox) -> None:
    said = run(environment(sandbox), "dead-letters", "redrive", "orders", "--rate", "0")
    assert (said.code, "0 is not in the range" in said.err) == (Exit.USAGE, True)
    said = run(environment(sandbox), "executions", "list", "orders", "--since", "yesterday")
    assert (said.code, "is no time" in said.err) == (Exit.USAGE, True)


def test_throttling_advises_a_lower_rate() -> None:
    error = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}}, "Invoke")
    problem = explain(error)
    assert (problem.exit_code, problem.is_final, "--rate" in problem.fix) == (Exit.FAILED, False, True)


def test_every_exit_code_is_documented() -> None:
    help_text, guide = str(cli.help), GUIDE.read_text(encoding="utf-8")
    for code in Exit:
        assert f"\n  {code.value:<4} " in help_text.replace("\b", "")
        assert f"| {code.value} |" in guide
