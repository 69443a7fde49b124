"""What went wrong with a connection, and what to do about it; of a sandbox on this machine it is known better.

Close codes and limits: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html and
.../apigateway-execution-service-websocket-limits-table.html.
"""

from __future__ import annotations

from durable_sandbox.cli.environment import command_line
from durable_sandbox.cli.errors import CliError
from durable_sandbox.cli.process import Running, find, request_json
from durable_sandbox.cli.ws.client import GOING_AWAY, LOST, EndedError
from durable_sandbox.cli.ws.handshake import KeysError, RefusedError, Target, UnreachableError
from durable_sandbox.cli.ws.messages import FRAME_BYTES, MESSAGE_BYTES

_IDLE_SECONDS = 600
_LIFETIME_SECONDS = 7200
_SHORT_SECONDS = 60  # an idle time in which a person may still be typing
_SHOWN = 300
_POLICY, _TOO_LARGE, _INTERNAL, _RESTART = 1008, 1009, 1011, 1012
_CLOSED = {
    1000: "Whoever runs the API closed it.",
    _POLICY: "API Gateway got too much from this client at once: send more slowly.",
    _INTERNAL: "API Gateway failed inside: connect again.",
    _RESTART: "API Gateway restarts: connect again.",
    LOST: "Connect again; if that fails, look at the network.",
}
_REFUSED = {
    401: "$connect's authorizer wants something that is not there: a header (-H) or a parameter of the URL.",
    429: "Too many handshakes at once: wait a second.",
}


def sandbox_of(target: Target) -> Running | None:
    """The sandbox that the URL leads to, if it is one on this machine."""
    return find(target.port) if target.local else None


def idle_note(running: Running | None) -> str:
    """What somebody who types should know beforehand; empty if nothing."""
    if running is None or _scaled(running, _IDLE_SECONDS) >= _SHORT_SECONDS:
        return ""
    idle = _scaled(running, _IDLE_SECONDS)
    return (
        f"After {idle:g} s without a message this sandbox closes it; with `up --time-scale 1` after 10 minutes, as AWS."
    )


def ended(target: Target, error: EndedError, largest: int) -> CliError:
    """The other side closed the connection; ``largest`` is the size of the largest message sent to it."""
    what = f"The connection was closed: {error}"
    if error.code == _TOO_LARGE:
        return CliError(
            what,
            f"The largest message sent has {largest} bytes; API Gateway takes {MESSAGE_BYTES}, in frames of {FRAME_BYTES}, "
            "as they are sent here. Send less, or the address of what is large.",
        )
    running = sandbox_of(target)
    if error.code == GOING_AWAY:
        return CliError(what, _going_away(running))
    if target.local and (error.code == _RESTART or (error.code == LOST and running is None)):
        return CliError(
            what,
            f"The sandbox was {'reset' if running else 'stopped'}: what was in it is gone. "
            "Apply the stack again, and connect to its new URL.",
        )
    return CliError(what, _CLOSED.get(error.code, "Look at the API's access log."))


def _going_away(running: Running | None) -> str:
    rule = "API Gateway does that after 10 minutes without a message, after 2 hours, and when the stage is deleted"
    if running is None or running.real_time or running.time_scale == 1:
        return f"{rule}. Connect again."
    idle, lifetime = _scaled(running, _IDLE_SECONDS), _scaled(running, _LIFETIME_SECONDS)
    down, up = (command_line(command, running.port) for command in ("down", "up --detach --time-scale 1"))
    return (
        f"{rule}; this sandbox after {idle:g} s and {lifetime:g} s (time scale {running.time_scale:g}).\n"
        f"Connect again. For AWS's times start the sandbox anew, which empties it (--real-time: durable waits take theirs, too):\n"
        f"  {down} && {up}"
    )


def _scaled(running: Running, seconds: float) -> float:
    return seconds if running.real_time else seconds / running.time_scale


def refused(target: Target, error: RefusedError) -> CliError:
    """The handshake was answered with something else than a connection."""
    what = f"The connection to {target.url} was refused: {error.status} {error.body[:_SHOWN]}".rstrip()
    return CliError(what, _REFUSED.get(error.status) or _why_refused(target, error.status))


def _why_refused(target: Target, status: int) -> str:
    running = sandbox_of(target)
    if status >= 500:  # noqa: PLR2004 - what HTTP calls a server's error
        logs = command_line("logs", running.port) if running else "the API's access log"
        return f"What $connect calls has failed: look at {logs}."
    by_domain = any(name.lower() == "host" for name, _ in target.headers)  # of a custom domain: no URL tells its API
    known = _known(running) if running and not by_domain else None
    if known is not None and target.url.partition("?")[0].rstrip("/") not in known:
        there = (
            f"The sandbox has: {', '.join(known)}." if known else "The sandbox has no WebSocket API: apply the stack."
        )
        return f"There is no such API and stage. {there}"
    absent = "" if known else "there is no such API and stage, or "
    return f"Either {absent}$connect's authorizer said no, or $connect wants a signature (--sign) of somebody who may connect."


def _known(running: Running) -> list[str] | None:
    try:
        apis = request_json(running.port, "/_sandbox/status")["apis"]
        return [f"{api['endpoint']}/{stage}" for api in apis for stage in api["stages"]]
    except (OSError, ValueError, KeyError):
        return None


def unreachable(target: Target, error: UnreachableError) -> CliError:
    """There is no connection."""
    what = f"No connection to {target.url}: {error}"
    if not target.local:
        return CliError(
            what, "Compare the URL with the stack's output; a proxy is taken from HTTPS_PROXY and NO_PROXY."
        )
    if target.url.lower().startswith("wss:"):
        return CliError(what, "The sandbox speaks ws://, without TLS.")
    if sandbox_of(target) is not None:
        return CliError(what, f"Look at the sandbox: {command_line('status', target.port)}.")
    return CliError(what, f"No sandbox runs there: {command_line('up --detach', target.port)}, then apply the stack.")


def unsigned(target: Target, error: KeysError) -> CliError:
    """--sign without keys."""
    fix = f'eval "$({command_line("env", target.port)})"' if target.local else "aws configure, or AWS_PROFILE"
    return CliError(f"--sign needs AWS keys: {error}", f"Set some: {fix}.")
