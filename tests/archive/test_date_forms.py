"""Dates as tables have them are read where they have one meaning, and none is read as an earlier instant than it is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from conftest import at
from hypothesis import example, given
from hypothesis import strategies as st

from archive.date_forms import any_form

EXACT = at(2019, 4, 25, 12, 57, 54)
#: The end of 4 March 2019 in the last zone.
MARCH_4 = at(2019, 3, 5, 13, 59, 59, 999999)

READ = {
    # by databases and programs, all with a zone
    "2019-04-25T12:57:54Z": EXACT,
    "2019-04-25 12:57:54+00": EXACT,
    "2019-04-25T14:57:54+02": EXACT,
    "2019-04-25T14:57:54+0200": EXACT,
    "2019-04-25T10:57:54\u221202:00": EXACT,
    "2019-04-25T12:57:54Z[UTC]": EXACT,
    "2019-04-25T14:57:54+02:00[Europe/Paris]": EXACT,
    "2019-04-25 12:57:54 GMT": EXACT,
    "2019-04-25 14:57:54 +0200": EXACT,
    "2019/04/25 12:57:54 UTC": EXACT,
    "20190425T125754Z": EXACT,
    "2019-W17-4T12:57:54Z": EXACT,
    "2019-115T12:57:54Z": EXACT,
    "2019-04-24T24:00:00Z": at(2019, 4, 25),
    "2019-04-25T12Z": at(2019, 4, 25, 12, 59, 59, 999999),
    "Thu, 25 Apr 2019 14:57:54 +0200": EXACT,
    "Thu Apr 25 12:57:54 +0000 2019": EXACT,
    "April 25, 2019 at 12:57:54 PM UTC": EXACT,
    # seconds since 1970, and their thousandths …
    "1556197074": EXACT,
    "1556197074000": EXACT,
    "1556197074000000": EXACT,
    "1556197074000000000": EXACT,
    "1556197074.25": at(2019, 4, 25, 12, 57, 54, 250000),
    "@1556197074": EXACT,
    "/Date(1556197074000+0200)/": EXACT,
    # without a zone
    "2019/04/25 12:57:54": EXACT + timedelta(hours=14),
    "4/25/2019, 12:57:54\u202fPM": EXACT + timedelta(hours=14),
    "20190425125754": EXACT + timedelta(hours=14),
    "2019-04-25 12:57:54 CEST": EXACT + timedelta(hours=14),
    "2019-04-25 12:57:54 noon": EXACT + timedelta(hours=26),
    "2019-04-25T11:00 abend": at(2019, 4, 26, 13, 0, 59, 999999),
    # a day
    "4 March 2019": MARCH_4,
    "4th of March, 2019": MARCH_4,
    "March 4, 2019": MARCH_4,
    "Mon, Mar 4, 2019": MARCH_4,
    "04-Mar-2019": MARCH_4,
    "4. März 2019": None,
    "2019年3月4日": MARCH_4,
    "2019年3月4日(月)": MARCH_4,
    "2019년 3월 4일": MARCH_4,
    "2019. 3. 4.": MARCH_4,
    "２０１９／３／４": MARCH_4,
    "2019-W10-1": MARCH_4,
    "2019W101": MARCH_4,
    "2019-063": MARCH_4,
    # longer than a day
    "2019-W10": MARCH_4 + timedelta(days=6),
    "March 2019": MARCH_4 + timedelta(days=27),
    "2019/03": MARCH_4 + timedelta(days=27),
    "2019年3月": MARCH_4 + timedelta(days=27),
    "2019年": at(2020, 1, 1, 13, 59, 59, 999999),
    # the day or the month first: the later one of both
    "25/04/2019": at(2019, 4, 26, 13, 59, 59, 999999),
    "04/25/2019": at(2019, 4, 26, 13, 59, 59, 999999),
    "04/03/2019": at(2019, 4, 4, 13, 59, 59, 999999),
    "03.04.2019": at(2019, 4, 4, 13, 59, 59, 999999),
    "Mon 04/03/2019": MARCH_4,  # 3 April was a Wednesday
    # a day of the week shows that a year of two digits is one
    "Monday, 04-Mar-19 12:57:54 GMT": at(2019, 3, 4, 12, 57, 54),
    "Tue, 04-Mar-19 12:57:54 GMT": None,
    # a year of four digits, or of two: the later one
    "201112": at(2020, 11, 13, 13, 59, 59, 999999),
    "2011121314": at(2020, 11, 13, 3, 14, 59, 999999),
    "201112131415": at(2020, 11, 13, 3, 14, 15),
    "200131": at(2020, 2, 1, 13, 59, 59, 999999),
    "201131": None,
    "201304": at(2013, 5, 1, 13, 59, 59, 999999),
    # a letter for the half of the day
    "4 Mar 2019 11:00:00 PM": at(2019, 3, 5, 13),
    "4 Mar 2019 11:00:00 P": at(2019, 3, 5, 13),
    "4 Mar 2019 11.00.00 PM": None,
    # what nobody can know
    "19-Mar-04 12:57:54": None,  # 2019 or 2004
    "Mon, 28 Apr 2019 12:57:54 GMT": None,
    "4 March 2019" + " " * 200: None,
    "4/5/19": None,
    "4-Mar-19": None,
    "2019115": None,
    "2019.5": None,
    "43580": None,
    "Tue, Mar 4, 2019": None,
    "Mar 4, 2019 2023": None,
    "30/02/2019": None,
    "2019-366": None,
    "2019-W54": None,
    "2019-04-24T24:00:01Z": None,
    "2019-04-25T12:57:54+15:00": None,
    "2019-04-25T12:57:54Z 2023-01-01": None,
    "2000000000000": None,
    "soon": None,
}


@pytest.mark.parametrize(("raw", "moment"), READ.items())
def test_a_date_is_read_where_it_has_one_meaning_and_at_its_late_end(raw: str, moment: datetime | None) -> None:
    read = any_form(raw)
    assert read.end == moment
    assert (read.problem == "unparsable") == (moment is None)
    assert read.end is None or (read.start is not None and read.start <= read.end)


@pytest.mark.parametrize("raw", ["", "NaT", "nan", "\\N", "N/A", "null", "-"])
def test_what_tables_write_for_nothing_is_a_missing_date(raw: str) -> None:
    assert any_form(raw).problem == "missing"


def _week(at: datetime) -> str:
    return "{}-W{:02}-{}".format(*at.isocalendar())


FORMS = [
    lambda at: at.isoformat(),
    lambda at: at.isoformat(" ", "seconds"),
    lambda at: f"{at:%Y%m%dT%H%M%S%z}",
    lambda at: f"{at:%Y/%m/%d %H:%M:%S %z}",
    lambda at: f"{at:%Y-%m-%dT%H%z}",
    lambda at: f"{at:%Y-%m-%d %H:%M}",
    lambda at: f"{at:%Y-%m-%d}",
    lambda at: f"{at:%Y.%m.%d}",
    lambda at: f"{at:%Y-%jT%H:%M:%S%z}",
    lambda at: _week(at),
    lambda at: _week(at)[:8],
    lambda at: format_datetime(at),
    lambda at: f"{at:%a %b %d %H:%M:%S %z %Y}",
    lambda at: f"{at:%A, %B %d, %Y at %I:%M %p}",
    lambda at: f"{at:%d %B %Y %H:%M:%S}",
    lambda at: f"{at:%d-%b-%Y}",
    lambda at: f"{at:%m/%d/%Y %I:%M:%S %p}",
    lambda at: f"{at:%d/%m/%Y %H:%M}",
    lambda at: f"{at:%d.%m.%Y}",
    lambda at: f"{at:%b %Y}",
    lambda at: f"{at:%m/%Y}",
    lambda at: f"{at.year}年{at.month}月{at.day}日 {at.hour}時{at.minute}分",
    lambda at: f"{at.year}년 {at.month}월 {at.day}일",
    lambda at: f"{at:%Y%m%d%H%M%S}",
    lambda at: f"{at:%Y}",
    lambda at: str(int(at.timestamp())),
    lambda at: str(int(at.timestamp() * 1000)),
    lambda at: str(int(at.timestamp()) * 1_000_000),
    lambda at: str(int(at.timestamp()) * 1_000_000_000),
]


@given(
    st.datetimes(datetime(1991, 1, 3), datetime(2026, 1, 1)),
    st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters))),
    st.integers(0, len(FORMS) - 1),
)
@example(datetime(2019, 12, 31, 23, 59, 59), timezone(timedelta(hours=-12)), 10)
def test_no_form_is_read_as_an_earlier_instant_than_the_one_that_was_written(
    moment: datetime, zone: timezone, form: int
) -> None:
    stated = moment.replace(microsecond=0, tzinfo=zone)
    read = any_form(FORMS[form](stated))
    assert read.end is not None, FORMS[form](stated)
    assert read.start is not None
    assert read.start <= stated <= read.end
    assert read.end - read.start < timedelta(days=366 + 2)


@given(st.text("0123456789-/.:T Z+年月日WMarchApl,", max_size=30))
def test_any_string_is_read_or_refused(raw: str) -> None:
    read = any_form(raw)
    assert (read.end is None) == (read.problem is not None)
    assert read.end is None or (read.start is not None and read.start <= read.end)
