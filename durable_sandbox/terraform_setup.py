"""Finding terraform and a place that has the AWS provider.

Terraform's CLI configuration: https://developer.hashicorp.com/terraform/cli/config/config-file.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MINIMUM_VERSION = (1, 9, 0)
MINIMUM_PROVIDER = (5, 80, 0)
REGISTRY = "registry.terraform.io"
_PROVIDER_PATH = Path(REGISTRY, "hashicorp", "aws")
_DISCOVERY_URL = f"https://{REGISTRY}/.well-known/terraform.json"


class TerraformProblem(Exception):  # noqa: N818 - a problem that a user can solve, with the way to do so
    """Terraform cannot do what was asked: ``what`` is wrong, ``fix`` is what to do about it.

    ``environment`` tells a machine that is not set up (exit code 2) from a run that failed (exit code 1).
    """

    def __init__(self, what: str, fix: str, *, environment: bool = False) -> None:
        super().__init__(f"{what}\n{fix}")
        self.what = what
        self.fix = fix
        self.environment = environment


@dataclass(frozen=True, slots=True)
class Binary:
    """A terraform executable that is new enough. ``platform`` is like ``linux_amd64``."""

    path: Path
    version: tuple[int, ...]
    platform: str


def find_terraform(env: Mapping[str, str]) -> Binary:
    """The executable named by ``TERRAFORM`` in ``env``, else ``terraform`` on its PATH.

    Raises TerraformProblem if it is missing, does not run or is older than 1.9.
    """
    named = env.get("TERRAFORM")
    found = shutil.which(named or "terraform", path=env.get("PATH"))
    if found is None:
        what = (
            f"TERRAFORM names {named!r}, which is no executable." if named else "terraform was not found on the PATH."
        )
        fix = (
            "Install Terraform >= 1.9 (https://developer.hashicorp.com/terraform/install) or set TERRAFORM to its path."
        )
        raise TerraformProblem(what, fix, environment=True)
    answer = _version(found, {key: value for key, value in undisturbed(env).items() if key != "TF_CLI_CONFIG_FILE"})
    version = _numbers(answer.get("terraform_version", ""))
    if version < MINIMUM_VERSION:
        text = answer.get("terraform_version", "of unknown version")
        raise TerraformProblem(
            f"{found} is Terraform {text}; the modules need 1.9 or newer (validation across variables).",
            "Install a newer one (https://developer.hashicorp.com/terraform/install) or set TERRAFORM to its path.",
            environment=True,
        )
    return Binary(Path(found), version, answer.get("platform", ""))


def _version(binary: str, env: Mapping[str, str]) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603 - the user's own terraform
            [binary, "version", "-json"], env=dict(env), capture_output=True, text=True, timeout=60, check=True
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise TerraformProblem(
            f"{binary} does not run as Terraform: {error}",
            "Set TERRAFORM to the path of a working terraform >= 1.9.",
            environment=True,
        ) from error
    return dict(answer)


def undisturbed(env: Mapping[str, str]) -> dict[str, str]:
    """``env`` without arguments and a workspace from the outside, which would change what the commands here mean."""
    return {key: value for key, value in env.items() if not key.startswith("TF_CLI_ARGS") and key != "TF_WORKSPACE"}


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(int(part) for part in match.groups()) if match else ()


def registry_answers(timeout: float = 3.0) -> bool:
    """Whether the public registry's service discovery answers within ``timeout`` seconds, through the proxies set."""
    answers: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(_DISCOVERY_URL, timeout=timeout) as response:
                answers.append("providers.v1" in json.load(response))
        except (OSError, ValueError):
            answers.append(False)

    # A thread, because looking up a host name ignores the timeout of the socket.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    return bool(answers and answers[0])


def mirror_candidates(home: Path, root: Path = Path("/")) -> list[Path]:
    """Directories where filesystem mirrors usually are, in order of preference."""
    places = [
        home / ".terraform.d" / "plugins",
        home / ".local" / "share" / "terraform" / "plugins",
        root / "usr" / "local" / "share" / "terraform" / "plugins",
        root / "usr" / "share" / "terraform" / "plugins",
    ]
    with contextlib.suppress(OSError):  # no /opt, or not ours to read: then no mirror is there
        places += sorted(path for path in (root / "opt").iterdir() if path.is_dir())
    return places


def provider_versions(mirror: Path, platform: str) -> list[tuple[int, ...]]:
    """Versions of hashicorp/aws that ``mirror`` holds for ``platform``, packed or unpacked, ascending."""
    base = mirror / _PROVIDER_PATH
    try:
        entries = list(base.iterdir())
    except OSError:
        return []
    packed = re.compile(rf"terraform-provider-aws_(.+)_{re.escape(platform)}\.zip")
    names = [entry.name for entry in entries if (entry / platform).is_dir()]
    names += [match.group(1) for entry in entries if (match := packed.fullmatch(entry.name))]
    return sorted(filter(None, map(_numbers, names)))


def provider_env(
    binary: Binary, env: Mapping[str, str], work_dir: Path, *, candidates: list[Path] | None = None
) -> dict[str, str]:
    """Variables that let ``terraform init`` find hashicorp/aws; a CLI configuration may be written to ``work_dir``.

    In this order: the file that TF_CLI_CONFIG_FILE names, if it exists; the user's own configuration, if it says where
    providers come from; the registry, if it answers; a filesystem mirror in the usual places (``candidates``).
    An empty value unsets a variable. Raises TerraformProblem if there is no way to get the provider.
    """
    home = Path(env.get("HOME") or env.get("USERPROFILE") or Path.home())
    named = env.get("TF_CLI_CONFIG_FILE")
    if named and Path(named).is_file():
        _check_cli_config(binary, env, named)
        return {"TF_CLI_CONFIG_FILE": named}
    own = home / ".terraformrc"
    if own.is_file() and "provider_installation" in own.read_text(errors="replace"):
        return {"TF_CLI_CONFIG_FILE": ""}
    if registry_answers():
        cache = env.get("TF_PLUGIN_CACHE_DIR") or str(work_dir / "plugin-cache")
        Path(cache).mkdir(parents=True, exist_ok=True)
        return {
            "TF_CLI_CONFIG_FILE": "",
            "TF_PLUGIN_CACHE_DIR": cache,
            # Without it terraform ignores the cache until the lock file has the checksum that it would fetch.
            "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
        }
    places = mirror_candidates(home) if candidates is None else candidates
    mirror = _usable_mirror(places, binary.platform)
    work_dir.mkdir(parents=True, exist_ok=True)
    config = work_dir / "terraform.tfrc"
    path = json.dumps(str(mirror))
    config.write_text(f"provider_installation {{\n  filesystem_mirror {{\n    path = {path}\n  }}\n}}\n")
    return {"TF_CLI_CONFIG_FILE": str(config), "TF_PLUGIN_CACHE_DIR": ""}


def own_env(env: Mapping[str, str], work_dir: Path) -> dict[str, str]:
    """``env`` with what terraform needs to find its provider, and no setting of terraform's from outside: for tests.

    As ``provider_env``, but the whole environment. Raises TerraformProblem.
    """
    own = {key: value for key, value in env.items() if not key.startswith("TF_") or key == "TF_CLI_CONFIG_FILE"}
    found = own | provider_env(find_terraform(own), own, work_dir) | {"CHECKPOINT_DISABLE": "1"}
    return {key: value for key, value in found.items() if value or not key.startswith("TF_")}


def _check_cli_config(binary: Binary, env: Mapping[str, str], path: str) -> None:
    done = subprocess.run(  # noqa: S603 - the user's own terraform
        [binary.path, "version"], env=undisturbed(env), capture_output=True, text=True, timeout=60, check=False
    )
    # Terraform reports a broken configuration on stderr and still exits 0 here.
    errors = [line.lstrip("│ ") for line in done.stderr.splitlines() if "Error:" in line]
    if errors:
        raise TerraformProblem(
            f"Terraform cannot read {path} (named by TF_CLI_CONFIG_FILE): {errors[0]}",
            "Correct that file, or unset TF_CLI_CONFIG_FILE.",
            environment=True,
        )


def _usable_mirror(places: list[Path], platform: str) -> Path:
    too_old = []
    for place in places:
        versions = provider_versions(place, platform)
        if versions and versions[-1] >= MINIMUM_PROVIDER:
            return place
        if versions:
            too_old.append(f"{place} holds {'.'.join(map(str, versions[-1]))}, older than 5.80")
    searched = ", ".join(str(place) for place in places if place.parent.name != "opt") or "no directories"
    what = f"The AWS provider cannot be found: {REGISTRY} does not answer, and no filesystem mirror has it"
    what += f" for {platform} ({'; '.join(too_old) or f'searched {searched} and /opt/*'})."
    raise TerraformProblem(
        what,
        "Connect to the internet (HTTPS_PROXY is honoured), or, on a machine that is connected, run "
        f"`terraform providers mirror -platform={platform} DIR` in this repository and copy DIR to ~/.terraform.d/plugins.",
        environment=True,
    )
