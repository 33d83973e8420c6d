"""The report of refused rows: it is there when there is something in it, and says so when it cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.importing import REFUSED, Outcome
from cli.refusals import Refusals
from local.problem import ProblemError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_report_is_kept_if_there_is_something_in_it(tmp_path: Path) -> None:
    path = tmp_path / "refused.csv"
    with Refusals(path) as refusals:
        refusals.tell(Outcome(3, REFUSED, "7", [("id", "is wrong"), ("prompt", "is, too")]))
    assert path.read_text().splitlines() == ["line,id,column,reason", "3,7,id,is wrong", '3,7,prompt,"is, too"']
    with Refusals(path):
        pass
    assert not path.exists()


def test_a_link_to_elsewhere_stays(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with Refusals(tmp_path / "link"):
        pass
    assert (tmp_path / "link").is_symlink()


def test_a_report_that_cannot_be_written_is_named_before_anything_is_done(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "refused.csv"
    with pytest.raises(ProblemError, match=f"the report {path} cannot be written: No such file"), Refusals(path):
        pytest.fail("it went on")
