"""The private parts of the emulator that patches rely on are those of the version the patches were written for."""

import hashlib
import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from local.emulator import patches


def digest(name: str) -> str:
    module, _, attribute = name.rpartition(".")
    found: Any = getattr(import_module(module), attribute)
    text = inspect.getsource(found) if callable(found) else repr(found)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    ("patch", "name"), [(patch, name) for patch in patches.PATCHES for name in patch.TARGETS], ids=str
)
def test_what_a_patch_relies_on_has_not_changed(patch: ModuleType, name: str) -> None:
    assert digest(name) == patch.TARGETS[name], f"read {name} again, correct {patch.__name__}, then note {digest(name)}"


def test_each_patch_is_applied_and_says_why() -> None:
    files = {path.stem for path in Path(patches.__path__[0]).glob("*.py")} - {"__init__"}
    assert files == {patch.__name__.rpartition(".")[2] for patch in patches.PATCHES}
    assert all("Upstream:" in (patch.__doc__ or "") and patch.TARGETS for patch in patches.PATCHES)
