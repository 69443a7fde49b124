"""What moto keeps of all that it ever made.

Gap closed in moto 5.2.5: for a page of its own it holds on to each model until a reset, so that a server grows with every item that is
put, every record and every line of a log, deleted or not.
"""

from __future__ import annotations

from typing import Any

from moto.core.common_models import BaseModel
from moto.s3.models import FakeKey, FakeMultipart

# Of these a reset closes the files.
_CLOSED_BY_RESET = (FakeKey, FakeMultipart)


def patch() -> None:
    """Let moto forget what nothing refers to, once a process."""

    def new(cls: type[BaseModel], *_: Any, **__: Any) -> BaseModel:
        instance: BaseModel = super(BaseModel, cls).__new__(cls)
        if issubclass(cls, _CLOSED_BY_RESET):
            cls.instances_tracked.append(instance)
        return instance

    BaseModel.__new__ = new
