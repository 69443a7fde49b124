"""What becomes of a batch after one try: retries, bisecting, partial results. Section 2.3 of the fact sheet."""

from __future__ import annotations

import pytest
from stream_fakes import FAILED, HANDLED, NOT_RUN, numbers, partial, records

from durable_sandbox.events.streams.batches import Batch, Outcome, Splitting, Verdict, judge
from durable_sandbox.events.streams.spec import UNLIMITED

PLAIN = Splitting()
BISECT = Splitting(on_error=True)
PIPE = Splitting(on_error=True, halve_partial=True)


def after(
    batch: Batch, outcome: Outcome, *, maximum_retries: int = 3, splitting: Splitting = PLAIN
) -> tuple[list[int], list[tuple[list[int], int]], tuple[list[int], int] | None]:
    """Done, the rest with its tries, and what is given up with its tries."""
    verdict = judge(batch, outcome, maximum_retries=maximum_retries, splitting=splitting)
    given_up = verdict.given_up
    return (
        numbers(verdict.done),
        [(numbers(one.records), one.tries) for one in verdict.rest],
        None if given_up is None else (numbers(given_up.records), given_up.tries),
    )


def test_a_handled_batch_is_done() -> None:
    assert after(Batch(records(3)), HANDLED) == ([1, 2, 3], [], None)


@pytest.mark.parametrize("splitting", [PLAIN, BISECT, PIPE])
def test_a_try_that_never_ran_counts_for_nothing(splitting: Splitting) -> None:
    assert after(Batch(records(3), tries=3), NOT_RUN, maximum_retries=3, splitting=splitting) == (
        [],
        [([1, 2, 3], 3)],
        None,
    )


def test_a_failed_batch_is_tried_again_as_a_whole_until_its_retries_are_out() -> None:
    batch, tries = Batch(records(2)), 0
    while True:
        tries += 1
        _, rest, given_up = after(batch, FAILED, maximum_retries=3)
        if given_up is not None:
            break
        assert rest == [([1, 2], tries)]
        batch = Batch(batch.records, tries)
    assert given_up == ([1, 2], 4)


def test_no_retries_means_one_try() -> None:
    assert after(Batch(records(1)), FAILED, maximum_retries=0) == ([], [], ([1], 1))


def test_unlimited_retries_never_give_up() -> None:
    assert after(Batch(records(1), tries=50_000), FAILED, maximum_retries=UNLIMITED) == ([], [([1], 50_001)], None)


def test_bisecting_halves_without_using_up_a_retry() -> None:
    assert after(Batch(records(6)), FAILED, maximum_retries=0, splitting=BISECT) == (
        [],
        [([1, 2, 3], 0), ([4, 5, 6], 0)],
        None,
    )


def test_a_single_record_cannot_be_halved_and_is_retried() -> None:
    assert after(Batch(records(1)), FAILED, splitting=BISECT) == ([], [([1], 1)], None)


def test_a_partial_result_goes_on_at_its_first_failure_and_keeps_the_count() -> None:
    """Progress does not reset the count: a batch of 3 whose last record fails ends with 4 tries of 1 record."""
    assert after(Batch(records(3)), partial(2)) == ([1, 2], [([3], 1)], None)
    assert after(Batch(records(3)[2:], tries=3), FAILED) == ([], [], ([3], 4))


def test_a_partial_result_splits_at_its_record_when_bisecting_is_on() -> None:
    assert after(Batch(records(6)), partial(2), maximum_retries=0, splitting=BISECT) == (
        [1, 2],
        [([3, 4, 5, 6], 0)],
        None,
    )


def test_a_partial_result_at_the_first_record_splits_nothing_off_and_uses_up_a_retry() -> None:
    """The documented rule taken by its word: our handlers raise instead, which halves."""
    assert after(Batch(records(4)), partial(0), splitting=BISECT) == ([], [([1, 2, 3, 4], 1)], None)
    assert after(Batch(records(4), tries=3), partial(0), splitting=BISECT) == ([], [], ([1, 2, 3, 4], 4))


def test_a_pipe_halves_what_a_partial_result_leaves() -> None:
    assert after(Batch(records(5)), partial(1), splitting=PIPE) == ([1], [([2, 3], 0), ([4, 5], 0)], None)
    assert after(Batch(records(2)), partial(1), splitting=PIPE) == ([1], [([2], 0)], None)


@pytest.mark.parametrize("size", range(1, 14))
@pytest.mark.parametrize("splitting", [BISECT, PIPE])
def test_bisecting_isolates_each_poisoned_record_wherever_it_is(size: int, splitting: Splitting) -> None:
    for bad in range(1, size + 1):
        waiting, done, given_up = [Batch(records(size))], [], []
        while waiting:
            batch = waiting.pop(0)
            outcome = FAILED if bad in numbers(batch.records) else HANDLED
            verdict: Verdict = judge(batch, outcome, maximum_retries=3, splitting=splitting)
            done += numbers(verdict.done)
            waiting = [*verdict.rest, *waiting]
            if verdict.given_up is not None:
                given_up.append((numbers(verdict.given_up.records), verdict.given_up.tries))
        assert given_up == [([bad], 4)]
        assert done == [number for number in range(1, size + 1) if number != bad], "and the order is kept"
