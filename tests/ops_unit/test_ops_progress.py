"""What is seen while a queue is walked: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from durable_ops.cli import progress as showing
from durable_ops.cli.progress import progress


@pytest.fixture
def shown(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is on stderr, which is a terminal or none."""
    text = io.StringIO()
    on = Console(file=text, force_terminal=request.param, width=180, _environ={})
    monkeypatch.setattr(showing, "console", lambda *, stderr: on if stderr else pytest.fail("progress on stdout"))
    return text


@pytest.mark.parametrize("shown", [True], indirect=True)
def test_a_bar_on_a_terminal(shown: io.StringIO) -> None:
    with progress("Redriving orders-dlq") as update:
        update(3, 12, "1 failed [bold]")
        update(12, 12, "")

    assert "Redriving orders-dlq" in shown.getvalue()
    assert "12/12" in shown.getvalue()
    assert "━" in shown.getvalue()


@pytest.mark.parametrize("shown", [False], indirect=True)
def test_lines_elsewhere_one_in_five_seconds(shown: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 5.0, 5.0, 6.0, 10.5, 10.5])
    monkeypatch.setattr(showing, "time", SimpleNamespace(monotonic=lambda: next(clock)))

    with progress("Redriving orders-dlq") as update:
        for done in (1, 2, 3, 14):
            update(done, 12, "1 failed [bold]")

    assert shown.getvalue().splitlines() == [
        "Redriving orders-dlq: 2/12 1 failed [bold]",
        "Redriving orders-dlq: 14/14 1 failed [bold]",
    ]
