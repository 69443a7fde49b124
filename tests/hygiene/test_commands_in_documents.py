"""Command lines in documents are such as their programs take: each option, argument, target and output exists."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import boto3.session
import click
import pytest
from botocore import xform_name
from document_support import OTHERS, PROGRAMS, Snippet, command_lines, pages, words
from hygiene_support import EXAMPLES, REPO, blocks, tracked

from durable_ops.cli.main import cli as durable_ops
from durable_sandbox.cli.main import cli as sandbox

LINES = [line for page, text in pages() for line in command_lines(page, text)]
MAKEFILE = (REPO / "Makefile").read_text(encoding="utf-8")
CLICK = {"sandbox": sandbox, "durable-ops": durable_ops}
TERRAFORM = {"apply", "console", "destroy", "fmt", "import", "init", "output", "plan", "providers", "show", "state", "test", "validate", "version"}  # fmt: skip
# Options of every aws command, and commands that the aws CLI has beside the services' operations.
AWS_OPTIONS = {"cli-binary-format", "endpoint-url", "generate-cli-skeleton", "max-items", "no-cli-pager", "output", "page-size", "profile", "query", "region"}  # fmt: skip
AWS_OWN = {("logs", "tail"), ("sso", "login"), ("s3", "cp"), ("s3", "ls")}
# Folders of this repository as a command names them: `pytest tests/unit`, not `cd my-own`.
OWN_PATH = re.compile(r"(?:\./)?((?:bench|docs|durable_\w+|examples|functions|modules|tests|tools)/[\w./-]*)")


def problems(line: Snippet) -> list[str]:
    """What is wrong with the commands of a line; empty if each would be taken.

    Running text may name a command without all of its arguments, as in "put `sandbox exec --` before it".
    """
    try:
        found = [problem for command in words(line.text) for problem in _problems(line.page, command)]
    except ValueError as error:
        return [f"no shell takes it: {error}"]
    return [problem for problem in found if line.language != "span" or ": Missing " not in problem]


def _problems(page: Path, command: list[str]) -> list[str]:
    program, arguments = Path(command[0]).name, command[1:]
    found = [
        f"there is no {word}" for word in command if (path := OWN_PATH.fullmatch(word)) and not _exists(page, path[1])
    ]
    if program in CLICK:
        return found + _click(CLICK[program], program, arguments, page)
    if program in PROGRAMS:
        return found + {"make": _make, "terraform": _terraform, "aws": _aws}[program](page, arguments)
    return found if program in OTHERS else [f"{program!r} is no program that these documents use"]


def _exists(page: Path, path: str) -> bool:
    """From the root, or beside the page: an example's README is read in its folder."""
    return (REPO / path).exists() or (REPO / page.parent / path).exists()


def _click(command: click.Command, name: str, arguments: list[str], page: Path) -> list[str]:
    """Parse as the command itself would, without running it; what `sandbox exec` is to run is looked at as well."""
    arguments = list(arguments)
    try:
        while isinstance(command, click.Group):
            if not arguments or arguments[0].startswith("-"):
                command.make_context(name, arguments or ["--help"], resilient_parsing=not arguments)
                return []
            step = arguments.pop(0)
            if step not in command.commands:
                return [f"{name} has no command {step!r}"]
            command, name = command.commands[step], f"{name} {step}"
        context = command.make_context(name, arguments)
    except click.exceptions.Exit:  # --help, --version
        return []
    except click.ClickException as error:
        return [f"{name}: {error.format_message()}"]
    inner = [str(part) for part in context.params.get("command", ())] if name == "sandbox exec" else []
    return _problems(page, inner) if inner else []


def _make(_: Path, arguments: list[str]) -> list[str]:
    targets = set(re.findall(r"^([a-z][\w-]*):", MAKEFILE, flags=re.MULTILINE))
    variables = set(re.findall(r"\$\([^)]*?\b([A-Z]+)\b", MAKEFILE))
    named, wrong = iter(arguments), []
    for argument in named:
        name, is_variable, _value = argument.partition("=")
        if argument in {"-o", "-C", "-j"}:
            next(named, None)
        elif is_variable and name not in variables:
            wrong.append(f"the Makefile reads no {name}")
        elif not is_variable and not argument.startswith("-") and argument not in targets:
            wrong.append(f"the Makefile has no target {argument!r}")
    return wrong


def _terraform(page: Path, arguments: list[str]) -> list[str]:
    if not arguments or arguments[0] not in TERRAFORM:
        return [f"terraform has no command {arguments[:1]}"]
    # An example's page speaks of the example, any other of the root or of an example.
    folders = [REPO / page.parent] if (REPO / page.parent) in EXAMPLES else [REPO, *EXAMPLES]
    wrong = []
    if arguments[0] == "output":
        outputs = {block.name for folder in folders for block in blocks(folder, "output")}
        wrong += [f"there is no output {word!r}" for word in arguments[1:] if word[0] != "-" and word not in outputs]
    given = re.findall(r"-var[= ]['\"]?(\w+)=", " ".join(arguments))
    variables = {block.name for folder in folders for block in blocks(folder, "variable")}
    return wrong + [f"there is no variable {name!r}" for name in given if name not in variables]


@functools.cache
def _operations(service: str) -> dict[str, set[str]]:
    """Operations of a service as the aws CLI names them, with their options."""
    session = boto3.session.Session()._session
    model = session.get_service_model(service)
    found = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        members = shape.members if shape else {}
        found[xform_name(name, "-")] = {xform_name(member, "-") for member in members}
    return found


def _aws(_: Path, arguments: list[str]) -> list[str]:
    service, operation, *rest = [*arguments, "", ""]
    if (service, operation) in AWS_OWN:
        return []
    if service not in boto3.session.Session().get_available_services():
        return [f"the aws CLI has no service {service!r}"]
    operations = _operations(service)
    if operation not in operations:
        return [f"{service} has no operation {operation!r}"]
    options = [word[2:].partition("=")[0] for word in rest if word.startswith("--")]
    known = operations[operation] | AWS_OPTIONS
    return [f"{operation} has no option --{name}" for name in options if name.removeprefix("no-") not in known]


@pytest.mark.parametrize("line", LINES, ids=str)
def test_command_is_accepted(line: Snippet) -> None:
    assert problems(line) == [], line.text


def test_commands_were_found() -> None:
    """Of each program, in blocks and in running text: else the tests above would hold for want of any."""
    programs = {Path(command[0]).name for line in LINES for command in words(line.text)}
    assert programs >= PROGRAMS
    assert {line.language for line in LINES} == {"shell", "span"}
    assert Path("README.md") in {line.page for line in LINES}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sandbox up --detatch", "No such option"),
        ("sandbox start", "has no command 'start'"),
        ("sandbox exec -- terraform outputs", "terraform has no command"),
        ("sandbox exec -- aws sqs receive-mesage", "no operation 'receive-mesage'"),
        ("aws lambda list-functions --function-name x", "no option --function-name"),
        ("durable-ops dead-letters redrive", "Missing argument 'NAME'"),
        ('sandbox ws "$(terraform output -raw websocket_url)"', "no output 'websocket_url'"),
        ("terraform apply -var bridges=esm", "no variable 'bridges'"),
        ("make demonstrate", "no target 'demonstrate'"),
        ("make demo BRIGDE=esm", "reads no BRIGDE"),
        (".venv/bin/pytest tests/snadbox", "there is no tests/snadbox"),
        ("sandbx status", "no program"),
        ('sandbox logs "x', "no shell takes it"),
    ],
)
def test_a_wrong_command_is_noticed(text: str, problem: str) -> None:
    assert problem in "; ".join(problems(Snippet(Path("README.md"), 1, "shell", text)))


def test_shell_blocks_and_continuations_are_read() -> None:
    page = "Do:\n\n    sandbox down\n\n1. then\n\n   ```bash\n   # why\n   PORT=1 make demo \\\n     BRIDGE=esm && cd x\n   ```\n`make down`\n"
    lines = list(command_lines(Path("page.md"), page))
    assert [(line.line, line.text) for line in lines] == [
        (9, "PORT=1 make demo  BRIDGE=esm && cd x"),
        (3, "sandbox down"),
        (12, "make down"),
    ]
    assert list(words(lines[0].text)) == [["make", "demo", "BRIDGE=esm"], ["cd", "x"]]


def test_pages_are_the_tracked_ones() -> None:
    assert {page for page, _ in pages()} == {file for file in tracked() if file.suffix == ".md"}
