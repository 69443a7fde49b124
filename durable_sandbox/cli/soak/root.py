"""The soak's root module: the sample pipeline with a transform that fails on request, and tables that count effects.

Terraform's JSON syntax: https://developer.hashicorp.com/terraform/language/syntax/json.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from durable_sandbox.cli.soak import flaky

_INVOCATION_SECONDS = 5
EXECUTION_SECONDS = 7
"""Longest execution behind a mapping: batches are small so that this suffices, and a failed message is back 30 s later."""
BATCH_SIZE = 5
"""Messages in an execution behind a mapping."""
VISIBILITY_SECONDS = EXECUTION_SECONDS + 30
"""Visibility timeout of the queue behind a mapping; pipe and dispatcher have the root's default."""
_OUTPUTS = (
    "queue_url",
    "dead_letter_queue_url",
    "failed_queue_url",
    "function_name",
    "pipe_name",
    "event_source_mapping_uuid",
    "dispatcher_function_name",
    "step_function_names",
)


def write(checkout: Path, directory: Path, bridge: str, max_receive_count: int) -> None:
    """Write ``main.tf.json``, and ``transform/`` with the sources of that step, to ``directory``, created if need be.

    ``checkout``: this repository; ``bridge``: pipe, esm or dispatcher. Raises OSError.
    """
    sources = directory / "transform"
    sources.mkdir(parents=True, exist_ok=True)
    shutil.copy(flaky.__file__, sources / "handler.py")
    shutil.copy(checkout / "functions" / "transform" / "handler.py", sources / "transform.py")
    (directory / "main.tf.json").write_text(
        json.dumps(module(checkout, directory, bridge, max_receive_count), indent=2)
    )


def module(checkout: Path, directory: Path, bridge: str, max_receive_count: int) -> dict[str, Any]:
    """What ``main.tf.json`` says: its blocks ``module``, ``resource`` and ``output``. Parameters as of ``write``."""
    name = f"soak-{bridge}"
    pipeline: dict[str, Any] = {
        # Relative: Terraform would take an absolute path for a package to be copied.
        "source": _literal(os.path.relpath(checkout, directory)),
        "name": name,
        "bridge": bridge,
        "max_receive_count": max_receive_count,
        "steps": {
            "validate": {"source_dir": _literal(str(checkout / "functions" / "validate"))},
            "transform": _step(
                directory / "transform", "ATTEMPTS_TABLE", f"{name}-attempts", "${aws_dynamodb_table.attempts.arn}"
            ),
            "store": _step(
                checkout / "functions" / "store", "TABLE_NAME", f"{name}-results", "${aws_dynamodb_table.results.arn}"
            ),
        },
    }
    if bridge == "esm":
        pipeline |= {
            "timeout": _INVOCATION_SECONDS,
            "execution_timeout": EXECUTION_SECONDS,
            "visibility_timeout": VISIBILITY_SECONDS,
            "batch_size": BATCH_SIZE,
        }
    results = _table(f"{name}-results", "message_id") | {"stream_enabled": True, "stream_view_type": "KEYS_ONLY"}
    outputs = {output: {"value": f"${{module.pipeline.{output}}}"} for output in _OUTPUTS}
    outputs["table_name"] = {"value": "${aws_dynamodb_table.results.name}"}
    outputs["stream_arn"] = {"value": "${aws_dynamodb_table.results.stream_arn}"}
    return {
        "module": {"pipeline": pipeline},
        "resource": {"aws_dynamodb_table": {"results": results, "attempts": _table(f"{name}-attempts", "key")}},
        "output": outputs,
    }


def _step(source_dir: Path, variable: str, table: str, table_arn: str) -> dict[str, Any]:
    statement = {"sid": "WriteItems", "actions": ["dynamodb:PutItem"], "resources": [table_arn]}
    return {
        "source_dir": _literal(str(source_dir)),
        "environment_variables": {variable: table},
        "policy_statements": [statement],
    }


def _table(name: str, key: str) -> dict[str, Any]:
    attribute = {"name": key, "type": "S"}
    return {"name": name, "billing_mode": "PAY_PER_REQUEST", "hash_key": key, "attribute": [attribute]}


def _literal(text: str) -> str:
    """Text in which Terraform finds no template."""
    return text.replace("${", "$${").replace("%{", "%%{")
