"""The demo with each bridge: its settings, messages in groups, and whether their order was kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_sandbox.cli.demo import order
from durable_sandbox.cli.demo.follow import Execution, Place, Tracked
from durable_sandbox.cli.demo.messages import Message, build, in_groups, send
from durable_sandbox.cli.demo.variant import Variant
from durable_sandbox.cli.errors import CliError

START = datetime(2026, 1, 1, tzinfo=UTC)


class TestOrder:
    def test_groups_hold_every_message_once_with_good_ones_behind_the_failing(self) -> None:
        messages = in_groups(build(20, 5))
        groups = {name: [one for one in messages if one.group == name] for name in "abcd"}
        assert sum(map(len, groups.values())) == len(messages) == 20
        for name, members in groups.items():
            assert [one.position for one in members] == list(range(1, len(members) + 1))
            assert [one.good for one in members][:3] == [True, name == "d", True]

    @pytest.mark.parametrize("count", [4, 5, 6, 7, 8])
    def test_few_messages(self, count: int) -> None:
        messages = in_groups(build(count, 5))
        assert len(messages) == count
        assert all(one.group and one.position for one in messages)

    def test_sent_with_group_and_an_id_of_the_run(self) -> None:
        entries: list[dict[str, Any]] = []

        class Queue:
            def send_message_batch(self, **request: Any) -> Any:
                entries.extend(request["Entries"])
                return {"Successful": [{"Id": entry["Id"], "MessageId": "m"} for entry in request["Entries"]]}

        for _ in range(2):
            send(Queue(), "http://h/1/p.fifo", in_groups(build(4, 5)))
        assert len({entry["MessageDeduplicationId"] for entry in entries}) == 8
        first, second = ({entry["MessageGroupId"] for entry in entries[half : half + 4]} for half in (0, 4))
        assert not first & second

    @pytest.mark.parametrize(
        ("seconds", "broken"), [((1, 2, 3), 0), ((1, 1, 1), 0), ((2, 1, 3), 1), ((3, 2, 1), 2), ((1, None, 3), 1)]
    )
    def test_by_the_ends_where_the_bridge_waits(self, seconds: tuple[int | None, ...], broken: int) -> None:
        tracked = [stored(position, second) for position, second in enumerate(seconds, 1)]
        assert len(order.breaches(reversed(tracked), waits=True)) == broken

    def test_a_dead_letter_holds_up_what_is_behind_it(self) -> None:
        dead = Tracked(Message("bad", {}, good=False, group="a", position=1), place=Place.DEAD, dead_at=at(5))
        assert order.breaches([dead, stored(2, 6)], waits=True) == []
        assert order.breaches([dead, stored(2, 4)], waits=True) == ["Message m2 of group a overtook bad."]

    def test_by_the_first_starts_where_it_does_not(self) -> None:
        first, second = stored(1, 9), stored(2, 1)
        first.executions = [run(7), run(2)]
        second.executions = [run(3)]
        assert order.breaches([first, second], waits=False) == []
        second.executions = [run(1)]
        assert len(order.breaches([first, second], waits=False)) == 1

    def test_groups_are_apart(self) -> None:
        late, early = stored(1, 9), stored(1, 1)
        early.message.group = "b"
        assert order.breaches([late, early], waits=True) == []


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def stored(position: int, second: int | None) -> Tracked:
    message = Message(f"m{position}", {}, good=True, group="a", position=position)
    return Tracked(message, place=Place.TABLE, stored_at=None if second is None else at(second))


def run(second: int) -> Execution:
    return Execution("arn", "name", "SUCCEEDED", (), at(second))


class TestVariant:
    def test_stacks_live_side_by_side(self) -> None:
        choices = [("pipe", False), ("esm", False), ("esm", True), ("dispatcher", False), ("dispatcher", True)]
        keys = [Variant.of(bridge, fifo=fifo, hold_seconds=None).key for bridge, fifo in choices]
        assert keys == ["", "esm", "esm-fifo", "dispatcher", "dispatcher-fifo"]

    def test_no_fifo_pipe(self) -> None:
        with pytest.raises(CliError, match="order of a FIFO queue would be lost"):
            Variant.of("pipe", fifo=True, hold_seconds=None)

    def test_hold_of_a_mapping(self) -> None:
        assert Variant.of("esm", fifo=False, hold_seconds=885).variables()["TF_VAR_execution_timeout"] == "900"
        with pytest.raises(CliError, match="900 seconds at most"):
            Variant.of("esm", fifo=False, hold_seconds=886)

    def test_least_visibility_of_a_mapping(self) -> None:
        variant = Variant.of("esm", fifo=True, hold_seconds=None)
        variables = variant.variables()
        assert variables["TF_VAR_visibility_timeout"] == str(int(variables["TF_VAR_execution_timeout"]) + 30)
        assert (variables["TF_VAR_fifo"], variables["TF_VAR_batch_size"]) == ("true", "1")
