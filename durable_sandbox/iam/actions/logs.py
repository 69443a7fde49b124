"""CloudWatch Logs.

Source: Service Authorization Reference list_amazoncloudwatchlogs. Denials name ``log-group:G:log-stream:S``, and
``log-group:G:log-stream:`` for an action on the group: a policy needs ``log-group:G:*``, the bare group ARN is not enough.
"""

from __future__ import annotations

from durable_sandbox.iam.actions.rules import Operation, Resource, Table, anything, each, named, on

_GROUP = "log-group:"


def _group_name(operation: Operation) -> str:
    value = operation.text("logGroupName", "logGroupIdentifier")
    if value.startswith("arn:"):
        return value.removesuffix(":*").split(_GROUP, 1)[-1]
    return value


def stream(parameter: str) -> Resource:
    """The stream that ``parameter`` names in the call's group."""

    def resource(operation: Operation) -> str:
        return operation.arn(f"{_GROUP}{_group_name(operation)}:log-stream:{operation.text(parameter)}")

    return resource


def group(operation: Operation) -> str:
    """The call's group, in the form that denials show."""
    return operation.arn(f"{_GROUP}{_group_name(operation)}:log-stream:")


def _groups(operation: Operation) -> str:
    return operation.arn(f"{_GROUP}:log-stream:")


TABLE: Table = {
    **each("CreateLogStream DeleteLogStream GetLogEvents PutLogEvents", on(stream("logStreamName"))),
    **each(
        "CreateLogGroup DeleteLogGroup DeleteMetricFilter DeleteRetentionPolicy DeleteSubscriptionFilter "
        "DescribeLogStreams DescribeSubscriptionFilters FilterLogEvents ListTagsLogGroup PutMetricFilter "
        "PutRetentionPolicy PutSubscriptionFilter TagLogGroup UntagLogGroup",
        on(group),
    ),
    "DescribeLogGroups": on(_groups),
    **each("ListTagsForResource TagResource UntagResource", on(named(_GROUP, "resourceArn"))),
    **each("DeleteResourcePolicy DescribeResourcePolicies PutResourcePolicy", on(anything)),
}
