"""Finding terraform and the provider, and terraform's errors as a user sees them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from durable_sandbox import terraform_setup
from durable_sandbox.terraform import Progress, Terraform
from durable_sandbox.terraform_setup import Binary, TerraformProblem

PLATFORM = "linux_amd64"
needs_terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="runs the real terraform")


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def fake_terraform(directory: Path, version: str = "1.9.0", stderr: str = "") -> Path:
    answer = f'{{"terraform_version": "{version}", "platform": "{PLATFORM}"}}'
    return executable(directory / "terraform", f"echo '{answer}'\nprintf '%s' '{stderr}' >&2")


@pytest.fixture
def binary(tmp_path: Path) -> Binary:
    return Binary(fake_terraform(tmp_path / "bin"), (1, 9, 0), PLATFORM)


@pytest.fixture
def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_setup, "registry_answers", lambda: False)


def mirror(root: Path, version: str, *, platform: str = PLATFORM, packed: bool = False) -> Path:
    base = root / "registry.terraform.io" / "hashicorp" / "aws"
    if packed:
        base.mkdir(parents=True, exist_ok=True)
        (base / f"terraform-provider-aws_{version}_{platform}.zip").touch()
    else:
        (base / version / platform).mkdir(parents=True)
    return root


class TestFindTerraform:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(TerraformProblem, match="not found on the PATH") as caught:
            terraform_setup.find_terraform({"PATH": str(tmp_path)})
        assert "Install Terraform >= 1.9" in caught.value.fix
        assert caught.value.environment

    def test_named_by_variable_but_missing(self, tmp_path: Path) -> None:
        with pytest.raises(TerraformProblem, match="TERRAFORM names '/nowhere/terraform'"):
            terraform_setup.find_terraform({"PATH": str(tmp_path), "TERRAFORM": "/nowhere/terraform"})

    @pytest.mark.parametrize("version", ["1.8.5", "0.15.3"])
    def test_too_old(self, tmp_path: Path, version: str) -> None:
        fake_terraform(tmp_path, version)
        with pytest.raises(TerraformProblem, match=f"is Terraform {version}; the modules need 1.9"):
            terraform_setup.find_terraform({"PATH": f"{tmp_path}:/bin:/usr/bin"})

    def test_does_not_run(self, tmp_path: Path) -> None:
        executable(tmp_path / "terraform", "exit 3")
        with pytest.raises(TerraformProblem, match="does not run as Terraform"):
            terraform_setup.find_terraform({"PATH": f"{tmp_path}:/bin"})

    @pytest.mark.parametrize(("text", "version"), [("1.9.0", (1, 9, 0)), ("1.14.0-beta1", (1, 14, 0))])
    def test_found(self, tmp_path: Path, text: str, version: tuple[int, ...]) -> None:
        path = fake_terraform(tmp_path, text)
        assert terraform_setup.find_terraform({"PATH": f"{tmp_path}:/bin"}) == Binary(path, version, PLATFORM)

    def test_variable_wins_over_path(self, tmp_path: Path) -> None:
        fake_terraform(tmp_path / "old", "1.5.0")
        other = fake_terraform(tmp_path / "new", "1.12.1")
        found = terraform_setup.find_terraform({"PATH": f"{tmp_path}/old:/bin", "TERRAFORM": str(other)})
        assert found.version == (1, 12, 1)


class TestMirrors:
    @pytest.mark.parametrize("packed", [True, False])
    def test_versions_for_the_platform_only(self, tmp_path: Path, packed: bool) -> None:
        for version in ("5.9.0", "5.100.0", "5.81.0"):
            mirror(tmp_path, version, packed=packed)
        mirror(tmp_path, "6.1.0", platform="darwin_arm64", packed=packed)
        assert terraform_setup.provider_versions(tmp_path, PLATFORM) == [(5, 9, 0), (5, 81, 0), (5, 100, 0)]

    def test_usual_places(self, tmp_path: Path) -> None:
        (tmp_path / "opt" / "plugins").mkdir(parents=True)
        places = terraform_setup.mirror_candidates(tmp_path / "home", tmp_path)
        assert places[0] == tmp_path / "home/.terraform.d/plugins"
        assert tmp_path / "usr/share/terraform/plugins" in places
        assert tmp_path / "usr/local/share/terraform/plugins" in places
        assert places[-1] == tmp_path / "opt/plugins"


class TestProviderEnv:
    def test_existing_file_named_by_the_user_is_used(self, tmp_path: Path, binary: Binary) -> None:
        config = tmp_path / "my.tfrc"
        config.touch()
        found = terraform_setup.provider_env(binary, {"TF_CLI_CONFIG_FILE": str(config)}, tmp_path / "work")
        assert found == {"TF_CLI_CONFIG_FILE": str(config)}

    @needs_terraform
    def test_broken_file_named_by_the_user(self, tmp_path: Path) -> None:
        config = tmp_path / "my.tfrc"
        config.write_text("provider_installation {")
        real = terraform_setup.find_terraform(os.environ)
        env = {**os.environ, "TF_CLI_CONFIG_FILE": str(config)}
        with pytest.raises(TerraformProblem, match=f"cannot read {config}") as caught:
            terraform_setup.provider_env(real, env, tmp_path / "work")
        assert "unset TF_CLI_CONFIG_FILE" in caught.value.fix

    def test_registry(self, tmp_path: Path, binary: Binary, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(terraform_setup, "registry_answers", lambda: True)
        env = {"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": "/does/not/exist"}
        found = terraform_setup.provider_env(binary, env, tmp_path / "work")
        assert found["TF_CLI_CONFIG_FILE"] == ""
        assert Path(found["TF_PLUGIN_CACHE_DIR"]).is_dir()

    @pytest.mark.usefixtures("no_registry")
    def test_mirror_written_to_a_configuration(self, tmp_path: Path, binary: Binary) -> None:
        old, new = mirror(tmp_path / "old", "5.20.0"), mirror(tmp_path / "new", "5.100.0")
        env = {"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": "/does/not/exist"}
        found = terraform_setup.provider_env(binary, env, tmp_path / "work", candidates=[tmp_path, old, new])
        config = Path(found["TF_CLI_CONFIG_FILE"])
        assert config.parent == tmp_path / "work"
        assert f'path = "{new}"' in config.read_text()
        assert str(old) not in config.read_text()

    @pytest.mark.usefixtures("no_registry")
    def test_user_configuration_with_installation_is_left_alone(self, tmp_path: Path, binary: Binary) -> None:
        (tmp_path / ".terraformrc").write_text("provider_installation {\n  direct {}\n}\n")
        found = terraform_setup.provider_env(binary, {"HOME": str(tmp_path)}, tmp_path / "work", candidates=[])
        assert found == {"TF_CLI_CONFIG_FILE": ""}

    @pytest.mark.usefixtures("no_registry")
    def test_none_found(self, tmp_path: Path, binary: Binary) -> None:
        old = mirror(tmp_path / "old", "5.20.0")
        with pytest.raises(TerraformProblem, match=r"holds 5\.20\.0, older than 5\.80") as caught:
            terraform_setup.provider_env(binary, {"HOME": str(tmp_path)}, tmp_path / "work", candidates=[old])
        assert f"terraform providers mirror -platform={PLATFORM}" in caught.value.fix
        assert caught.value.environment

    def test_registry_that_cannot_be_reached(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # discard: nothing listens there
        started = time.monotonic()
        assert terraform_setup.registry_answers(timeout=1.0) is False
        assert time.monotonic() - started < 3


def test_progress_counts_changes_but_no_reads() -> None:
    def hook(kind: str, address: str, action: str = "create") -> dict[str, object]:
        return {"type": kind, "hook": {"resource": {"addr": address}, "action": action}}

    progress = Progress()
    changes = {"add": 2, "change": 1, "remove": 1, "operation": "plan"}
    assert progress.update({"type": "change_summary", "changes": changes})
    assert not progress.update(hook("apply_start", "data.x", "read"))
    progress.update(hook("apply_start", "a"))
    progress.update(hook("apply_start", "b"))
    progress.update(hook("apply_complete", "a"))
    progress.update(hook("apply_errored", "b"))
    progress.update({"type": "change_summary", "changes": {**changes, "operation": "apply"}})
    assert (progress.done, progress.total, list(progress.running)) == (1, 4, [])


@needs_terraform
@pytest.mark.usefixtures("no_registry")
class TestRun:
    """The real terraform on modules without a provider."""

    @pytest.fixture
    def module(self, tmp_path: Path) -> Path:
        directory = tmp_path / "module"
        directory.mkdir()
        return directory

    @pytest.fixture
    def env(self, tmp_path: Path) -> dict[str, str]:
        config = tmp_path / "empty.tfrc"
        config.touch()
        return {**os.environ, "TF_CLI_CONFIG_FILE": str(config), "TF_WORKSPACE": "other", "TF_CLI_ARGS": "-bad-flag"}

    def test_apply_plan_output_destroy(self, module: Path, env: dict[str, str], tmp_path: Path) -> None:
        (module / "main.tf").write_text(
            'resource "terraform_data" "a" {\n  input = 1\n}\noutput "x" {\n  value = terraform_data.a.output\n}\n'
        )
        runner = Terraform(module, env, tmp_path / "work")
        seen: list[tuple[int, int]] = []
        runner.init()
        assert runner.plan() is True
        runner.apply(lambda progress: seen.append((progress.done, progress.total)))
        assert seen[-1] == (1, 1)
        assert runner.output() == {"x": 1}
        assert runner.plan() is False
        runner.destroy()
        assert runner.output() == {}
        assert [path.name for path in module.iterdir()] == ["main.tf"]

    def test_diagnostics_are_the_error(self, module: Path, env: dict[str, str], tmp_path: Path) -> None:
        (module / "main.tf").write_text(
            'variable "n" {\n  default = 0\n  validation {\n    condition = var.n > 0\n'
            '    error_message = "n must be positive: set it."\n  }\n}\n'
        )
        runner = Terraform(module, env, tmp_path / "work")
        runner.init()
        with pytest.raises(TerraformProblem) as caught:
            runner.apply()
        assert "n must be positive: set it." in caught.value.what
        assert "main.tf:" in caught.value.what
        assert not caught.value.environment

    def test_interrupt_stops_terraform_and_what_it_runs(
        self, module: Path, env: dict[str, str], tmp_path: Path
    ) -> None:
        started = tmp_path / "started"
        (module / "main.tf").write_text(
            'resource "terraform_data" "a" {\n  provisioner "local-exec" {\n'
            f'    command = "echo $$ > {started}; exec sleep 300"\n  }}\n}}\n'
        )
        code = (
            "import os, sys; from pathlib import Path; from durable_sandbox.terraform import Terraform\n"
            "t = Terraform(Path(sys.argv[1]), os.environ, Path(sys.argv[2])); t.init(); t.apply()"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(module), str(tmp_path / "work")], env=env, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 60
        while not (started.exists() and started.read_text().strip()):
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=60)
        assert b"KeyboardInterrupt" in stderr
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.read_text()), 0)
