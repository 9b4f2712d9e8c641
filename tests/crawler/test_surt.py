"""The keys of the index are those under which pywb looks up."""

from __future__ import annotations

import pytest

from crawler.records.surt import surt

#: As `pywb.utils.canonicalize.canonicalize` of pywb 2.10.0 computed them.
PYWB = {
    "http://127.0.0.1:37937/twin": "1,0,0,127:37937)/twin",
    "http://www.example.com/": "com,example)/",
    "http://www.Example.com/A/B/?b=2&a=1": "com,example)/a/b?a=1&b=2",
    "https://example.com:8443/x": "com,example:8443)/x",
    "http://example.com/a//b": "com,example)/a/b",
    "http://example.com/a/b/": "com,example)/a/b",
    "http://example.com/?": "com,example)/",
    "http://example.com/?q": "com,example)/?q",
    "http://example.com/a?b=2&a=1&": "com,example)/a?&a=1&b=2",
    "http://example.com/a?&b=1": "com,example)/a?&b=1",
    "http://example.com/a?PHPSESSID=0123456789abcdef0123456789abcdef&x=1": "com,example)/a?x=1",
    "http://example.com/a;jsessionid=0123456789abcdef0123456789abcdef": "com,example)/a;jsessionid=0123456789abcdef0123456789abcdef",
    "http://example.com/a?x=1&sid=0123456789abcdef0123456789abcdef": "com,example)/a?&x=1",
    "http://example.com/a?y=1&sid=0123456789abcdef0123456789abcdef&x=1": "com,example)/a?x=1&y=1",
    "http://example.com/%7Ea/%41": "com,example)/~a/a",
    "http://example.com/a%20b?c=%20D": "com,example)/a%20b?c=%20d",
    "http://example.com/a+b": "com,example)/a+b",
    "http://www2.example.co.uk/": "uk,co,example)/",
    "http://www.com/": "com)/",
    "http://example.com/a/./b/../c": "com,example)/a/c",
    "http://example.com/a/./b/..": "com,example)/a",
    "http://example.com/a/.": "com,example)/a",
    "http://[2001:db8::1]/a": "2001:db8::1)/a",
    "http://xn--bcher-kva.example/": "example,xn--bcher-kva)/",
    "http://example.com:80/a": "com,example)/a",
    "https://example.com:443/a": "com,example)/a",
    "http://example.com/%C3%BC": "com,example)/%c3%bc",
    "http://example.com/a?b=c=d&a": "com,example)/a?a&b=c=d",
    "http://example.com/a?b&b&a": "com,example)/a?a&b&b",
    "http://example.com/a?b=2&b=1&B=3&a": "com,example)/a?a&b=1&b=2&b=3",
    "http://example.com/a?a=1&a-b=2&a": "com,example)/a?a&a=1&a-b=2",
    "http://example.com/index.html?": "com,example)/index.html",
    "http://example.com/(S(4hqa0555fwsecu455xqckv45))/f.aspx": "com,example)/f.aspx",
    "http://example.com/(4hqa0555fwsecu455xqckv45)/f.aspx?x": "com,example)/f.aspx?x",
    "http://example.com/a?utm=1&cfid=12&cftoken=34&z": "com,example)/a?utm=1&z",
    "http://example.com/a%2Fb": "com,example)/a/b",
    "http://example.com/a?q=%26x": "com,example)/a?q=&x",
    "http://example.com/a?q=%2526x": "com,example)/a?q=&x",
    "http://example.com/a%2525b": "com,example)/a%25b",
    "http://example.com/a%23b": "com,example)/a%23b",
    "http://example.com/a?u=http://x.example//y/../z": "com,example)/a?u=http://x.example//y/../z",
    "http://www12.www.example.com/a": "com,example,www)/a",
    "http://example.com/a'b(c)!*": "com,example)/a'b(c)!*",
    "http://example.com/a?x=%FF": "com,example)/a?x=%ff",
}


@pytest.mark.parametrize("url", PYWB)
def test_a_key_is_the_one_of_pywb(url: str) -> None:
    assert surt(url) == PYWB[url]
