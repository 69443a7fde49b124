"""Asking before what cannot be undone."""

from __future__ import annotations

import sys

import click

from durable_ops.errors import Exit, OpsError


def confirm(question: str, *, yes: bool) -> None:
    """Go on if ``yes`` or if the user says so. Raises OpsError if there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise OpsError(f"{question} There is nobody to ask.", "Say --yes.", Exit.USAGE)
    click.confirm(question, abort=True, err=True)
