"""Forgets records of DynamoDB streams that every event source mapping has read.

The emulator keeps each record, with the item as it was and as it is, for 24 hours: 20 KB for each generated image.
Upstream: a limit on the records of a stream.
"""

from typing import Any

from ministack.services import dynamodb, lambda_svc

from local.emulator.context import Context

TARGETS = {
    "ministack.services.dynamodb._trim_stream_records": "43f62f181df0",
    "ministack.services.dynamodb.stream_records_since": "aed31a353fda",
    "ministack.services.lambda_svc._iter_all_esms": "7db06c0627a5",
    "ministack.services.lambda_svc._poll_dynamodb_streams": "2b2460e933a9",
}


def apply(_context: Context) -> None:
    poll = lambda_svc._poll_dynamodb_streams

    def forget_and_poll() -> Any:
        _forget()  # in the thread that reads streams, so that no place moves while it is used
        return poll()

    lambda_svc._poll_dynamodb_streams = forget_and_poll


def _forget() -> None:
    read: dict[tuple[str, str, str], list[int]] = {}
    for account, region, mapping in lambda_svc._iter_all_esms():
        source = mapping.get("EventSourceArn", "")
        if ":dynamodb:" in source:
            table = source.partition("/stream/")[0].rpartition("/")[2]
            position = lambda_svc._dynamodb_stream_positions.get_scoped(account, region, mapping["UUID"], 0)
            read.setdefault((account, region, table), []).append(position)
    for scope, positions in read.items():
        records = dynamodb._stream_records.get_scoped(*scope) or []
        trimmed = dynamodb._stream_trimmed.get_scoped(*scope, 0)
        if (count := min(positions) - trimmed) > 0:
            del records[:count]
            dynamodb._stream_trimmed.set_scoped(*scope, trimmed + count)
