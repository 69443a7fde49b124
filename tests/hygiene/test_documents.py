"""Documents agree with the code: generated tables, usage examples, links."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import hcl2
import pytest
from hygiene_support import MODULES, REPO, blocks, literal, relative_id, tracked

GENERATOR = Path("tools", "docs.py")
PAGES = [file for file in tracked() if file.suffix == ".md"]


def _generate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / GENERATOR), *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_tables_are_up_to_date() -> None:
    done = _generate(REPO, "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_changed_variable_is_noticed_and_written(tmp_path: Path) -> None:
    sources = [*(REPO / "modules" / "queue").glob("*.tf"), REPO / "versions.tf"]
    for file in [GENERATOR, *(path.relative_to(REPO) for path in sources)]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / file, tmp_path / file)
    readme = tmp_path / "modules" / "queue" / "README.md"
    readme.write_text("# queue\n\nMine.\n")
    assert _generate(tmp_path).returncode == 0
    assert _generate(tmp_path, "--check").returncode == 0
    (readme.parent / "more.tf").write_text('variable "zeal" {\n  description = "A | <b>."\n  type = number\n}\n')
    noticed = _generate(tmp_path, "--check")
    assert noticed.returncode == 1
    assert "make docs" in noticed.stderr
    assert noticed.stdout.splitlines() == ["modules/queue/README.md: out of date"]
    assert _generate(tmp_path).returncode == 0
    assert "| `zeal` | A \\| &lt;b>. | `number` |  | yes |" in readme.read_text()
    assert readme.read_text().startswith("# queue\n\nMine.\n")


@pytest.mark.parametrize("module", MODULES, ids=relative_id)
def test_usage_example_fits_the_variables(module: Path) -> None:
    """The README calls the module with variables that it has, and gives all that it requires."""
    examples = re.findall(r"```hcl\n(.*?)```", (module / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    calls = [
        call
        for example in examples
        if "module " in example
        for block in hcl2.loads(example).get("module", [])
        for call in block.values()
        if literal(call["source"]).rstrip("/").endswith(f"modules/{module.name}")
    ]
    assert calls, f'no example with source = "./modules/{module.name}"'
    variables = {block.name: block.body for block in blocks(module, "variable")}
    required = {name for name, body in variables.items() if "default" not in body}
    meta = {"source", "version", "count", "for_each", "providers", "depends_on"}
    for call in calls:
        given = {name for name in call if not name.startswith("__")} - meta
        assert given <= variables.keys()
        assert required <= given


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", (REPO / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s+(\S+)", text, flags=re.MULTILINE):
        link = target[0] or target[1]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        file = (REPO / page).parent / path if path else REPO / page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in _anchors(file)):
            broken.append(link)
    assert not broken


def _anchors(file: Path) -> set[str]:
    """Anchors that GitHub gives the headings of a page."""
    prose = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ +(.+?) *$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
