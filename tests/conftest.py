"""What all tiers share: their order, botocore's service models, and how often garbage is collected."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import groupby, zip_longest
from pathlib import Path

import pytest
from botocore.loaders import Loader, create_loader

_WAITING = Path(__file__).parent / "sandbox"
_NEW_OBJECTS = 50_000


def pytest_configure() -> None:
    """Look for garbage less often than Python does: with moto and botocore loaded, that is a third of a worker's time."""
    gc.set_threshold(_NEW_OBJECTS)


@pytest.fixture(scope="session", autouse=True)
def _service_models_read_once() -> Iterator[None]:
    """Let botocore find and parse its service models once in a worker, not once in each session of boto3: half of a short test's time.

    Those of moto in the same process are others: it merges more into them, and botocore takes the bucket out of S3's paths.
    """
    loader = Loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda path: create_loader(path) if path else loader)
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that mostly wait, for the provider, alternate with files that compute, so that workers side by side do both."""
    files = [list(of_file) for _, of_file in groupby(items, key=lambda item: item.path)]
    waiting = [file for file in files if _WAITING in file[0].path.parents]
    computing = [file for file in files if _WAITING not in file[0].path.parents]
    pairs = zip_longest(waiting, computing, fillvalue=list[pytest.Item]())
    items[:] = [item for pair in pairs for file in pair for item in file]
