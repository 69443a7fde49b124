"""Whether terraform can get an AWS provider that has durable_config, and what a test does that needs one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

MINIMUM = (6, 25, 0)
WANTED = "AWS_PROVIDER_VERSION"
"""The environment variable that asks for a version, or for versions as a constraint: "6.25.0", "~> 6.40"."""

_NONE_FITS = "no available releases match"


def numbers(version: str) -> tuple[int, ...]:
    """The first version in ``version``, as three numbers; empty if there is none."""
    match = re.search(r"\d+(?:\.\d+){0,2}", version)
    return (*map(int, match[0].split(".")), 0, 0)[:3] if match else ()


def constraint(wanted: str | None) -> str:
    """For required_providers: what is wanted, and new enough."""
    least = f">= {'.'.join(map(str, MINIMUM))}"
    return f"{least}, {wanted}" if wanted else least


def selected(directory: Path) -> str:
    """The version of the AWS provider that an init in ``directory`` selected."""
    text = (directory / ".terraform.lock.hcl").read_text(encoding="utf-8")
    found = re.search(r'provider "\S+/hashicorp/aws" \{\s+version\s+= "([^"]+)"', text)
    assert found, text
    return found[1]


def reason_to_skip(init: subprocess.CompletedProcess[str], wanted: str | None) -> str | None:
    """Why the stack cannot be tested here; None if it can.

    ``init`` is of a root with ``constraint(wanted)``. Raises AssertionError if it failed in another way, or for want of a version
    that is wanted by name: who asks for one is not to believe that it was tested.
    """
    if init.returncode == 0:
        return None
    text = " ".join(re.sub(r"[│╷╵]", " ", init.stdout).split())
    assert _NONE_FITS in text, init.stdout
    if wanted and _too_old(wanted):
        return f"{WANTED} is {wanted}, and durable_config came with {'.'.join(map(str, MINIMUM))}"
    assert not wanted, f"{WANTED} is {wanted}, which terraform cannot get here:\n{init.stdout}"
    return f"terraform can get no AWS provider {constraint(None)} here: {_NONE_FITS}"


def _too_old(wanted: str) -> bool:
    """Whether what is wanted excludes MINIMUM, or at least was written without it in mind. "~> 6.0" was not."""
    return numbers(wanted) < MINIMUM and not (wanted.startswith("~>") and numbers(wanted)[0] >= MINIMUM[0])
