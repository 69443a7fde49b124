"""The event plane against AWS's documented behaviour, by boto3 alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_sandbox.pytest_plugin import Sandbox

# How a function is packaged and deployed is shared with the unit tests; a test needs the path at import time.
sys.path.append(str(Path(__file__).parents[1] / "sandbox_unit"))

from support import Bench


@pytest.fixture(scope="module")
def sandbox(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The session's, emptied after each file: mappings, pipes and alarms that are left would go on polling beside other tests."""
    yield sandbox
    sandbox.reset()


@pytest.fixture(scope="module")
def bench(sandbox: Sandbox) -> Bench:
    """The sandbox with the probe function."""
    return Bench(sandbox)
