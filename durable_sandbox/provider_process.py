"""One process of the AWS provider for many runs of terraform: for tests, most of whose time it would be to start it.

Each command of terraform starts the provider anew, two or three times, and each start costs seconds of a processor. A provider that
was started for debugging stays, and terraform attaches to it: https://developer.hashicorp.com/terraform/plugin/debugging.
It is the same provider and does the same, but takes its AWS settings from its own environment, not from terraform's, and has
one configuration: not for a configuration with several of them (aliases).
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from durable_sandbox.terraform import stop_tree
from durable_sandbox.terraform_setup import REGISTRY, TerraformProblem, find_terraform

REATTACH = "TF_REATTACH_PROVIDERS"
"""The variable with which terraform attaches."""
START_SECONDS = 60.0

_ROOT = 'terraform {\n  required_providers {\n    aws = {\n      source = "hashicorp/aws"\n    }\n  }\n}\n'
# An own certificate bundle cannot be set twice in one process, and a sandbox has no TLS.
_UNWANTED = frozenset({REATTACH, "AWS_CA_BUNDLE"})


@contextlib.contextmanager
def attached_provider(env: Mapping[str, str], directory: Path, cwd: Path) -> Iterator[dict[str, str]]:
    """Start the provider that terraform finds with ``env``, and yield the variable for further runs of terraform.

    ``env`` is the whole environment: the provider's too, with its AWS settings. ``directory`` is for its program and its log.
    ``cwd`` is where the provider looks for files that a configuration names by a relative path, as modules/package does.
    Raises TerraformProblem if it cannot be installed, or does not start within START_SECONDS.
    """
    own = {key: value for key, value in env.items() if key not in _UNWANTED}
    program = _installed(own, directory).resolve()
    log = directory / "provider.log"
    with log.open("w") as stderr:
        child = subprocess.Popen(  # noqa: S603 - the provider that terraform itself would start
            [program, "-debug"],
            cwd=cwd,
            env={**own, "TF_LOG_SDK": "off"},  # so attached, it would write every call
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        yield {REATTACH: _said(child, log)}
    finally:
        stop_tree(child)


def _installed(env: Mapping[str, str], directory: Path) -> Path:
    root = directory / "root"
    root.mkdir(parents=True, exist_ok=True)
    (root / "main.tf").write_text(_ROOT)
    done = subprocess.run(  # noqa: S603 - the user's own terraform
        [find_terraform(env).path, f"-chdir={root}", "init", "-input=false", "-no-color"],
        env={**env, "TF_DATA_DIR": str(directory / "data")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    folder = directory / "data" / "providers" / REGISTRY / "hashicorp" / "aws"
    found = list(folder.glob("*/*/terraform-provider-aws*"))
    if done.returncode or len(found) != 1:
        raise TerraformProblem(
            f"terraform init did not install the AWS provider: {done.stdout}",
            "Check the connection to the registry, or the mirror that TF_CLI_CONFIG_FILE names.",
            environment=True,
        )
    return found[0]


def _said(child: subprocess.Popen[str], log: Path) -> str:
    """How to attach, as the provider says once it is up. Its output is read on, for a full pipe would stop it."""
    late = threading.Timer(START_SECONDS, child.kill)
    late.start()
    try:
        assert child.stdout is not None  # noqa: S101 - opened with a pipe above
        found = next(filter(None, (re.search(rf"{REATTACH}=\D*?({{.*}})", line) for line in child.stdout)), None)
    finally:
        late.cancel()
    if found is None:
        raise TerraformProblem(
            f"The AWS provider did not say within {START_SECONDS:.0f} s how to attach to it: {log.read_text()}",
            "Run the same without it, or look whether the machine is short of memory.",
            environment=True,
        )
    threading.Thread(target=child.stdout.read, daemon=True).start()
    return found[1]
