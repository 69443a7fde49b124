"""Build a Lambda package: sources and their requirements into one zip with the same bytes every time.

Usage: PACKAGE_SPEC='{"source_dir": ..., "exclude": ..., "runtime": ..., "architecture": ..., "pip_arguments": [...]}'
       python3 build.py ARCHIVE

Standard library only; run by Terraform (build.tf). ARCHIVE has the hash of all inputs in its name, so one that exists
is current and is left alone.
"""

# ruff: noqa: INP001 - a script beside its Terraform module, not part of a package
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Lambda's limit for code and layers, unzipped: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_UNZIPPED_BYTES = 250 * 1024 * 1024
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date that a zip can hold
PIP_TIMEOUT_SECONDS = 900
# What an installer writes about the machine it ran on. Nothing reads it at run time, and it would change the bytes.
INSTALLER_FILES = re.compile(r"^bin/|^[^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)$|\.py[co]$")
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}


class BuildError(Exception):
    """The package cannot be built; the message says why and what to change."""


@dataclass(frozen=True)
class Spec:
    """What to build, as Terraform says it.

    Attributes:
        source_dir: folder of the sources.
        exclude: regular expression on relative POSIX paths; matching files stay out.
        runtime: Lambda runtime, e.g. "python3.13".
        architecture: "arm64" or "x86_64".
        pip_arguments: further arguments of `pip install`.
    """

    source_dir: Path
    exclude: re.Pattern[str]
    runtime: str
    architecture: str
    pip_arguments: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read the JSON object in PACKAGE_SPEC; raises KeyError or ValueError when it is not one."""
        raw = json.loads(text)
        return cls(
            source_dir=Path(raw["source_dir"]),
            exclude=re.compile(raw["exclude"]),
            runtime=raw["runtime"],
            architecture=raw["architecture"],
            pip_arguments=tuple(raw["pip_arguments"]),
        )

    @property
    def requirements(self) -> Path:
        """Where the requirements are, if there are any."""
        return self.source_dir / "requirements.txt"

    @property
    def python_version(self) -> str:
        """The runtime's Python, e.g. "3.13"."""
        return self.runtime.removeprefix("python")

    @property
    def platforms(self) -> tuple[str, ...]:
        """Wheel platforms that the runtime can load, best first.

        python3.12 and later run on Amazon Linux 2023 (glibc 2.34), python3.11 on Amazon Linux 2 (glibc 2.26):
        docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
        """
        tags = ["manylinux_2_17", "manylinux2014"]
        if int(self.python_version.partition(".")[2]) >= 12:  # noqa: PLR2004 - explained above
            tags = ["manylinux_2_34", "manylinux_2_28", *tags]
        return tuple(f"{tag}_{MACHINES[self.architecture]}" for tag in tags)


def files_below(folder: Path, exclude: re.Pattern[str]) -> Iterator[tuple[str, Path]]:
    """Yield (relative POSIX path, file) for each file below a folder that `exclude` does not match."""
    for parent, _, names in os.walk(folder, followlinks=True):
        for name in names:
            file = Path(parent, name)
            relative = file.relative_to(folder).as_posix()
            if not exclude.search(relative):
                yield relative, file


def has_requirements(file: Path) -> bool:
    """Tell whether a requirements file holds more than blank lines and comments."""
    if not file.is_file():
        return False
    lines = file.read_text(encoding="utf-8").splitlines()
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def find_pip() -> list[str]:
    """Find a Python with pip: this one, else the first on PATH that has it. Raises BuildError if none has."""
    others = filter(None, map(shutil.which, ("python3", "python")))
    for python in dict.fromkeys([sys.executable, *others]):
        probe = [python, "-m", "pip", "--version"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:  # noqa: S603 - no shell, no input
            return [python, "-m", "pip"]
    raise BuildError(
        f"{sys.executable} has no pip, which requirements.txt needs. Install it (python3 -m ensurepip, or your system's "
        "python3-pip), or set the input `python` to a Python that has it."
    )


def explain(spec: Spec, output: str) -> str:
    """Turn pip's output into what a user needs: which requirement, why, what to change."""
    found = re.search(r"No matching distribution found for ([^\n]+)", output)
    if found and re.search(r"NewConnectionError|ConnectTimeout|Temporary failure in name resolution", output):
        return f"pip could not reach the package index for {found[1].strip()}. Check the network or PIP_INDEX_URL."
    if found:
        return (
            f"no wheel of {found[1].strip()} for {spec.runtime} on {spec.architecture}. In {spec.requirements} name a "
            "version that exists and publishes such a wheel (packages are never compiled here), or change runtime or "
            "architecture."
        )
    invalid = re.search(r"Invalid requirement: ([^\n]+)", output)
    if invalid:
        return f"{spec.requirements} holds an invalid requirement: {invalid[1].strip()}. Correct that line."
    tail = "\n".join(output.strip().splitlines()[-15:])
    return f"pip failed on {spec.requirements}:\n{tail}"


def install(spec: Spec, target: Path) -> None:
    """Install the requirements for Lambda's platform into `target`. Raises BuildError if pip cannot."""
    command = [
        *find_pip(), "install", "--requirement", str(spec.requirements), "--target", str(target),
        "--only-binary=:all:", "--implementation", "cp", "--python-version", spec.python_version,
        *(argument for platform in spec.platforms for argument in ("--platform", platform)),
        "--no-compile", "--no-input", "--disable-pip-version-check", *spec.pip_arguments,
    ]  # fmt: skip
    # These two would make pip refuse --target.
    environment = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    try:
        done = subprocess.run(  # noqa: S603 - a list, no shell; the arguments are the module's own inputs
            command, capture_output=True, text=True, check=False, env=environment, timeout=PIP_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"pip did not end within {PIP_TIMEOUT_SECONDS} s. Check the package index.") from error
    if done.returncode != 0:
        raise BuildError(explain(spec, done.stdout + done.stderr))


def write_zip(archive: Path, entries: Mapping[str, Path]) -> None:
    """Write the entries sorted, with fixed dates and modes, and move the archive into place when it is complete."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=archive.parent, prefix=".partial-")
    try:
        with os.fdopen(handle, "wb") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
            for name in sorted(entries):
                info = zipfile.ZipInfo(name, ZIP_EPOCH)
                info.create_system = 3  # Unix, on every machine: Lambda takes the modes from there
                executable = entries[name].stat().st_mode & 0o100
                info.external_attr = (0o100755 if executable else 0o100644) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                target.writestr(info, entries[name].read_bytes())
        Path(partial).replace(archive)
    finally:
        Path(partial).unlink(missing_ok=True)


def build(spec: Spec, archive: Path) -> None:
    """Build `archive` unless it exists. Raises BuildError when the package cannot be built or is too large."""
    if archive.is_file():
        return
    if not spec.source_dir.is_dir():
        raise BuildError(f"there is no folder {spec.source_dir}. Correct source_dir.")
    with tempfile.TemporaryDirectory(prefix="package-") as scratch:
        entries: dict[str, Path] = {}
        if has_requirements(spec.requirements):
            install(spec, Path(scratch))
            entries.update(files_below(Path(scratch), INSTALLER_FILES))
        entries.update(files_below(spec.source_dir, spec.exclude))
        size = sum(file.stat().st_size for file in entries.values())
        if size > MAX_UNZIPPED_BYTES:
            raise BuildError(
                f"the package of {spec.source_dir} is {size // 2**20} MB unzipped, Lambda takes 250 MB. Remove "
                "requirements, or leave files out with `exclude`."
            )
        write_zip(archive, entries)


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the builder: 0 when the archive is there, 1 when it cannot be built, 2 on wrong usage."""
    if len(arguments) != 1 or "PACKAGE_SPEC" not in environment:
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        build(Spec.parse(environment["PACKAGE_SPEC"]), Path(arguments[0]))
    except BuildError as error:
        sys.stderr.write(f"package: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
