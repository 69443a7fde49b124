"""`sandbox soak --json` with each bridge, all at once: mostly they wait for the provider, and for redeliveries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attachment import share_builds
from checkout import Begun, begun, finish

from durable_sandbox.cli.environment import terraform_dir
from durable_sandbox.pytest_plugin import Sandbox

_MESSAGES = 120
_INVALID, _FLAKY, _TWICE = 6, 12, 6
# Of these and of what three receives allow: a killed environment may fail the messages that it had in hand, ten at most, and
# the slower the machine, the more it has. How many are killed is by chance.
_COLLATERAL = 40
# A killed dispatcher's messages come back after three minutes, which is a test of patience here.
_BRIDGES = {"esm": ["--max-receive-count", "3"], "pipe": [], "dispatcher": ["--spare", "dispatcher"]}


@pytest.fixture(scope="module")
def soaks(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    """A soak of each bridge, begun."""
    commands = {
        bridge: ["soak", "--bridge", bridge, "--messages", str(_MESSAGES), *options]
        for bridge, options in _BRIDGES.items()
    }
    checkout = tmp_path_factory.mktemp("soak")
    share_builds(*(terraform_dir(checkout / ".sandbox", sandbox.port, f"soak-{bridge}") for bridge in _BRIDGES))
    with begun(checkout, sandbox.port, commands) as running:
        yield running


def _figures(soaks: Begun, bridge: str) -> dict[str, Any]:
    found = finish(soaks[bridge])
    assert set(found) == {
        "sent", "unique", "succeeded", "failed", "dead_lettered", "lost", "duplicate_effects", "seconds",
    }  # fmt: skip
    assert (found["sent"], found["unique"]) == (_MESSAGES + _TWICE, _MESSAGES)
    assert (found["lost"], found["duplicate_effects"]) == (0, 0)
    assert found["succeeded"] + found["failed"] + found["dead_lettered"] == _MESSAGES
    assert found["seconds"] > 0
    return found


def test_pipe(soaks: Begun) -> None:
    found = _figures(soaks, "pipe")
    # The second delivery of a message that failed the first time is a second execution, which succeeds.
    assert found["dead_lettered"] == 0
    assert _INVALID + _FLAKY - _TWICE <= found["failed"] <= _INVALID + _FLAKY + _COLLATERAL


def test_dispatcher(soaks: Begun) -> None:
    found = _figures(soaks, "dispatcher")
    # The second delivery has the name of the first, and so its execution: what failed stays failed.
    assert found["dead_lettered"] == 0
    assert _INVALID + _FLAKY <= found["failed"] <= _INVALID + _FLAKY + _COLLATERAL


def test_event_source_mapping(soaks: Begun) -> None:
    found = _figures(soaks, "esm")
    # What failed the first time comes back and succeeds; what is invalid stays so.
    assert found["failed"] == 0
    assert _INVALID <= found["dead_lettered"] <= _INVALID + _COLLATERAL


def test_nothing_is_left(soaks: Begun, sandbox: Sandbox) -> None:
    """After all three: no message on a source queue, no execution running."""
    assert all(soak.poll() is not None for soak in soaks.values())
    status = sandbox.status()
    depths = {queue["name"]: queue["visible"] + queue["in_flight"] + queue["delayed"] for queue in status["queues"]}
    assert {name: depths[name] for name in depths if name in {f"soak-{bridge}" for bridge in _BRIDGES}} == {
        f"soak-{bridge}": 0 for bridge in _BRIDGES
    }
    assert all("RUNNING" not in counts for name, counts in status["executions"].items() if name.startswith("soak-"))
