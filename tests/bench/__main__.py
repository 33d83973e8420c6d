"""What the functions cost beside the usual ways to write them: prints a table and writes build/bench.json.

A module of SECTIONS gives rows from `rows(stub, effort)`. Usage: python -m tests.bench [--quick]
"""

import argparse
import json

from tests.bench import browsing, erasing, exporting, folding, generating, local_run, processes, reading, searching
from tests.bench.rows import FULL, QUICK, table

SECTIONS = (reading, generating, folding, erasing, exporting, searching, local_run, browsing)
RESULT = processes.ROOT / "build" / "bench.json"


def main() -> None:
    """Measures section by section."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measures functions and peers.")
    parser.add_argument("--quick", action="store_true", help="few repetitions: does it run, roughly what does it say")
    effort = QUICK if parser.parse_args().quick else FULL
    with processes.stub() as stub:
        rows = [row for section in SECTIONS for row in section.rows(stub, effort)]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"rows": [row.as_json() for row in rows]}, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
