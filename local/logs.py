"""The functions' logs as lines for a person."""
import sys

def report(function: str, text: str, ms: int, *, failed: bool) -> None:
    print(function, ms, failed, text, flush=True)
