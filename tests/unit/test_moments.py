"""Times as text and ids that sort by time."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagetrail import moments

ZONES = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
ANY_TIME = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001 (made aware)
UNIX_TIME = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(ANY_TIME)
@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime(999, 12, 31, tzinfo=UTC))
@example(datetime.max.replace(tzinfo=UTC))
def test_a_time_comes_back_from_its_text(moment: datetime) -> None:
    text = moments.to_text(moment)
    assert len(text) == 27
    assert text.endswith("Z")
    assert moments.from_text(text) == moment
    assert moments.from_text(text).tzinfo is UTC


@given(ANY_TIME, ANY_TIME)
@example(datetime(999, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
def test_texts_sort_as_their_times(one: datetime, other: datetime) -> None:
    assert (moments.to_text(one) < moments.to_text(other)) is (one < other)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-02-02", "2026-02-02T00:00:00.000000Z"),
        ("2028-02-29", "2028-02-29T00:00:00.000000Z"),
        ("2026-02-02T10:30:00Z", "2026-02-02T10:30:00.000000Z"),
        ("2026-02-02t10:30:00z", "2026-02-02T10:30:00.000000Z"),
        ("2026-02-02t10:30:00.25+01:30", "2026-02-02T09:00:00.250000Z"),
        ("2026-02-02T10:30:00.5Z", "2026-02-02T10:30:00.500000Z"),
        ("2026-02-02T10:30:00.123456Z", "2026-02-02T10:30:00.123456Z"),
        ("2026-02-02T10:30:00.12345Z", "2026-02-02T10:30:00.123450Z"),
        ("2026-02-02T10:30:00.1234567899Z", "2026-02-02T10:30:00.123456Z"),
        ("2026-02-02T10:30:00+23:59", "2026-02-01T10:31:00.000000Z"),
        ("2026-02-02T00:30:00+01:00", "2026-02-01T23:30:00.000000Z"),
        ("2026-02-02T23:30:00-05:30", "2026-02-03T05:00:00.000000Z"),
        ("2026-02-02T10:30:00+00:00", "2026-02-02T10:30:00.000000Z"),
        ("2026-12-31T23:59:59.999999-00:00", "2026-12-31T23:59:59.999999Z"),
        ("0001-01-01", "0001-01-01T00:00:00.000000Z"),
        ("0001-01-01T12:00:00-12:00", "0001-01-02T00:00:00.000000Z"),
        ("9999-12-31", "9999-12-31T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_dates_and_times_of_any_zone_are_read(text: str, utc: str) -> None:
    assert moments.to_text(moments.from_text(text)) == utc


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "2026-02-02T10:30:00Z"),
        ("now", "2026-02-02"),
        ("2026-02-29", "calendar"),
        ("2026-02-30T10:30:00Z", "calendar"),
        ("2026-13-01", "2026-02-02"),
        ("2026-02-02T24:00:00Z", "2026-02-02"),
        ("2026-02-02T24:30:00Z", "2026-02-02"),
        ("2026-02-02T10:60:00Z", "2026-02-02"),
        ("2026-02-02T10:30:61Z", "2026-02-02"),
        ("2026-06-30T23:59:60Z", "leap second"),
        ("2026-02-02T10:30:00 01:00", "+01:00"),
        ("2026-02-02T10:30:00+24:00", "+01:00"),
        ("2026-02-02T10:30:00+01:60", "+01:00"),
        ("2026-02-02T10:30:00+0100", "+01:00"),
        ("2026-02-02T10:30:00+01", "+01:00"),
        ("2026-02-02T10:30:00-01:00:30", "+01:00"),
        ("2026-02-02T10:30Z", "2026-02-02T10:30:00Z"),
        ("2026-02-02T10Z", "2026-02-02T10:30:00Z"),
        ("2026-02-02 10:30:00Z", "2026-02-02T10:30:00Z"),
        ("2026-02-02T10:30:00.Z", "2026-02-02T10:30:00Z"),
        ("2026-02-02T10:30:00,5Z", "2026-02-02T10:30:00Z"),
        ("2026-02-02T10:30:00Z\x00junk", "2026-02-02"),
        ("2026-02-02\x00", "2026-02-02"),
        ("2026-02-02T10:30:00Z\n", "2026-02-02"),
        ("2026-02-02T10:30:00ZZ", "2026-02-02"),
        (" 2026-02-02", "2026-02-02"),
        ("20260202", "2026-02-02"),
        ("2026-W05-1", "2026-02-02"),
        ("2026-02-02Z", "2026-02-02"),
        ("٢٠٢٦-٠٢-٠٢", "2026-02-02"),
        ("２０２６-02-02", "2026-02-02"),
        ("1770028200", "2026-02-02"),
        ("2026-02-02T10:30:00", "zone"),
        ("0000-01-01", "years 1 and 9999"),
        ("0000-01-01T00:00:00Z", "years 1 and 9999"),
        ("0001-01-01T00:00:00+01:00", "years 1 and 9999"),
        ("9999-12-31T23:59:59-00:01", "years 1 and 9999"),
        ("-0001-01-01", "2026-02-02"),
        ("10000-01-01", "2026-02-02"),
    ],
)
def test_what_is_no_time_gets_advice(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        moments.from_text(text)
    assert advice in str(caught.value)
    assert "%" not in str(caught.value)


@given(st.text())
@example("Z")
def test_nothing_may_follow_a_time(text: str) -> None:
    for whole in ("2026-02-02T10:30:00Z", "2026-02-02T10:30:00+01:00"):
        with pytest.raises(ValueError, match="must") if text else nullcontext():
            moments.from_text(whole + text)


@given(st.text())
def test_any_other_text_is_refused_with_advice(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        moments.from_text(f"x{text}")


def test_the_example_of_rfc_9562() -> None:
    moment = datetime(2022, 2, 22, 14, 22, 22, tzinfo=timezone(timedelta(hours=-5)))
    entropy = 0xCC3 << 62 | 0x18C4DC0C0C07398F
    assert moments.new_id(moment, entropy) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(UNIX_TIME, st.integers(0, 2**74 - 1))
@example(datetime(2038, 4, 26, 20, 28, 29, 318000, UTC), 0)
def test_an_id_is_a_uuid_7_of_its_millisecond(moment: datetime, entropy: int) -> None:
    text = moments.new_id(moment, entropy)
    uuid = UUID(text)
    assert str(uuid) == text
    assert (uuid.version, uuid.variant) == (7, RFC_4122)
    assert uuid.int >> 80 == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(UNIX_TIME, st.timedeltas(timedelta(milliseconds=1), timedelta(days=1)))
def test_ids_sort_by_time(moment: datetime, later: timedelta) -> None:
    assert moments.new_id(moment - later if moment.year > 1970 else moment, 2**74 - 1) <= moments.new_id(
        moment, 2**74 - 1
    )
    if moment.year < 9999:
        assert moments.new_id(moment, 2**74 - 1) < moments.new_id(moment + later, 0)


def test_ids_of_one_moment_differ() -> None:
    moment = moments.utc_now()
    assert len({moments.new_id(moment) for _ in range(1000)}) == 1000
