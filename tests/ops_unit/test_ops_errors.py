"""Everything that keeps the command from AWS: one line, one fix, an exit code."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from ops_support import ACCOUNT, Deployed, Said, begin, end, environment, policy, queue_arn, run

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


def test_aws_region_alone_is_enough_and_goes_first(sandbox: Sandbox) -> None:
    env = environment(sandbox, AWS_REGION="eu-west-1")
    del env["AWS_DEFAULT_REGION"]
    alone, both = run(env, *LIST), run(env | {"AWS_DEFAULT_REGION": "eu-west-2"}, *LIST)
    assert "in eu-west-1" in alone.err
    assert "in eu-west-1" in both.err
    assert "in eu-west-3" in run(env, *LIST, "--region", "eu-west-3").err


def test_a_region_that_cannot_be_one(sandbox: Sandbox) -> None:
    said = run(environment(sandbox), *LIST, "--region", "no region")
    assert_one_line_and_a_fix(said, Exit.USAGE, "no region", "eu-west-1")


@pytest.mark.parametrize("url", ["localhost:4566", "//localhost:4566", "ftp://localhost", "http://localhost:port"])
def test_an_endpoint_that_is_no_address(sandbox: Sandbox, url: str) -> None:
    by_variable = run(environment(sandbox, AWS_ENDPOINT_URL=url), *LIST)
    by_option = run(environment(sandbox), *LIST, "--endpoint-url", url)
    for said in (by_variable, by_option):
        assert_one_line_and_a_fix(said, Exit.USAGE, url, "Write http://HOST:PORT")


@pytest.mark.parametrize(
    ("arguments", "what", "fix"),
    [
        (["executions", "list", "bad name!"], '"bad name!" cannot be the name of a stack', "letters, digits"),
        (["executions", "list", ""], '"" cannot be the name of a stack', "letters, digits"),
        (["dead-letters", "list", "orders.fifo"], '"orders.fifo" cannot be the name of a stack', "letters, digits"),
        (["dead-letters", "redrive", "n" * 65], "cannot be the name of a stack", "at most 64"),
        (["executions", "show", "orders", "an execution"], '"an execution" cannot be the name', "executions list"),
        (["executions", "show", "orders", "arn:aws:lambda:x"], '"arn:aws:lambda:x" is no ARN', "durable-execution/"),
        (["callback", "succeed", ""], '"" is no id of a callback', "executions show"),
        (["callback", "fail", "an id", "--message", "m"], '"an id" is no id of a callback', "executions show"),
        (["callback", "succeed", "a" * 1025], "is no id of a callback", "executions show"),
    ],
)
def test_what_cannot_be_is_not_asked_for(sandbox: Sandbox, arguments: list[str], what: str, fix: str) -> None:
    env = environment(sandbox, AWS_ENDPOINT_URL="http://127.0.0.1:9")  # where nobody could answer
    assert_one_line_and_a_fix(run(env, *arguments), Exit.USAGE, what, fix)


@pytest.mark.parametrize(("status", "fix"), [(400, "compare the arguments"), (503, "run it again later")])
def test_whatever_aws_says_is_one_line_and_a_fix(status: int, fix: str) -> None:
    answer = {"Error": {"Code": "Odd", "Message": "two\nlines"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    problem = explain(ClientError(answer, "Invoke"))
    assert (problem.what, problem.exit_code) == ("Invoke failed: Odd: two lines", Exit.FAILED)
    assert fix in problem.fix


def test_whatever_botocore_says_is_one_line_and_a_fix() -> None:
    wrong = explain(ParamValidationError(report="Invalid length for parameter X"))
    assert (wrong.what, wrong.exit_code) == ("Parameter validation failed: Invalid length for parameter X", Exit.USAGE)
    other = explain(BotoCoreError())
    assert all(problem.fix and "\n" not in problem.what for problem in (wrong, other))


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
    assert_one_line_and_a_fix(said, Exit.USAGE, "0 is not in the range", "durable-ops dead-letters redrive --help")
    said = run(environment(sandbox), "executions", "list", "orders", "--since", "yesterday")
    assert_one_line_and_a_fix(said, Exit.USAGE, "is no time", "durable-ops executions list --help")
    said = run(environment(sandbox), "dead-letters")
    assert (said.code, "Commands:" in said.out + said.err) == (Exit.USAGE, True)


def test_throttling_advises_a_lower_rate() -> None:
    error = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}}, "Invoke")
    problem = explain(error)
    assert (problem.exit_code, problem.is_final, "--rate" in problem.fix) == (Exit.FAILED, False, True)


def documented() -> set[int]:
    """The exit codes of the guide, which are those of the help text."""
    _, _, section = GUIDE.read_text(encoding="utf-8").partition("\n## Exit codes\n")
    in_guide = set(map(int, re.findall(r"^\| (\d+) \|", section.partition("\n## ")[0], re.MULTILINE)))
    in_help = set(map(int, re.findall(r"^  (\d+)  ", str(cli.help).partition("Exit codes:")[2], re.MULTILINE)))
    assert in_guide == in_help
    return in_guide


def test_every_exit_code_is_documented() -> None:
    assert documented() == {code.value for code in Exit}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_while_aws_does_not_answer_it_ends_as_documented(sandbox: Sandbox, number: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = begin(environment(sandbox, AWS_ENDPOINT_URL=url), *LIST, "--json")
        connection, _ = silent.accept()  # it has begun, and waits for an answer
        process.send_signal(number)
        said = end(process)
        connection.close()

    assert said.code in documented()
    assert (said.code, said.out) == (Exit.INTERRUPTED, "")
    assert said.err.strip().startswith("Interrupted.")
