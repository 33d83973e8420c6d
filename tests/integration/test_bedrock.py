"""Stability AI's models on Amazon Bedrock: boto3 against a server of its own protocol."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import boto3
import orjson
import pytest
import pyvips

from imagetrail.errors import Blocked, ModelFailed
from imagetrail.models import Reference, Unanswered, bedrock
from imagetrail.models.lifecycle import legacy_models
from imagetrail.pixels import encode
from tests.integration.model_contract import KEY, PROMPT, REQUEST, Bench, ModelContract
from tests.integration.vendors.bedrock_server import MODELS, RANDOM_SEED, answer, listing
from tests.integration.vendors.loopback import Vendor, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imagetrail.models import ImageModel


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving(answer) as vendor:
        yield vendor


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Gives this process the credentials that a function has on Lambda."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    def use(key: str) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)

    use(KEY)
    return use


@pytest.fixture
def bench(vendor: Vendor, credentials: Callable[[str], None]) -> Bench:
    pauses: list[float] = []

    def connect(key: str) -> ImageModel:
        credentials(key)
        return bedrock.connect("core", region="us-west-2", url=vendor.url, pause=pauses.append)

    return Bench(
        vendor=vendor,
        connect=connect,
        waited=lambda: sum(pauses),
        provider="bedrock",
        model="stability.stable-image-core-v1:1",
    )


@pytest.fixture
def model(vendor: Vendor, credentials: Callable[[str], None]) -> Callable[[str], ImageModel]:  # noqa: ARG001
    return lambda variant: bedrock.connect(variant, region="us-west-2", url=vendor.url, pause=lambda _: None)


class TestContract(ModelContract):
    """With AWS credentials for a key."""

    @pytest.mark.parametrize("key", ["AKIAANOTHER"])
    def test_a_wrong_key_is_a_free_failure(self, bench: Bench, key: str) -> None:
        super().test_a_wrong_key_is_a_free_failure(bench, key)


@pytest.mark.parametrize("variant", bedrock.VARIANTS)
def test_every_variant_takes_every_ratio_it_offers(
    vendor: Vendor, model: Callable[[str], ImageModel], variant: str
) -> None:
    for ratio in bedrock.VARIANTS[variant].aspect_ratios:
        output = model(variant)(replace(REQUEST, aspect_ratio=ratio, negative_prompt="fog", image_format="webp"))
        across, down = (int(part) for part in ratio.split(":"))
        picture = pyvips.Image.new_from_buffer(output.data, "")
        assert picture.width / picture.height == pytest.approx(across / down, rel=0.06)
    assert output.model == bedrock.MODEL_IDS[variant]
    assert orjson.loads(vendor.requests[0].body) == {
        "prompt": PROMPT,
        "negative_prompt": "fog",
        "aspect_ratio": "1:1",
        "seed": REQUEST.seed,
        "output_format": "png",
    }
    assert "/us-west-2/bedrock/" in vendor.requests[0].headers["authorization"]


def test_the_default_is_core_and_every_id_is_bedrocks() -> None:
    assert list(bedrock.VARIANTS) == ["core", "sd3.5-large", "ultra"]
    assert [bedrock.MODEL_IDS[variant] for variant in bedrock.VARIANTS] == list(MODELS)


def test_a_seed_of_zero_is_a_random_one_and_the_answer_names_it(model: Callable[[str], ImageModel]) -> None:
    assert model("core")(replace(REQUEST, seed=0)).seed == RANDOM_SEED


@pytest.mark.parametrize("variant", ["sd3.5-large", "ultra"])
def test_a_reference_image_is_sent_in_the_shape_asked_for(
    vendor: Vendor, model: Callable[[str], ImageModel], variant: str
) -> None:
    photo = pyvips.Image.black(3000, 500, bands=3).cast("uchar").write_to_buffer(".jpg")
    asked = replace(
        REQUEST, aspect_ratio="16:9", width=1024, height=576, references=(Reference(data=photo, mime="image/jpeg"),)
    )
    picture = encode(model(variant)(asked).data, 1024, 576, "png")
    sent = orjson.loads(vendor.requests[0].body)
    image = pyvips.Image.new_from_buffer(base64.b64decode(sent["image"]), "")
    assert (image.width, image.height, picture.width) == (1024, 576, 1024)
    assert ("aspect_ratio" in sent, sent["strength"]) == (False, 0.7)


def test_a_broken_reference_image_costs_nothing(vendor: Vendor, model: Callable[[str], ImageModel]) -> None:
    asked = replace(REQUEST, references=(Reference(data=b"no picture", mime="image/png"),))
    with pytest.raises(ModelFailed, match="reference") as caught:
        model("ultra")(asked)
    assert (caught.value.charged, vendor.received) == (False, 0)


@pytest.mark.parametrize("step", ["Filter reason: input image", "Filter reason: prompt", "content filter"])
def test_whatever_is_refused_before_drawing_is_blocked_for_free(bench: Bench, vendor: Vendor, step: str) -> None:
    vendor.answer = lambda request, _: answer(request, step)
    assert bench.blocked().charged is False
    assert vendor.received == 1


@pytest.mark.parametrize(
    ("step", "received", "retry_after"),
    [
        ("ModelNotReadyException", 3, 60),
        ("ServiceUnavailableException", 3, 5),
        ("ThrottlingException", 3, 60),
        ("AccessDeniedException", 1, 300),
        ("ResourceNotFoundException", 1, 300),
        ("ServiceQuotaExceededException", 1, 300),
        ("ValidationException", 1, 300),
        ("InternalServerException", 1, 5),
        ("ModelErrorException", 1, 5),
        ("Inference error", 1, 5),
    ],
)
def test_only_what_was_not_begun_is_tried_again(
    bench: Bench, vendor: Vendor, step: str, received: int, retry_after: int
) -> None:
    vendor.answer = lambda request, _: answer(request, step)
    error = bench.failed()
    assert (error.charged, error.retry_after, vendor.received) == (False, retry_after, received)


def test_a_model_that_ran_out_of_time_may_have_charged(bench: Bench, vendor: Vendor) -> None:
    vendor.answer = lambda request, _: answer(request, "ModelTimeoutException")
    assert isinstance(bench.failed(), Unanswered)
    assert vendor.received == 1


def test_a_host_that_comes_back_is_asked_once(vendor: Vendor, credentials: Callable[[str], None]) -> None:  # noqa: ARG001
    vendor.stop()
    model = bedrock.connect("core", region="us-west-2", url=vendor.url, pause=lambda _: vendor.start())
    assert model(REQUEST).data
    assert (vendor.received, vendor.charged) == (1, 1)


def test_no_credentials_are_the_operators_matter(
    vendor: Vendor, model: Callable[[str], ImageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ModelFailed, match="credentials") as caught:
        model("core")(REQUEST)
    assert (caught.value.charged, caught.value.retry_after, vendor.received) == (False, 300, 0)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"images": []}', b'{"images": ["!"]}', b'{"images": ["AAAA"], "seeds": ["one"]}', b"\xff"]
)
def test_a_success_that_says_nothing_may_have_charged(
    vendor: Vendor, model: Callable[[str], ImageModel], body: bytes
) -> None:
    vendor.answer = lambda request, step: answer(request, step)._replace(body=body)
    with pytest.raises(ModelFailed) as caught:
        model("core")(REQUEST)
    assert not isinstance(caught.value, Blocked)
    assert (caught.value.charged, vendor.received) == (True, 1)


def test_a_seed_that_is_not_said_loses_no_picture(vendor: Vendor, model: Callable[[str], ImageModel]) -> None:
    vendor.answer = lambda request, step: answer(request, step)._replace(body=b'{"images": ["AAAA"]}')
    output = model("core")(REQUEST)
    assert (output.data, output.seed) == (b"\0\0\0", None)


def test_models_that_end_are_named(credentials: Callable[[str], None]) -> None:  # noqa: ARG001
    with listing([("stability.old-v1:0", "LEGACY"), ("stability.new-v1:0", "ACTIVE"), ("other", "LEGACY")]) as url:
        client = boto3.client("bedrock", region_name="us-west-2", endpoint_url=url)
        names = ["stability.new-v1:0", "stability.old-v1:0", "stability.gone-v1:0"]
        profiles = [f"us.{names[0]}", f"arn:aws:bedrock:us-west-2:1:inference-profile/us.{names[1]}"]
        opaque = "arn:aws:bedrock:us-west-2:1:application-inference-profile/abc123def456"
        found = legacy_models([*names, *profiles, opaque], client)
        client.close()
    legacy = "LEGACY until 2027-02-03"
    assert found == {names[1]: legacy, names[2]: "MISSING", profiles[1]: legacy}


def check_models(**environment: str) -> subprocess.CompletedProcess[str]:
    """The function, in a process of its own."""
    needed = ("IMAGES_TABLE", "DATASETS_TABLE", "LEDGER_TABLE", "REPORTS_TABLE", "BUCKET")
    return subprocess.run(
        [sys.executable, "-c", "from functions.check_models import handler; print(handler({}, None))"],
        env={
            **os.environ,
            **dict.fromkeys(needed, "none"),
            "AWS_REGION": "eu-central-1",
            "POWERTOOLS_METRICS_NAMESPACE": "imagetrail",
            "POWERTOOLS_SERVICE_NAME": "imagetrail",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("credentials")
def test_the_check_fails_and_names_the_models_on_offer_that_end() -> None:
    core, large, ultra = MODELS
    with listing([(core, "ACTIVE"), (large, "LEGACY")]) as url:
        healthy = check_models(MODEL="procedural,bedrock/core", BEDROCK_URL=url)
        ending = check_models(MODEL="bedrock", BEDROCK_URL=url)
        blind = check_models(MODEL="procedural", VISION_MODEL=f"us.{large}", BEDROCK_URL=url)
    assert (healthy.returncode, healthy.stdout.splitlines()[-1]) == (0, "{}"), healthy.stderr
    assert ending.returncode == 1
    assert "2 models in use are about to go" in ending.stderr
    assert "1 models in use are about to go" in blind.stderr
    warning = next(line for line in map(orjson.loads, ending.stdout.splitlines()) if line.get("level") == "WARNING")
    assert warning["models"] == {large: "LEGACY until 2027-02-03", ultra: "MISSING"}
    assert '"EndingModels":[2' in ending.stdout


@pytest.mark.usefixtures("credentials")
def test_a_deployment_without_bedrock_asks_nobody() -> None:
    asked_nobody = check_models(MODEL="procedural,gemini", BEDROCK_URL="http://127.0.0.1:9")
    assert asked_nobody.returncode == 0, asked_nobody.stderr


@pytest.mark.usefixtures("credentials")
def test_a_check_that_cannot_ask_fails() -> None:
    assert check_models(MODEL="bedrock", BEDROCK_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1").returncode == 1
