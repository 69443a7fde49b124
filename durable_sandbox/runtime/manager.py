"""All execution environments of a sandbox."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.runtime.environment import Environment, LaunchSettings
from durable_sandbox.runtime.headroom import Headroom
from durable_sandbox.runtime.layer import build_layer
from durable_sandbox.runtime.logs import LogLines, LogWriter
from durable_sandbox.runtime.pool import EnvironmentPool
from durable_sandbox.runtime.pythons import Interpreters
from durable_sandbox.runtime.spec import InvocationOutcome, InvocationRequest, RuntimeSpec

_REAP_EVERY_SECONDS = 30
_BAD_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What zipfile raises for an archive that is damaged, encrypted or compressed in a way it does not know."""


@dataclass(frozen=True, slots=True)
class EnvironmentSummary:
    """One environment, for the status page."""

    region: str
    function_name: str
    version: str
    pid: int
    busy: bool
    invocations: int


class Runtime:
    """Runs invocations; owns the code folders, the runtime's modules and every process."""

    def __init__(self, endpoint_url: str, identities: Identities, logs: LogWriter) -> None:
        self._identities = identities
        self._logs = logs
        self._home = Path(mkdtemp(prefix="sandbox-runtime-"))
        self._settings = LaunchSettings(build_layer(self._home / "layer"), endpoint_url)
        self._interpreters = Interpreters()
        self._pools: dict[tuple[str, str, str, str], EnvironmentPool] = {}
        self._retired: set[EnvironmentPool] = set()
        """Pools that still finish events: their processes must end with the sandbox too."""
        self._starting = asyncio.Semaphore(os.cpu_count() or 1)
        self._headroom = Headroom()
        self._reaper: asyncio.Task[None] | None = None

    def unpack(self, archive: bytes) -> Path:
        """Unpack a deployment package once per content. Returns its folder. Raises AwsError for a bad archive."""
        target = self._home / "code" / hashlib.sha256(archive).hexdigest()[:32]
        if target.exists():
            return target
        staging = Path(mkdtemp(prefix="unpack-", dir=self._home))
        try:
            with zipfile.ZipFile(io.BytesIO(archive)) as package:
                package.extractall(staging)  # ZipFile drops absolute paths and ".." by itself
            target.parent.mkdir(exist_ok=True)
            staging.rename(target)
        except _BAD_ARCHIVE as error:
            raise AwsError(
                "InvalidParameterValueException",
                "Could not unzip uploaded file. Please check your file, then try again.",
            ) from error
        except OSError:
            # Unpacked by another thread meanwhile: several functions often share one package.
            if not target.exists():
                raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return target

    async def invoke(self, spec: RuntimeSpec, request: InvocationRequest) -> InvocationOutcome:
        """Run ``request`` on ``spec``. A handler's error is an outcome; AwsError is raised for what AWS would refuse."""
        if self._reaper is None:
            self._reaper = asyncio.get_running_loop().create_task(self._reap())
        pool = self._pools.get(spec.key)
        if pool is None:
            pool = self._pools[spec.key] = EnvironmentPool(
                lambda owner: self._launch(spec, owner), self._starting, self._headroom.exists
            )
        return await pool.invoke(request)

    def retire(self, region: str, function_name: str, version: str | None = None, *, keep: str | None = None) -> None:
        """Let go of the environments of a function (or one version) whose revision is not ``keep``."""
        for key in [k for k in self._pools if k[:2] == (region, function_name)]:
            if (version is None or key[2] == version) and key[3] != keep:
                pool = self._pools.pop(key)
                pool.retire()
                self._retired.add(pool)

    def environments(self) -> list[EnvironmentSummary]:
        """Every live environment."""
        return [
            EnvironmentSummary(
                environment.spec.region,
                environment.spec.function_name,
                environment.spec.version,
                environment.pid,
                environment.busy,
                environment.invocations,
            )
            for pool in (*self._pools.values(), *self._retired)
            for environment in pool.environments
            if environment.pid is not None
        ]

    async def reset(self) -> None:
        """End every environment."""
        pools = [*self._pools.values(), *self._retired]
        self._pools.clear()
        self._retired.clear()
        await asyncio.gather(*(pool.close() for pool in pools))

    async def close(self) -> None:
        """End every environment and remove all files."""
        if self._reaper:
            self._reaper.cancel()
        await self.reset()
        shutil.rmtree(self._home, ignore_errors=True)

    async def _launch(self, spec: RuntimeSpec, pool: EnvironmentPool) -> Environment:
        loop = asyncio.get_running_loop()
        python = await loop.run_in_executor(None, self._interpreters.for_runtime, spec.runtime)
        credentials, _ = self._identities.assume(spec.role_arn, spec.function_name)
        environment = Environment(spec, self._settings, LogLines(self._logs, spec), pool.idle, pool.died)
        await environment.start(python, credentials)
        return environment

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(_REAP_EVERY_SECONDS)
            for pool in self._pools.values():
                pool.reap()
            self._retired = {pool for pool in self._retired if not pool.drained}
