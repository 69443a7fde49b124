"""One provider for many runs of terraform, with a terraform and a provider of the tests' own."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from durable_sandbox import provider_process
from durable_sandbox.provider_process import REATTACH, attached_provider
from durable_sandbox.terraform_setup import TerraformProblem

TERRAFORM = """#!/bin/sh
case "$*" in
  *version*) echo '{"terraform_version": "1.11.0", "platform": "linux_amd64"}' ;;
  *) folder="$TF_DATA_DIR/providers/registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64"
     mkdir -p "$folder"
     cp "$PROVIDER" "$folder/terraform-provider-aws_v5.100.0_x5" ;;
esac
"""
PROVIDER = f"""#!/bin/sh
echo "Provider started. To attach Terraform CLI, set the {REATTACH} environment variable:"
echo "	{REATTACH}='{{\\"aws\\": \\"$1 ${{AWS_CA_BUNDLE:-none}} $AWS_ENDPOINT_URL\\"}}'"
exec sleep 600
"""


def _env(directory: Path, provider: str) -> dict[str, str]:
    for name, text in {"terraform": TERRAFORM, "provider": provider}.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    return {
        "PATH": os.environ["PATH"],
        "TERRAFORM": str(directory / "terraform"),
        "PROVIDER": str(directory / "provider"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_CA_BUNDLE": "bundle.pem",
    }


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_terraform_is_told_how_to_attach_and_the_provider_ends_with_the_block(tmp_path: Path) -> None:
    before = _children()
    with attached_provider(_env(tmp_path, PROVIDER), tmp_path / "work", tmp_path) as attached:
        assert attached == {REATTACH: '{"aws": "-debug none http://127.0.0.1:1"}'}
        assert _children() > before
    assert _children() == before


def test_a_provider_that_is_not_installed(tmp_path: Path) -> None:
    env = _env(tmp_path, PROVIDER) | {"PROVIDER": str(tmp_path / "nowhere")}
    with (
        pytest.raises(TerraformProblem, match="did not install the AWS provider"),
        attached_provider(env, tmp_path / "work", tmp_path),
    ):
        pass


def test_a_provider_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_process, "START_SECONDS", 0.2)
    before = _children()
    env = _env(tmp_path, "#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(TerraformProblem, match="did not say"), attached_provider(env, tmp_path / "work", tmp_path):
        pass
    assert _children() == before
