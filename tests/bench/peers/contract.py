"""What all peers answer with: the columns of a record, and the cursor that ours would give."""

import base64
import hashlib

COLUMNS = (
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
    "resolution",
    "reference_images_count",
    "unique_visual_elements",
    "created_at",
    "status",
    "error",
    "provider",
    "model",
    "model_id",
    "seed",
    "negative_prompt",
    "width",
    "height",
    "bytes",
    "sha256",
    "thumbnail_url",
    "cost_usd",
    "generation_ms",
    "parent_id",
    "dataset_version",
    "visual_elements_source",
    "reference_images",
    "dropped_params",
    "favorite",
    "deleted_at",
)
OWNER = "anonymous"
SHELF = "succeeded anonymous"
INDEX = "idx_generated_images_shelf"
_SCOPE = b'["anonymous","own",null,"succeeded",null,"desc",null,null]'


def cursor(created_at: str, image_id: str) -> str:
    """An opaque text that holds the last record's place and what it was made for."""
    place = f'["{created_at}","{image_id}"]'.encode()
    digest = hashlib.blake2b(_SCOPE + place, digest_size=9).digest()
    return base64.urlsafe_b64encode(digest + place).decode().rstrip("=")
