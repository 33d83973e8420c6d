"""The record of a generation: where it is found, what a caller sees of it, and what its pixels say."""

import hashlib
import re
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagetrail import answers, datasets, provenance, records, schemas
from imagetrail.callers import owner_of
from imagetrail.containers import BrokenContainer
from imagetrail.queries import LIST_IMAGES

Record = dict[str, Any]
SEED_COLUMNS = {
    *(
        "id",
        "user_id",
        "prompt",
        "full_prompt",
        "image_url",
        "dataset_id",
        "style",
        "aspect_ratio",
        "quality",
        "format",
    ),
    *("resolution", "reference_images_count", "unique_visual_elements", "created_at"),
}
SUBJECTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: len(text.encode()) <= 255)


@pytest.fixture
def record() -> Record:
    """A finished record, as it is kept."""
    return {
        "id": "019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11",
        "user_id": "alice",
        "prompt": "a quiet lake",
        "full_prompt": "Brand: Acme. a quiet lake",
        "negative_prompt": "people",
        "image_url": "/images/019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11.png",
        "thumbnail_url": "/thumbnails/019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11.webp",
        "dataset_id": "019b2f6e-0000-7d32-9a55-3f1b6f0a2c11",
        "dataset_version": 3,
        "aspect_ratio": "1:1",
        "quality": "standard",
        "format": "png",
        "resolution": "1K",
        "created_at": "2026-02-02T10:30:00.000000Z",
        "status": "succeeded",
        "owner": "user:alice",
        "shelf": "succeeded user:alice",
        "reservation": "quota 2026-02-02 user:alice",
        "settle_by": "2026-02-02T10:31:00.000000Z",
    }


def test_the_answer_has_every_column_and_nothing_internal(record: Record) -> None:
    seen = records.public(record, "https://pictures.example")
    assert set(seen) == set(records.COLUMNS) == set(answers.Image.model_fields)
    assert set(seen) >= SEED_COLUMNS == set(records.SEED_COLUMNS)
    answers.Image.model_validate(seen)


def test_the_answer_has_urls_that_open(record: Record) -> None:
    seen = records.public(record, "https://pictures.example")
    assert seen["image_url"] == f"https://pictures.example/images/{record['id']}.png"
    assert seen["thumbnail_url"] == f"https://pictures.example/thumbnails/{record['id']}.webp"


def test_what_was_never_written_has_a_value(record: Record) -> None:
    del record["image_url"], record["thumbnail_url"], record["user_id"]
    seen = records.public(record, "https://pictures.example")
    assert (seen["image_url"], seen["thumbnail_url"], seen["user_id"], seen["error"]) == (None, None, None, None)
    assert (seen["favorite"], seen["reference_images_count"]) == (False, 0)


def test_answers_name_the_same_words_as_requests() -> None:
    assert set(schemas.GenerateRequest.model_fields) <= set(records.COLUMNS)
    assert set(datasets.COLUMNS) == set(answers.Dataset.model_fields)
    status = next(parameter for parameter in LIST_IMAGES if parameter.name == "status")
    assert status.schema["enum"] == [*records.STATUSES, records.DELETED, "all"]
    assert answers.Image.model_json_schema()["properties"]["status"]["enum"] == list(records.STATUSES)
    assert set(records.MIME) == {"png", "jpg", "webp"}


@pytest.mark.parametrize("with_prompts", [True, False])
def test_the_pixels_never_tell_the_owner(record: Record, with_prompts: bool) -> None:
    said = records.embeddable(record, with_prompts=with_prompts)
    assert "alice" not in str(said)
    assert not {"user_id", "owner", "shelf", "reservation"} & set(said)
    assert {"id", "created_at", "dataset_id", "dataset_version", "format", "resolution"} <= set(said)
    assert None not in said.values()


def test_the_pixels_tell_the_prompts_only_where_that_is_wanted(record: Record) -> None:
    assert {"prompt", "full_prompt", "negative_prompt"} <= set(records.embeddable(record, with_prompts=True))
    silent = records.embeddable(record, with_prompts=False)
    assert not [word for word in ("lake", "people", "Acme") if word in str(silent)]


def test_what_follows_from_the_bytes(record: Record) -> None:
    assert records.stored(record, b"pixels") == {
        "status": "succeeded",
        "bytes": 6,
        "sha256": hashlib.sha256(b"pixels").hexdigest(),
        "image_url": f"/images/{record['id']}.png",
        "thumbnail_url": f"/thumbnails/{record['id']}.webp",
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"shelf": "succeeded user:alice", "unsettled": None}),
        ({"status": "pending"}, {"shelf": "pending user:alice", "unsettled": "unsettled"}),
        ({"status": "failed"}, {"shelf": "failed user:alice", "unsettled": None}),
        ({"user_id": None}, {"owner": "anonymous", "shelf": "succeeded anonymous"}),
        ({"deleted_at": "2026-03-01T00:00:00.000000Z"}, {"shelf": "deleted user:alice"}),
        ({"dataset_id": None}, {"dataset_shelf": None}),
        ({}, {"favorite_shelf": None, "dataset_favorite_shelf": None}),
        ({"favorite": True}, {"favorite_shelf": "favorite user:alice"}),
        ({"favorite": True, "dataset_id": None}, {"dataset_favorite_shelf": None}),
        ({"favorite": True, "status": "failed"}, {"favorite_shelf": None, "dataset_favorite_shelf": None}),
        ({"favorite": True, "deleted_at": "2026-03-01T00:00:00.000000Z"}, {"favorite_shelf": None}),
    ],
)
def test_the_partitions_of_a_record(record: Record, changes: Record, expected: Record) -> None:
    keys = records.index_keys(record | changes)
    assert keys["created_day"] == "2026-02-02"
    assert {name: keys[name] for name in expected} == expected


@given(one=SUBJECTS, other=SUBJECTS | st.none(), state=st.sampled_from(records.STATUSES))
@example(one="anonymous", other=None, state="failed")
def test_shelves_of_different_owners_never_meet(one: str, other: str | None, state: str) -> None:
    mine, theirs = owner_of(one), owner_of(other)
    dataset_id = "019b2f6e-0000-7d32-9a55-3f1b6f0a2c11"
    assert (records.shelf(state, mine) == records.shelf(state, theirs)) is (one == other)
    assert (records.shelf(state, mine, dataset_id) == records.shelf(state, theirs, dataset_id)) is (one == other)
    assert len(records.shelf(state, mine, dataset_id).encode()) <= 1024 < 2048  # DynamoDB's limit for a partition key


@given(SUBJECTS)
@example("x" * 255)
@example("🦊" * 63)
@example("é" * 127)
@example("auth0|0123456789abcdef")
@example("=41")
@example("a&owner=bob\r\nx-amz-acl: public-read")
def test_the_owner_fits_into_the_tags_of_s3_and_comes_back(subject: str) -> None:
    """Source: the "Tagging objects" page of the S3 user guide."""
    tags = records.owner_tags(subject)
    assert 1 <= len(tags) <= 10
    assert list(tags) == ["owner", *(f"owner-{number}" for number in range(2, len(tags) + 1))]
    assert all(re.fullmatch(r"[A-Za-z0-9 +\-=._:/@]{1,256}", value) for value in tags.values())
    assert unquote_to_bytes("".join(tags.values()).replace("=", "%")).decode() == subject


def test_a_usual_owner_can_be_read_in_the_console() -> None:
    subject = "0f3c1c0e-5a5b-4b7e-9a5e-2f8f4a1f9d11"
    assert records.owner_tags(subject) == {"owner": subject}
    assert records.owner_tags("alice@example.com") == {"owner": "alice@example.com"}
    assert records.owner_tags(None) == {}


def test_a_record_of_any_prompt_is_fit_for_the_pixels(record: Record) -> None:
    """Only the picture can be at fault, never the record."""
    record["prompt"] = "<&>\x00\ufffe🦊" * 2000
    with pytest.raises(BrokenContainer):
        provenance.embed(b"", records.embeddable(record, with_prompts=True))
