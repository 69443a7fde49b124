"""The package builder: the same bytes every time, only what belongs, errors that say what to change."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "modules/package/build.py"
EXCLUDE = r"(^|/)(__pycache__|\.git)/|\.py[co]$"


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("package_build", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    for name, text in {
        "handler.py": "def handler(event, context): return event\n",
        "lib/__init__.py": "",
        "lib/deep/rules.py": "RULES = 1\n",
        "data.json": "{}",
        "__pycache__/handler.cpython-313.pyc": "cache",
        "lib/stale.pyc": "cache",
        ".git/config": "git",
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def write_wheel(folder: Path, name: str, *, tag: str = "py3-none-any", scripts: bool = False) -> Path:
    """A minimal wheel, so that pip has something to install without an index."""
    wheel = folder / f"{name}-1.0-{tag}.whl"
    entry_points = f"[console_scripts]\n{name} = {name}:run\n" if scripts else ""
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "def run(): pass\n")
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        if entry_points:
            archive.writestr(f"{name}-1.0.dist-info/entry_points.txt", entry_points)
        archive.writestr(f"{name}-1.0.dist-info/RECORD", f"{name}.py,,\n{name}-1.0.dist-info/RECORD,,\n")
    return wheel


def run(archive: Path, sources: Path, *, cwd: Path | None = None, umask: int = 0o022, **changes: Any) -> str:
    """Run the builder as Terraform does; returns its error output, "" on success."""
    spec = {
        "source_dir": str(sources),
        "exclude": EXCLUDE,
        "runtime": "python3.13",
        "architecture": "arm64",
        "pip_arguments": [],
        **changes,
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(archive)],
        env={**os.environ, "PACKAGE_SPEC": json.dumps(spec)},
        cwd=cwd,
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (done.stderr == ""), done.stderr
    return done.stderr


def offline(folder: Path) -> list[str]:
    return ["--no-index", "--find-links", str(folder)]


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist()


def test_same_bytes_whatever_umask_directory_and_dates(sources: Path, tmp_path: Path) -> None:
    write_wheel(tmp_path, "tool", scripts=True)
    (sources / "requirements.txt").write_text("tool==1.0\n")
    first, second, third = (tmp_path / f"{number}.zip" for number in range(3))
    arguments = offline(tmp_path)
    assert run(first, sources, pip_arguments=arguments) == ""
    os.utime(sources / "handler.py", (0, 0))
    assert run(second, sources, pip_arguments=arguments, umask=0o077) == ""
    assert run(third, Path("sources"), pip_arguments=arguments, cwd=tmp_path) == ""
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


def test_same_bytes_whatever_the_order_of_creation(tmp_path: Path) -> None:
    archives = []
    for order in (["a.py", "b.py", "c/d.py"], ["c/d.py", "b.py", "a.py"]):
        folder = tmp_path / "-".join(order).replace("/", "_")
        for name in order:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
        archives.append(folder.with_suffix(".zip"))
        assert run(archives[-1], folder) == ""
    assert archives[0].read_bytes() == archives[1].read_bytes()
    assert names(archives[0]) == ["a.py", "b.py", "c/d.py"]


def test_caches_stay_out(sources: Path, tmp_path: Path) -> None:
    assert run(tmp_path / "p.zip", sources) == ""
    assert names(tmp_path / "p.zip") == ["data.json", "handler.py", "lib/__init__.py", "lib/deep/rules.py"]


def test_modes_are_readable_and_keep_the_executable_bit(sources: Path, tmp_path: Path) -> None:
    (sources / "data.json").chmod(0o600)
    (sources / "bootstrap").write_text("#!/bin/sh\n")
    (sources / "bootstrap").chmod(0o700)
    assert run(tmp_path / "p.zip", sources) == ""
    with zipfile.ZipFile(tmp_path / "p.zip") as archive:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in archive.infolist()}
    assert modes["data.json"] == 0o644
    assert modes["bootstrap"] == 0o755


def test_requirements_are_bundled_without_traces_of_the_machine(sources: Path, tmp_path: Path) -> None:
    write_wheel(tmp_path, "tool", scripts=True)
    (sources / "requirements.txt").write_text("# comment\n\ntool==1.0\n")
    assert run(tmp_path / "p.zip", sources, pip_arguments=offline(tmp_path)) == ""
    bundled = [name for name in names(tmp_path / "p.zip") if "tool" in name]
    assert bundled == [
        "tool-1.0.dist-info/METADATA", "tool-1.0.dist-info/WHEEL", "tool-1.0.dist-info/entry_points.txt", "tool.py"
    ]  # fmt: skip
    assert not [name for name in names(tmp_path / "p.zip") if name.startswith("bin/")]


@pytest.mark.parametrize(
    ("architecture", "runtime", "tag"),
    [
        ("arm64", "python3.13", "cp313-cp313-manylinux_2_28_aarch64"),
        ("x86_64", "python3.13", "cp313-cp313-manylinux2014_x86_64"),
        ("x86_64", "python3.11", "cp311-cp311-manylinux_2_17_x86_64"),
    ],
)
def test_wheels_are_lambdas_not_this_machines(
    sources: Path, tmp_path: Path, architecture: str, runtime: str, tag: str
) -> None:
    write_wheel(tmp_path, "native", tag=tag)
    (sources / "requirements.txt").write_text("native\n")
    arguments = offline(tmp_path)
    error = run(tmp_path / "p.zip", sources, pip_arguments=arguments, architecture=architecture, runtime=runtime)
    assert error == ""
    assert "native.py" in names(tmp_path / "p.zip")


def test_a_wheel_that_the_runtime_cannot_load_is_refused(sources: Path, tmp_path: Path) -> None:
    write_wheel(tmp_path, "native", tag="cp311-cp311-manylinux_2_28_x86_64")
    (sources / "requirements.txt").write_text("native==1.0\n")
    arguments = offline(tmp_path)
    error = run(
        tmp_path / "p.zip", sources, pip_arguments=arguments, architecture="x86_64", runtime="python3.11"
    )  # glibc 2.26 there
    assert "no wheel of native==1.0 for python3.11 on x86_64" in error
    assert not (tmp_path / "p.zip").exists()


def test_an_unknown_requirement_is_named_with_the_fix(sources: Path, tmp_path: Path) -> None:
    (sources / "requirements.txt").write_text("no-such-thing==9.9\n")
    error = run(tmp_path / "p.zip", sources, pip_arguments=offline(tmp_path))
    assert "no wheel of no-such-thing==9.9 for python3.13 on arm64" in error
    assert f"In {sources / 'requirements.txt'} name a version that exists" in error
    assert "Traceback" not in error


def test_an_invalid_requirement_is_named(sources: Path, tmp_path: Path) -> None:
    (sources / "requirements.txt").write_text("not a requirement\n")
    error = run(tmp_path / "p.zip", sources, pip_arguments=offline(tmp_path))
    assert "holds an invalid requirement" in error
    assert "not a requirement" in error


def test_an_archive_that_exists_is_left_alone(sources: Path, tmp_path: Path) -> None:
    archive = tmp_path / "p.zip"
    archive.write_bytes(b"built before")
    assert run(archive, sources) == ""
    assert archive.read_bytes() == b"built before"


def test_a_failed_build_leaves_nothing_behind(sources: Path, tmp_path: Path) -> None:
    (sources / "requirements.txt").write_text("no-such-thing\n")
    build_dir = tmp_path / "build"
    assert run(build_dir / "p.zip", sources, pip_arguments=offline(tmp_path)) != ""
    assert not list(build_dir.rglob("*"))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert f"there is no folder {tmp_path / 'nowhere'}" in run(tmp_path / "p.zip", tmp_path / "nowhere")


def test_a_package_above_lambdas_limit_is_refused(
    builder: ModuleType, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "MAX_UNZIPPED_BYTES", 10)
    spec = builder.Spec.parse(
        json.dumps(
            {
                "source_dir": str(sources),
                "exclude": EXCLUDE,
                "runtime": "python3.13",
                "architecture": "arm64",
                "pip_arguments": [],
            }
        )
    )
    with pytest.raises(builder.BuildError, match="Lambda takes 250 MB"):
        builder.build(spec, tmp_path / "p.zip")


def test_without_pip_the_error_says_how_to_get_it(builder: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder.sys, "executable", "/bin/false")
    monkeypatch.setattr(builder.shutil, "which", lambda _: None)
    with pytest.raises(builder.BuildError, match="ensurepip"):
        builder.find_pip()
