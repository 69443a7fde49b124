"""Where the sandbox keeps its files, and the variables that point AWS clients to it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import durable_sandbox

DEFAULT_PORT = 4566
REGION = "us-east-1"
HOST = "127.0.0.1"
# Each of these would send a client elsewhere, or make it sign as somebody else.
UNSET = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def command_line(command: str, port: int) -> str:
    """``sandbox command`` as this user can type it: by path if it is not on the PATH, with the port if it matters."""
    called = Path(sys.argv[0])
    name = "sandbox"
    if called.name == name and shutil.which(name) is None:
        shown = called.absolute()
        name = str(shown.relative_to(Path.cwd()) if shown.is_relative_to(Path.cwd()) else shown)
    return f"{name} {command}" + ("" if port == DEFAULT_PORT else f" --port {port}")


def endpoint_url(port: int) -> str:
    """The address for AWS_ENDPOINT_URL. An IP, because the Terraform provider then uses path-style S3 addresses."""
    return f"http://{HOST}:{port}"


def client_variables(port: int, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that AWS clients need. ``base`` (os.environ if None) tells whether a proxy must be bypassed."""
    base = os.environ if base is None else base
    variables = {
        "AWS_ENDPOINT_URL": endpoint_url(port),
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if any(base.get(name) for name in _PROXIES):
        excluded = base.get("NO_PROXY") or base.get("no_proxy") or ""
        if HOST not in excluded.split(","):
            excluded = ",".join(filter(None, (excluded, HOST)))
        variables |= {"NO_PROXY": excluded, "no_proxy": excluded}
    return variables


def unset_variables(base: Mapping[str, str] | None = None) -> list[str]:
    """Names that must not be set in a client's environment: profiles, session tokens, endpoints of single services."""
    base = os.environ if base is None else base
    return [*UNSET, *sorted(name for name in base if name.startswith("AWS_ENDPOINT_URL_"))]


def client_environment(port: int, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """A whole environment for a child process: ``base`` (os.environ if None) pointed to the sandbox."""
    base = os.environ if base is None else base
    dropped = set(unset_variables(base))
    return {name: value for name, value in base.items() if name not in dropped} | client_variables(port, base)


def module_root(start: Path | None = None) -> Path | None:
    """The checkout's root module (main.tf and modules/queue), upward from ``start`` or of the installed package."""
    here = (start or Path.cwd()).resolve()
    package = Path(durable_sandbox.__file__).resolve().parents[1]
    for directory in (here, *here.parents, package):
        if (directory / "main.tf").is_file() and (directory / "modules" / "queue").is_dir():
            return directory
    return None


def state_dir(start: Path | None = None) -> Path:
    """``.sandbox`` of the project around ``start``: at the checkout's root or the repository's, else right here."""
    here = (start or Path.cwd()).resolve()
    for directory in (here, *here.parents):
        if (directory / ".git").exists() or (
            (directory / "main.tf").is_file() and (directory / "modules" / "queue").is_dir()
        ):
            return directory / ".sandbox"
    return here / ".sandbox"


def terraform_dir(state: Path, port: int, stack: str = "") -> Path:
    """Where Terraform's state and data of a stack in the sandbox on ``port`` are kept; empty: the demo's own."""
    return state / (f"terraform-{port}-{stack}" if stack else f"terraform-{port}")


def terraform_dirs(state: Path, port: int) -> list[Path]:
    """Every ``terraform_dir`` of the sandbox on ``port`` that exists."""
    return [path for path in (terraform_dir(state, port), *state.glob(f"terraform-{port}-*")) if path.is_dir()]
