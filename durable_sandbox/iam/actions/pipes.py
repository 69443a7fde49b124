"""EventBridge Pipes. Source: Service Authorization Reference list_amazoneventbridgepipes."""

from __future__ import annotations

from durable_sandbox.iam.actions.rules import Table, anything, each, named, on

TABLE: Table = {
    **each("CreatePipe DeletePipe DescribePipe StartPipe StopPipe UpdatePipe", on(named("pipe/", "Name"))),
    **each("ListTagsForResource TagResource UntagResource", on(named("pipe/", "resourceArn", "ResourceArn"))),
    "ListPipes": on(anything),
}
