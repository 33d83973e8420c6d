"""Generates one image for the user named on the command line, in a process that a test may kill.

A second argument is its Idempotency-Key.
"""

import sys
from datetime import timedelta

from imagetrail.callers import NOWHERE, Caller
from imagetrail.preferences import Preferences
from imagetrail.schemas import GenerateRequest
from imagetrail.wiring import deployment

if __name__ == "__main__":
    deployment().submission.submit(
        Caller(sys.argv[1]),
        GenerateRequest(prompt="a lighthouse at dawn"),
        NOWHERE,
        time_left=timedelta(seconds=5),
        preferences=Preferences(),
        key=sys.argv[2] if len(sys.argv) > 2 else None,
    )
