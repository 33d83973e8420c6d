"""Corrections of the emulator, one a module, with its reason and what should change upstream.

`TARGETS` of a module names the private parts of the emulator that it relies on, with a digest of their source: a test
fails when a new version of the emulator changes one of them.
"""

from types import ModuleType

from local.emulator.context import Context
from local.emulator.patches import (
    athena_arrays,
    call_log,
    durable_objects,
    ordered_indexes,
    role_secrets,
    root_key,
    secure_transport,
    stage_variables,
    stream_records,
)

PATCHES: tuple[ModuleType, ...] = (
    athena_arrays,
    call_log,
    durable_objects,
    ordered_indexes,
    role_secrets,
    root_key,
    secure_transport,
    stage_variables,
    stream_records,
)


def apply(context: Context) -> None:
    """Applies every patch to the emulator in this process."""
    for patch in PATCHES:
        patch.apply(context)
