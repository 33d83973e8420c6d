"""What the emulator's patches need to know of the data folder."""

from dataclasses import dataclass

from local.credentials import Credentials
from local.emulator.disk import Disk


@dataclass(frozen=True)
class Context:
    """Of one emulator process."""

    credentials: Credentials
    disk: Disk
