"""`sandbox demo --json` with the bridges that its own test does not use, one of them with FIFO queues; at once.

The other two pairs are examples: dispatcher and fifo.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from checkout import Begun, begun, finish
from deployment import inventory

from durable_sandbox.cli.demo.variant import Variant
from durable_sandbox.cli.environment import terraform_dir
from durable_sandbox.pytest_plugin import Sandbox
from durable_sandbox.terraform import Terraform

_DEMOS = {
    "dispatcher-fifo": ["--bridge", "dispatcher", "--fifo"],
    "esm": ["--bridge", "esm", "--hold-seconds", "1"],
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    return inventory(sandbox)


@pytest.fixture(scope="module")
def demos(sandbox: Sandbox, checkout: Path, before: set[str]) -> Iterator[Begun]:
    """A demo of each, begun. A shorter hold, for it lengthens the time until a failed message of a mapping is back."""
    del before  # taken first
    commands = {name: ["demo", *options] for name, options in _DEMOS.items()}
    with begun(checkout, sandbox.port, commands) as running:
        yield running


def _terraform(sandbox: Sandbox, checkout: Path, name: str) -> Terraform:
    """Terraform as the demo called ``name`` uses it."""
    bridge, _, fifo = name.partition("-")
    variant = Variant.of(bridge, fifo=bool(fifo), hold_seconds=1 if bridge == "esm" else None)
    directory = terraform_dir(checkout / ".sandbox", sandbox.port, variant.key)
    return Terraform(checkout, {**os.environ, **variant.variables()}, directory)


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


@pytest.mark.parametrize("name", _DEMOS)
def test_second_plan_is_empty(sandbox: Sandbox, checkout: Path, name: str) -> None:
    assert not _terraform(sandbox, checkout, name).plan()


def test_destroy_leaves_nothing(sandbox: Sandbox, checkout: Path, before: set[str]) -> None:
    with ThreadPoolExecutor(len(_DEMOS)) as pool:
        list(pool.map(lambda name: _terraform(sandbox, checkout, name).destroy(), _DEMOS))
    assert inventory(sandbox) == before
