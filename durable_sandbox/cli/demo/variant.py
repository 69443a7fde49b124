"""What differs between the bridges: names, settings, and where a message ends that cannot be processed."""

from __future__ import annotations

from dataclasses import dataclass

from durable_sandbox.cli.errors import ENVIRONMENT, CliError

_LONGEST_MAPPED_SECONDS = 900
_MARGIN_SECONDS = 15  # for the steps beside the hold
_INVOCATION_SECONDS = 5
_RECEIVES = 2
_HOLD_SECONDS = 1800
_MAPPED_HOLD_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Variant:
    """A demo: ``bridge`` (pipe, esm or dispatcher), ``fifo`` or not, and the held message's seconds."""

    bridge: str
    fifo: bool
    hold_seconds: int

    @classmethod
    def of(cls, bridge: str, *, fifo: bool, hold_seconds: int | None) -> Variant:
        """Check the choice. Raises CliError for a FIFO pipe and for a hold that a mapping could not wait for."""
        if fifo and bridge == "pipe":
            raise CliError(
                "A pipe starts executions without waiting for them, so the order of a FIFO queue would be lost.",
                "Choose --bridge esm (order kept) or --bridge dispatcher (started in order).",
                exit_code=ENVIRONMENT,
            )
        if hold_seconds is None:
            hold_seconds = _MAPPED_HOLD_SECONDS if bridge == "esm" else _HOLD_SECONDS
        if bridge == "esm" and hold_seconds + _MARGIN_SECONDS > _LONGEST_MAPPED_SECONDS:
            raise CliError(
                f"A mapping waits for the whole execution, {_LONGEST_MAPPED_SECONDS} seconds at most, and "
                f"--hold-seconds {hold_seconds} leaves less than {_MARGIN_SECONDS} of them for the steps.",
                f"Hold for {_LONGEST_MAPPED_SECONDS - _MARGIN_SECONDS} seconds or less, or choose another bridge.",
                exit_code=ENVIRONMENT,
            )
        return cls(bridge, fifo, hold_seconds)

    @property
    def key(self) -> str:
        """Suffix of the stack's name; empty for the root module as it is."""
        return "-".join(filter(None, ("" if self.bridge == "pipe" else self.bridge, "fifo" if self.fifo else "")))

    @property
    def returns(self) -> bool:
        """Whether a failed message returns to its queue, to end in the dead-letter queue; else its event is in `failed`."""
        return self.bridge == "esm"

    @property
    def execution_timeout(self) -> int:
        """Seconds for an execution behind a mapping: so few that a failed message is soon back."""
        return self.hold_seconds + _MARGIN_SECONDS

    @property
    def visibility_timeout(self) -> int:
        """Seconds until a failed message of a mapping is delivered again: the least that the root module allows."""
        return max(6 * _INVOCATION_SECONDS, self.execution_timeout + 30)

    @property
    def failing_seconds(self) -> int:
        """How long a failing message takes to its end, besides the work."""
        return _RECEIVES * self.visibility_timeout if self.returns else 0

    def variables(self) -> dict[str, str]:
        """The root module's inputs, as environment variables of Terraform."""
        values: dict[str, object] = {"bridge": self.bridge, "fifo": self.fifo}
        if self.key:
            values["name"] = f"durable-pipeline-{self.key}"
        if self.returns:
            values |= {
                "timeout": _INVOCATION_SECONDS,
                "execution_timeout": self.execution_timeout,
                "visibility_timeout": self.visibility_timeout,
                "max_receive_count": _RECEIVES,
            }
            if self.fifo:
                # What is received with a failing message counts a receive too, and would follow it to the dead letters.
                values["batch_size"] = 1
        return {f"TF_VAR_{name}": str(value).lower() for name, value in values.items()}
