"""Bodies of requests: what is left out has its default, what is written differently means the same."""

from typing import Any, get_args
from uuid import UUID

import pytest
from pydantic import ValidationError

from imagetrail import answers, models, schemas
from imagetrail.fitting import LONGER_SIDE
from imagetrail.schemas import DatasetChanges, DatasetFields, GenerateRequest, messages

DATASET_ID = "019b2f6e-0000-7d32-9a55-3f1b6f0a2c11"


def test_only_a_prompt_is_needed() -> None:
    assert GenerateRequest.model_validate({"prompt": "a fox"}).model_dump() == {
        "prompt": "a fox",
        "dataset_id": None,
        "style": None,
        "aspect_ratio": "1:1",
        "quality": "standard",
        "format": "png",
        "resolution": "1K",
        "negative_prompt": None,
        "seed": None,
        "model": None,
    }


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("format", "jpeg", "jpg"),
        *(("format", value, value) for value in ("png", "jpg", "webp")),
        *(("quality", value, value) for value in ("draft", "standard", "high")),
        *(("resolution", value, value) for value in ("1K", "2K", "4K")),
        *(
            ("aspect_ratio", value, value)
            for value in ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "4:5", "5:4")
        ),
        *(("aspect_ratio", value, value) for value in ("21:9", "9:21")),
        *(("seed", value, value) for value in (None, 0, 4_294_967_294)),
        ("dataset_id", DATASET_ID, UUID(DATASET_ID)),
        ("dataset_id", DATASET_ID.upper(), UUID(DATASET_ID)),
        ("dataset_id", None, None),
        ("style", "x" * 200, "x" * 200),
        ("negative_prompt", "🦊" * 10_000, "🦊" * 10_000),
    ],
)
def test_what_is_accepted(field: str, value: object, read: object) -> None:
    assert getattr(GenerateRequest.model_validate({"prompt": "a fox", field: value}), field) == read


@pytest.mark.parametrize("value", [-1, 4_294_967_295, 2**64, float(2**64), True, "1"])
def test_a_seed_is_told_its_bounds(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        GenerateRequest.model_validate({"prompt": "a fox", "seed": value})
    assert messages(caught.value) == [("seed", "must be a whole number from 0 to 4294967294")]


@pytest.mark.parametrize("value", ["JPEG", "Jpeg", "jpe", ["jpeg"]])
def test_only_jpeg_itself_is_read_as_jpg(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        GenerateRequest.model_validate({"prompt": "a fox", "format": value})
    assert [field for field, _ in messages(caught.value)] == ["format"]


def test_every_resolution_has_its_pixels() -> None:
    assert set(get_args(schemas.Resolution)) == set(LONGER_SIDE) == set(models.RESOLUTIONS)
    assert get_args(schemas.AspectRatio) == models.ASPECT_RATIOS


def test_a_dataset_needs_only_a_name() -> None:
    assert DatasetFields.model_validate({"name": "Acme"}).model_dump() == {
        "name": "Acme",
        "brand": None,
        "vibe": None,
        "unique_visual_elements": [],
        "visibility": None,
    }


@pytest.mark.parametrize(
    "changes",
    [{}, {"brand": None}, {"vibe": None}, {"name": "Acme"}, {"unique_visual_elements": []}, {"visibility": "public"}],
)
def test_only_what_is_given_is_changed(changes: dict[str, Any]) -> None:
    assert DatasetChanges.model_validate(changes).model_dump(exclude_unset=True) == changes


def test_messages_never_repeat_what_was_sent() -> None:
    sent = dict.fromkeys(GenerateRequest.model_fields, "zebra" * 5000) | {"seed": ["zebra"], "dataset_id": "zebra"}
    with pytest.raises(ValidationError) as caught:
        GenerateRequest.model_validate(sent)
    assert len(messages(caught.value)) == len(sent)
    assert "zebra" not in str(messages(caught.value))


def test_the_answer_of_a_generation_has_the_names_of_old() -> None:
    fields = {"id", "image_url", "caption", "prompt_used", "dataset_id", "style", "aspect_ratio", "quality", "format"}
    assert fields | {"resolution", "reference_images_count"} <= set(answers.GeneratedImage.model_fields)


@pytest.mark.parametrize("written", ["{%s}", "urn:uuid:%s", "%s ", " %s"])
def test_an_id_is_written_as_in_a_path(written: str) -> None:
    for text in (written % DATASET_ID, DATASET_ID.replace("-", "")):
        with pytest.raises(ValidationError) as refused:
            GenerateRequest.model_validate({"prompt": "a fox", "dataset_id": text})
        assert messages(refused.value) == [
            ("dataset_id", "must be a UUID such as 019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11")
        ]
