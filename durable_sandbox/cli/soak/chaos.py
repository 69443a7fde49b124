"""What happens to the stack during a soak, by how far the run is: killed environments, a throttled store step."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psutil

from durable_sandbox.cli import aws
from durable_sandbox.cli.errors import ENVIRONMENT, CliError
from durable_sandbox.cli.process import Running, request_json

RESERVED_CONCURRENCY = 2
_THROTTLED = (1 / 3, 2 / 3)
_LAST_KILL = 0.8  # at the end only failing messages are left, which mostly wait for their redelivery

Environment = Mapping[str, Any]


class Kills:
    """Kills ``count`` busy environments, spread over the run.

    ``functions``: names of those that may be hit. ``environments`` lists what lives, ``kill`` ends a
    process if it is still there, and tells.
    """

    def __init__(
        self,
        count: int,
        functions: Sequence[str],
        seed: int,
        environments: Callable[[], Sequence[Environment]],
        kill: Callable[[int], bool],
    ) -> None:
        self._due = [_LAST_KILL * number / count for number in range(count)]
        self._functions = frozenset(functions)
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._environments = environments
        self._kill = kill
        self.killed: Counter[str] = Counter()

    def advance(self, fraction: float) -> None:
        """Kill one environment if one is due and any is busy.

        Functions that were hit least come first, then those with the fewest busy environments: a dispatcher has few,
        and only at the start.
        """
        if not self._due or fraction < self._due[0]:
            return
        busy = [one for one in self._environments() if one["busy"] and one["function_name"] in self._functions]
        if not busy:
            return
        self._random.shuffle(busy)
        sizes = Counter(one["function_name"] for one in busy)
        victim = min(busy, key=lambda one: (self.killed[one["function_name"]], sizes[one["function_name"]]))
        if self._kill(int(victim["pid"])):
            self.killed[victim["function_name"]] += 1
            self._due.pop(0)


class Throttle:
    """A reserved concurrency of 2 on a function for the middle third of the run."""

    def __init__(self, lambda_: Any, function_name: str) -> None:
        self._lambda = lambda_
        self._function_name = function_name
        self.on = False
        self.spans = 0

    def advance(self, fraction: float) -> None:
        """Set or lift the limit."""
        wanted = _THROTTLED[0] <= fraction < _THROTTLED[1]
        if wanted and not self.on:
            self._lambda.put_function_concurrency(
                FunctionName=self._function_name, ReservedConcurrentExecutions=RESERVED_CONCURRENCY
            )
            self.on = True
            self.spans += 1
        elif self.on and not wanted:
            self.lift()

    def lift(self) -> None:
        """Remove the limit if it is there."""
        if self.on:
            self._lambda.delete_function_concurrency(FunctionName=self._function_name)
            self.on = False


def kills(running: Running, count: int, functions: Sequence[str], seed: int) -> Kills:
    """Kills in a sandbox. Raises CliError if its processes are not of this machine."""
    if count and not psutil.pid_exists(running.pid):
        raise CliError(
            f"The sandbox on port {running.port} is process {running.pid} of another machine or container, whose Lambda "
            "environments cannot be killed from here.",
            "Run the soak where the sandbox runs, or with --kills 0.",
            exit_code=ENVIRONMENT,
        )

    def environments() -> Sequence[Environment]:
        found: Sequence[Environment] = request_json(running.port, "/_sandbox/environments")["environments"]
        return found

    def kill(pid: int) -> bool:
        try:
            if running.pid not in {parent.pid for parent in psutil.Process(pid).parents()}:
                return False
            os.kill(pid, signal.SIGKILL)
        except (psutil.NoSuchProcess, ProcessLookupError):
            return False
        return True

    return Kills(count, functions, seed, environments, kill)


def throttle(running: Running, function_name: str) -> Throttle:
    """The throttle of a function in a sandbox."""
    return Throttle(aws.client(running.port, "lambda"), function_name)
