"""The receipt of an erasure: whether anything was found, what is kept, why, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagetrail.erasing import DATASET, USER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagetrail.dynamo import Item

EXPORTS_OF_ALL_COUNT = "administrators_export_versions"
"""The count of deleted files that administrators exported, which may hold records of any user."""
_BACKUPS = {
    "what": "point-in-time backups of the tables",
    "why": "they cannot be changed; they expire",
    "until": "35 days",
}
_KEPT: Mapping[str, list[Item]] = {
    USER: [
        {"what": "sums of money by month", "why": "they name nobody", "until": "the ledger forgets them"},
        {
            "what": "a tombstone with the account's id",
            "why": "a token that is still valid must bring nothing back",
            "until": "24 hours",
        },
        {
            "what": "answers to the SQL of administrators",
            "why": "they are in files with those of others; the bucket forgets them",
            "until": "5 days",
        },
        {"what": "hashes of idempotency keys", "why": "they name nobody", "until": "25 hours"},
        {
            "what": "images that administrators made from theirs",
            "why": "they are the administrators' own, with the prompt they were made from",
            "until": "they are deleted",
        },
        {"what": "logs", "why": "they name nobody and hold no prompts", "until": "the deployment's log retention"},
        _BACKUPS,
    ],
    DATASET: [
        {
            "what": "the images made with it, with what each took of it",
            "why": "their history stays whole",
            "until": "they are deleted",
        },
        _BACKUPS,
    ],
}


def receipt(job: Item) -> Item:
    """The part of a finished job's receipt that is about an erasure."""
    kept = {"kept": _KEPT[job["kind"]]}
    if job["kind"] != USER:
        return kept
    found = any(count for name, count in job["progress"].items() if name != EXPORTS_OF_ALL_COUNT)
    return {"found": found, **kept}
