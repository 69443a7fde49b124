"""The pytest plugin in sessions of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from durable_sandbox import pytest_plugin
from durable_sandbox.cli import process

USES_IT = """
import os, urllib.request
import boto3
import pytest

@pytest.fixture(scope="session", autouse=True)
def _aws(sandbox_env):
    assert sandbox_env["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")

def test_clients_and_environment(sandbox):
    assert os.environ["AWS_ENDPOINT_URL"] == sandbox.endpoint_url
    assert "AWS_PROFILE" not in os.environ
    assert not os.environ.get("TF_CLI_CONFIG_FILE") or os.path.exists(os.environ["TF_CLI_CONFIG_FILE"])
    boto3.client("sqs").create_queue(QueueName="q")
    assert [q["name"] for q in sandbox.status()["queues"]] == ["q"]
    sandbox.reset()
    assert sandbox.client("sqs").list_queues().get("QueueUrls", []) == []
    with open("pid", "w") as file:
        file.write(str(sandbox.pid))
"""
SLOW = """
import time
def test_slow(sandbox):
    with open("pid.new", "w") as file:
        file.write(str(sandbox.pid))
    import os; os.rename("pid.new", "pid")
    time.sleep(120)
"""
APPLIES = """
import pathlib
import pytest

ROOT = pathlib.Path(__file__).parent

def test_a_stack(sandbox_stack):
    stack = sandbox_stack(ROOT, word="yes", count_of=2, on=False)
    assert stack.output() == {"got": ["yes", 2, False]}
    assert not stack.plan()
    stack.destroy()
    assert stack.plan()
    assert not list(ROOT.glob("*.tfstate*")) and not (ROOT / ".terraform").exists()

def test_what_comes_late(sandbox):
    answers = iter([None, None, 0])
    assert sandbox.eventually(lambda: next(answers)) == 0
    with pytest.raises(AssertionError, match="nothing within 0 s of rows"):
        sandbox.eventually(lambda: None, within=0, what="of rows")
"""
STACK = """
variable "word" { type = string }
variable "count_of" { type = number }
variable "on" { type = bool }
resource "terraform_data" "this" { input = [var.word, var.count_of, var.on] }
output "got" { value = terraform_data.this.output }
"""
UNUSED = """
import sys
def test_nothing_heavy_is_loaded():
    heavy = {"boto3", "botocore", "moto", "uvicorn", "rich", "click", "psutil", "durable_sandbox.server"}
    assert not heavy & set(sys.modules)
"""


def start(directory: Path, code: str, *arguments: str, plugins_off: bool = False) -> subprocess.Popen[str]:
    (directory / "test_it.py").write_text(code)
    (directory / "pytest.ini").touch()  # ours must not apply
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    env |= {"AWS_PROFILE": "somebody"}
    if plugins_off:
        env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.Popen(
        command, cwd=directory, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_session_has_its_own_sandbox_and_stops_it(tmp_path: Path) -> None:
    session = start(tmp_path, USES_IT)
    output, _ = session.communicate(timeout=90)
    assert session.returncode == 0, output
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_running_sandbox_is_used_and_left_alone(tmp_path: Path) -> None:
    # One of its own: the inner session resets it, and this worker's holds the stacks of other tests.
    with pytest_plugin.started(tmp_path) as running:
        session = start(tmp_path, USES_IT, "--sandbox-port", str(running.port))
        output, _ = session.communicate(timeout=90)
        assert session.returncode == 0, output
        assert int((tmp_path / "pid").read_text()) == running.pid
        assert process.find(running.port) is not None


def test_a_stack_is_applied_and_waited_for(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(STACK)
    session = start(tmp_path, APPLIES)
    output, _ = session.communicate(timeout=120)
    assert session.returncode == 0, output


def test_no_sandbox_on_the_port_named(tmp_path: Path) -> None:
    session = start(tmp_path, USES_IT, "--sandbox-port", str(process.free_port()))
    output, _ = session.communicate(timeout=90)
    assert session.returncode == 1
    assert "no sandbox answers there. Start one: sandbox up --port" in output


def test_killed_session_leaves_no_sandbox(tmp_path: Path) -> None:
    session = start(tmp_path, SLOW)
    deadline = time.monotonic() + 60
    try:
        while not (tmp_path / "pid").exists():
            assert session.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        session.send_signal(signal.SIGKILL)
        session.communicate()
    sandbox = int((tmp_path / "pid").read_text())
    while psutil.pid_exists(sandbox) and psutil.Process(sandbox).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_unused_it_loads_nothing(tmp_path: Path) -> None:
    # Only this plugin, for others may load what they like.
    session = start(tmp_path, UNUSED, "-p", "durable_sandbox.pytest_plugin", plugins_off=True)
    output, _ = session.communicate(timeout=60)
    assert session.returncode == 0, output


def test_shared_fixture_of_pytest_terraform_can_be_loaded(tmp_path: Path) -> None:
    tf = pytest.importorskip("pytest_terraform.tf")
    recorded = tmp_path / "tf_resources.json"
    recorded.write_text('{"pytest-terraform": 1, "outputs": {"x": {"value": 1}}, "resources": {}}')
    assert tf.TerraformTestApi.load(str(recorded)).outputs == {"x": {"value": 1}}
