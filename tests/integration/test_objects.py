"""Objects on disk: kept through starts and full disks, and named where their files are not what was written."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from local.aws import ClientError, client
from local.emulator.launch import emulator
from tests.small_disk import small_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUCKET = "pictures"


@contextmanager
def started(data: Path) -> Iterator[Any]:
    """S3 of an emulator."""
    with emulator(data, 0) as machine:
        yield client(machine.endpoint, machine.credentials, "s3")


def create(s3: Any) -> None:
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})


def put(s3: Any, key: str, body: bytes = b"pixels", tags: str = "owner=me") -> str:
    version: str = s3.put_object(Bucket=BUCKET, Key=key, Body=body, Tagging=tags)["VersionId"]
    return version


def get(s3: Any, key: str, **more: str) -> bytes:
    body: bytes = s3.get_object(Bucket=BUCKET, Key=key, **more)["Body"].read()
    return body


def files(data: Path, key: str) -> tuple[Path, Path]:
    """The file of an object's bytes, and its sidecar."""
    (file,) = data.glob(f"s3/*/{BUCKET}/{key}")
    return file, file.with_name(f"{file.name}.meta.json")


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_tag(path: Path) -> None:
    path.write_text(path.read_text().replace('"me"', '"mf"'))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "removed": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "halved": halve,
    "flipped": flip_a_tag,
    "listed": lambda path: path.write_text("[]"),
    "reshaped": lambda path: path.write_text('{"etag": 5, "size": "x", "last_modified": ""}'),
    "versionless": lambda path: path.write_text('{"etag": "", "size": 1, "last_modified": "", "versions": [{}]}'),
}


def test_a_damaged_file_is_named_and_costs_its_own_picture_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    with started(data) as s3:
        create(s3)
        for key in ("a-whole", *DAMAGES, "pixelless", "trashed", "z-whole"):
            put(s3, key)
        s3.delete_object(Bucket=BUCKET, Key="trashed")
    named = [files(data, key)[1] for key in (*DAMAGES, "trashed")] + [files(data, "pixelless")[0]]
    for key, damage in DAMAGES.items():
        damage(files(data, key)[1])
    files(data, "trashed")[1].unlink()
    files(data, "pixelless")[0].unlink()
    capfd.readouterr()
    with started(data) as s3:
        for key in ("a-whole", "z-whole"):
            assert get(s3, key) == b"pixels"
            assert s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"] == [{"Key": "owner", "Value": "me"}]
        for key in (*DAMAGES, "pixelless", "trashed"):
            with pytest.raises(ClientError, match=r"500|Internal"):
                get(s3, key)
    said = capfd.readouterr().out.splitlines()[:6]
    assert all(any(str(path) in line for path in named) for line in said[:5])
    assert "4 more files" in said[5]


def test_a_write_that_a_kill_cut_in_two_never_was(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with started(data) as s3:
        create(s3)
        first = put(s3, "manifest", b"first")
        file, sidecar = files(data, "manifest")
        before = sidecar.read_bytes()
        put(s3, "manifest", b"second")
    sidecar.write_bytes(before)  # the bytes of the second are there, and what is known is of the first
    assert file.read_bytes() == b"second"
    with started(data) as s3:
        assert get(s3, "manifest") == b"first"
        put(s3, "manifest", b"third")
    with started(data) as s3:
        assert get(s3, "manifest") == b"third"
        assert get(s3, "manifest", VersionId=first) == b"first"


@pytest.fixture(params=["size=12m", "size=12m,nr_inodes=50"])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A small file system; with few inodes, folders are the first that cannot be written."""
    with small_disk(tmp_path / "disk", request.param) as folder:
        yield folder


def fill(disk: Path) -> list[Path]:
    """Leaves no byte and no inode."""
    filler = disk / "filler"
    filler.mkdir()
    made = []
    for size in (1 << 16, 1):
        for number in range(10_000):
            path = filler / f"{size}-{number}"
            try:
                path.write_bytes(bytes(size))
            except OSError:
                path.unlink(missing_ok=True)
                break
            made.append(path)
    return made


def test_on_a_full_disk_what_is_trashed_stays_and_what_is_refused_never_was(disk: Path) -> None:
    data = disk / "data"
    with started(data) as s3:
        create(s3)
        versions = {f"images/{number}": put(s3, f"images/{number}", bytes([number]) * 300_000) for number in range(4)}
        fill(disk)
        acknowledged = set()
        for key in list(versions)[:3]:
            try:
                s3.delete_object(Bucket=BUCKET, Key=key)
            except ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503  # noqa: PT017
            else:
                acknowledged.add(key)
        for prefix in ("references", "exports/1/2/3"):
            try:
                put(s3, f"{prefix}/a", b"new")
            except ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503  # noqa: PT017
            else:
                acknowledged.add(f"{prefix}/a")
        assert get(s3, "images/3") == bytes([3]) * 300_000
    shutil.rmtree(disk / "filler")
    with started(data) as s3:
        for number, (key, version) in enumerate(versions.items()):
            assert get(s3, key, VersionId=version) == bytes([number]) * 300_000
            if key in acknowledged:
                with pytest.raises(ClientError, match="NoSuchKey"):
                    get(s3, key)
        for key in acknowledged - versions.keys():
            assert get(s3, key) == b"new"
        put(s3, "images/after", b"after")
        assert get(s3, "images/after") == b"after"
