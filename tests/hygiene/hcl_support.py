"""Terraform examples of the documents as modules that `terraform validate` can judge."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import hcl2
from document_support import Snippet
from hygiene_support import LIBRARY, REPO, blocks, literal, parsed, required_variables

ROOT_NAME = "terraform-aws-durable-pipeline"
KINDS = {"check", "data", "locals", "module", "moved", "output", "provider", "resource", "terraform", "variable"}
TYPE = re.compile(r"\s*(any|bool|list|map|number|object|optional|set|string|tuple)\s*(\(|$)")
# What an example may refer to without declaring it: the least that the provider takes for it.
STAND_INS = {
    "aws_dynamodb_table": 'name = "stand-in"',
    "aws_kinesis_stream": 'name = "stand-in"',
    "aws_s3_bucket": "",
    "aws_ses_email_identity": 'email = "stand-in@example.com"',
    "aws_sns_topic": "",
    "aws_sqs_queue": "",
}
UNKNOWN = 'variable "unknown" {\n  type = any\n}\n'

_STRING_OR_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|#[^\n]*|//[^\n]*')
_MODULE = re.compile(r"(?<![\w.])module\.(\w+)(?:\[[^\]]*\])?\.(\w+)")
_RESOURCE = re.compile(r"(?<![\w.])(aws_\w+)\.(\w+)(?:\[[^\]]*\])?\.\w+")
_VARIABLE = re.compile(r"(?<![\w.])var\.(\w+)")
_DECLARED = re.compile(r'^\s*(module|resource|variable) "(\w+)"(?: "(\w+)")?', re.MULTILINE)
_SOURCE = re.compile(r'(\bsource\s*=\s*)"([^"]+)"')
_VERSION = re.compile(r'(\bversion\s*=\s*)"[^"]+"')


class Incomplete(Exception):  # noqa: N818 - what a document lacks, for its reader
    """An example that cannot be completed: it names what this repository does not have."""


@dataclass
class Example:
    """An example as a folder of a configuration: ``files`` by name; ``needs`` are variables that its caller has to give."""

    files: dict[str, str]
    needs: list[str] = field(default_factory=list)
    newer: bool = False  # calls a module that wants another provider than the root does


def complete(snippet: Snippet, library: Path) -> Example:
    """The block as a module: whole, as a variable's type, or as arguments of the module whose page it is on.

    ``library`` is where the sources of this repository are to be found, as an example's folder sees it. What the block
    refers to and does not declare gets a stand-in: a resource of the same type, a module of ours that has the outputs in
    question, an unknown variable. Raises Incomplete, or what python-hcl2 raises for text that is no HCL.
    """
    text = snippet.text
    if TYPE.match(text):
        return Example({"main.tf": f'variable "typed" {{\n  type = {text}}}\n'}, ["typed"])
    kinds = {key for key in hcl2.loads(text) if not key.startswith("__")}
    if not kinds & KINDS:
        text = _call(snippet, kinds)
    elif not kinds <= KINDS:
        raise Incomplete(f"it mixes blocks with arguments: {sorted(kinds - KINDS)}")
    stand_ins, needs = _stand_ins(text, library)
    called = [_folder(source) for _, source in _SOURCE.findall(text) if source != "hashicorp/aws"]
    text = _SOURCE.sub(lambda match: match[1] + json.dumps(_placed(match[2], library)), text)
    # Which provider is there the machine decides; that a page asks for another is none of its mistakes.
    text = _VERSION.sub(r'\1">= 5.80"', text)
    newer = any(folder != REPO and parsed(folder / "versions.tf") != parsed(REPO / "versions.tf") for folder in called)
    files = {"main.tf": text, "stand_ins.tf": UNKNOWN + stand_ins}
    return Example(files | dict(_sources(text)), ["unknown", *needs], newer)


def _call(snippet: Snippet, given: set[str]) -> str:
    """A call of the module whose page shows these arguments, with unknown values for what else it requires."""
    if snippet.page.parts[0] != "modules":
        raise Incomplete(f"these are arguments of no module: {sorted(given)}")
    name = snippet.page.parts[1]
    required = [argument for argument in required_variables(REPO / "modules" / name) if argument not in given]
    lines = [f'source = "./modules/{name}"', *(f"{argument} = var.unknown" for argument in required)]
    return 'module "shown" {\n' + "\n".join(lines) + f"\n{snippet.text}}}\n"


def _stand_ins(text: str, library: Path) -> tuple[str, list[str]]:
    code = _STRING_OR_COMMENT.sub(lambda match: _interpolations(match[1] or ""), text)
    declared = {(kind, *filter(None, names)) for kind, *names in _DECLARED.findall(text)}
    modules: dict[str, set[str]] = {}
    for name, output in _MODULE.findall(code):
        if ("module", name) not in declared:
            modules.setdefault(name, set()).add(output)
    parts = [_module(name, outputs, library) for name, outputs in modules.items()]
    for type_, name in sorted(set(_RESOURCE.findall(code))):
        if ("resource", type_, name) not in declared:
            if type_ not in STAND_INS:
                raise Incomplete(f"{type_}.{name} is not declared: declare it, or add the type to STAND_INS")
            parts.append(f'resource "{type_}" "{name}" {{\n  {STAND_INS[type_]}\n}}\n')
    variables = sorted({name for name in _VARIABLE.findall(code) if ("variable", name) not in declared} - {"unknown"})
    parts += [f'variable "{name}" {{\n  type = any\n}}\n' for name in variables]
    required = [name for kind, name, *_ in declared if kind == "variable"]
    return "\n".join(parts), [*variables, *required]


def _interpolations(string: str) -> str:
    return " ".join(re.findall(r"\$\{([^}]*)\}", string))


def _module(name: str, outputs: set[str], library: Path) -> str:
    """A call of a module of ours that has these outputs, of the same name if there is one."""
    fitting = [
        folder
        for folder in sorted(LIBRARY, key=lambda folder: (folder.name != name.replace("_", "-"), folder.name))
        if outputs <= {block.name for block in blocks(folder, "output")}
        and parsed(folder / "versions.tf") == parsed(REPO / "versions.tf")
    ]
    if not fitting:
        raise Incomplete(f"module.{name} is not declared, and no module has the outputs {sorted(outputs)}")
    source = json.dumps(str(library / fitting[0].relative_to(REPO)))
    lines = [f"source = {source}", *(f"{argument} = var.unknown" for argument in required_variables(fitting[0]))]
    return f'module "{name}" {{\n' + "\n".join(lines) + "\n}\n"


def _folder(source: str) -> Path:
    """The folder of ours that a source names, by whatever way: a path, Git, a registry."""
    plain = source.partition("?")[0].rstrip("/")
    module = re.search(r"(?:^|/)(modules/[\w-]+)$", plain)
    if module and (REPO / module[1]).is_dir():
        return REPO / module[1]
    if plain in {"", ".", "../.."} or (not module and plain.removesuffix(".git").endswith((ROOT_NAME, "/../.."))):
        return REPO
    raise Incomplete(f"source {source!r} is no module of this repository")


def _placed(source: str, library: Path) -> str:
    return source if source == "hashicorp/aws" else str(library / _folder(source).relative_to(REPO))


def _sources(text: str) -> Iterator[tuple[str, str]]:
    """The files that ``${path.module}/...`` names: a folder is one of a handler."""
    for path in re.findall(r"\$\{path\.module\}/([\w./-]+)", text):
        yield (path if Path(path).suffix else f"{path}/handler.py"), "def handler(event, context): ...\n"


def misfits(snippet: Snippet) -> list[str]:
    """Arguments of calls of ours that the module does not have, and those that it misses: seen without a provider."""
    wrong = []
    for call in (body for block in hcl2.loads(snippet.text).get("module", []) for body in block.values()):
        folder = _folder(literal(call["source"]))
        known = {block.name for block in blocks(folder, "variable")}
        given = {name for name in call if not name.startswith("__")}
        given -= {"source", "version", "count", "for_each", "providers", "depends_on"}
        wrong += [f"{folder.name} has no {name}" for name in sorted(given - known)]
        wrong += [f"{folder.name} wants {name}" for name in required_variables(folder) if name not in given]
    return wrong
