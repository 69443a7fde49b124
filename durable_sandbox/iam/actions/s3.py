"""Amazon S3.

Source: Service Authorization Reference list_amazons3 and S3 User Guide using-with-s3-policy-actions (permissions of each
API operation): HEAD needs the read permission, listing needs ListBucket, a version needs its own action.
"""

from __future__ import annotations

from urllib.parse import unquote

from durable_sandbox.iam.actions.rules import Need, Operation, Rule, Table, anything, each, on


def bucket(operation: Operation) -> str:
    """``arn:aws:s3:::bucket``."""
    return f"arn:aws:s3:::{operation.text('Bucket')}"


def key(operation: Operation) -> str:
    """``arn:aws:s3:::bucket/key``."""
    return f"{bucket(operation)}/{operation.text('Key')}"


def _versioned(action: str, of_version: str | None = None) -> Rule:
    def rule(operation: Operation) -> tuple[Need, ...]:
        name = (of_version or f"{action}Version") if operation.params.get("VersionId") else action
        return (Need(f"s3:{name}", key(operation)),)

    return rule


def _attributes(operation: Operation) -> tuple[Need, ...]:
    return *_versioned("GetObject")(operation), *_versioned("GetObjectAttributes", "GetObjectVersionAttributes")(
        operation
    )


def _list(action: str) -> Rule:
    def rule(operation: Operation) -> tuple[Need, ...]:
        context = {
            f"s3:{name}": (str(operation.params[parameter]),) if operation.params.get(parameter) else ()
            for name, parameter in (("prefix", "Prefix"), ("delimiter", "Delimiter"), ("max-keys", "MaxKeys"))
        }
        return (Need(f"s3:{action}", bucket(operation), context),)

    return rule


def _put(operation: Operation) -> tuple[Need, ...]:
    needs = [Need("s3:PutObject", key(operation))]
    if operation.params.get("Tagging"):
        needs.append(Need("s3:PutObjectTagging", key(operation)))
    if operation.params.get("ACL"):
        needs.append(Need("s3:PutObjectAcl", key(operation)))
    return tuple(needs)


def _copy(operation: Operation) -> tuple[Need, ...]:
    source = operation.params["CopySource"]
    text = f"{source['Bucket']}/{source['Key']}" if isinstance(source, dict) else unquote(str(source)).lstrip("/")
    return Need("s3:GetObject", f"arn:aws:s3:::{text.partition('?')[0]}"), *_put(operation)


def _delete_many(operation: Operation) -> tuple[Need, ...]:
    return tuple(
        Need(
            "s3:DeleteObjectVersion" if entry.get("VersionId") else "s3:DeleteObject",
            f"{bucket(operation)}/{entry['Key']}",
        )
        for entry in operation.params["Delete"]["Objects"]
    )


TABLE: Table = {
    **each("GetObject HeadObject", _versioned("GetObject")),
    "DeleteObject": _versioned("DeleteObject"),
    "GetObjectTagging": _versioned("GetObjectTagging", "GetObjectVersionTagging"),
    "GetObjectAttributes": _attributes,
    "PutObject": _put,
    "CopyObject": _copy,
    "DeleteObjects": _delete_many,
    **each("CreateMultipartUpload UploadPart CompleteMultipartUpload", on(key, "PutObject")),
    "AbortMultipartUpload": on(key),
    "ListParts": on(key, "ListMultipartUploadParts"),
    **each("PutObjectTagging DeleteObjectTagging PutObjectAcl GetObjectAcl", on(key)),
    **each("ListObjects ListObjectsV2", _list("ListBucket")),
    "ListObjectVersions": _list("ListBucketVersions"),
    "ListMultipartUploads": on(bucket, "ListBucketMultipartUploads"),
    "HeadBucket": on(bucket, "ListBucket"),
    "ListBuckets": on(anything, "ListAllMyBuckets"),
    **each(
        "CreateBucket DeleteBucket GetBucketLocation GetBucketPolicy PutBucketPolicy DeleteBucketPolicy", on(bucket)
    ),
    **each("GetBucketVersioning PutBucketVersioning GetBucketTagging PutBucketTagging", on(bucket)),
}
