"""tools/provider_schema.py on a small package such as the generators of bindings write, in the forms that they come in."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hygiene_support import REPO

TOOL = REPO / "tools" / "provider_schema.py"

METADATA = """\
Metadata-Version: 2.1
Name: some-provider-aws
Version: 25.8.1

# Bindings for hashicorp/aws
These are bindings for hashicorp/aws provider version 6.69.1
"""

# As generated: a class to make the resource, one for all that it takes, one a block.
THING = '''
class Thing(_core.TerraformResource, metaclass=jsii.JSIIMeta, jsii_type="a.thing.Thing"):
    @builtins.property
    @jsii.member(jsii_name="sizeInput")
    def size_input(self) -> typing.Optional[jsii.Number]: ...

    @builtins.property
    @jsii.member(jsii_name="size")
    def size(self) -> jsii.Number: ...

    @builtins.property
    @jsii.member(jsii_name="arn")
    def arn(self) -> builtins.str: ...

    @jsii.member(jsii_name="resetSize")
    def reset_size(self) -> None: ...


class ThingConfig(_core.TerraformMetaArguments):
    def __init__(
        self,
        *,
        count: typing.Optional[typing.Union[jsii.Number, "_core.TerraformCount"]] = None,
        depends_on: typing.Optional[typing.Sequence["_core.ITerraformDependable"]] = None,
        name: builtins.str,
        enabled: typing.Optional[typing.Union[builtins.bool, "_core.IResolvable"]] = None,
        id: typing.Optional[builtins.str] = None,
        layers: typing.Optional[typing.Sequence[builtins.str]] = None,
        one: typing.Optional[typing.Union["ThingOne", typing.Dict[builtins.str, typing.Any]]] = None,
        rules: typing.Union[_core.IResolvable, typing.Sequence[typing.Union["ThingRules", typing.Dict[builtins.str, typing.Any]]]],
        rows: typing.Optional[typing.Union[_core.IResolvable, typing.Sequence[typing.Union["ThingRows", typing.Dict[builtins.str, typing.Any]]]]] = None,
        size: typing.Optional[jsii.Number] = None,
        tags: typing.Optional[typing.Mapping[builtins.str, builtins.str]] = None,
        weights: typing.Optional[typing.Mapping[builtins.str, jsii.Number]] = None,
    ) -> None:
        """
        :param count:
        :param name: Docs at {@link https://example.com name}.
        :param one: one block. Docs at {@link https://example.com one}
        :param rules: rules block. Docs at {@link https://example.com rules}
        :param rows: Docs at {@link https://example.com rows}.
        """


class ThingOne:
    def __init__(self, *, target: builtins.str, deep: typing.Optional[typing.Union["ThingOneDeep", typing.Dict[builtins.str, typing.Any]]] = None) -> None:
        """
        :param deep: deep block. Docs at {@link https://example.com deep}
        """


class ThingOneDeep:
    def __init__(self, *, count: typing.Optional[jsii.Number] = None) -> None:
        """"""


class ThingRules:
    def __init__(self, *, id: builtins.str) -> None:
        """"""
'''
PLACE = '''
class DataAwsPlace(_core.TerraformDataSource, metaclass=jsii.JSIIMeta, jsii_type="a.place.Place"):
    @builtins.property
    def id(self) -> builtins.str: ...


class DataAwsPlaceConfig(_core.TerraformMetaArguments):
    def __init__(self, *, region: typing.Optional[builtins.str] = None) -> None:
        """"""
'''

EXPECTED = {
    "package": "some-provider-aws",
    "package_version": "25.8.1",
    "provider": "hashicorp/aws",
    "provider_version": "6.69.1",
    "resource": {
        "aws_thing": {
            "arguments": {
                "enabled": "bool",
                "layers": "list(string)",
                "name": "string",
                "rows": "list(object)",
                "size": "number",
                "tags": "map(string)",
                "weights": "map(number)",
            },
            "required": ["name", "rules"],
            "blocks": {
                "one": {
                    "max": 1,
                    "arguments": {"target": "string"},
                    "required": ["target"],
                    "blocks": {"deep": {"max": 1, "arguments": {"count": "number"}, "required": [], "blocks": {}}},
                },
                "rules": {"max": None, "arguments": {"id": "string"}, "required": ["id"], "blocks": {}},
            },
            "attributes": ["arn", "size"],
        }
    },
    "data": {
        "aws_place": {"arguments": {"region": "string"}, "required": [], "blocks": {}, "attributes": ["id"]},
    },
}


@pytest.fixture
def bindings(tmp_path: Path) -> Path:
    folder = tmp_path / "bindings"
    for name, text in {
        "some_provider_aws-25.8.1.dist-info/METADATA": METADATA,
        "some_provider_aws/thing/__init__.py": THING,
        "some_provider_aws/data_aws_place/__init__.py": PLACE,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """One that uses the resource itself, and the data source through another module."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "main.tf").write_text('data "aws_place" "this" {}\nresource "terraform_data" "this" {}\n')
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "main.tf").write_text('resource "aws_thing" "this" {}\nmodule "inner" {\n  source = "../inner"\n}\n')
    return outer


def _run(bindings: Path, module: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, TOOL, bindings, "--module", module, "--folder", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _written(bindings: Path, module: Path, folder: Path) -> Any:
    done = _run(bindings, module, folder)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "aws-6.69.1.json").read_text(encoding="utf-8"))


def test_a_folder(bindings: Path, module: Path, tmp_path: Path) -> None:
    assert _written(bindings, module, tmp_path / "out") == EXPECTED


def test_a_wheel(bindings: Path, module: Path, tmp_path: Path) -> None:
    place = tmp_path / "some.whl"
    with zipfile.ZipFile(place, "w") as wheel:
        for file in bindings.rglob("*.*"):
            wheel.write(file, file.relative_to(bindings))
        wheel.write(bindings / "some_provider_aws-25.8.1.dist-info/METADATA", "some_provider_aws-25.8.1.dist-info/METADATA")  # fmt: skip
    assert _written(place, module, tmp_path / "out") == EXPECTED


def test_an_sdist(bindings: Path, module: Path, tmp_path: Path) -> None:
    place = tmp_path / "some-25.8.1.tar.gz"
    with tarfile.open(place, "w:gz") as archive:
        archive.add(bindings / "some_provider_aws", "some-25.8.1/src/some_provider_aws")
        archive.add(bindings / "some_provider_aws-25.8.1.dist-info/METADATA", "some-25.8.1/PKG-INFO")
    assert _written(place, module, tmp_path / "out") == EXPECTED


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("some_provider_aws/thing/__init__.py", "has no file /thing/__init__.py: it is not a package of bindings."),
        ("some_provider_aws-25.8.1.dist-info/METADATA", "has no file .dist-info/METADATA or /PKG-INFO"),
    ],
)
def test_what_is_missing_is_said(bindings: Path, module: Path, tmp_path: Path, broken: str, said: str) -> None:
    (bindings / broken).unlink()
    done = _run(bindings, module, tmp_path / "out")
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_package_of_another_kind_is_refused(bindings: Path, module: Path, tmp_path: Path) -> None:
    (bindings / "some_provider_aws-25.8.1.dist-info/METADATA").write_text("Name: some\nVersion: 1\n")
    done = _run(bindings, module, tmp_path / "out")
    assert done.returncode == 1
    assert "does not say of which provider's version it is made" in done.stderr
