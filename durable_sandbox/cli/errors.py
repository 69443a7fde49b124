"""Errors that a user of the command line can act on."""

from __future__ import annotations

from click import ClickException, echo

ENVIRONMENT = 2  # exit code: wrong usage, or a machine that is not set up


class CliError(ClickException):
    """``what`` is wrong in one line and ``fix`` says what to do; ``exit_code`` is 1, or 2 for usage and environment."""

    def __init__(self, what: str, fix: str = "", *, exit_code: int = 1) -> None:
        super().__init__(what)
        self.fix = fix
        self.exit_code = exit_code  # type: ignore[misc] # click reads it from the instance

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature; errors always go to stderr
        """Print the error and the way out of it to stderr."""
        echo(f"Error: {self.message}", err=True)
        if self.fix:
            echo(self.fix, err=True)
