"""The soak's parts that need no sandbox: the plan, the account, the faults by progress, the root module."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from durable_sandbox.cli.soak import flaky, report, root
from durable_sandbox.cli.soak.account import Ends, Figures, Work, figures
from durable_sandbox.cli.soak.chaos import Kills, Throttle
from durable_sandbox.cli.soak.plan import Kind, Plan, body

DONE = Work(0, 0, 0)


class TestPlan:
    def test_shares(self) -> None:
        assert Counter(Plan.of(1000, 1).kinds) == {Kind.GOOD: 850, Kind.INVALID: 50, Kind.FLAKY: 100}

    def test_seed_determines_the_order(self) -> None:
        assert Plan.of(200, 1).kinds == Plan.of(200, 1).kinds
        assert Plan.of(200, 1).kinds != Plan.of(200, 2).kinds

    def test_ids_in_the_order_of_sending(self) -> None:
        class Queue:
            def send_message_batch(self, **request: Any) -> Any:
                found = [{"Id": entry["Id"], "MessageId": entry["MessageBody"]} for entry in request["Entries"]]
                return {"Successful": found[::-1]}

        plan = Plan.of(45, 3)
        sent: list[int] = []
        plan.send(Queue(), "url", lambda: sent.append(len(plan.ids)))
        assert sent == [10, 20, 30, 40, 45]
        assert len(set(plan.ids)) == 45
        bodies = [json.loads(message_id) for message_id in plan.ids]
        assert ["fail_first" in found for found in bodies] == [kind is Kind.FLAKY for kind in plan.kinds]
        assert ["data_source" not in found for found in bodies] == [kind is Kind.INVALID for kind in plan.kinds]
        assert plan.of_kind(Kind.INVALID) == {plan.ids[n] for n, kind in enumerate(plan.kinds) if kind is Kind.INVALID}


def ends(rows: str = "", failed: str = "", dead: str = "", effects: dict[str, int] | None = None) -> Ends:
    counted = Counter(rows) if effects is None else effects
    return Ends(frozenset(rows), frozenset(failed), frozenset(dead), counted)


class TestAccount:
    def test_every_message_is_in_one_class(self) -> None:
        # b also failed once, c also died, d is a dead letter of an event that failed as well, z is of another run
        found = figures("abcdef", 1, ends("abcz", "bd", "cde"), 1.234)
        assert found == Figures(7, 6, 3, 1, 1, 1, 0, 1.23)
        assert found.succeeded + found.failed + found.dead_lettered + found.lost == found.unique

    def test_repeated_effects_are_counted_of_this_run_alone(self) -> None:
        found = figures("ab", 0, ends("abz", effects={"a": 3, "b": 1, "z": 9}), 1)
        assert found.duplicate_effects == 2


class TestProblems:
    """Each thing that must not be, alone."""

    def verdict(self, at: Ends, *, work: Work = DONE, faults: report.Faults | None = None, kills: int = 1) -> list[str]:
        plan = Plan([Kind.GOOD, Kind.INVALID, Kind.FLAKY], ["g", "i", "f"])
        done = faults or report.Faults(frozenset("g"), frozenset("g"), {"p": 1}, 1)
        return report.problems(plan, figures(plan.ids, len(done.chosen), at, 1), at, done, work, kills)

    def test_none(self) -> None:
        assert self.verdict(ends("g", "if")) == []
        assert self.verdict(ends("gf", dead="i")) == []

    @pytest.mark.parametrize(
        ("at", "said"),
        [
            (ends("g", "i"), "1 messages are lost"),
            (ends("g", "if", effects={"g": 2}), "1 effects were repeated"),
            (ends("g", "if", effects={}), "does not show every row"),
            (ends("gi", "f"), "Invalid messages were stored"),
        ],
    )
    def test_ends(self, at: Ends, said: str) -> None:
        (problem,) = self.verdict(at)
        assert said in problem

    def test_work_left(self) -> None:
        assert self.verdict(ends("g", "if"), work=Work(1, 2, 3)) == [
            "The run has not ended: 1 on the queue, 2 executions running, 3 events to start."
        ]

    def test_good_ones_must_be_stored_unless_kills_explain_it(self) -> None:
        assert self.verdict(ends("", "gif")) == []
        unkilled = report.Faults(frozenset(), frozenset(), {}, 1)
        (problem,) = self.verdict(ends("", "gif"), faults=unkilled, kills=0)
        assert "1 good messages were not stored" in problem

    @pytest.mark.parametrize(
        ("faults", "said"),
        [
            (report.Faults(frozenset(), frozenset(), {}, 1), "Only 0 of 1 environments were killed"),
            (report.Faults(frozenset(), frozenset(), {"p": 1}, 0), "never throttled"),
            (report.Faults(frozenset("gi"), frozenset(), {"p": 1}, 1), "1 messages were to be delivered twice"),
        ],
    )
    def test_a_fault_that_did_not_happen(self, faults: report.Faults, said: str) -> None:
        (problem,) = self.verdict(ends("gf", dead="i"), faults=faults)
        assert said in problem


class TestKills:
    def test_spread_over_the_run_and_the_functions(self) -> None:
        killed: list[int] = []
        live = [{"function_name": name, "pid": pid, "busy": True} for pid, name in enumerate("aaaabbx")]
        live.append({"function_name": "idle", "pid": 99, "busy": False})

        def kill(pid: int) -> bool:
            killed.append(pid)
            return True

        kills = Kills(4, ["a", "b", "idle"], 1, lambda: live, kill)
        counts = []
        for percent in range(101):
            kills.advance(percent / 100)
            counts.append(len(killed))
        assert [counts[at] for at in (0, 19, 20, 41, 61, 100)] == [1, 1, 2, 3, 4, 4]
        assert kills.killed == {"a": 2, "b": 2}
        assert live[killed[0]]["function_name"] == "b", "the function with fewer environments first"

    def test_waits_for_a_busy_one_and_one_that_is_still_there(self) -> None:
        live: list[dict[str, Any]] = []
        alive = False
        kills = Kills(1, ["a"], 1, lambda: live, lambda _: alive)
        kills.advance(0.5)
        live.append({"function_name": "a", "pid": 1, "busy": True})
        kills.advance(0.6)
        assert not kills.killed
        alive = True
        kills.advance(0.7)
        assert kills.killed == {"a": 1}


def test_throttle_holds_for_the_middle_third() -> None:
    class Lambda:
        limits: list[int | None] = []  # noqa: RUF012 - one test, one list

        def put_function_concurrency(self, **request: Any) -> None:
            self.limits.append(request["ReservedConcurrentExecutions"])

        def delete_function_concurrency(self, **_: Any) -> None:
            self.limits.append(None)

    throttle = Throttle(Lambda(), "store")
    seen = []
    for fraction in (0, 0.3, 0.34, 0.5, 0.66, 0.67, 1):
        throttle.advance(fraction)
        seen.append(throttle.on)
    assert seen == [False, False, True, True, True, False, False]
    throttle.lift()
    assert (Lambda.limits, throttle.spans) == ([2, None], 1)


class TestFlakyTransform:
    @pytest.fixture(autouse=True)
    def _attempts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Refused(Exception):  # noqa: N818 - stands for botocore's
            pass

        class Table:
            class exceptions:  # noqa: N801 - botocore's name
                ConditionalCheckFailedException = Refused

            def __init__(self) -> None:
                self.keys: set[str] = set()

            def put_item(self, **request: Any) -> None:
                if request["Item"]["key"]["S"] in self.keys:
                    raise Refused
                self.keys.add(request["Item"]["key"]["S"])

        table = Table()
        monkeypatch.setenv("ATTEMPTS_TABLE", "t")
        monkeypatch.setattr(flaky, "_dynamodb", lambda: table)
        monkeypatch.setattr(flaky.importlib, "import_module", Transform)

    def test_fails_once_for_each_message_that_asks_for_it(self) -> None:
        for key in ("x", "y"):
            event = {"message_id": "m", "body": body(Kind.FLAKY, key)}
            with pytest.raises(flaky.FirstAttemptError, match=f"{key} fails the first time"):
                flaky.handler(event, None)
            assert flaky.handler(event, None) == ("transform", event)

    def test_leaves_others_alone(self) -> None:
        event = {"message_id": "m", "body": body(Kind.GOOD, "x")}
        assert flaky.handler(event, None) == ("transform", event)


class Transform:
    def __init__(self, name: str) -> None:
        self.name = name

    def handler(self, event: Any, _: object) -> Any:
        return self.name, event


class TestRoot:
    def test_writes_sources_beside_the_module(self, tmp_path: Path) -> None:
        checkout = Path(__file__).parents[2]
        root.write(checkout, tmp_path / "soak", "esm", 2)
        assert {path.name for path in (tmp_path / "soak" / "transform").iterdir()} == {"handler.py", "transform.py"}
        pipeline = json.loads((tmp_path / "soak" / "main.tf.json").read_text())["module"]["pipeline"]
        assert (tmp_path / "soak" / pipeline["source"]).resolve() == checkout
        assert pipeline["visibility_timeout"] == pipeline["execution_timeout"] + 30

    def test_paths_are_no_templates(self) -> None:
        pipeline = root.module(Path("/a/${b}"), Path("/a/%{c}/d"), "pipe", 3)["module"]["pipeline"]
        assert pipeline["source"] == "../../$${b}"
        assert pipeline["steps"]["transform"]["source_dir"] == "/a/%%{c}/d/transform"
        assert "visibility_timeout" not in pipeline
