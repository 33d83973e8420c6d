"""Browser tests share one service: each module signs in users of its own, so that none sees the images of another."""

import re
from collections import defaultdict
from pathlib import Path

BROWSER = Path(__file__).parents[1] / "browser"
USER = re.compile(r'user="([^"]+)"|Api\(service, "([^"]+)"|token\(service\.folder, "([^"]+)"')


def test_no_user_signs_in_in_two_modules() -> None:
    modules = defaultdict(set)
    for path in BROWSER.glob("test_*.py"):
        for match in USER.finditer(path.read_text()):
            modules[match[match.lastindex or 0]].add(path.name)
    assert {user: names for user, names in modules.items() if len(names) > 1} == {}
    assert len(modules) > 50
