"""The demo of WebSocket clients without a stack: its orders, what the clients hear of them, and what is made of that."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from durable_sandbox.cli import aws, process
from durable_sandbox.cli.demo import websocket
from durable_sandbox.cli.demo.conversation import Conversation
from durable_sandbox.cli.demo.orders import CLIENTS, Figures, Ledger, Report, build
from durable_sandbox.cli.errors import CliError
from durable_sandbox.cli.process import Running

CHECKOUT = Path(__file__).parents[2]
SKIPPING = Running(4566, 1, real_time=False, time_scale=60.0, version="0", instance="1")
WAITING = Running(4566, 1, real_time=True, time_scale=60.0, version="0", instance="1")


def reports(ledger: Ledger) -> list[Report]:
    """What the clients hear if all is right."""
    return [
        Report(order.client, order.id, status, f"m-{order.id}") for order in ledger.orders for status in order.meant
    ]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(build(600))


class TestOrders:
    def test_one_is_held_and_the_last_of_a_client_is_invalid(self, ledger: Ledger) -> None:
        assert [[order.id for order in ledger.of(client)] for client in CLIENTS] == [
            ["alice-1", "alice-2", "alice-3"],
            ["bob-1", "bob-2", "bob-3"],
        ]
        assert [order.id for order in ledger.orders if not order.good] == ["bob-3"]
        assert {order.id: order.body["hold_seconds"] for order in ledger.orders if "hold_seconds" in order.body} == {
            "alice-2": 600
        }
        assert {len(order.meant) for order in ledger.orders} == {2, 4, 5}


class TestLedger:
    def test_all_as_meant(self, ledger: Ledger) -> None:
        ledger.reports = reports(ledger)
        assert ledger.problems() == []
        assert all(map(ledger.ended, CLIENTS))
        assert ledger.figures(1.234) == Figures(6, 5, 1, 0, ordered=True, seconds=1.23)
        assert ledger.stored().keys() == {f"m-{order.id}" for order in ledger.orders if order.good}

    def test_nothing_is_heard(self, ledger: Ledger) -> None:
        assert not any(map(ledger.ended, CLIENTS))
        assert ledger.figures(0) == Figures(6, 0, 0, 6, ordered=True, seconds=0)
        assert ledger.problems()[-1] == "bob heard nothing of bob-3, not accepted, failed."

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda all_: all_[1:], "alice heard validated, transformed, stored of alice-1, not accepted,"),
            (lambda all_: [*all_, all_[-1]], "bob heard accepted, failed, failed of bob-3, not"),
            (lambda all_: [*all_, Report("alice", "bob-1", "stored", "")], "alice heard of bob-1, which is not its"),
            (lambda all_: [*all_, Report("bob", "x", "stored", "")], "bob heard of x, which is not its order."),
            (lambda all_: [all_[4], *all_[:4], *all_[5:]], "alice heard of alice-2 before alice-1 had ended."),
        ],
    )
    def test_anything_else_is_a_problem(
        self, ledger: Ledger, change: Callable[[list[Report]], list[Report]], said: str
    ) -> None:
        ledger.reports = change(reports(ledger))
        assert any(problem.startswith(said) for problem in ledger.problems()), ledger.problems()

    def test_clients_are_apart(self, ledger: Ledger) -> None:
        all_ = reports(ledger)
        alice = [one for one in all_ if one.client == "alice"]
        bob = [one for one in all_ if one.client == "bob"]
        ledger.reports = [one for pair in zip(alice, bob, strict=False) for one in pair]
        assert ledger.breaches() == []


Behaviour = Callable[[ServerConnection, dict[str, Any]], None]


def well(connection: ServerConnection, order: dict[str, Any]) -> None:
    """As the sample pipeline: queued, then a report after each step."""
    connection.send(json.dumps({"requestId": "r", "status": "accepted"}))
    (meant,) = (one.meant for one in build(600) if one.id == order["id"])
    for status in meant:
        connection.send(json.dumps({"status": status, "message_id": f"m-{order['id']}", "id": order["id"]}))


@contextmanager
def pipeline(behaviour: Behaviour, clients: list[str] | None = None, status: int = 101) -> Iterator[str]:
    """The URL of a server that behaves so; it notes the clients' ids."""

    def talk(connection: ServerConnection) -> None:
        try:
            for message in connection:
                behaviour(connection, json.loads(message))
        except ConnectionClosed:
            pass

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        if clients is not None:
            clients.extend(parse_qs(urlsplit(request.path).query)["client_id"])
        return None if status == HTTPStatus.SWITCHING_PROTOCOLS else connection.respond(HTTPStatus(status), "no")

    with serve(talk, "127.0.0.1", 0, process_request=answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield "ws://{}:{}/live".format(*server.socket.getsockname())
        server.shutdown()
        thread.join()


class TestConversation:
    def hold(self, url: str, ledger: Ledger, seconds: float = 20) -> list[tuple[str, str, str, Mapping[str, Any]]]:
        """What was seen."""
        seen: list[tuple[str, str, str, Mapping[str, Any]]] = []
        conversation = Conversation(url, ledger, lambda *frame: seen.append(frame))
        asyncio.run(conversation.hold(seconds))
        return seen

    def test_each_frame_is_seen_and_every_report_noted(self, ledger: Ledger) -> None:
        clients: list[str] = []
        with pipeline(well, clients) as url:
            seen = self.hold(url, ledger)
        assert ledger.problems() == []
        assert len(ledger.reports) == sum(len(order.meant) for order in ledger.orders)
        assert len(seen) == len(ledger.reports) + 2 * len(ledger.orders)
        (sent, queued) = [frame for frame in seen if frame[2] == "alice-1"][:2]
        assert (sent[:2], sent[3]["data_source"]) == (("alice", ">"), "shop-1")
        assert (queued[1], queued[3]) == ("<", {"requestId": "r", "status": "accepted"})
        assert sorted(client.partition("-")[0] for client in clients) == ["alice", "bob"]

    def test_runs_are_not_taken_for_one_another(self, ledger: Ledger) -> None:
        clients: list[str] = []
        with pipeline(well, clients) as url:
            self.hold(url, ledger)
            self.hold(url, Ledger(build(600)))
        assert len(set(clients)) == 4

    def test_refused_order(self, ledger: Ledger) -> None:
        def refuse(connection: ServerConnection, order: dict[str, Any]) -> None:
            if order["id"] == "bob-1":
                connection.send('{"message": "Internal server error", "connectionId": "c", "requestId": "r"}')
            else:
                well(connection, order)

        with pipeline(refuse) as url:
            self.hold(url, ledger, seconds=1)
        assert ledger.faults[0].startswith('bob was answered {"message": "Internal server error"')
        assert ledger.faults[0].endswith("of bob-1.")
        assert ledger.figures(0).lost == 1

    def test_silence(self, ledger: Ledger) -> None:
        with pipeline(lambda *_: None) as url:
            self.hold(url, ledger, seconds=0.3)
        assert sorted(ledger.faults) == [
            f"{client} has not heard the end of all its orders within 0.3 s." for client in CLIENTS
        ]

    def test_closed(self, ledger: Ledger) -> None:
        with pipeline(lambda connection, _: connection.close(1001, "Going away")) as url:
            self.hold(url, ledger)
        assert sorted(ledger.faults) == [
            f"The connection of {client} was closed: 1001 Going away (idle for too long: see --time-scale of `sandbox up`)"
            for client in CLIENTS
        ]

    def test_no_connection(self, ledger: Ledger) -> None:
        with pipeline(well, status=403) as url:
            self.hold(url, ledger)
        assert all(fault.endswith(": 403 no") for fault in ledger.faults)
        assert len(ledger.faults) == 2


@pytest.mark.parametrize(
    ("direction", "frame", "shown"),
    [
        (">", {"id": "alice-1"}, 'alice > alice-1  {"id": "alice-1"}'),
        ("<", {"requestId": "r", "status": "accepted"}, "alice < alice-1  queued"),
        ("<", {"status": "accepted", "id": "alice-1", "request_id": "r"}, "alice < alice-1  accepted"),
        ("<", {"status": "held", "hold_seconds": 600}, "alice < alice-1  held  for 600 s"),
        ("<", {"status": "failed", "error": "E: [bold]no"}, "alice < alice-1  failed  E: [bold]no"),
        ("<", {"message": "Forbidden"}, 'alice < alice-1  {"message": "Forbidden"}'),
    ],
)
def test_line(direction: str, frame: dict[str, Any], shown: str) -> None:
    assert websocket.line("alice", direction, "alice-1", frame).plain[14:] == shown


class TestHold:
    def test_default(self) -> None:
        assert websocket._hold(None, SKIPPING) == 600
        assert websocket._hold(None, WAITING) == 5

    @pytest.mark.parametrize(("running", "longest"), [(SKIPPING, 885), (WAITING, 570)])
    def test_longest(self, running: Running, longest: int) -> None:
        assert websocket._hold(longest, running) == longest
        with pytest.raises(CliError, match=f"--hold-seconds is {longest + 1}, and"):
            websocket._hold(longest + 1, running)


class Account:
    """A table with one row, and a queue that has just been purged."""

    class exceptions:  # noqa: N801 - botocore's name
        PurgeQueueInProgress = KeyError

    def batch_get_item(self, **request: Any) -> Any:
        ((table, wanted),) = request["RequestItems"].items()
        rows = [{"message_id": key["message_id"]} for key in wanted["Keys"] if key["message_id"]["S"] == "m-bob-1"]
        return {"Responses": {table: rows}}

    def purge_queue(self, **_: Any) -> Any:
        raise KeyError("PurgeQueueInProgress")


class TestAfterwards:
    @pytest.fixture(autouse=True)
    def _account(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(aws, "client", lambda *_, **__: Account())

    def test_stored_without_a_row(self, ledger: Ledger) -> None:
        ledger.reports = [Report("bob", f"bob-{number}", "stored", f"m-bob-{number}") for number in (1, 2)]
        assert websocket._missing_rows(1, "t", ledger) == ["bob-2 was reported as stored, and is not in t."]

    def test_purge_that_comes_too_soon(self) -> None:
        said = websocket._purge(1, {"queue_url": "q", "dead_letter_queue_url": "http://h/1/o-dlq.fifo"})
        assert "until it ends in o-dlq.fifo; the demo leaves it there" in said


def demo(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from durable_sandbox.cli.main import main; main()", "demo", *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT, env=dict(os.environ) | env, capture_output=True, text=True, timeout=60, check=False
    )


class TestCommand:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--bridge", "pipe"], "--websocket with --bridge pipe: the example keeps the order"),
            (["--bridge", "dispatcher", "--fifo"], "--websocket with --bridge dispatcher:"),
            (["--messages", "20"], "--websocket with --messages 20: its clients send six orders"),
        ],
    )
    def test_what_the_example_has_decided(self, arguments: list[str], said: str) -> None:
        done = demo("--websocket", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert f"Leave out {arguments[0]}." in done.stderr

    @pytest.mark.parametrize("arguments", [[], ["--bridge", "esm", "--fifo"]], ids=["alone", "as it is"])
    def test_nothing_is_started_without_terraform(self, arguments: list[str]) -> None:
        port = process.free_port()
        done = demo("--websocket", "--port", str(port), *arguments, TERRAFORM="/nowhere/terraform")
        assert done.returncode == 2
        assert "TERRAFORM names '/nowhere/terraform'" in done.stderr
        assert process.port_is_free(port)

    @pytest.mark.parametrize(
        ("given", "options"),
        [
            ([], ""),
            (["WEBSOCKET=1"], "--websocket"),
            (["BRIDGE=esm", "FIFO=1"], "--bridge esm --fifo"),
            (["BRIDGE=pipe", "WEBSOCKET=1"], "--bridge pipe --websocket"),
        ],
    )
    def test_make(self, given: list[str], options: str) -> None:
        outer = ("MAKE", "MFLAGS", "BRIDGE", "FIFO", "WEBSOCKET")  # what this very test may have been started with
        env = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
        command = ["make", "--dry-run", "demo", *given]
        done = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=True)
        assert " ".join(done.stdout.splitlines()[-1].split()) == f".venv/bin/sandbox demo {options}".rstrip()
