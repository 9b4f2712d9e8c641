"""A date proves something only where it can be believed, and never more than it says."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from conftest import at
from hypothesis import given
from hypothesis import strategies as st

from archive.dates import (
    http_dates,
    interval,
    latest_in,
    parse,
    parse_http,
)
from archive.reasons import DATE_PROBLEMS

READ = {
    "2014-01-26T20:06:24Z": at(2014, 1, 26, 20, 6, 24),
    "2014-01-26t20:06:24z": at(2014, 1, 26, 20, 6, 24),
    "2014-01-26 20:06:24": at(2014, 1, 26, 20, 6, 24),
    "2019-11-18T12:56:03.352903Z": at(2019, 11, 18, 12, 56, 3, 352903),
    "2019-11-18T12:56:03.352903999Z": at(2019, 11, 18, 12, 56, 3, 352903),
    "2021-05-20T22:15:09.036Z": at(2021, 5, 20, 22, 15, 9, 36000),
    "2021-12-31T23:30:00-01:00": at(2022, 1, 1, 0, 30),
    "2022-01-01T00:30:00+0100": at(2021, 12, 31, 23, 30),
    "2016-12-31T23:59:60Z": at(2016, 12, 31, 23, 59, 59, 999999),
    # what is left out counts to its end
    "2021-12-31T23:59Z": at(2021, 12, 31, 23, 59, 59, 999999),
    "2021-12-31": at(2021, 12, 31, 23, 59, 59, 999999),
    "2020-02": at(2020, 2, 29, 23, 59, 59, 999999),
    "2021": at(2021, 12, 31, 23, 59, 59, 999999),
    # ARC and CDX digits
    "20140216050221": at(2014, 2, 16, 5, 2, 21),
    "2016020900": at(2016, 2, 9, 0, 59, 59, 999999),
    "200011101120": at(2000, 11, 10, 11, 20, 59, 999999),
    "201601131150267": at(2016, 1, 13, 11, 50, 26, 700000),
    "2000082305410049": at(2000, 8, 23, 5, 41, 0, 490000),
    "20160113115026123": at(2016, 1, 13, 11, 50, 26, 123000),
    "200009180023002953": at(2000, 9, 18, 0, 23, 0, 295300),
}

BROKEN = {
    None: "missing",
    "": "missing",
    "null": "missing",
    "-": "missing",
    "5088968-11-06T12:31:23Z": "future",
    "2009-03-65T08:43:19-0800": "unparsable",
    "2009-67-01T00:00:00Z": "unparsable",
    "2021-02-29T00:00:00Z": "unparsable",
    "201512000000000": "unparsable",
    "20160211000000jpg": "unparsable",
    "20151301000000": "unparsable",
    "20150101250000": "unparsable",
    "2015010125": "unparsable",
    "201501012": "unparsable",
    "a0d1fdddf3165d0447b1f7a285c61c1c9": "unparsable",
    "Tue, 11 Jan 2011 14:58:35 GMT": "unparsable",
    "0000-01-01T00:00:00Z": "unparsable",
    "2015-01-01T00:00:00+99:00": "unparsable",
    "2015-01-01T00:00:00+00:99": "unparsable",
    "٢٠١٥-٠١-٠١T00:00:00Z": "unparsable",
}


@pytest.mark.parametrize(("raw", "moment"), READ.items())
def test_a_date_is_read_as_its_last_instant_in_utc(raw: str, moment: datetime) -> None:
    assert parse(raw) == (moment, None)


@pytest.mark.parametrize(("raw", "problem"), BROKEN.items())
def test_a_broken_date_has_a_problem_and_no_time(raw: str | None, problem: str) -> None:
    assert parse(raw) == (None, problem)


@given(st.text(max_size=40))
def test_any_string_is_a_date_or_a_documented_problem(raw: str) -> None:
    moment, problem = parse(raw)
    assert (moment is None) == (problem is not None)
    assert problem is None or problem in DATE_PROBLEMS


@given(st.datetimes(datetime(1991, 1, 1), datetime(2025, 1, 1)), st.integers(4, 18))
def test_a_shortened_date_never_claims_to_be_older_than_the_full_one(moment: datetime, digits: int) -> None:
    full = f"{moment:%Y%m%d%H%M%S}{moment.microsecond:06d}"
    short, problem = parse(full[:digits])
    if digits < 14 and digits % 2:
        assert (short, problem) == (None, "unparsable")
    else:
        assert problem is None
        assert short is not None
        full_seconds = moment.replace(tzinfo=UTC, microsecond=0)
        assert short >= (
            full_seconds if digits < 18 else moment.replace(tzinfo=UTC, microsecond=moment.microsecond // 100 * 100)
        )


@pytest.mark.parametrize("raw", READ)
def test_the_first_instant_of_a_date_is_not_behind_its_last(raw: str) -> None:
    read = interval(raw)
    assert read.start is not None
    assert read.end is not None
    assert read.start <= read.end
    assert interval(raw, any_zone=True).end >= read.end  # type: ignore[operator]


EARLY, LATE = "Sun, 01 Mar 2015 05:06:07 GMT", "Sun, 01 Jan 2023 00:00:00 GMT"
HTTP_FORMS = {
    EARLY: at(2015, 3, 1, 5, 6, 7),
    "Sunday, 01-Mar-15 05:06:07 GMT": at(2015, 3, 1, 5, 6, 7),
    "Thu Apr 10 16:30:27 2008 GMT": at(2008, 4, 10, 16, 30, 27),
    "Sun Mar  1 05:06:07 2015": at(2015, 3, 1, 19, 6, 7),
    "Tue, 25 Mar 2014 11:26:03 +0000": at(2014, 3, 25, 11, 26, 3),
    "Tue Mar 25 2014 11:26:03 GMT+0100 (CET)": at(2014, 3, 25, 10, 26, 3),
    "Sun, 01 Mar 2015 05:06:07 EST": at(2015, 3, 1, 10, 6, 7),
    "1 Mar 2015 5:06:07 UTC": at(2015, 3, 1, 5, 6, 7),
    "  Sun,  01  Mar  2015  05:06:07  GMT ": at(2015, 3, 1, 5, 6, 7),
    "Sun, 01 Mar 2015 05:06:07 PM GMT": at(2015, 3, 1, 17, 6, 7),
    "1 Mar 2015 12:06:07 AM": at(2015, 3, 1, 14, 6, 7),
    "2015-03-01T05:06:07Z": at(2015, 3, 1, 5, 6, 7),
    "20150301050607": at(2015, 3, 1, 5, 6, 7),
}


@pytest.mark.parametrize(("raw", "moment"), HTTP_FORMS.items())
def test_dates_of_http_are_read_in_the_forms_that_servers_use(raw: str, moment: datetime) -> None:
    assert parse_http(raw) == moment
    assert http_dates(raw) == (moment,)
    assert latest_in(raw) == moment


@pytest.mark.parametrize(
    "raw", ["Sun, 01 Jan 123 00:00:00 GMT", "Sun, 01 Jan 69 00:00:00 GMT", "1969-12-30", "soon", ""]
)
def test_a_date_of_before_1970_is_no_date_of_a_server(raw: str) -> None:
    assert http_dates(raw) == (None,)


@given(st.sampled_from([*HTTP_FORMS]), st.text(max_size=12), st.sampled_from([LATE, "2023-01-01T00:00:00Z", " 2023"]))
def test_a_value_with_a_later_date_in_it_is_read_as_late_or_not_at_all(first: str, between: str, second: str) -> None:
    for raw in (first + between + second, first + between + second + between, second + between + first):
        read = http_dates(raw)
        assert None in read or max(filter(None, read)) >= at(2023, 1, 1)


@given(
    st.sampled_from([*HTTP_FORMS]),
    st.text(st.characters(exclude_categories=["L", "N", "M"]), min_size=1, max_size=12),
    st.sampled_from([LATE, "Sunday, 01-Jan-23 00:00:00 GMT", "2023-01-01T00:00:00Z", "2023", "20230101000000"]),
)
def test_the_latest_date_is_found_in_a_value_that_is_none(first: str, between: str, second: str) -> None:
    for raw in (f"{first} {between} {second}", f"{second} {between} {first}"):
        found = latest_in(raw)
        assert found is not None
        assert found >= at(2023, 1, 1)


def test_several_dates_with_commas_are_several_dates() -> None:
    assert http_dates(f"{EARLY}, {LATE}") == (at(2015, 3, 1, 5, 6, 7), at(2023, 1, 1))
    assert http_dates(f"{EARLY},{EARLY} , {LATE}")[-1] == at(2023, 1, 1)
    assert http_dates(f"{EARLY},") == (None,)


@pytest.mark.parametrize(
    "raw", ["x" + " " * 500_000 + "y", "," * 500_000, "1" + "\u0300\u0316" * 200_000, "1 Jan " * 90_000]
)
def test_a_long_value_costs_no_more_than_its_length(raw: str) -> None:
    started = time.process_time()
    assert http_dates(raw) == (None,)
    latest_in(raw)
    assert time.process_time() - started < 5
