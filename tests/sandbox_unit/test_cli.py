"""The command line as a user meets it: real processes, exit codes, what is said."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import click
import psutil
import pytest
from botocore.exceptions import ClientError
from enforcement_support import document

from durable_sandbox.cli import environment, logs, process
from durable_sandbox.cli.main import cli
from durable_sandbox.cli.stack import forget
from durable_sandbox.pytest_plugin import Sandbox, started

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs ``sandbox ...`` in an empty project."""
    (tmp_path / ".git").mkdir()

    def call(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from durable_sandbox.cli.main import main; main()", *arguments]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SANDBOX_"))}
        return subprocess.run(
            command, cwd=tmp_path, env=kept | env, capture_output=True, text=True, timeout=60, check=False
        )

    return call


@pytest.fixture
def port() -> Iterator[int]:
    """A free port; a sandbox that a test leaves there is stopped."""
    port = process.free_port()
    yield port
    running = process.find(port)
    if running:
        process.stop_tree(running.pid)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Not the session's: these tests count what is in it, and reset it."""
    with started(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


class TestUpAndDown:
    def test_life(self, run: Run, port: int, tmp_path: Path) -> None:
        started = time.monotonic()
        up = run("up", "--detach", "--port", str(port))
        assert up.returncode == 0, up.stderr
        assert time.monotonic() - started < 10
        assert f"http://127.0.0.1:{port}" in up.stdout
        assert "in memory only" in up.stdout
        running = process.find(port)
        assert running is not None
        assert process.recorded_pid(tmp_path / ".sandbox", port) == running.pid

        again = run("up", "--port", str(port))
        assert (again.returncode, again.stderr) == (0, "")
        assert f"running already at http://127.0.0.1:{port}" in again.stdout

        other = run("up", "--port", str(port), "--real-time")
        assert other.returncode == 2
        assert "skips durable waits" in other.stderr
        lax = run("up", "--port", str(port), "--no-iam")
        assert lax.returncode == 2
        assert "enforces IAM" in lax.stderr

        down = run("down", "--port", str(port))
        assert (down.returncode, down.stderr) == (0, "")
        assert f"pid {running.pid}" in down.stdout
        assert not psutil.pid_exists(running.pid)
        assert process.port_is_free(port)
        assert list((tmp_path / ".sandbox").iterdir()) == [tmp_path / ".sandbox" / f"sandbox-{port}.log"]

        nothing = run("down", "--port", str(port))
        assert (nothing.returncode, nothing.stdout) == (0, f"No sandbox is running on port {port}.\n")

    def test_no_iam_is_said_at_start(self, run: Run, port: int) -> None:
        up = run("up", "--detach", "--port", str(port), "--no-iam")
        try:
            assert "IAM is NOT enforced" in up.stdout
            asked = run("iam", "--port", str(port))
            assert asked.returncode == 1
            assert "enforces no IAM" in asked.stderr
        finally:
            run("down", "--port", str(port))

    def test_foreground_ends_with_sigterm(self, port: int, tmp_path: Path) -> None:
        command = [sys.executable, "-c", "from durable_sandbox.cli.main import main; main()", "up", "--port", str(port)]
        child = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert child.stdout is not None
            assert f"http://127.0.0.1:{port}" in child.stdout.readline()
            assert "sandbox env" in child.stdout.readline()
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=20)
        finally:
            child.kill()
        assert process.port_is_free(port)
        assert not process.pid_file(tmp_path / ".sandbox", port).exists()

    def test_demo_without_terraform_starts_nothing(self, run: Run, port: int, tmp_path: Path) -> None:
        done = run("demo", "--port", str(port), TERRAFORM="/nowhere/terraform")
        assert (done.returncode, done.stdout) == (2, "")
        assert "TERRAFORM names '/nowhere/terraform'" in done.stderr
        assert "Install Terraform >= 1.9" in done.stderr
        assert process.port_is_free(port)
        assert not (tmp_path / ".sandbox").exists()

    @pytest.mark.parametrize("command", ["up", "demo"])
    def test_port_in_use_by_something_else(self, run: Run, command: str) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = other.getsockname()[1]
            done = run(command, "--port", str(taken))
        assert done.returncode == 2
        assert f"Port {taken} is in use by " in done.stderr
        assert f"(pid {os.getpid()})" in done.stderr
        assert re.search(r"such as --port \d+", done.stderr)
        assert "Traceback" not in done.stderr

    def test_hung_sandbox_is_killed_with_its_children(self, tmp_path: Path, port: int) -> None:
        code = (
            "import signal, subprocess, sys, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
            "print(child.pid, flush=True); time.sleep(300)"
        )
        hung = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert hung.stdout is not None
        child = psutil.Process(int(hung.stdout.readline()))
        process.stop_tree(hung.pid, seconds=0.2)
        hung.wait(timeout=5)
        child.wait(timeout=5)
        assert not child.is_running()
        assert process.stop(port, tmp_path) is None

    def test_pid_file_of_another_process_is_not_believed(self, tmp_path: Path) -> None:
        content = {"pid": os.getpid(), "port": 1, "created": 12.5}
        process.pid_file(tmp_path, 1).write_text(json.dumps(content))
        assert process.recorded_pid(tmp_path, 1) is None


class TestWithoutSandbox:
    @pytest.mark.parametrize("arguments", [["status"], ["reset"], ["logs"], ["exec", "--", "true"]])
    def test_says_how_to_start_one(self, run: Run, port: int, arguments: list[str]) -> None:
        done = run(*arguments[:1], "--port", str(port), *arguments[1:])
        assert done.returncode == 2
        assert f"No sandbox answers on port {port}" in done.stderr
        assert f"sandbox up --detach --port {port}" in done.stderr

    def test_wrong_usage(self, run: Run) -> None:
        done = run("up", "--port", "99999999")
        assert done.returncode == 2
        assert "not in the range" in done.stderr

    def test_env_can_be_evaluated(self, run: Run, port: int) -> None:
        done = run("env", "--port", str(port), AWS_ENDPOINT_URL_SQS="http://elsewhere")
        script = f"export AWS_PROFILE=p AWS_ENDPOINT_URL_SQS=x\n{done.stdout}\nenv"
        shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        seen = dict(line.split("=", 1) for line in shell.stdout.splitlines() if "=" in line)
        assert seen["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"
        assert "AWS_PROFILE" not in seen
        assert "AWS_ENDPOINT_URL_SQS" not in seen
        assert "no sandbox answers" in done.stderr

    def test_env_json(self, run: Run, port: int) -> None:
        done = run("env", "--json", "--port", str(port))
        assert json.loads(done.stdout)["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"


class TestWithSandbox:
    """One sandbox that runs."""

    def test_exec_passes_environment_and_exit_code(self, run: Run, sandbox: Sandbox) -> None:
        port = ["--port", str(sandbox.port)]
        done = run("exec", *port, "--", "sh", "-c", "echo $AWS_ENDPOINT_URL $AWS_PROFILE; exit 7", AWS_PROFILE="mine")
        assert (done.returncode, done.stdout) == (7, sandbox.endpoint_url + "\n")
        missing = run("exec", *port, "--", "no-such-program")
        assert missing.returncode == 127
        assert "no-such-program was not found" in missing.stderr

    def test_exec_finds_what_is_installed_beside_it(self, run: Run, sandbox: Sandbox) -> None:
        """Also where the virtual environment is not active."""
        found = run("exec", "--port", str(sandbox.port), "--", "durable-ops", "--version", PATH=os.defpath)
        assert (found.returncode, found.stderr) == (0, "")
        assert "durable-ops" in found.stdout

    def test_logs_of_a_group(self, run: Run, sandbox: Sandbox) -> None:
        client = sandbox.client("logs")
        client.create_log_group(logGroupName="/access/orders")
        client.create_log_stream(logGroupName="/access/orders", logStreamName="s")
        event = {"timestamp": int(time.time() * 1000), "message": "a line"}
        client.put_log_events(logGroupName="/access/orders", logStreamName="s", logEvents=[event])
        try:
            assert "a line" in run("logs", "--port", str(sandbox.port), "/access/orders").stdout
        finally:
            client.delete_log_group(logGroupName="/access/orders")

    def test_exec_keeps_the_aws_cli_in_the_sandbox(self, run: Run, sandbox: Sandbox) -> None:
        sandbox.client("sqs").create_queue(QueueName="seen-by-the-cli")
        aws = str(Path(sys.executable).with_name("aws"))
        done = run("exec", "--port", str(sandbox.port), "--", aws, "sqs", "list-queues", "--output", "json")
        assert any(url.endswith("/seen-by-the-cli") for url in json.loads(done.stdout)["QueueUrls"]), done.stderr

    def test_own_clients_ignore_the_users_profile(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "somebody")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
        assert sandbox.client("sts").get_caller_identity()["Account"] == "123456789012"

    def test_iam_shows_what_a_role_used_was_refused_and_never_needed(self, run: Run, sandbox: Sandbox) -> None:
        iam, port = sandbox.client("iam"), ["--port", str(sandbox.port)]
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        actions = ["sqs:ListQueues", "sns:ListTopics"]
        grant = {"Sid": "Lists", "Effect": "Allow", "Action": actions, "Resource": "*"}
        role = iam.create_role(RoleName="shown", AssumeRolePolicyDocument=document(trust))["Role"]
        iam.put_role_policy(RoleName="shown", PolicyName="p", PolicyDocument=document(grant))
        sts = sandbox.client("sts")
        keys = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="cli")["Credentials"]
        session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "us-east-1")
        session.client("sqs", endpoint_url=sandbox.endpoint_url).list_queues()
        with pytest.raises(ClientError, match="AccessDenied"):
            session.client("dynamodb", endpoint_url=sandbox.endpoint_url).list_tables()

        assert role["Arn"] in run("iam", *port).stdout.splitlines()
        shown = run("iam", "--role", "shown", *port).stdout
        used, refused, unused = shown.split("\n\n")[1:]
        assert "sqs:ListQueues" in used
        assert "p/Lists" in used
        assert "dynamodb:ListTables" in refused
        assert "sns:ListTopics" in unused
        found = json.loads(run("iam", "--role", "shown", "--unused", "--json", *port).stdout)
        assert [one["action"] for one in found.pop("unused")] == ["sns:ListTopics"]
        assert found == {"principal": role["Arn"]}
        assert run("iam", "--role", "nobody", *port).returncode == 1

    def test_logs(self, run: Run, sandbox: Sandbox) -> None:
        client = sandbox.client("logs")
        group = {"logGroupName": "/aws/lambda/f"}
        client.create_log_group(**group)
        client.create_log_stream(**group, logStreamName="s")
        now = int(time.time() * 1000)
        events = [{"timestamp": now - 7_200_000, "message": "old"}, {"timestamp": now, "message": "new"}]
        client.put_log_events(**group, logStreamName="s", logEvents=events)
        port = ["--port", str(sandbox.port)]
        assert [line.split("  ", 1)[1] for line in run("logs", *port).stdout.splitlines()] == ["f  new"]
        assert len(run("logs", *port, "--since", "3h").stdout.splitlines()) == 2

    def test_logs_of_an_unknown_function(self, run: Run, sandbox: Sandbox) -> None:
        done = run("logs", "nobody", "--port", str(sandbox.port))
        assert done.returncode == 2
        assert "no function 'nobody'" in done.stderr

    def test_reset_empties_it_and_forgets_terraforms_state(self, run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
        sandbox.client("sqs").create_queue(QueueName="reset-q")
        directories = [environment.terraform_dir(tmp_path / ".sandbox", sandbox.port, key) for key in ("", "soak-esm")]
        other = environment.terraform_dir(tmp_path / ".sandbox", sandbox.port + 1)
        states = [directory / "terraform.tfstate" for directory in (*directories, other)]
        for state in states:
            state.parent.mkdir(parents=True)
            state.touch()
        done = run("reset", "--port", str(sandbox.port))
        assert done.returncode == 0, done.stderr
        assert [state.exists() for state in states] == [False, False, True]
        assert not sandbox.client("sqs").list_queues(QueueNamePrefix="reset-q").get("QueueUrls")


class TestLogs:
    def test_each_event_once_even_if_it_comes_late(self) -> None:
        class Client:
            def __init__(self) -> None:
                self.events: list[dict[str, Any]] = []

            class exceptions:  # noqa: N801 - botocore's name
                ResourceNotFoundException = KeyError

            def get_paginator(self, _: str) -> Any:
                return self

            def paginate(self, **request: Any) -> Any:
                return [{"events": [event for event in self.events if event["timestamp"] >= request["startTime"]]}]

        client = Client()
        reader = logs.Reader(client, 0)
        client.events = [{"eventId": "1", "timestamp": 100_000, "message": "a"}]
        assert [event["message"] for _, event in reader.read(["g"])] == ["a"]
        client.events.append({"eventId": "0", "timestamp": 99_000, "message": "late"})
        client.events.append({"eventId": "2", "timestamp": 101_000, "message": "b"})
        assert [event["message"] for _, event in reader.read(["g"])] == ["late", "b"]
        assert reader.read(["g"]) == []

    def test_since(self) -> None:
        now = datetime(2026, 1, 2, tzinfo=UTC)
        assert logs.parse_since("10m", now) == now - timedelta(minutes=10)
        assert logs.parse_since("2026-01-01T12:00", now) == datetime(2026, 1, 1, 12, tzinfo=UTC)
        with pytest.raises(click.BadParameter, match="neither a span"):
            logs.parse_since("soon", now)


class TestEnvironment:
    def test_proxy_is_bypassed(self) -> None:
        variables = environment.client_variables(1, {"HTTP_PROXY": "http://proxy", "NO_PROXY": "intern"})
        assert variables["NO_PROXY"] == variables["no_proxy"] == "intern,127.0.0.1"
        assert "NO_PROXY" not in environment.client_variables(1, {})

    def test_what_would_lead_elsewhere_is_dropped(self) -> None:
        base = {"AWS_PROFILE": "p", "AWS_SESSION_TOKEN": "t", "AWS_ENDPOINT_URL_S3": "u", "PATH": "/bin"}
        found = environment.client_environment(1, base)
        assert not found.keys() & {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"}
        assert found["PATH"] == "/bin"

    def test_root_module_is_found_upward(self, tmp_path: Path) -> None:
        (tmp_path / "modules" / "queue").mkdir(parents=True)
        (tmp_path / "main.tf").touch()
        below = tmp_path / "docs" / "deep"
        below.mkdir(parents=True)
        assert environment.module_root(below) == tmp_path
        assert environment.state_dir(below) == tmp_path / ".sandbox"

    def test_forgetting_keeps_installed_providers(self, tmp_path: Path) -> None:
        (tmp_path / "data" / "providers").mkdir(parents=True)
        (tmp_path / "terraform.tfstate").touch()
        assert forget(tmp_path) is True
        assert [path.name for path in tmp_path.iterdir()] == ["data"]
        assert forget(tmp_path) is False


def test_every_command_explains_itself() -> None:
    commands = "up down reset status env exec logs iam alarms redrive demo soak ws"
    assert set(cli.commands) == set(commands.split())
    for command in cli.commands.values():
        assert command.help
        assert all(
            option.help for option in command.params if isinstance(option, click.Option) and option.name != "log_level"
        )
