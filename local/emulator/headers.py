"""Headers between the front door and the emulator's guard."""

TOKEN = "x-imagetrail-gateway"  # noqa: S105 (the header's name)
"""Of a request of the front door, with the data folder's gateway token."""
DISK = "x-imagetrail-disk"
"""`full` on each answer while writes are refused."""
