"""Amazon SNS, EventBridge and API Gateway's connections.

Sources: Service Authorization Reference list_amazonsns, list_amazoneventbridge, list_amazonapigateway (execute-api); SNS
Developer Guide sns-access-policy-language-api-permissions-reference; API Gateway Developer Guide
apigateway-how-to-call-websocket-api-connections.
"""

from __future__ import annotations

from durable_sandbox.iam.actions.rules import Need, Operation, Table, anything, each, named, on


def _topic(operation: Operation) -> str:
    """The topic by ARN or name; a text message to a telephone has no resource."""
    if operation.params.get("PhoneNumber"):
        return "*"
    return named("", "TopicArn", "TargetArn", "Name")(operation)


def _all_topics(operation: Operation) -> str:
    return operation.arn("*")


SNS: Table = {
    **each(
        "AddPermission ConfirmSubscription CreateTopic DeleteTopic GetTopicAttributes ListSubscriptionsByTopic Publish "
        "RemovePermission SetTopicAttributes Subscribe",
        on(_topic),
    ),
    "PublishBatch": on(_topic, "Publish"),
    **each("ListTagsForResource TagResource UntagResource", on(named("", "ResourceArn"))),
    **each("ListSubscriptions ListTopics", on(_all_topics)),
    **each("GetSubscriptionAttributes SetSubscriptionAttributes Unsubscribe", on(anything)),
}


def _bus(operation: Operation, name: str | None) -> str:
    name = name or "default"
    return name if name.startswith("arn:") else operation.arn(f"event-bus/{name}")


def _put_events(operation: Operation) -> tuple[Need, ...]:
    """Each entry by itself: its bus, ``events:source`` and ``events:detail-type``."""
    needs: dict[tuple[str, str | None, str | None], Need] = {}
    for entry in operation.params.get("Entries") or ():
        source, detail_type = entry.get("Source"), entry.get("DetailType")
        bus = _bus(operation, entry.get("EventBusName"))
        context = {
            "events:source": (str(source),) if source else (),
            "events:detail-type": (str(detail_type),) if detail_type else (),
        }
        needs[bus, source, detail_type] = Need("events:PutEvents", bus, context)
    return tuple(needs.values()) or (Need("events:PutEvents", _bus(operation, None)),)


def _event_bus(operation: Operation) -> str:
    return _bus(operation, operation.params.get("Name"))


def _rule(operation: Operation) -> str:
    bus = str(operation.params.get("EventBusName") or "default").rsplit("/", 1)[-1]
    name = operation.text("Name", "Rule")
    return operation.arn(f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}")


def _put_targets(operation: Operation) -> tuple[Need, ...]:
    """``events:TargetArn`` has all targets that are put."""
    arns = tuple(str(target["Arn"]) for target in operation.params.get("Targets") or ())
    return (Need("events:PutTargets", _rule(operation), {"events:targetarn": arns}),)


EVENTS: Table = {
    "PutEvents": _put_events,
    "PutTargets": _put_targets,
    **each("CreateEventBus DeleteEventBus DescribeEventBus UpdateEventBus", on(_event_bus)),
    **each("DeleteRule DescribeRule DisableRule EnableRule ListTargetsByRule PutRule RemoveTargets", on(_rule)),
    **each("ListTagsForResource TagResource UntagResource", on(named("", "ResourceARN"))),
    **each(
        "ListEventBuses ListRuleNamesByTarget ListRules PutPermission RemovePermission TestEventPattern", on(anything)
    ),
}


def _connection(method: str) -> Table:
    """``ApiId`` and ``Stage`` are not parameters of the API, they are in its endpoint: the service adds them."""

    def rule(operation: Operation) -> tuple[Need, ...]:
        path = f"{operation.text('ApiId')}/{operation.text('Stage')}/{method}/@connections/{operation.text('ConnectionId')}"
        return (Need("execute-api:ManageConnections", operation.arn(path)),)

    return {{"POST": "PostToConnection", "GET": "GetConnection", "DELETE": "DeleteConnection"}[method]: rule}


def invoke_route(operation: Operation) -> tuple[Need, ...]:
    """No operation of the API: to connect to a route that asks for AWS_IAM (apigateway-websocket-control-access-iam)."""
    path = f"{operation.text('ApiId')}/{operation.text('Stage')}/{operation.text('RouteKey')}"
    return (Need("execute-api:Invoke", operation.arn(path)),)


CONNECTIONS: Table = {**_connection("POST"), **_connection("GET"), **_connection("DELETE")}
