"""Starts what is measured: the stub, and a fresh interpreter for every sample."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
_START = "from tests.bench.worker import main; main()"


@dataclass(frozen=True, slots=True)
class Stub:
    """A running stub: the environments that lead a handler to it, over plain HTTP and over TLS."""

    plain: Mapping[str, str]
    secure: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took from its spawn to its exit, in milliseconds."""

    cpu: float
    wall: float


@contextmanager
def stub(module: str = "tests.bench.stub") -> Iterator[Stub]:
    """The stub, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        pair, bundle = _certificates(Path(folder))
        command = [sys.executable, "-m", module, str(pair)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            plain, secure = process.stdout.readline().split()
            trust = {"SSL_CERT_FILE": str(bundle), "AWS_CA_BUNDLE": str(bundle)}
            yield Stub(
                _environment(f"http://127.0.0.1:{plain}"), {**_environment(f"https://127.0.0.1:{secure}"), **trust}
            )


def cold(handler: str, event: str, environment: Mapping[str, str]) -> Cost:
    """A process that imports the handler, answers one event and exits at once."""
    command = [sys.executable, "-I", "-c", _START, "cold", handler, event]
    silent = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    started = time.perf_counter()
    process = os.posix_spawn(sys.executable, command, environment, file_actions=[silent])
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - started
    if status:
        raise RuntimeError(f"{handler} failed")
    return Cost((usage.ru_utime + usage.ru_stime) * 1000, wall * 1000)


def run(mode: str, handler: str, event: str, environment: Mapping[str, str], *arguments: int) -> Any:
    """What a process of this mode reports; see `worker`."""
    command = [sys.executable, "-I", "-c", _START, mode, handler, event, *map(str, arguments)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _environment(endpoint: str) -> dict[str, str]:
    """What template.yaml and Lambda put there, and nothing of the developer's own AWS profile."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "token" * 100,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "IMAGES_TABLE": "images",
        "DATASETS_TABLE": "datasets",
        "LEDGER_TABLE": "ledger",
        "REPORTS_TABLE": "reports",
        "BUCKET": "bucket",
        "POWERTOOLS_SERVICE_NAME": "imagetrail",
        "POWERTOOLS_METRICS_NAMESPACE": "imagetrail",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def _certificates(folder: Path) -> tuple[Path, Path]:
    """The stub's certificate with its key, and a bundle as long as a real one that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stub")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pair, bundle = folder / "stub.pem", folder / "bundle.pem"
    pair.write_bytes(private + certificate)
    bundle.write_bytes((Path(botocore.__file__).parent / "cacert.pem").read_bytes() + certificate)
    return pair, bundle
