"""The modules that a managed Python runtime brings along, as a folder for a function's module path.

AWS's runtimes carry awslambdaric, boto3 and the durable SDK (for development; production bundles its own):
https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-pip-default and durable-supported-runtimes.html.
All are plain Python, so the sandbox's own copies serve every interpreter; compiled accelerators are left behind.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

_RUNTIME_MODULES = (
    "awslambdaric",
    "simplejson",
    "snapshot_restore_py",
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "six",
    "urllib3",
    "aws_durable_execution_sdk_python",
)
_DISTRIBUTIONS = {"dateutil": "python_dateutil"}
"""Where a module's distribution has another name."""


def build_layer(directory: Path) -> Path:
    """Fill ``directory`` with links to the runtime's modules, their metadata, and the runtime client. Returns it."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in _RUNTIME_MODULES:
        origin = _location(name)
        for found in (origin, *origin.parent.glob(f"{_DISTRIBUTIONS.get(name, name)}-*.dist-info")):
            (directory / found.name).symlink_to(found)
    client = Path(__file__).parent / "shim" / "runtime_client.py"
    (directory / client.name).symlink_to(client)
    return directory


def _location(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        msg = f"the sandbox's own dependency {module} is not installed: reinstall with pip install -e ."
        raise RuntimeError(msg)
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin
