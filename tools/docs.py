"""Write the tables of inputs, outputs and resources of the root and of every module, from their *.tf files.

``make docs`` writes them between two markers in ``modules/<name>/README.md`` and ``docs/reference.md``;
with ``--check`` it writes nothing and exits 1 if a file is not what it would write.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).parents[1]
REFERENCE = Path("docs", "reference.md")
REFERENCE_HEAD = "# Inputs, outputs and resources of the root module\n"
COMMAND = "make docs"
BEGIN, END = "<!-- BEGIN GENERATED -->", "<!-- END GENERATED -->"

# Of a type expression: strings, empty objects and the signs that shape it, each by itself; whatever is between them, too.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|\{\}|[{}()\[\]]|, |[^"{}()\[\],]+|,')
_INLINE_CODE = re.compile(r"(`[^`]*`)")


@dataclass(frozen=True, slots=True)
class Input:
    """A variable. ``type`` and ``default`` are HCL; ``default`` is None if the variable is required."""

    name: str
    description: str
    type: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Output:
    """An output."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource or a call of a module. ``address`` is below the module, ``instances`` a sign for count or for_each, ``file`` where it is."""

    address: str
    instances: str
    file: str


@functools.cache
def parsed(file: Path) -> dict[str, Any]:
    """What python-hcl2 makes of a file."""
    with file.open(encoding="utf-8") as stream:
        content: dict[str, Any] = hcl2.load(stream)
    return content


def blocks(directory: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """First label and body of each block of ``kind`` in the *.tf files of ``directory``, by file."""
    for file in sorted(directory.glob("*.tf")):
        for block in parsed(file).get(kind, []):
            for label, body in block.items():
                if label.startswith('"'):
                    yield label.strip('"'), body


def resources(directory: Path) -> list[Resource]:
    """What a module creates itself, and the modules that it calls, by address."""
    found = []
    for file in sorted(directory.glob("*.tf")):
        for block in parsed(file).get("module", []):
            found += [_resource(f"module.{_bare(name)}", body, file) for name, body in block.items()]
        for block in parsed(file).get("resource", []):
            for kind, named in block.items():
                found += [_resource(f"{_bare(kind)}.{_bare(name)}", body, file) for name, body in named.items()]
    return sorted(found, key=lambda resource: resource.address)


def _bare(label: str) -> str:
    return label.strip('"')


def _resource(address: str, body: dict[str, Any], file: Path) -> Resource:
    instances = "[0] or none" if "count" in body else "one a key" if "for_each" in body else "one"
    return Resource(address, instances, file.name)


def inputs(directory: Path) -> list[Input]:
    """The variables of a module, by name."""
    found = [
        Input(
            name,
            text(body.get("description", '""')),
            expression(body.get("type", "any")),
            expression(body["default"]) if "default" in body else None,
        )
        for name, body in blocks(directory, "variable")
    ]
    return sorted(found, key=lambda variable: variable.name)


def outputs(directory: Path) -> list[Output]:
    """The outputs of a module, by name."""
    found = [Output(name, text(body.get("description", '""'))) for name, body in blocks(directory, "output")]
    return sorted(found, key=lambda output: output.name)


def text(literal: str) -> str:
    """What a string literal or a heredoc, as python-hcl2 returns it, says."""
    inner = literal.removeprefix('"').removesuffix('"')
    if inner.startswith("<<"):
        return textwrap.dedent("\n".join(inner.splitlines()[1:-1]))
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), inner).replace("$${", "${")


def expression(value: object) -> str:
    """``value``, as python-hcl2 returns it, in HCL on one line."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return value[2:-1] if value.startswith("${") else value
        case list():
            return f"[{', '.join(map(expression, value))}]"
        case dict():
            members = [f"{key} = {expression(item)}" for key, item in value.items() if not key.startswith("__")]
            return f"{{ {', '.join(members)} }}" if members else "{}"
        case _:
            return str(value)


def spread(type_: str) -> str:
    """An object type over several lines, one attribute each."""
    lines, open_brackets = [""], ""
    for sign in _TOKENS.findall(type_):
        if sign in {"{", "(", "["}:
            open_brackets += sign
        elif sign in {"}", ")", "]"}:
            open_brackets = open_brackets[:-1]
        indent = "  " * open_brackets.count("{")
        if sign == "}":
            lines.append(indent + sign)
        elif sign == "{":
            lines[-1] += sign
            lines.append(indent)
        elif sign == ", " and open_brackets.endswith("{"):
            lines.append(indent)
        else:
            lines[-1] += sign
    return "\n".join(lines)


def cell(value: str) -> str:
    """``value`` as a cell of a Markdown table: one line, and ``<name>`` is no HTML outside of code."""
    parts = [
        part if part.startswith("`") else part.replace("<", "&lt;")
        for part in _INLINE_CODE.split(value.strip())
        if part
    ]
    return "".join(parts).replace("|", "\\|").replace("\n", "<br>")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def section(directory: Path, link: str) -> str:
    """The generated part about the module in ``directory``, markers included; ``link`` leads to it from the document."""
    rows, types = [], []
    for variable in inputs(directory):
        is_object = "object(" in variable.type
        type_ = f"{variable.type.split('(object(')[0]}(object)" if "(object(" in variable.type else "object"
        default = "" if variable.default is None else f"`{variable.default}`"
        required = "yes" if variable.default is None else "no"
        shown = type_ if is_object else variable.type
        rows.append([f"`{variable.name}`", cell(variable.description), f"`{shown}`", cell(default), required])
        if is_object:
            types.append(f"`{variable.name}` takes:\n\n```hcl\n{spread(variable.type)}\n```")
    results = [[f"`{output.name}`", cell(output.description)] for output in outputs(directory)]
    parts = [BEGIN, "## Inputs", table(["name", "description", "type", "default", "required"], rows), *types]
    created = [
        [f"`{resource.address}`", resource.instances, f"[{resource.file}]({link}{resource.file})"]
        for resource in resources(directory)
    ]
    parts += ["## Outputs", table(["name", "description"], results)]
    parts += ["## Resources and modules", table(["address", "instances", "file"], created), END]
    return "\n\n".join(parts)


def document(file: Path, head: str, generated: str) -> str:
    """The text of ``file`` with its generated part replaced, or added at the end of it or of ``head``."""
    current = file.read_text(encoding="utf-8") if file.exists() else head
    before, begin, rest = current.partition(BEGIN)
    after = rest.partition(END)[2] if begin else "\n"
    return f"{before.rstrip()}\n\n{generated}{after}"


def main() -> int:
    """Write, or with ``--check`` compare. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    check = parser.parse_args().check

    targets = {ROOT / REFERENCE: (ROOT, REFERENCE_HEAD)}
    for module in sorted(path for path in (ROOT / "modules").iterdir() if path.is_dir()):
        targets[module / "README.md"] = (module, f"# {module.name}\n")
    stale = []
    for file, (directory, head) in targets.items():
        wanted = document(file, head, section(directory, "../" if directory == ROOT else ""))
        if file.exists() and file.read_text(encoding="utf-8") == wanted:
            continue
        stale.append(file)
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(wanted, encoding="utf-8")
    for file in stale:
        print(f"{file.relative_to(ROOT)}: {'out of date' if check else 'written'}")
    if check and stale:
        print(f"Run: {COMMAND}", file=sys.stderr)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
