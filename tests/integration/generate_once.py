"""Generates one image for the user named on the command line, in a process that a test may kill."""

import sys
from datetime import timedelta

from imagetrail.callers import Caller
from imagetrail.schemas import GenerateRequest
from imagetrail.wiring import deployment

if __name__ == "__main__":
    request = GenerateRequest(prompt="a lighthouse at dawn")
    deployment().generation.generate(Caller(sys.argv[1]), request, timedelta(seconds=10))
