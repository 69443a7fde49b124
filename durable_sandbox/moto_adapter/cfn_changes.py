"""What an update does to a stack's resources, in the order and with the rollback of CloudFormation.

Gaps closed in moto 5.2.5: it deletes before it adds, adds before it modifies (a new AWS::Lambda::Version would
publish the old code), deletes a removed resource in spite of Retain, looks for changed references in ``Ref`` alone,
and neither rolls back nor tells of a failure.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks.html
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moto.cloudformation import parsing

from durable_sandbox.aws.errors import AwsError

logger = logging.getLogger(__name__)

_SUB = re.compile(r"\$\{([A-Za-z0-9]+)[.}]")
RETAINING = frozenset({"Retain", "RetainExceptOnCreate"})
Note = Callable[[str, str, Any, str | None], None]


def references(node: Any) -> Iterator[str]:
    """Logical ids that a template's node refers to, by Ref, Fn::GetAtt or Fn::Sub."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "Ref" and isinstance(value, str):
                yield value
            elif key == "Fn::GetAtt":
                yield value.split(".", 1)[0] if isinstance(value, str) else value[0]
            elif key == "Fn::Sub":
                text = value[0] if isinstance(value, list) else value
                yield from _SUB.findall(text)
                yield from references(value)
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def in_order(resources: Mapping[str, Any]) -> list[str]:
    """Logical ids, each after those it depends on. Raises AwsError (ValidationError) for a circle."""
    ordered: list[str] = []
    open_ids: list[str] = []

    def visit(logical_id: str) -> None:
        if logical_id in ordered or logical_id not in resources:
            return
        if logical_id in open_ids:
            raise AwsError("ValidationError", f"Circular dependency between resources: [{', '.join(open_ids)}]")
        open_ids.append(logical_id)
        resource = resources[logical_id]
        explicit = resource.get("DependsOn", [])
        for needed in [explicit] if isinstance(explicit, str) else explicit:
            visit(needed)
        for needed in references(resource.get("Properties", {})):
            visit(needed)
        open_ids.pop()
        ordered.append(logical_id)

    for name in resources:
        visit(name)
    return ordered


class StackUpdate:
    """One update of a ResourceMap. ``note`` records a resource event: logical id, status, resource, reason."""

    def __init__(self, resource_map: Any, account_id: str, region: str, note: Note) -> None:
        self._map = resource_map
        self._account = account_id
        self._region = region
        self._note = note
        self._undo: list[Callable[[], None]] = []
        self._replaced: list[tuple[str, Any, Mapping[str, Any]]] = []

    def run(self, template: dict[str, Any], parameters: dict[str, Any] | None) -> None:
        """Apply ``template``, as parsed. On failure undo what was done and raise the failure (AwsError, or moto's own).

        ``parameters``: name to value; None or {} keeps those that the stack has. An undo that fails is logged, and
        ``rollback_failed`` of the ResourceMap is then True.
        """
        resource_map = self._map
        resource_map.rollback_failed = False
        before = copy.copy(resource_map.__dict__)
        before["_parsed_resources"] = dict(resource_map._parsed_resources)  # noqa: SLF001 - moto offers no other way
        old_json: Mapping[str, Any] = resource_map._resource_json_map  # noqa: SLF001
        try:
            self._adopt(template, parameters)
            new_json: Mapping[str, Any] = template["Resources"]
            for logical_id in in_order(new_json):
                self._apply(logical_id, new_json[logical_id])
        except Exception:
            self._roll_back()
            failed = resource_map.rollback_failed
            resource_map.__dict__.update(before, rollback_failed=failed)
            raise
        self._clean_up(old_json, new_json)

    def _adopt(self, template: dict[str, Any], parameters: dict[str, Any] | None) -> None:
        resource_map = self._map
        resource_map._template = template  # noqa: SLF001
        resource_map._resource_json_map = template["Resources"]  # noqa: SLF001
        if parameters:
            resource_map.input_parameters = parameters
        resource_map.load_mapping()
        resource_map.load_parameters()
        resource_map.load_conditions()

    def _apply(self, logical_id: str, declared: dict[str, Any]) -> None:
        parsed = self._map._parsed_resources  # noqa: SLF001
        condition = declared.get("Condition")
        if condition and not self._map.lazy_condition_map[condition]:
            return
        existing = parsed.get(logical_id)
        if existing is None:
            created = self._map[logical_id]
            if created is not None:
                self._undo.append(lambda: self._delete_new(logical_id, created, declared))
            return
        cleaned = parsing.parse_resource(copy.deepcopy(declared), self._map)
        if cleaned is None:
            return
        model, declared_clean, _ = cleaned
        old = getattr(existing, "applied_properties", None)
        new = declared_clean["Properties"]
        if old == new and existing.cf_resource_type == declared["Type"]:
            return
        self._note(logical_id, "UPDATE_IN_PROGRESS", existing, None)
        try:
            changed = self._modify(logical_id, declared, model, existing, new)
        except Exception as error:
            self._note(logical_id, "UPDATE_FAILED", existing, reason_of(error))
            raise
        changed.applied_properties = new
        parsed[logical_id] = changed
        self._note(logical_id, "UPDATE_COMPLETE", changed, None)

    def _modify(
        self, logical_id: str, declared: dict[str, Any], model: Any, existing: Any, new: Mapping[str, Any]
    ) -> Any:
        old = existing.applied_properties
        replace = getattr(model, "requires_replacement", None)
        if existing.cf_resource_type != declared["Type"] or (replace is not None and replace(old, new)):
            created = parsing.parse_and_create_resource(logical_id, declared, self._map, self._account, self._region)
            self._undo.append(lambda: self._delete_new(logical_id, created, {}))
            self._replaced.append((logical_id, existing, declared))
            return created

        def restore() -> None:
            name = existing.physical_resource_id
            model.update_from_cloudformation_json(
                original_resource=existing,
                new_resource_name=name,
                cloudformation_json={**declared, "Properties": old},
                account_id=self._account,
                region_name=self._region,
            )
            existing.applied_properties = old

        # Before the attempt: a change that fails half-way needs undoing as well. The model compares with what was
        # applied, so that must read as the new state while the old one is restored.
        def undo() -> None:
            existing.applied_properties = new
            restore()

        self._undo.append(undo)
        changed = parsing.parse_and_update_resource(logical_id, declared, self._map, self._account, self._region)
        if changed is None:
            raise AwsError("UnsupportedOperation", f"The sandbox cannot update {declared['Type']} in CloudFormation.")
        return changed

    def _roll_back(self) -> None:
        for undo in reversed(self._undo):
            try:
                undo()
            except Exception:
                # One resource that cannot return must not keep the others from it; the stack's status tells.
                logger.exception("A step of a CloudFormation rollback failed")
                self._map.rollback_failed = True

    def _delete_new(self, logical_id: str, resource: Any, declared: Mapping[str, Any]) -> None:
        if declared.get("DeletionPolicy") == "Retain":
            self._note(logical_id, "DELETE_SKIPPED", resource, None)
            return
        delete(self._map, resource, self._account, self._region)
        self._note(logical_id, "DELETE_COMPLETE", resource, None)

    def _clean_up(self, old_json: Mapping[str, Any], new_json: Mapping[str, Any]) -> None:
        for logical_id, resource, declared in reversed(self._replaced):
            self._remove(logical_id, resource, retain=declared.get("UpdateReplacePolicy") == "Retain")
        parsed = self._map._parsed_resources  # noqa: SLF001
        for logical_id in reversed(in_order(old_json)):
            still = new_json.get(logical_id)
            condition = still.get("Condition") if still else None
            kept = still is not None and (condition is None or self._map.lazy_condition_map[condition])
            if kept or logical_id not in parsed:
                continue
            resource = parsed.pop(logical_id)
            self._remove(logical_id, resource, retain=old_json[logical_id].get("DeletionPolicy") in RETAINING)

    def _remove(self, logical_id: str, resource: Any, *, retain: bool) -> None:
        if retain:
            self._note(logical_id, "DELETE_SKIPPED", resource, None)
            return
        try:
            delete(self._map, resource, self._account, self._region)
        except Exception as error:
            # As in CloudFormation, an update whose clean-up fails is complete; the event tells what stayed behind.
            logger.exception("Clean-up of %s failed", logical_id)
            self._note(logical_id, "DELETE_FAILED", resource, reason_of(error))
        else:
            self._note(logical_id, "DELETE_COMPLETE", resource, None)


def delete(resource_map: Any, resource: Any, account_id: str, region: str) -> None:
    """Delete one resource by its model; raises what that raises: AwsError, or moto's own errors."""
    own = getattr(resource, "replaced_by", None)
    if own is not None:
        resource.delete(account_id, region)
        return
    declared = {"Type": resource.cf_resource_type, "Properties": getattr(resource, "applied_properties", {})}
    resource_map._delete_resource(resource, declared)  # noqa: SLF001 - moto's own way for its own models


def reason_of(error: Exception) -> str:
    """ResourceStatusReason of a stack event, for what a model raised: the message, of an AwsError with its code and status."""
    if isinstance(error, AwsError):
        return f"{error.message} (Service: Lambda, Status Code: {error.status}, Error Code: {error.code})"
    return str(getattr(error, "message", None) or error or type(error).__name__)
