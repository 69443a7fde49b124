"""Every queue that the root or a module creates is watched, or the README of modules/observability says why it is not."""

from __future__ import annotations

import re
from typing import Any

from hygiene_support import LIBRARY, MODULES, REPO, blocks, relative_id, source_folder

QUEUE = REPO / "modules" / "queue"
ROOT_WATCHES = (REPO / "observability.tf").read_text(encoding="utf-8")
KINDS_OF_QUEUES = ("age", "in-flight", "depth")


def _created() -> dict[tuple[str, str], dict[str, Any]]:
    """Module and label of the module blocks that create queues, with their arguments."""
    return {
        (relative_id(folder).removeprefix("modules/"), block.name): block.body
        for folder in LIBRARY
        for block in blocks(folder, "module")
        if source_folder(block) == QUEUE
    }


def _rows() -> dict[tuple[str, str], tuple[str, str]]:
    """Module and label to what the README's table says: names of queues, and what watches them."""
    text = (REPO / "modules" / "observability" / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Queues\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| (\S+) `(\w+)` \| (.+?) \| (.+?) \|$", table, flags=re.MULTILINE)
    return {(module, label): (queues, watched) for module, label, queues, watched in found}


def test_the_table_has_every_queue_and_no_other() -> None:
    assert _rows().keys() == _created().keys()
    assert len(_rows()) > 5


def test_a_pair_is_named_as_one() -> None:
    pairs = {key for key, arguments in _created().items() if arguments.get("dead_letter_queue") is not False}
    assert pairs
    assert not [key for key in pairs if not re.search(r"-dlq`.*", _rows()[key][0])]


def test_what_is_said_to_be_watched_is_by_the_root() -> None:
    for watched in (watched for _, watched in _rows().values() if not watched.startswith("not")):
        keys = re.findall(rf"`([a-z-]+)-(?:{'|'.join(KINDS_OF_QUEUES)})`", watched)
        assert keys, watched
        assert not [key for key in keys if not re.search(rf'(?<![\w-])"?{key}"?\s+(=|=>) ', ROOT_WATCHES)], watched


def test_only_modules_create_queues() -> None:
    """By a resource of its own a module would create one of which the table does not know."""
    kinds = {(relative_id(folder), block.labels[0]) for folder in LIBRARY for block in blocks(folder, "resource")}
    assert {folder for folder, kind in kinds if kind == "aws_sqs_queue"} == {relative_id(QUEUE)}
    assert QUEUE in MODULES
