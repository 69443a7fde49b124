"""What becomes of a batch after one try: the rules of retries, bisecting and partial results, and nothing else.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html,
.../services-kinesis-batchfailurereporting.html (and the same pages for DynamoDB). In AWS's words, splitting does not
consume the retry quota, and both kinds of splitting differ: an invocation that failed halves its batch, a partial
result splits it at the returned sequence number and only the rest is tried again. A partial result at the very first
record therefore splits nothing off: the rest is the whole batch, and a further try.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from durable_sandbox.events.streams.records import StreamRecord
from durable_sandbox.events.streams.spec import UNLIMITED


class Result(Enum):
    """How a try ended. NOT_RUN: the code did not run (throttle, no permission), which counts as no try."""

    HANDLED = "handled"
    PARTIAL = "partial"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One try. ``first_failed``: position of the first record that failed (PARTIAL).

    ``function_error``: ``Unhandled``, or None where the answer reported the failure; ``state``: what a tumbling window's
    answer hands on, any JSON.
    """

    result: Result
    first_failed: int = 0
    function_error: str | None = None
    executed_version: str = "$LATEST"
    request_id: str = ""
    state: Any = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one shard, in order, and ``tries``: how often they were tried in vain, as this batch or one it was split from."""

    records: tuple[StreamRecord, ...]
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Splitting:
    """When a batch is split: ``on_error``: in halves after a failure, and at the failed record of a partial result.

    ``halve_partial``: halve what a partial result leaves, instead (a pipe's AUTOMATIC_BISECT).
    """

    on_error: bool = False
    halve_partial: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """``done``: records that need no more tries; ``rest``: batches to try, in order; ``given_up``: out of tries.

    ``waits``: whether a back-off comes before the next try; ``ages``: whether it counts in full where it is shortened,
    as after a try that failed. What keeps the code from running (a throttle) lasts as long as it lasts.
    """

    done: tuple[StreamRecord, ...] = ()
    rest: tuple[Batch, ...] = ()
    given_up: Batch | None = None
    waits: bool = False
    ages: bool = False


def judge(batch: Batch, outcome: Outcome, *, maximum_retries: int, splitting: Splitting) -> Verdict:
    """What to do with ``batch`` after ``outcome``. ``maximum_retries``: tries after the first, or UNLIMITED."""
    records = batch.records
    if outcome.result is Result.HANDLED:
        return Verdict(done=records)
    if outcome.result is Result.NOT_RUN:
        return Verdict(rest=(batch,), waits=True)
    if outcome.result is Result.PARTIAL:
        return _judge_partial(batch, outcome.first_failed, maximum_retries, splitting)
    if splitting.on_error and len(records) > 1:
        return Verdict(rest=_halves(records, batch.tries))
    return _again((), records, batch.tries + 1, maximum_retries)


def _judge_partial(batch: Batch, first_failed: int, maximum_retries: int, splitting: Splitting) -> Verdict:
    done, left = batch.records[:first_failed], batch.records[first_failed:]
    if splitting.halve_partial and len(left) > 1:
        return Verdict(done=done, rest=_halves(left, batch.tries))
    if splitting.on_error and done:
        return Verdict(done=done, rest=(Batch(left, batch.tries),))
    return _again(done, left, batch.tries + 1, maximum_retries)


def _halves(records: Sequence[StreamRecord], tries: int) -> tuple[Batch, Batch]:
    middle = len(records) // 2
    return Batch(tuple(records[:middle]), tries), Batch(tuple(records[middle:]), tries)


def _again(done: tuple[StreamRecord, ...], left: tuple[StreamRecord, ...], tries: int, maximum_retries: int) -> Verdict:
    tried = Batch(left, tries)
    if maximum_retries != UNLIMITED and tries > maximum_retries:
        return Verdict(done=done, given_up=tried)
    return Verdict(done=done, rest=(tried,), waits=True, ages=True)
