"""The registered domain of a URL."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from query.domain import registered_domain, registered_domains

_URLS = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.from_regex(r"\A[a-zſİK]{1,5}://([a-z.]*@)?([A-Zİß.]{0,12}|\[::1\]|1\.2\.3\.4)(:80)?(/.*)?\Z"),
)


@given(st.lists(_URLS, max_size=20))
@example(
    ["http://News.BBC.co.uk./1", "", None, "ıx://bbc.co.uk/", "http://a.b@[::1]:80/", "http://\n.co.uk", "//x.com"]
)
def test_domains_of_many_urls_are_those_of_each_one(urls: list[str | None]) -> None:
    assert registered_domains(pa.array(urls, pa.string())).to_pylist() == [registered_domain(url) for url in urls]
