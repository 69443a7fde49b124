"""Every kind of alarm has a test that drives one from OK to ALARM and back."""

from __future__ import annotations

import ast
from pathlib import Path

from hygiene_support import REPO, alarm_kinds

PROOFS = sorted((REPO / "tests" / "sandbox").glob("test_alarms_*.py"))


def _proven(file: Path) -> set[str]:
    """The arguments of ``@proves`` on the tests of ``file``; anything but a plain string fails."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    calls = [decorator for test in tests for decorator in test.decorator_list if isinstance(decorator, ast.Call)]
    proofs = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "proves"]
    return {str(ast.literal_eval(kind)) for proof in proofs for kind in proof.args}


def test_no_kind_of_alarm_is_without_its_proof_and_no_proof_without_its_kind() -> None:
    kinds = alarm_kinds()
    proven = {kind for file in PROOFS for kind in _proven(file)}
    assert not kinds - proven, "alarms that no test drives from OK to ALARM and back"
    assert not proven - kinds, "proofs of alarms that the module does not have"


def test_kinds_and_proofs_were_found() -> None:
    """Else nothing would be compared with nothing."""
    assert {"age", "executions-failed", "timed-out"} <= alarm_kinds()
    assert all(_proven(file) for file in PROOFS)
    assert PROOFS
