"""The README's commands do what it says, and its outputs are real."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from samtranslator.yaml_helper import yaml_parse

from imagetrail.errors import hierarchy
from local import readme

if TYPE_CHECKING:
    from tests.conftest import Service

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
EXAMPLE = re.compile(r"```sh\n(.*?)```\n(?:\n<!-- output -->\n```(?:json)?\n(.*?)```)?", re.DOTALL)


@pytest.mark.needs("curl")
def test_the_examples_answer_as_shown(service: Service, tmp_path: Path) -> None:
    environment = {"PATH": f"{ROOT}/.venv/bin:/usr/local/bin:/usr/bin:/bin", "DATA_DIR": str(service.folder.path)}
    examples = EXAMPLE.findall(README)
    assert len(examples) >= 5
    for command, shown in examples:
        here = command.replace("http://localhost:3000", service.url).replace("/tmp/", f"{tmp_path}/")  # noqa: S108
        ran = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", here],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        if shown.startswith("{"):
            assert shape(json.loads(ran.stdout)) == shape(json.loads(shown)), command
        elif shown:
            assert ran.stdout == shown, command


def shape(value: object) -> object:
    """The keys of a JSON value, and of what it holds."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    return [shape(member) for member in value[:1]] if isinstance(value, list) else None


def test_the_table_of_models_is_the_codes() -> None:
    assert readme.written() == README


def test_every_parameter_and_code_is_described() -> None:
    for name, parameter in yaml_parse((ROOT / "template.yaml").read_text())["Parameters"].items():
        (row,) = re.findall(rf"^\| `{name}` \|(.*?)\| .+ \|$", README, re.MULTILINE)
        assert row.strip(" `") == str(parameter.get("Default", "")), name
    for error in hierarchy():
        assert f"| {error.status} | `{error.code}` | {error.title} |" in README
