"""The sandbox, part by part."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from durable_sandbox.pytest_plugin import Sandbox


@pytest.fixture(scope="module")
def sandbox(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The session's, emptied after each file: mappings, pipes and alarms that are left would go on polling beside other tests."""
    yield sandbox
    sandbox.reset()
