"""modules/durable-function-native: what the provider takes, its sibling's interface, and all of it but one block under terraform.

The provider that it is for may not be at hand; its arguments are in tests/contract/provider, by tools/provider_schema.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hygiene_support import REPO, Block, blocks, literal, parsed, relative_id, required_variables, tracked
from provider_support import (
    FIRST_WITH_DURABLE_CONFIG,
    NATIVE,
    NEWER,
    SCHEMAS,
    findings,
    for_older_provider,
    with_called,
)

from durable_sandbox.terraform_setup import find_terraform, own_env

SIBLING = REPO / "modules" / "durable-function"
CONTRACT = REPO / "tests" / "contract"
SUITE = CONTRACT / "provider" / "durable_function_native.tftest.hcl"

ONLY_HERE = {"kms_excludes_durable_data"}
TOLD_OTHERWISE = {"name", "kms_key_arn"}
"""Variables whose description or messages differ from the sibling's."""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _constraint(folder: Path) -> str:
    """The least version of the AWS provider that ``folder`` asks for."""
    (terraform,) = parsed(folder / "versions.tf")["terraform"]
    return literal(terraform["required_providers"][0]["aws"]["version"]).removeprefix(">= ")


TAKEN = [version for version in SCHEMAS if _numbers(version) >= _numbers(_constraint(NATIVE))]


@pytest.mark.parametrize("module", with_called(NATIVE), ids=relative_id)
@pytest.mark.parametrize("version", TAKEN)
def test_the_provider_takes_every_argument(version: str, module: Path) -> None:
    assert findings(module, SCHEMAS[version]) == []


def test_the_oldest_and_a_newer_provider_were_asked() -> None:
    assert min(TAKEN, key=_numbers) == f"{_constraint(NATIVE)}.0"
    assert len(TAKEN) > 1
    for version, schema in SCHEMAS.items():
        assert schema["provider_version"] == version
        assert schema["provider"] == "hashicorp/aws"
        assert schema["package"]
        assert schema["package_version"]


def test_the_constraint_is_the_first_version_with_durable_config() -> None:
    have = {version: "durable_config" in _function(schema)["blocks"] for version, schema in SCHEMAS.items()}
    first = min((version for version, has in have.items() if has), key=_numbers)
    assert _constraint(NATIVE) == FIRST_WITH_DURABLE_CONFIG == first.removesuffix(".0")
    (before,) = [version for version, has in have.items() if not has]
    assert _numbers(before)[:2] == (6, 24)
    assert findings(NATIVE, SCHEMAS[before]) == ["aws_lambda_function.this: durable_config is unknown"]


@pytest.mark.parametrize("folder", NEWER, ids=relative_id)
def test_the_constraints_are_the_roots_but_for_the_provider(folder: Path) -> None:
    texts = [(place / "versions.tf").read_text(encoding="utf-8") for place in (folder, REPO)]
    mine, roots = (re.sub(r'">= \d+\.\d+"(?=\n    \})', "", text) for text in texts)
    assert mine == roots != texts[1]
    assert _constraint(folder) == FIRST_WITH_DURABLE_CONFIG


def test_the_provider_has_no_key_for_durable_data() -> None:
    """Else the module need not refuse `kms_key_arn`."""
    for version in TAKEN:
        assert _function(SCHEMAS[version])["blocks"]["durable_config"]["arguments"].keys() == {
            "execution_timeout",
            "retention_period",
        }


def _function(schema: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["resource"]["aws_lambda_function"]
    return found


MISTAKES = {
    "misspelt argument": ("  memory_size   =", "  memory_sise   =", "memory_sise is unknown"),
    "misspelt in a block": ("    retention_period ", "    retention_days ", "durable_config.retention_days is unknown"),
    "block as attribute": ("  durable_config {", "  durable_config = {", "durable_config is a block, written as an attribute"),
    "attribute as block": ("  tags = var.tags", "  tags {\n  }", "tags is an attribute, written as a block"),
    "unknown block": ("  timeouts {", "  time_outs {", "time_outs is unknown"),
    "misspelt dynamic block": ('"dead_letter_config"', '"dead_letters"', "dead_letters is unknown"),
    "in a dynamic block": ("      target_arn = ", "      arn        = ", "dead_letter_config.target_arn is required"),
    "another type": ('"60m"', "3600", "timeouts.delete is 3600, not string"),
    "a list": ("[var.architecture]", '"arm64"', "architectures is '\"arm64\"', not list(string)"),
    "a bool": ("= true\n", '= "yes"\n', "publish is '\"yes\"', not bool"),
    "required": ("  role          = module.role.role_arn\n", "", "role is required"),
    "required in a block": ("    execution_timeout = var.execution_timeout\n", "", "durable_config.execution_timeout is required"),
    "twice": ("  logging_config {", '  logging_config {\n    log_format = "JSON"\n  }\n\n  logging_config {', "logging_config is there 2 times"),
    "attribute read": ("aws_lambda_function.this.version", "aws_lambda_function.this.latest", "no attribute latest"),
    "resource": ('"aws_lambda_alias" "this"', '"aws_lambda_aliases" "this"', "aws_lambda_aliases: not written down"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(tmp_path: Path, mistake: str) -> None:
    right, wrong, said = MISTAKES[mistake]
    module = Path(shutil.copytree(NATIVE, tmp_path / "module"))
    text = (module / "main.tf").read_text(encoding="utf-8")
    assert text.count(right) == 1
    (module / "main.tf").write_text(text.replace(right, wrong), encoding="utf-8")
    for version in TAKEN:
        assert [found for found in findings(module, SCHEMAS[version]) if said in found]


def test_both_durable_limits_are_the_inputs() -> None:
    (function,) = [block for block in blocks(NATIVE, "resource") if block.labels[0] == "aws_lambda_function"]
    (durable,) = function.body["durable_config"]
    assert {name: value for name, value in durable.items() if not name.startswith("__")} == {
        "execution_timeout": "${var.execution_timeout}",
        "retention_period": "${var.retention_days}",
    }


def _by_name(module: Path, kind: str) -> dict[str, Block]:
    return {block.name: block for block in blocks(module, kind)}


def test_the_variables_are_the_siblings() -> None:
    mine, siblings = _by_name(NATIVE, "variable"), _by_name(SIBLING, "variable")
    assert mine.keys() - siblings.keys() == ONLY_HERE
    assert siblings.keys() <= mine.keys()
    for name, sibling in siblings.items():
        if name in TOLD_OTHERWISE:
            assert _terms(mine[name]) == _terms(sibling), name
        else:
            assert mine[name].body == sibling.body, name
    assert all("default" in mine[name].body for name in ONLY_HERE), "either module takes the other's place"


def _terms(variable: Block) -> tuple[dict[str, Any], list[str]]:
    """Type, default and the like, and the conditions; less those by which this module alone refuses a key."""
    told = {"description", "validation"}
    conditions = [check["condition"] for check in variable.body.get("validation", [])]
    own = re.compile("|".join(rf"\bvar\.{name}\b" for name in ONLY_HERE))
    return (
        {key: value for key, value in variable.body.items() if key not in told},
        [condition for condition in conditions if not own.search(condition)],
    )


def test_the_outputs_are_the_siblings() -> None:
    mine, siblings = (
        {name: block.body["description"] for name, block in _by_name(module, "output").items()}
        for module in (NATIVE, SIBLING)
    )
    assert mine == siblings


def test_both_ask_the_same_of_the_role() -> None:
    (mine,), (siblings,) = ([block.body for block in blocks(module, "module")] for module in (NATIVE, SIBLING))
    assert mine == siblings


@dataclass(frozen=True)
class Copy:
    """The module and its example, initialised with the provider at hand; without durable_config if that is older than 6.25."""

    root: Path
    env: Mapping[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(find_terraform(self.env).path), *arguments]
        return subprocess.run(command, cwd=self.root, env=self.env, capture_output=True, text=True, check=False)


def _caller() -> str:
    lines = "".join(f"  {name} = var.unknown\n" for name in required_variables(NATIVE))
    module = f'module "native" {{\n  source = "./repo/modules/{NATIVE.name}"\n{lines}}}\n'
    example = 'module "example" {\n  source = "./repo/examples/native"\n}\n'
    return 'variable "unknown" {\n  type = any\n}\n' + module + example


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    root = tmp_path_factory.mktemp("native")
    for file in tracked():
        if len(file.parts) == 1 or file.parts[0] in {"examples", "functions", "modules"}:
            (root / "repo" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / file, root / "repo" / file)
    (root / "main.tf").write_text(_caller(), encoding="utf-8")
    shutil.copytree(CONTRACT / "mocks", root / "tests/contract/mocks")
    placed = SUITE.read_text(encoding="utf-8").replace('"./modules/', '"./repo/modules/')
    (root / "tests/contract" / SUITE.name).write_text(placed, encoding="utf-8")
    env = own_env(os.environ, root / "provider")
    copy = Copy(root, env)
    arguments = ("init", "-backend=false", "-input=false", "-no-color", "-test-directory=tests/contract")
    if copy.run(*arguments).returncode:
        for_older_provider(root / "repo")
        done = copy.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    return copy


def test_terraform_finds_module_and_example_valid(initialised: Copy) -> None:
    """All but durable_config, with a provider older than 6.25: what that block holds is compared above."""
    assert json.loads(initialised.run("validate", "-json").stdout)["diagnostics"] == []


def test_it_does_what_is_promised(initialised: Copy) -> None:
    """Refusals are the sibling's, word for word, and tested with it; but for the one that is this module's own."""
    done = initialised.run("test", "-no-color", "-test-directory=tests/contract")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", done.stdout), done.stdout
