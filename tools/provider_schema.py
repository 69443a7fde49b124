"""Write down which arguments the AWS provider takes for the resources of a module, from published bindings.

A module for a provider that is not at hand cannot be validated by terraform. Bindings for CDK for Terraform are generated
from the provider's own schema and say from which version; so they tell the arguments, which of them are required, and the
nested blocks. What they do not tell: lists from sets, limits of values, and what forces a replacement.

To refresh (the packages are some 60 MB each, and nothing of them is executed)::

    pip download --no-deps --dest DIR cdktn-provider-aws                   # the newest provider
    pip download --no-deps --dest DIR cdktf-cdktf-provider-aws==21.22.1    # 6.25.0, the oldest that the module takes
    pip download --no-deps --dest DIR cdktf-cdktf-provider-aws==21.21.0    # 6.24.0, which has no durable_config yet
    python tools/provider_schema.py DIR/*.whl

It writes tests/contract/provider/aws-<version of the provider>.json for each; delete those that a newer one replaces.
tests/hygiene/test_native_module.py compares the module with all that are there.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).parents[1]
MODULE = ROOT / "modules" / "durable-function-native"
FOLDER = ROOT / "tests" / "contract" / "provider"

# Arguments of a resource that are terraform's own, and its computed id, which the bindings list among the arguments.
_NOT_THE_PROVIDERS = {"connection", "count", "depends_on", "for_each", "id", "lifecycle", "provider", "provisioners"}
_SIMPLE = (("jsii.Number", "number"), ("builtins.bool", "bool"), ("builtins.str", "string"))


class SchemaProblem(Exception):  # noqa: N818 - a problem that the user of the command can solve
    """The bindings are not what they were taken for."""


@dataclass(frozen=True, slots=True)
class Bindings:
    """A package of bindings: the names of its files, and what reads one of them."""

    place: Path
    names: tuple[str, ...]
    read: Callable[[str], str]

    @classmethod
    def open(cls, place: Path) -> Bindings:
        """A wheel, an sdist or a folder with one of them unpacked. Raises SchemaProblem for anything else."""
        if place.is_dir():
            files = {str(file.relative_to(place)): file for file in place.rglob("*") if file.is_file()}
            return cls(place, tuple(files), lambda name: files[name].read_text(encoding="utf-8"))
        if zipfile.is_zipfile(place):
            wheel = zipfile.ZipFile(place)
            return cls(place, tuple(wheel.namelist()), lambda name: wheel.read(name).decode())
        if place.is_file() and tarfile.is_tarfile(place):
            archive = tarfile.open(place)  # noqa: SIM115 - read from as long as the command runs
            return cls(place, tuple(archive.getnames()), lambda name: _member(archive, name))
        raise SchemaProblem(f"{place} is no wheel, no sdist and no folder of one.")

    def text(self, *ends: str) -> str:
        """The text of the shallowest file whose path ends so. Raises SchemaProblem if there is none."""
        found = [name for name in self.names if f"/{name}".endswith(ends)]
        if not found:
            raise SchemaProblem(f"{self.place} has no file {' or '.join(ends)}: it is not a package of bindings.")
        return self.read(min(found, key=lambda name: name.count("/")))


def _member(archive: tarfile.TarFile, name: str) -> str:
    stream = archive.extractfile(name)
    if stream is None:
        raise SchemaProblem(f"{name} in the archive is no file.")
    return stream.read().decode()


def origin(bindings: Bindings) -> dict[str, str]:
    """Package, its version, provider and its version, as the package's own metadata tells them."""
    text = bindings.text(".dist-info/METADATA", "/PKG-INFO")
    head: dict[str, str] = dict(re.findall(r"^(Name|Version): (.+)$", text, flags=re.MULTILINE))
    made = re.search(r"bindings for (\S+) provider version (\d+\.\d+\.\d+)", text)
    if made is None or len(head) != 2:  # noqa: PLR2004 - both of them
        raise SchemaProblem(f"{bindings.place} does not say of which provider's version it is made.")
    return {
        "package": head["Name"],
        "package_version": head["Version"],
        "provider": made[1],
        "provider_version": made[2],
    }


def used(module: Path) -> dict[str, set[str]]:
    """The types of the resources and data sources ("resource", "data") of a module and of the modules beside it that it calls."""
    found: dict[str, set[str]] = {"resource": set(), "data": set()}
    for file in sorted(module.glob("*.tf")):
        parsed = hcl2.loads(file.read_text(encoding="utf-8"))
        for kind, types in found.items():
            types |= {label.strip('"') for block in parsed.get(kind, []) for label in block if label.startswith('"')}
        for block in parsed.get("module", []):
            for label, body in block.items():
                source = body["source"].strip('"') if label.startswith('"') else ""
                if source.startswith("."):
                    for kind, types in used((module / source).resolve()).items():
                        found[kind] |= types
    return found


def schema(bindings: Bindings, kind: str, type_: str) -> dict[str, Any]:
    """What ``type_`` takes: see ``_arguments``; and ``attributes``, the names of all that can be read of it."""
    folder = type_.removeprefix("aws_") if kind == "resource" else f"data_{type_}"
    classes = {
        node.name: node
        for node in ast.parse(bindings.text(f"/{folder}/__init__.py")).body
        if isinstance(node, ast.ClassDef)
    }
    (config,) = [node for node in classes.values() if _is_whole(node)]
    (own,) = [node for node in classes.values() if _derives(node, "TerraformResource", "TerraformDataSource")]
    return {**_arguments(config, classes), "attributes": sorted(_attributes(own))}


def _is_whole(config: ast.ClassDef) -> bool:
    """Whether it is what the resource takes, not a block in it."""
    return _derives(config, "TerraformMetaArguments")


def _derives(node: ast.ClassDef, *bases: str) -> bool:
    return any(ast.unparse(base).rpartition(".")[2].strip("'\"") in bases for base in node.bases)


def _arguments(config: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> dict[str, Any]:
    """``arguments`` by name with their types, ``required`` names, and ``blocks``, each the same with ``max`` (null for any number)."""
    (init,) = [node for node in config.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    blocks_said = set(re.findall(r":param (\w+): \1 block\.", ast.get_docstring(init) or ""))
    found: dict[str, Any] = {"arguments": {}, "required": [], "blocks": {}}
    for argument in sorted(init.args.kwonlyargs, key=lambda argument: argument.arg):
        name = argument.arg
        if argument.annotation is None or (name in _NOT_THE_PROVIDERS and _is_whole(config)):
            continue
        text = ast.unparse(argument.annotation).replace("'", "").replace('"', "")
        if not text.startswith("typing.Optional["):
            found["required"].append(name)
        if name in blocks_said:
            nested = re.search(r"typing\.Union\[(\w+), typing\.Dict\[", text)
            if nested is None:
                raise SchemaProblem(f"{config.name}: what the block {name} holds cannot be told from {text}")
            many = "typing.Sequence[" in text
            found["blocks"][name] = {"max": None if many else 1, **_arguments(classes[nested[1]], classes)}
        else:
            found["arguments"][name] = _type(text)
    return found


def _type(text: str) -> str:
    """The type that an annotation without quotes stands for, in HCL's words; a set is a list here."""
    element = next((name for sign, name in _SIMPLE if sign in text.replace("typing.Mapping[builtins.str, ", "")), "any")
    if "typing.Dict[" in text:
        return "list(object)" if "typing.Sequence[" in text else "object"
    if "typing.Mapping[" in text:
        return f"map({element})"
    return f"list({element})" if "typing.Sequence[" in text else element


def _attributes(resource: ast.ClassDef) -> Iterable[str]:
    properties = {
        node.name
        for node in resource.body
        if isinstance(node, ast.FunctionDef)
        if any(ast.unparse(decorator) == "builtins.property" for decorator in node.decorator_list)
    }
    # Beside each argument there is what was given for it, which is no attribute.
    return {name for name in properties if not (name.endswith("_input") and name.removesuffix("_input") in properties)}


def extract(bindings: Bindings, module: Path) -> dict[str, Any]:
    """The whole content of a file."""
    kinds = used(module)
    return origin(bindings) | {
        kind: {type_: schema(bindings, kind, type_) for type_ in sorted(types) if type_.startswith("aws_")}
        for kind, types in kinds.items()
    }


def main() -> int:
    """Write a file for each package. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bindings", nargs="+", type=Path, help="a wheel, an sdist, or a folder with one unpacked")
    parser.add_argument("--module", type=Path, default=MODULE, help="the module whose resources count")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write")
    given = parser.parse_args()
    try:
        for place in given.bindings:
            found = extract(Bindings.open(place), given.module)
            file = given.folder / f"aws-{found['provider_version']}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(f"{file}: {found['package']} {found['package_version']}")
    except SchemaProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
