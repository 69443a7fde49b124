"""All functions of a sandbox, and how a reference finds its version."""

from __future__ import annotations

import random
from collections.abc import Iterator

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.lambda_.model import LATEST, Alias, Function, Version
from durable_sandbox.services.lambda_.naming import FunctionReference


def not_found(arn: str) -> AwsError:
    """Lambda's error for a function, version or alias that does not exist."""
    return AwsError("ResourceNotFoundException", f"Function not found: {arn}", status=404, Type="User")


class FunctionStore:
    """Functions by region and name."""

    def __init__(self, account: str) -> None:
        self.account = account
        self._functions: dict[tuple[str, str], Function] = {}

    def __iter__(self) -> Iterator[Function]:
        return iter(list(self._functions.values()))

    def add(self, function: Function) -> None:
        """Add a new function. Raises AwsError ResourceConflictException for a name that is taken."""
        key = (function.region, function.name)
        if key in self._functions:
            raise AwsError(
                "ResourceConflictException", f"Function already exist: {function.name}", status=409, Type="User"
            )
        self._functions[key] = function

    def remove(self, function: Function) -> None:
        """Remove a function with all its versions."""
        del self._functions[function.region, function.name]

    def clear(self) -> None:
        """Remove all."""
        self._functions.clear()

    def find(self, region: str, name: str) -> Function | None:
        """The function, if there is one."""
        return self._functions.get((region, name))

    def get(self, reference: FunctionReference) -> Function:
        """The function, whatever the qualifier. Raises AwsError ResourceNotFoundException."""
        function = self._functions.get((reference.region, reference.name))
        if function is None:
            raise not_found(_arn(self.account, reference))
        return function

    def alias(self, reference: FunctionReference) -> tuple[Function, Alias]:
        """The alias that the reference's qualifier names."""
        function = self.get(reference)
        alias = function.aliases.get(reference.qualifier or "")
        if alias is None:
            raise AwsError(
                "ResourceNotFoundException",
                f"Cannot find alias arn: {function.arn(reference.qualifier)}",
                status=404,
                Type="User",
            )
        return function, alias

    def version(self, reference: FunctionReference) -> tuple[Function, Version]:
        """The version behind a number, an alias (weighted at random), ``$LATEST`` or no qualifier."""
        function = self.get(reference)
        qualifier = reference.qualifier
        alias = function.aliases.get(qualifier or "")
        number = _routed(alias) if alias else qualifier
        if number is None or number == LATEST:
            return function, function.latest
        version = function.versions.get(number)
        if version is None:
            raise not_found(function.arn(qualifier))
        return function, version


def _routed(alias: Alias) -> str:
    roll = random.random()  # noqa: S311 - traffic shifting, no secret
    for version, weight in alias.routing.items():
        if roll < weight:
            return version
        roll -= weight
    return alias.version


def _arn(account: str, reference: FunctionReference) -> str:
    arn = f"arn:aws:lambda:{reference.region}:{account}:function:{reference.name}"
    return f"{arn}:{reference.qualifier}" if reference.qualifier else arn
