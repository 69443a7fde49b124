"""pytest plugin: a sandbox for tests, in this repository and in others.

Fixtures (all of session scope, so one sandbox a pytest-xdist worker, on a port of its own):

- ``sandbox``: a running sandbox (class Sandbox below).
- ``sandbox_env``: exports its variables into ``os.environ`` until the session ends, for code that takes its AWS
  settings from there: handlers under test, and terraform as pytest-terraform runs it. Let it come first, in conftest.py::

      @pytest.fixture(scope="session", autouse=True)
      def _aws(sandbox_env): ...

  A stack lives in the sandbox of one worker, so run such tests with ``-n N --dist loadfile`` and apply a stack in one
  file only.

- ``sandbox_stack``: applies a root module to the sandbox and returns the handle on it. ``Sandbox.eventually`` waits for
  what the stack does.

Options: ``--sandbox-port N`` uses a sandbox that runs already, ``--sandbox-real-time`` starts one without skipping waits.

Everything heavy is imported by the fixtures, so that a session that uses none pays nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    import subprocess

    from durable_sandbox.terraform import Terraform

T = TypeVar("T")

_ATTEMPTS = 3
# Seconds between two looks.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("sandbox", "durable sandbox")
    group.addoption("--sandbox-port", type=int, default=None, help="Use the sandbox that runs on this port.")
    group.addoption(
        "--sandbox-real-time", action="store_true", help="Start a sandbox that does not skip durable waits."
    )


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Repair pytest-terraform 0.7.0, if it is in use: its ``load``, called to share a fixture over workers, is missing."""
    module = sys.modules.get("pytest_terraform.tf")  # loaded by then if it is installed, as a plugin of its own
    if module is not None and not hasattr(module.TerraformTestApi, "load"):
        module.TerraformTestApi.load = module.TerraformTestApi.from_file


@dataclass(slots=True)
class Sandbox:
    """A running sandbox. ``process`` is None if it was running before (``--sandbox-port``)."""

    port: int
    pid: int
    real_time: bool
    log: Path | None
    process: subprocess.Popen[bytes] | None = field(repr=False)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def endpoint_url(self) -> str:
        """The address for AWS_ENDPOINT_URL."""
        from durable_sandbox.cli.environment import endpoint_url  # noqa: PLC0415 - see the module's docstring

        return endpoint_url(self.port)

    @property
    def env(self) -> dict[str, str]:
        """The variables that AWS clients need, to be merged into a child's environment."""
        from durable_sandbox.cli.environment import client_variables  # noqa: PLC0415 - as above

        return client_variables(self.port)

    def client(self, service: str, *, region: str = "us-east-1") -> Any:
        """A boto3 client of the sandbox, whatever the environment says, for ``service`` as boto3 names it ("sqs").

        The same for each call, since to make one costs a tenth of a second; threads may share it. It has the rights of the
        account's root. Raises botocore's UnknownServiceError.
        """
        from durable_sandbox.cli.aws import client  # noqa: PLC0415 - as above

        if (service, region) not in self._clients:
            self._clients[service, region] = client(self.port, service, region=region)
        return self._clients[service, region]

    def reset(self) -> None:
        """Delete everything in the sandbox, in every region. Raises OSError if it does not answer."""
        self.request("/_sandbox/reset", method="POST")

    def status(self) -> dict[str, Any]:
        """What ``sandbox status --json`` shows. Raises OSError if the sandbox does not answer."""
        return self.request("/_sandbox/status")

    def iam(self, role: str) -> dict[str, Any]:
        """What ``sandbox iam --role ROLE --unused --json`` shows. Raises LookupError if nobody knows the role."""
        from urllib.parse import urlencode  # noqa: PLC0415 - as above

        report = self.request(f"/_sandbox/iam?{urlencode({'role': role})}").get("report")
        if report is None:
            raise LookupError(role)
        found: dict[str, Any] = report
        return found

    def eventually(self, probe: Callable[[], T | None], within: float = 60, what: object = "") -> T:
        """As the function ``eventually`` below."""
        return eventually(probe, within, what)

    def request(self, path: str, *, method: str = "GET") -> dict[str, Any]:
        """Call one of the sandbox's own routes. Raises OSError (an HTTP error too) or ValueError."""
        from durable_sandbox.cli.process import request_json  # noqa: PLC0415 - as above

        return request_json(self.port, path, method=method, timeout=60.0)


def eventually(probe: Callable[[], T | None], within: float = 60, what: object = "") -> T:
    """The first value of ``probe`` that is not None. Raises AssertionError after ``within`` seconds; ``what`` says of what.

    It asks soon and then less often: what is waited for needs the machine as well.
    """
    deadline, pause = time.monotonic() + within, _FIRST_PAUSE
    while (value := probe()) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing within {within} s {what}".rstrip())
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return value


@pytest.fixture(scope="session")
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A running sandbox; one that was started here is stopped at the end of the session."""
    port = request.config.getoption("--sandbox-port")
    if port is not None:
        yield _running(port)
        return
    real_time = request.config.getoption("--sandbox-real-time")
    with started(tmp_path_factory.mktemp("sandbox"), real_time=real_time) as running:
        yield running


@contextmanager
def started(
    directory: Path, *, real_time: bool = False, iam: bool = True, time_scale: float = 60.0
) -> Iterator[Sandbox]:
    """A sandbox of its own, for tests that reset it or need it alone; its log goes to ``directory``.

    ``time_scale``: by how much Lambda's own waits, and limits of connections, are shortened.
    """
    running = _start(directory, real_time=real_time, iam=iam, time_scale=time_scale)
    try:
        yield running
    finally:
        from durable_sandbox.cli.process import stop_tree  # noqa: PLC0415 - see the module's docstring

        stop_tree(running.pid)
        if running.process is not None and running.process.stdin is not None:
            running.process.stdin.close()
            running.process.wait()


@pytest.fixture(scope="session")
def sandbox_env(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Export the sandbox's variables, and where terraform finds its provider, into os.environ for the session."""
    from durable_sandbox import terraform_setup  # noqa: PLC0415 - as above
    from durable_sandbox.cli.environment import unset_variables  # noqa: PLC0415 - as above

    variables = dict(sandbox.env)
    try:
        binary = terraform_setup.find_terraform(os.environ)
    except terraform_setup.TerraformProblem:
        pass  # this session may well do without; pytest-terraform says itself what it misses
    else:
        variables |= terraform_setup.provider_env(binary, os.environ, tmp_path_factory.mktemp("terraform"))
    with pytest.MonkeyPatch.context() as patch:
        for name in unset_variables():
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            if value:
                patch.setenv(name, value)
            else:
                patch.delenv(name, raising=False)
        yield variables


@pytest.fixture(scope="session")
def sandbox_stack(sandbox_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Terraform]:  # noqa: ARG001 - its effect
    """Applies root modules: it is called with the folder, ``sandbox_stack(ROOT, observability=False)``.

    Keyword arguments are the root's variables. It returns a ``durable_sandbox.terraform.Terraform``: ``output()``, ``plan()``
    (whether anything is to change), ``apply()``, ``destroy()``. Its state is in a temporary folder and goes with the sandbox,
    so only who tests the destroy needs one. Raises TerraformProblem, with what terraform said.
    """
    from durable_sandbox.terraform import Terraform  # noqa: PLC0415 - see the module's docstring

    def applied(directory: Path, **variables: Any) -> Terraform:
        texts = {
            f"TF_VAR_{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in variables.items()
        }
        stack = Terraform(directory, {**os.environ, **texts}, tmp_path_factory.mktemp("terraform"))
        stack.init()
        stack.apply()
        return stack

    return applied


def _running(port: int) -> Sandbox:
    from durable_sandbox.cli.process import find  # noqa: PLC0415 - as above

    running = find(port)
    if running is None:
        raise pytest.UsageError(f"--sandbox-port {port}: no sandbox answers there. Start one: sandbox up --port {port}")
    return Sandbox(port, running.pid, running.real_time, None, None)


def _start(directory: Path, *, real_time: bool, iam: bool, time_scale: float) -> Sandbox:
    import subprocess  # noqa: PLC0415 - as above

    from durable_sandbox.cli.errors import CliError  # noqa: PLC0415 - as above
    from durable_sandbox.cli.process import Start, free_port, stop_tree, wait_until_up  # noqa: PLC0415 - as above

    log = directory / "sandbox.log"
    for attempt in range(1, _ATTEMPTS + 1):
        start = Start(free_port(), real_time=real_time, time_scale=time_scale, iam=iam)
        with log.open("wb") as output:
            # It ends with its standard input, so with this process even if that is killed.
            command = start.command(with_stdin=True)
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603 - our own module
        try:
            running = wait_until_up(child, start.port, log)
        except CliError as error:
            stop_tree(child.pid)
            # Somebody else may have taken the port between our look and the server's start.
            if attempt == _ATTEMPTS:
                raise RuntimeError(f"{error.message}\n{error.fix}") from error
            continue
        if running.pid != child.pid:
            stop_tree(child.pid)
            continue
        return Sandbox(start.port, running.pid, real_time, log, child)
    raise RuntimeError(f"{_ATTEMPTS} ports in turn were taken by others. See {log}.")
