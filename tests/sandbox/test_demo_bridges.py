"""`sandbox demo --json` with the bridges that its own test does not use, and with FIFO queues; all at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from checkout import Begun, begun, finish

from durable_sandbox.pytest_plugin import Sandbox

_DEMOS = {
    "dispatcher": ["--bridge", "dispatcher"],
    "dispatcher-fifo": ["--bridge", "dispatcher", "--fifo"],
    "esm": ["--bridge", "esm", "--hold-seconds", "1"],
    "esm-fifo": ["--bridge", "esm", "--fifo", "--hold-seconds", "1"],
}


@pytest.fixture(scope="module")
def demos(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    """A demo of each, begun. A shorter hold, for it lengthens the time until a failed message of a mapping is back."""
    commands = {name: ["demo", *options] for name, options in _DEMOS.items()}
    with begun(tmp_path_factory.mktemp("demo"), sandbox.port, commands) as running:
        yield running


@pytest.mark.parametrize("name", _DEMOS)
def test_figures(demos: Begun, sandbox: Sandbox, name: str) -> None:
    found = finish(demos[name])
    assert found.pop("seconds") > 0
    fifo = {"ordered": True} if name.endswith("-fifo") else {}
    assert found == {"sent": 20, "succeeded": 17, "failed": 3, "lost": 0, **fifo}
    depths = {queue["name"]: queue["visible"] for queue in sandbox.status()["queues"]}
    stack, suffix = f"durable-pipeline-{name}", ".fifo" if fifo else ""
    ended = {"dlq": depths[f"{stack}-dlq{suffix}"], "failed": depths[f"{stack}-failed"]}
    assert ended == ({"dlq": 3, "failed": 0} if name.startswith("esm") else {"dlq": 0, "failed": 3})
