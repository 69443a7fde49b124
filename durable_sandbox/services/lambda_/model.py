"""Functions, versions and aliases as records; what the API shows of them is derived here."""

from __future__ import annotations

import base64
import copy
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from durable_sandbox.aws.arns import function_arn
from durable_sandbox.runtime.spec import RuntimeSpec

LATEST = "$LATEST"


@dataclass(frozen=True, slots=True)
class DurableConfig:
    """``execution_timeout`` in seconds, ``retention_days`` in days (default 14, durable-configuration docs)."""

    execution_timeout: int
    retention_days: int = 14
    kms_key_arn: str | None = None

    def to_api(self) -> dict[str, Any]:
        """The API's DurableConfig."""
        shown: dict[str, Any] = {
            "ExecutionTimeout": self.execution_timeout,
            "RetentionPeriodInDays": self.retention_days,
        }
        return shown | ({"KMSKeyArn": self.kms_key_arn} if self.kms_key_arn else {})


@dataclass(slots=True)
class Code:
    """A deployment package, unpacked in ``directory``. ``source`` tells where it came from, for GetFunction."""

    archive: bytes
    directory: Path
    sha256: str

    @classmethod
    def from_archive(cls, archive: bytes, directory: Path) -> Code:
        """Code of ``archive``; its hash as Lambda shows it (base64 of SHA-256)."""
        return cls(archive, directory, base64.b64encode(hashlib.sha256(archive).digest()).decode())


@dataclass(slots=True)
class Version:
    """``$LATEST`` or a published version. ``settings`` are CreateFunction's members that no logic here reads."""

    function_name: str
    region: str
    account: str
    version: str
    code: Code
    role: str
    handler: str
    runtime: str
    timeout: int = 3
    memory_size: int = 128
    description: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    dead_letter_target: str | None = None
    durable: DurableConfig | None = None
    logging: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    revision_id: str = field(default_factory=lambda: str(uuid4()))
    last_modified: str = ""

    def touch(self) -> None:
        """Note a change of code or configuration."""
        self.revision_id = str(uuid4())
        self.last_modified = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"

    @property
    def arn(self) -> str:
        """Qualified ARN."""
        return function_arn(self.region, self.account, self.function_name, self.version)

    @property
    def log_group(self) -> str:
        """Where its output goes."""
        group: str = self.logging.get("LogGroup") or f"/aws/lambda/{self.function_name}"
        return group

    def published(self, number: int, description: str | None) -> Version:
        """A frozen copy under ``number``."""
        version = copy.copy(self)
        version.environment = dict(self.environment)
        version.settings = copy.deepcopy(self.settings)
        version.logging = dict(self.logging)
        version.version = str(number)
        if description is not None:
            version.description = description
        version.touch()
        return version

    def same_content(self, other: Version) -> bool:
        """Whether publishing ``self`` after ``other`` would change nothing (PublishVersion then returns ``other``)."""
        mutable = ("version", "revision_id", "last_modified", "description")
        mine = {name: getattr(self, name) for name in self.__slots__ if name not in mutable}
        theirs = {name: getattr(other, name) for name in self.__slots__ if name not in mutable}
        return mine == theirs

    def runtime_spec(self) -> RuntimeSpec:
        """What an environment needs."""
        level = self.logging.get("ApplicationLogLevel") if self.logging.get("LogFormat") == "JSON" else None
        return RuntimeSpec(
            account=self.account,
            region=self.region,
            function_name=self.function_name,
            version=self.version,
            revision=self.revision_id,
            runtime=self.runtime,
            handler=self.handler,
            code_dir=self.code.directory,
            timeout=self.timeout,
            memory_mb=self.memory_size,
            role_arn=self.role,
            log_group=self.log_group,
            log_format=self.logging.get("LogFormat", "Text"),
            log_level=level,
            environment=self.environment,
        )

    def to_api(self, *, qualified: bool) -> dict[str, Any]:
        """The API's FunctionConfiguration."""
        name = self.function_name
        bare = function_arn(self.region, self.account, name)
        shown: dict[str, Any] = {
            "FunctionName": name,
            "FunctionArn": self.arn if qualified else bare,
            "Runtime": self.runtime,
            "Role": self.role,
            "Handler": self.handler,
            "CodeSize": len(self.code.archive),
            "Description": self.description,
            "Timeout": self.timeout,
            "MemorySize": self.memory_size,
            "LastModified": self.last_modified,
            "CodeSha256": self.code.sha256,
            "Version": self.version,
            "RevisionId": self.revision_id,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
            "TracingConfig": {"Mode": "PassThrough"},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": self.log_group} | self.logging,
        }
        shown |= self.settings
        if self.environment:
            shown["Environment"] = {"Variables": dict(self.environment)}
        if self.dead_letter_target:
            shown["DeadLetterConfig"] = {"TargetArn": self.dead_letter_target}
        if self.durable:
            shown["DurableConfig"] = self.durable.to_api()
        return shown


@dataclass(slots=True)
class Alias:
    """A name for a version."""

    name: str
    version: str
    description: str = ""
    routing: dict[str, float] = field(default_factory=dict)
    revision_id: str = field(default_factory=lambda: str(uuid4()))

    def to_api(self, arn: str) -> dict[str, Any]:
        """The API's AliasConfiguration."""
        shown: dict[str, Any] = {
            "AliasArn": arn,
            "Name": self.name,
            "FunctionVersion": self.version,
            "Description": self.description,
            "RevisionId": self.revision_id,
        }
        return shown | ({"RoutingConfig": {"AdditionalVersionWeights": dict(self.routing)}} if self.routing else {})


@dataclass(frozen=True, slots=True)
class AsyncSettings:
    """FunctionEventInvokeConfig. Ages in seconds; None is Lambda's default (2 retries, 21,600 s, no destination)."""

    max_retries: int | None = None
    max_age: int | None = None
    on_success: str | None = None
    on_failure: str | None = None
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    def to_api(self, arn: str) -> dict[str, Any]:
        """The API's FunctionEventInvokeConfig of the function, version or alias ``arn``."""
        destinations = {"OnSuccess": self.on_success, "OnFailure": self.on_failure}
        shown: dict[str, Any] = {
            "FunctionArn": arn,
            "LastModified": self.modified,
            "DestinationConfig": {
                side: {"Destination": target} if target else {} for side, target in destinations.items()
            },
        }
        if self.max_retries is not None:
            shown["MaximumRetryAttempts"] = self.max_retries
        if self.max_age is not None:
            shown["MaximumEventAgeInSeconds"] = self.max_age
        return shown


@dataclass(slots=True)
class Function:
    """A function with all its versions. ``policies`` and ``async_settings`` are by qualifier."""

    name: str
    region: str
    account: str
    latest: Version
    versions: dict[str, Version] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    async_settings: dict[str, AsyncSettings] = field(default_factory=dict)
    reserved_concurrency: int | None = None
    next_version: int = 1
    running: int = 0
    """Events being handled now, over all versions: what reserved concurrency counts."""

    def arn(self, qualifier: str | None = None) -> str:
        """ARN, qualified when asked."""
        return function_arn(self.region, self.account, self.name, qualifier)

    def all_versions(self) -> list[Version]:
        """``$LATEST`` first, then by number."""
        return [self.latest, *self.versions.values()]
