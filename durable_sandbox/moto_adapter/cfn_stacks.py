"""CloudFormation stacks that fail, roll back and retain as AWS's do.

Gaps closed in moto 5.2.5: an exception while creating leaves the stack in progress and answers 500, OnFailure and
ClientRequestToken are ignored (Terraform looks up its reasons by that token), an unknown resource type is skipped
with a warning, a failed delete loses the stack, outputs of a deleted stack re-create its resources, and no resource
has events. Stack states: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from moto.cloudformation import models as cfn
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.common_models import CloudFormationModel

from durable_sandbox.moto_adapter.cfn_changes import RETAINING, StackUpdate, delete, in_order, reason_of

logger = logging.getLogger(__name__)

_CREATING = frozenset({"CREATE_PENDING", "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"})
_HAS_OUTPUTS = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"})
# Owned by the sandbox's services; moto's models of these would live in backends that nothing else reads.
_NOT_OURS_YET = ("AWS::Lambda::", "AWS::SQS::", "AWS::Pipes::")


@dataclass(frozen=True, slots=True)
class _Request:
    token: str | None = None
    on_failure: str = "ROLLBACK"


_NO_REQUEST = _Request()
_request: ContextVar[_Request] = ContextVar("cloudformation_request", default=_NO_REQUEST)


def patch(own_models: Iterable[type[CloudFormationModel]]) -> None:
    """Put the behaviour of this module into moto, once a process."""
    own_types = {model.cloudformation_type(): model for model in own_models}
    parsing.get_model_list.cache_clear()
    parsing.get_model_map.cache_clear()
    parsing.get_name_type_map.cache_clear()
    parsing.get_model_map().update(own_types)
    for action in ("create_stack", "update_stack", "delete_stack"):
        setattr(CloudFormationResponse, action, _with_request(getattr(CloudFormationResponse, action)))
    original_event_init = cfn.Event.__init__

    def event_init(self: Any, *args: Any, **kwargs: Any) -> None:
        original_event_init(self, *args, **kwargs)
        self.client_request_token = _request.get().token

    cfn.Event.__init__ = event_init
    _patch_resources()
    _patch_resource_map(own_types)
    _patch_stack()
    cfn.CloudFormationBackend.delete_stack = _delete_stack


def _with_request(action: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def wrapped(response: Any) -> Any:
        parameter = response._get_param  # noqa: SLF001 - moto's only accessor
        no_rollback = str(parameter("DisableRollback", "false")).lower() == "true"
        on_failure = parameter("OnFailure") or ("DO_NOTHING" if no_rollback else "ROLLBACK")
        token = _request.set(_Request(parameter("ClientRequestToken"), on_failure))
        try:
            return action(response)
        finally:
            _request.reset(token)

    return wrapped


def _patch_resources() -> None:
    create, parse = parsing.parse_and_create_resource, parsing.parse_resource

    def parse_resource(resource_json: Any, resources_map: Any) -> Any:
        cleaned = parse(resource_json, resources_map)
        if cleaned is not None and getattr(cleaned[0], "takes_stack_tags", False):
            # CloudFormation hands a stack's tags down; a resource's own tag of the same key wins.
            properties = cleaned[1]["Properties"]
            stack_tags = {key: value for key, value in resources_map.tags.items() if not key.startswith("aws:")}
            own = {tag["Key"]: tag["Value"] for tag in properties.get("Tags") or []}
            merged = {**stack_tags, **own}
            if merged:
                properties["Tags"] = [{"Key": key, "Value": value} for key, value in merged.items()]
        return cleaned

    def parse_and_create_resource(
        logical_id: str, resource_json: Any, resources_map: Any, account_id: str, region_name: str
    ) -> Any:
        stack = _stack_of(resources_map, account_id, region_name)
        if stack is not None and stack.status not in _CREATING:
            # moto creates whatever is looked up: describing a failed stack must not.
            return None
        cleaned = parse_resource(dict(resource_json), resources_map)
        note = _noter(stack)
        note(logical_id, "CREATE_IN_PROGRESS", None, None)
        try:
            created = create(logical_id, resource_json, resources_map, account_id, region_name)
        except Exception as error:
            note(logical_id, "CREATE_FAILED", None, reason_of(error))
            raise
        if created is not None:
            created.applied_properties = cleaned[1]["Properties"] if cleaned is not None else {}
            note(logical_id, "CREATE_COMPLETE", created, None)
        return created

    parsing.parse_resource = parse_resource
    parsing.parse_and_create_resource = parse_and_create_resource


def _patch_resource_map(own_types: dict[str, Any]) -> None:
    load = parsing.ResourceMap.load

    def checked_load(self: Any) -> None:
        _check_types(self._template, own_types)
        load(self)

    def update(self: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
        _check_types(template, own_types)
        stack = _stack_of(self, self._account_id, self._region_name)
        StackUpdate(self, self._account_id, self._region_name, _noter(stack)).run(template, parameters)

    parsing.ResourceMap.load = checked_load
    parsing.ResourceMap.update = update


def _check_types(template: dict[str, Any], own_types: dict[str, Any]) -> None:
    unknown = []
    for resource in template.get("Resources", {}).values():
        kind = resource.get("Type", "")
        if kind in own_types or kind in parsing.NULL_MODELS or kind.startswith("Custom::"):
            continue
        if kind.startswith(_NOT_OURS_YET) or kind not in parsing.get_model_map():
            unknown.append(kind)
    if unknown:
        raise ValidationError(
            message=f"Template format error: Unrecognized resource types: [{', '.join(sorted(set(unknown)))}] "
            "(the sandbox's CloudFormation does not implement them)"
        )


def _stack_of(resource_map: Any, account_id: str, region: str) -> Any:
    backend = cfn.cloudformation_backends[account_id][region]
    return backend.stacks.get(resource_map.stack_id)


def _noter(stack: Any) -> Callable[[str, str, Any, str | None], None]:
    def note(logical_id: str, status: str, resource: Any, reason: str | None) -> None:
        if stack is None:
            return
        declared = stack.template_dict.get("Resources", {}).get(logical_id, {})
        kind = getattr(resource, "cf_resource_type", None) or declared.get("Type", "")
        stack.events.append(
            cfn.Event(
                stack_id=stack.stack_id,
                stack_name=stack.name,
                logical_resource_id=logical_id,
                physical_resource_id=getattr(resource, "physical_resource_id", "") or "",
                resource_type=kind,
                resource_status=status,
                resource_status_reason=reason,
                resource_properties=None,
            )
        )

    return note


def _patch_stack() -> None:
    outputs = cfn.Stack.outputs.fget

    def visible_outputs(self: Any) -> Any:
        return outputs(self) if self.status in _HAS_OUTPUTS else None

    def stack_resources(self: Any) -> list[Any]:
        return [resource for resource in self.resource_map.values() if resource is not None]

    cfn.Stack.outputs = property(visible_outputs)
    cfn.Stack.stack_resources = property(stack_resources)
    cfn.Stack.create_resources = _create
    cfn.Stack.update = _update


def _create(stack: Any) -> None:
    stack.status = "CREATE_IN_PROGRESS"
    try:
        ready = True
        for logical_id in in_order(stack.template_dict["Resources"]):
            resource = stack.resource_map[logical_id]
            ready = ready and (resource is None or resource.is_created())
    except Exception as error:  # noqa: BLE001 - whatever failed, the stack must say so
        _create_failed(stack, error)
        return
    stack.description = stack.template_dict.get("Description")
    if ready:
        stack.mark_creation_complete()


def _create_failed(stack: Any, error: Exception) -> None:
    logger.warning("Stack %s could not be created: %s", stack.name, reason_of(error))
    failed = sorted({event.logical_resource_id for event in stack.events if event.resource_status == "CREATE_FAILED"})
    reason = f"The following resource(s) failed to create: [{', '.join(failed)}]. " if failed else ""
    on_failure = _request.get().on_failure
    if on_failure == "DO_NOTHING":
        stack.status = "CREATE_FAILED"
        stack._add_stack_event("CREATE_FAILED", resource_status_reason=reason or reason_of(error))  # noqa: SLF001
        return
    if on_failure == "DELETE":
        stack.status = "CREATE_FAILED"
        cfn.cloudformation_backends[stack.account_id][stack.region_name].delete_stack(
            stack.stack_id, reason=f"{reason}Delete requested by user."
        )
        return
    stack.status = "ROLLBACK_IN_PROGRESS"
    stack._add_stack_event(  # noqa: SLF001
        "ROLLBACK_IN_PROGRESS", resource_status_reason=f"{reason}Rollback requested by user."
    )
    failures = _delete_resources(stack)
    stack.status = "ROLLBACK_FAILED" if failures else "ROLLBACK_COMPLETE"
    stack._add_stack_event(stack.status)  # noqa: SLF001


def _update(
    stack: Any,
    template: str,
    role_arn: str | None = None,
    parameters: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    before = (stack.template, stack.template_dict, stack.resource_map.tags)
    template_dict = stack.parse_template(template)
    stack.status = "UPDATE_IN_PROGRESS"
    stack._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")  # noqa: SLF001
    stack.template, stack.template_dict = template, template_dict
    if tags is not None:
        stack.resource_map.tags = dict(tags)
    try:
        stack.resource_map.update(template_dict, parameters)
    except Exception as error:  # noqa: BLE001 - whatever failed, the stack must say so
        stack.template, stack.template_dict, stack.resource_map.tags = before
        logger.warning("Stack %s could not be updated: %s", stack.name, reason_of(error))
        failed = getattr(stack.resource_map, "rollback_failed", False)
        stack.status = "UPDATE_ROLLBACK_FAILED" if failed else "UPDATE_ROLLBACK_COMPLETE"
        reason = f"{reason_of(error)}. The update was rolled back."
        stack._add_stack_event("UPDATE_ROLLBACK_IN_PROGRESS", resource_status_reason=reason)  # noqa: SLF001
        stack._add_stack_event(stack.status)  # noqa: SLF001
        return
    stack.output_map = stack._create_output_map()  # noqa: SLF001
    stack.status = "UPDATE_COMPLETE"
    stack._add_stack_event("UPDATE_COMPLETE")  # noqa: SLF001
    stack.role_arn = role_arn
    if parameters:
        stack.parameters = parameters
    if tags is not None:
        stack.tags = tags


def _delete_stack(backend: Any, name_or_stack_id: str, *, reason: str = "User Initiated") -> None:
    """CloudFormationBackend.delete_stack: a stack that cannot be deleted stays, as DELETE_FAILED."""
    found = [stack for stack in backend.stacks.values() if name_or_stack_id in (stack.stack_id, stack.name)]
    for stack in found:
        if stack.enable_termination_protection:
            raise ValidationError(
                message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            )
        exports = [export.name for export in stack.exports]
        stack.status = "DELETE_IN_PROGRESS"
        stack._add_stack_event("DELETE_IN_PROGRESS", resource_status_reason=reason)  # noqa: SLF001
        failures = _delete_resources(stack)
        if failures:
            stack.status = "DELETE_FAILED"
            why = f"The following resource(s) failed to delete: [{', '.join(failures)}]."
            stack._add_stack_event("DELETE_FAILED", resource_status_reason=why)  # noqa: SLF001
            return
        stack.status = "DELETE_COMPLETE"
        stack._add_stack_event("DELETE_COMPLETE")  # noqa: SLF001
        backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)
        for export in exports:
            backend.exports.pop(export, None)


def _delete_resources(stack: Any) -> list[str]:
    """Delete in reverse order of dependence. Returns the logical ids that could not be deleted."""
    note = _noter(stack)
    parsed = stack.resource_map._parsed_resources  # noqa: SLF001
    declared = stack.template_dict.get("Resources", {})
    failures = []
    for logical_id in reversed(in_order(declared)):
        resource = parsed.get(logical_id)
        if resource is None:
            continue
        if declared[logical_id].get("DeletionPolicy") in RETAINING:
            note(logical_id, "DELETE_SKIPPED", resource, None)
            continue
        try:
            delete(stack.resource_map, resource, stack.account_id, stack.region_name)
        except Exception as error:
            logger.exception("Stack %s: %s could not be deleted", stack.name, logical_id)
            note(logical_id, "DELETE_FAILED", resource, reason_of(error))
            failures.append(logical_id)
        else:
            parsed.pop(logical_id)
            note(logical_id, "DELETE_COMPLETE", resource, None)
    return failures
