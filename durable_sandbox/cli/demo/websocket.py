"""``sandbox demo --websocket``: apply examples/websocket, let two clients send orders, show what each hears, report."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from durable_sandbox.cli import aws, stack
from durable_sandbox.cli.demo import closing
from durable_sandbox.cli.demo.conversation import Conversation
from durable_sandbox.cli.demo.orders import Ledger, build
from durable_sandbox.cli.environment import client_environment, command_line, terraform_dir
from durable_sandbox.cli.errors import ENVIRONMENT, CliError
from durable_sandbox.cli.process import Running
from durable_sandbox.cli.progress import console as make_console
from durable_sandbox.terraform import Terraform

KEY = "websocket"
# Connections may be idle for two minutes then, in place of ten seconds: enough for a person who tries what is said at the end.
TIME_SCALE = 5.0
_TIMEOUT_SECONDS = 120.0
_HOLD_SECONDS = 600
_REAL_HOLD_SECONDS = 5
# With a margin. A mapping waits 15 minutes for an execution, and API Gateway 10 for a message before it ends a connection.
_LONGEST_HOLD_SECONDS = 885
_LONGEST_REAL_HOLD_SECONDS = 570
_NEEDED = ("url", "queue_url", "dead_letter_queue_url", "function_name", "reply_function_name", "table_name")
_COLOURS = {"stored": "green", "failed": "red", "held": "yellow"}
_SAMPLE = {"id": "1", "data_source": "shop", "processing_type": "standard"}


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for; None means the default."""

    port: int
    as_json: bool
    real_time: bool
    hold_seconds: int | None
    timeout: float | None
    keep: bool


def demo(options: Options) -> None:
    """Run it. Raises CliError if anything was not as it must be."""
    console = make_console(stderr=options.as_json)
    stack.check_port(options.port)
    terraform = _terraform(options.port)  # before, so that no sandbox is started that terraform could not use
    running = stack.ensure_sandbox(console, options.port, real_time=options.real_time, time_scale=TIME_SCALE)
    hold_seconds = _hold(options.hold_seconds, running)
    outputs = stack.apply(console, terraform, running, "Applying examples/websocket", _wait)
    ledger = Ledger(build(hold_seconds))
    timeout = options.timeout or _TIMEOUT_SECONDS + (hold_seconds if running.real_time else 0)
    seconds = _converse(console, outputs["url"], ledger, timeout)
    wrong = ledger.problems() + _missing_rows(options.port, outputs["table_name"], ledger)
    figures = ledger.figures(seconds)
    console.print(
        f"\n{figures.sent} sent: {figures.succeeded} stored, {figures.failed} failed, {figures.lost} lost in "
        f"{figures.seconds:.1f} s. Each client got its own reports, in their order: {'no' if wrong else 'yes'}.",
        highlight=False,
    )
    if options.keep:
        console.print(_purge(options.port, outputs), highlight=False, soft_wrap=True)
        _say_next(console, running, outputs)
    else:
        stack.destroy(console, terraform)
    if options.as_json:
        click.echo(json.dumps({**asdict(figures), "url": outputs["url"]}))
    if wrong:
        see = [command_line(command, options.port) for command in ("status", "logs")]
        raise CliError("\n".join(wrong), f"See: {'; '.join(see)}")


def _terraform(port: int) -> Terraform:
    root = stack.checkout("demo")
    example = root / "examples" / "websocket"
    if not (example / "main.tf").is_file():
        raise CliError(
            f"The demo needs {example.relative_to(root)}, which is not in {root}.",
            "Use a whole checkout.",
            exit_code=ENVIRONMENT,
        )
    environment = client_environment(port, os.environ) | {"TF_VAR_name": f"durable-pipeline-{KEY}"}
    return Terraform(example, environment, terraform_dir(root / ".sandbox", port, KEY))


def _hold(given: int | None, running: Running) -> int:
    """Seconds for the held order. Raises CliError for more than a mapping, or a connection in real time, would last."""
    if given is None:
        return _REAL_HOLD_SECONDS if running.real_time else _HOLD_SECONDS
    longest = _LONGEST_REAL_HOLD_SECONDS if running.real_time else _LONGEST_HOLD_SECONDS
    if given > longest:
        limit = "a connection may be silent for 10 minutes" if running.real_time else "a mapping waits for 15 minutes"
        raise CliError(
            f"--hold-seconds is {given}, and {limit}.", f"Hold for {longest} seconds or less.", exit_code=ENVIRONMENT
        )
    return given


def _wait(port: int, outputs: Mapping[str, Any]) -> None:
    missing = [name for name in _NEEDED if not isinstance(outputs.get(name), str)]
    if missing:
        raise CliError(f"examples/websocket gives no output {', '.join(missing)}.", "Restore the example.")
    stack.wait_for_mapping(port, outputs["queue_url"])


def _converse(console: Console, url: str, ledger: Ledger, timeout: float) -> float:
    """Let the clients talk, and show each frame. Returns the seconds from the first to the last."""
    times: list[float] = []
    width = max(len(order.id) for order in ledger.orders)
    console.print(f"Two clients connect to {url}", highlight=False, soft_wrap=True)

    def on_frame(client: str, direction: str, order_id: str, frame: Mapping[str, Any]) -> None:
        times.append(time.monotonic())
        console.print(line(client, direction, order_id.ljust(width), frame), soft_wrap=True)

    asyncio.run(Conversation(url, ledger, on_frame).hold(timeout))
    return times[-1] - times[0] if times else 0.0


def line(client: str, direction: str, order_id: str, frame: Mapping[str, Any]) -> Text:
    """A frame for people: what was sent, ``queued`` for API Gateway's acknowledgement, or what was reported."""
    now = datetime.now(UTC)
    shown = Text(f"{now:%H:%M:%S}.{now.microsecond // 1000:03}  {client:5} {direction} {order_id}  ")
    if direction == ">":
        return shown.append(json.dumps(frame))
    status = str(frame.get("status", ""))
    if "requestId" in frame and status == "accepted":
        return shown.append("queued")
    if not status:
        return shown.append(json.dumps(frame), "red")
    shown.append(status, _COLOURS.get(status, ""))
    more = [str(frame["error"])] if "error" in frame else []
    more += [f"for {frame['hold_seconds']} s"] if "hold_seconds" in frame else []
    return shown.append("".join(f"  {text}" for text in more))


def _missing_rows(port: int, table: str, ledger: Ledger) -> list[str]:
    """What was reported as stored, and is not in the table."""
    stored = ledger.stored()
    if not stored:
        return []
    keys = [{"message_id": {"S": message_id}} for message_id in stored]
    request = {table: {"Keys": keys, "ConsistentRead": True}}
    rows = aws.client(port, "dynamodb").batch_get_item(RequestItems=request)["Responses"][table]
    there = {row["message_id"]["S"] for row in rows}
    return [
        f"{order.id} was reported as stored, and is not in {table}."
        for key, order in stored.items()
        if key not in there
    ]


def _purge(port: int, outputs: Mapping[str, Any]) -> str:
    """Delete the invalid order, which has returned to the queue. What to say of it."""
    sqs = aws.client(port, "sqs")
    dead = outputs["dead_letter_queue_url"].rsplit("/", 1)[-1]
    returned = f"The invalid order returns to the queue, to be tried again every 15.5 minutes until it ends in {dead}"
    try:
        sqs.purge_queue(QueueUrl=outputs["queue_url"])
    except sqs.exceptions.PurgeQueueInProgress:
        return f"{returned}; the demo leaves it there, for SQS purges a queue once a minute, and has just done so."
    return f"{returned}; the demo has purged the queue instead."


def _say_next(console: Console, running: Running, outputs: Mapping[str, Any]) -> None:
    port = running.port
    call = command_line("ws", port).removesuffix(f" --port {port}")  # the URL has it
    closing.say_next(console, running, [f'{call} "{outputs["url"]}?client_id=me"'])
    console.print("and paste a line, or more; with hold_seconds it is held, without processing_type it fails:")
    closing.lines(console, [json.dumps(_SAMPLE), json.dumps({**_SAMPLE, "id": "2", "hold_seconds": 60})])
    console.print("Then:")
    others = ["status", f"logs {outputs['reply_function_name']}", f"logs {outputs['function_name']}", "down"]
    closing.lines(console, [command_line(command, port) for command in others])
