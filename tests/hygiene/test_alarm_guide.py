"""Every kind of alarm has its section in docs/guides/alarms.md, to which the alarms' descriptions send, and no other has one."""

from __future__ import annotations

import re

import pytest
from hygiene_support import REPO, alarm_kinds

GUIDE = REPO / "docs" / "guides" / "alarms.md"
ALARMS = (REPO / "modules" / "observability" / "alarms.tf").read_text(encoding="utf-8")
PARTS = ("Look", "Do", "Threshold")


def _sections() -> list[tuple[str, str]]:
    """Heading and text of the sections at the lowest level, which are the kinds'."""
    text = GUIDE.read_text(encoding="utf-8")
    return re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", text, flags=re.DOTALL | re.MULTILINE)


def _inputs(kind: str) -> set[str]:
    """The module's inputs that make the threshold of ``kind``."""
    made = re.findall(rf'(?:kind = |for kind in \[)"{kind}".*', ALARMS)
    return {name for line in made for name in re.findall(r"var\.(\w+)", line.partition("threshold = ")[2])}


def test_each_kind_has_its_section_and_each_section_its_kind() -> None:
    headings = [heading for heading, _ in _sections()]
    assert sorted(headings) == sorted(alarm_kinds())


@pytest.mark.parametrize("kind", sorted(alarm_kinds()))
def test_a_section_says_where_to_look_what_to_do_and_when_to_change_what(kind: str) -> None:
    (section,) = [text for heading, text in _sections() if heading == kind]
    assert not [part for part in PARTS if f"**{part}**" not in section]
    told = set(re.findall(r"`(\w+)`", section.partition("**Threshold**")[2]))
    assert _inputs(kind) & told, f"the threshold of {kind} is an input: {_inputs(kind)}"


def test_descriptions_send_there() -> None:
    link = str(GUIDE.relative_to(REPO))
    assert ALARMS.count(f"More: {link}") == ALARMS.count("More: ")
    assert f"More: {link}, ${{each.value.kind}}." in ALARMS
