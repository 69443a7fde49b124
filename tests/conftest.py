"""What all tiers share: their order, and botocore's service models."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import groupby, zip_longest
from pathlib import Path

import pytest
from botocore.loaders import JSONFileLoader, Loader

_WAITING = Path(__file__).parent / "sandbox"
_IN_PROCESS = Path(__file__).parent / "sandbox_unit"


_parse = functools.cache(functools.partial(JSONFileLoader.load_file, JSONFileLoader()))
_list = Loader.list_available_services


@functools.cache
def _services(search_paths: tuple[str, ...], type_name: str) -> list[str]:
    return list(_list(Loader(extra_search_paths=search_paths, include_default_search_paths=False), type_name))


@pytest.fixture(scope="module", autouse=True)
def _service_models_read_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let botocore's service models be found and parsed once in a worker, not once in each session of boto3.

    botocore itself gives one parsed file to all clients of a session, so none of them writes to it. Something does in a sandbox that
    runs in the test's own process (two tests of test_server.py fail with shared files), so those tests go without.
    """
    if _IN_PROCESS in request.path.parents:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: _parse(path))
        patch.setattr(
            Loader, "list_available_services", lambda self, type_name: _services(tuple(self.search_paths), type_name)
        )
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that mostly wait, for the provider, alternate with files that compute, so that workers side by side do both."""
    files = [list(of_file) for _, of_file in groupby(items, key=lambda item: item.path)]
    waiting = [file for file in files if _WAITING in file[0].path.parents]
    computing = [file for file in files if _WAITING not in file[0].path.parents]
    pairs = zip_longest(waiting, computing, fillvalue=list[pytest.Item]())
    items[:] = [item for pair in pairs for file in pair for item in file]
