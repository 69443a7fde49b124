"""The Python interpreter that runs a function: its runtime's own where the machine has it."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from durable_sandbox.aws.errors import AwsError

logger = logging.getLogger(__name__)

_RUNTIME = re.compile(r"python(3\.\d+)")
_PROBE_SECONDS = 10


class Interpreters:
    """Finds interpreters by runtime name (``python3.13``) on PATH, in pyenv and in uv; remembers what it found."""

    def __init__(self) -> None:
        self._found: dict[str, Path] = {}

    def for_runtime(self, runtime: str) -> Path:
        """The interpreter for ``runtime``.

        Falls back to the sandbox's own with one warning a runtime. Raises AwsError for a runtime that is not Python.
        """
        if runtime in self._found:
            return self._found[runtime]
        match = _RUNTIME.fullmatch(runtime)
        if match is None:
            raise AwsError(
                "InvalidParameterValueException",
                f"The sandbox runs Python functions only; runtime {runtime!r} is not python3.N.",
            )
        version = match.group(1)
        chosen = next((path for path in _candidates(version) if _is_version(path, version)), None)
        if chosen is None:
            own = f"{sys.version_info.major}.{sys.version_info.minor}"
            logger.warning(
                "no Python %s on PATH, in pyenv or in uv: functions with runtime %s run on Python %s. "
                "To match AWS: uv python install %s",
                version,
                runtime,
                own,
                version,
            )
            chosen = Path(sys.executable)
        self._found[runtime] = chosen
        return chosen


def _candidates(version: str) -> Iterator[Path]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"), reverse=True)
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    yield from sorted(uv.glob(f"cpython-{version}*/bin/python{version}"), reverse=True)


def _is_version(path: Path, version: str) -> bool:
    """Ask the interpreter itself: a pyenv shim stands on PATH for versions that it then refuses to run."""
    probe = "import sys; print(f'{sys.version_info.major}.{sys.version_info.minor}')"
    try:
        run = subprocess.run(  # noqa: S603 - a Python interpreter of this machine
            [path, "-c", probe], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0 and run.stdout.strip() == version
