"""Main content: what is cut, what each option keeps, and that pages of people's words keep them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
import pytest
from conftest import SHARED, examples, record, take
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

import archive
from archive.errors import ArchiveError
from archive.lake import Lake
from archive.text.base import extractor, keeping, name_of
from archive.text.content.features import measure as measure_segments
from archive.text.content.model import model
from archive.text.content.parts import PARTS
from archive.text.content.segments import segments_of
from archive.text.content.words import BIT, bits_of
from archive.text.extract import from_html
from benchmarks.extraction import measure, segments

Write = Callable[[str, bytes], str]

GOLD = SHARED / "data" / "html-gold" / "trafilatura"

SENTENCES = [
    "The bridge was built in 1893, after the flood had taken the old one, and it has carried the road ever since.",
    "Its engineer, a man from the next valley, had never built anything larger than a barn before the town asked him.",
    "Two hundred people worked on it for a summer, and the baker, who kept a diary, wrote down what each of them ate.",
    "When the railway came, thirty years later, nobody believed that the arches would bear the weight of an engine.",
]
PARAGRAPHS = "".join(f"<p>{each}</p>" for each in SENTENCES)
HEAD = "<title>The old bridge - Valley News</title>"
MENU = (
    "<nav class=menu><ul>"
    + "".join(f"<li><a href=/{each}>{each}</a>" for each in ("Home", "Sport", "Weather", "Jobs"))
    + "</ul></nav>"
)


def page(extra: str = "", behind: str = "", head: str = HEAD) -> str:
    return f"""<!doctype html><html><head>{head}</head><body>{MENU}<main><article><h1>The old bridge</h1>
    <div class="entry-content">{PARAGRAPHS}{extra}</div>{behind}</article></main>
    <footer class=footer><p>Copyright 2012 Valley News. All rights reserved.</p></footer></body></html>"""


#: Of each part a page that has it, and words of it.
MADE = {
    "title": (page(), "The old bridge"),
    "captions": (page('<figure><img src=a.jpg><figcaption>Workers in 1893. Photo: town archive</figcaption></figure>'), "Workers in 1893"),
    "credits": (page(behind='<div class="byline author">By Jane Doe, <time datetime=2012-01-01>1 January 2012</time></div>'), "By Jane Doe"),
    "comments": (page(behind='<section id=comments class=comments-area><h2>2 comments</h2><ol class=comment-list><li class=comment><p>Great story, thanks!</p></li><li class=comment><p>My uncle was there.</p></li></ol></section>'), "Great story"),
    "share": (page(behind='<div class="share-buttons"><ul><li><a href=#>Share on Facebook</a><li><a href=#>Tweet this</a></ul></div>'), "Share on Facebook"),
    "related": (page(behind='<div class="related-posts"><h3>Related posts</h3><ul><li><a href=/1>The new bridge</a><li><a href=/2>The mill</a></ul></div>'), "The new bridge"),
    "navigation": (page(), "Weather"),
    "notices": (page(behind='<div id="cookie-consent" class="cookie-banner"><p>We use cookies. <a href=#>Accept</a></p></div>'), "We use cookies"),
}  # fmt: skip


@pytest.mark.parametrize("part", MADE)
def test_a_part_is_cut_and_its_option_keeps_it(part: str) -> None:
    html, own = MADE[part]
    cut, kept = from_html(html), from_html(html, frozenset([part]))
    for sentence in SENTENCES:
        assert sentence in cut.text
        assert sentence in kept.text
    assert own not in cut.text
    assert own in kept.text
    assert cut.extractor.endswith("+lb1")
    assert kept.extractor.endswith(f"+lb1+{part}")


def test_with_all_parts_nothing_that_is_shown_is_missing() -> None:
    for html, own in MADE.values():
        assert own in from_html(html, frozenset(PARTS)).text


def test_what_is_quoted_stays() -> None:
    quote = '<blockquote class="twitter-tweet"><p>We shall cross it again, said the mayor to the crowd on Sunday.</p></blockquote>'
    assert "said the mayor to the crowd" in from_html(page(quote)).text


def test_readings_above_ideograms_do_not_part_words() -> None:
    ruby = (
        "<p><ruby>外国人<rp>(</rp><rt>がいこくじん</rt><rp>)</rp></ruby>の<ruby>皆<rt>みな</rt></ruby>さんのために、ニュースを伝えます。</p>"
        * 3
    )
    assert "外国人の皆さんのために、ニュースを伝えます。" in from_html(page(ruby)).text


def test_a_list_of_books_behind_the_text_stays_to_its_last_item() -> None:
    books = [
        "Miller, Anna. History of bridges of the upper valley",
        "Smith, John. Arches and piers of old roads, 1971",
        "Brown, Paul. Mills and weirs of the county, 1903",
    ]
    text = from_html(page(behind=f"<ul>{''.join(f'<li>{book}</li>' for book in books)}</ul>")).text
    assert all(book in text for book in books)


@pytest.mark.parametrize("long", [10, 4_095, 4_096, 300_000])
def test_what_is_measured_of_characters_is_exact_at_any_length(long: int) -> None:
    texts = [
        "a, b. 12" * (long // 8),
        "日本。",
        "x" * long,
        "ไทย" * (long // 3),
        "9" * long,
        "\U0001f600." * (long // 2),
    ]
    found = segments_of("<body>" + "".join(f"<p>{text}</p>" for text in texts) + "</body>")
    assert found.texts == texts
    rows = measure_segments(found, "", "").rows
    digits = [sum(each in "0123456789" for each in text) * 16 // len(text) for text in texts]
    wide = [sum("⺀" <= each <= "꓏" for each in text) * 4 // len(text) for text in texts]
    assert rows[:, 6].tolist() == digits
    assert rows[:, 51].tolist() == wide


@pytest.mark.parametrize(
    ("mark", "kind"),
    [
        (
            '<script type="application/ld+json">{"@context": "https://schema.org", "@type": "QAPage"}</script>',
            "comment",
        ),
        ('<script type="application/ld+json">{"@type": "DiscussionForumPosting"}</script>', "comment"),
        ('<meta name="generator" content="Discourse 3.1">', "reply comment"),
    ],
)
def test_where_the_page_is_a_discussion_its_comments_are_the_text(mark: str, kind: str) -> None:
    posts = [f"Post {number}: {sentence}" for number, sentence in enumerate(SENTENCES * 2)]
    body = "".join(f'<div class="{kind}" id=comment-{n}><p>{post}</p></div>' for n, post in enumerate(posts))
    html = (
        f"<html><head><title>Old bridges</title>{mark}</head><body>{MENU}<div class=comments>{body}</div></body></html>"
    )
    text = from_html(html).text
    assert all(post in text for post in posts)
    assert "Weather" not in text


@pytest.mark.parametrize(
    ("body", "text", "how"),
    [
        ("<div id=root>Loading…</div><noscript><p>" + "The real text is here for who has no scripts. " * 6 + "</p></noscript>", "The real text is here", ""),
        ("<div id=root>Loading…</div><script type='application/ld+json'>" + json.dumps({"@type": "NewsArticle", "articleBody": " ".join(SENTENCES)}) + "</script>", SENTENCES[2], "+data"),
        ("<ul><li><a href=/a>Alpha</a><li><a href=/b>Beta</a></ul>", "Alpha\nBeta", ""),
        ("<div id=root>Loading…</div>", "Loading…", ""),
        ("<p>We use cookies.</p>", "We use cookies.", ""),
    ],
)  # fmt: skip
def test_a_page_that_shows_almost_nothing_gives_what_it_has(body: str, text: str, how: str) -> None:
    found = from_html(f"<html><head><title>A page</title></head><body>{body}</body></html>")
    assert text in found.text
    assert how in found.extractor


@pytest.mark.parametrize(
    "sentences",
    [
        ["昔々、ある所にお爺さんとお婆さんが住んでいました。お爺さんは山へ柴刈りに、お婆さんは川へ洗濯に行きました。"] * 3,
        ["春天来了，小河里的冰都化了，孩子们在河边放风筝，老人们坐在树下聊天，村子里到处都是笑声。"] * 3,
        ["كان يا ما كان في قديم الزمان رجل فقير يعيش في قرية صغيرة، وكان له ثلاثة أبناء يعملون معه في الحقل كل يوم."] * 3,
        ["ในวันหนึ่งชาวนาคนหนึ่งได้เดินทางไปยังเมืองหลวงเพื่อขายข้าวของเขาและได้พบกับพ่อค้าผู้ร่ำรวยที่ตลาดใหญ่"] * 3,
        ["Жил-был в одной деревне старик, и было у него три сына: двое умных, а третий, как водится в сказках, дурак."] * 3,
    ],
)  # fmt: skip
def test_the_text_of_other_scripts_is_text(sentences: list[str]) -> None:
    made = [f"{number} {sentence}" for number, sentence in enumerate(sentences)]
    body = "".join(f"<p>{each}</p>" for each in made)
    text = from_html(f"<title>x</title>{MENU}<div dir=auto><div class=content>{body}</div></div>").text
    assert all(each in text for each in made)
    assert "Weather" not in text


def test_code_poems_and_tables_keep_their_lines() -> None:
    code = "def f(x):\n  return x + 1"
    poem = "Shall I compare thee<br>to a summer's day?"
    table = "<table><tr><th>Year<th>Arches<tr><td>1893<td>twelve</table>"
    text = from_html(page(f"<pre>{code}</pre><p>{poem}</p>{table}"), frozenset(["rest"])).text
    assert "def f(x):\nreturn x + 1" in text  # the normal form has no indentation
    assert "Shall I compare thee\nto a summer's day?" in text
    assert "Year Arches" in text
    assert "1893 twelve" in text


PIECES = st.sampled_from(
    ["<p>", "</p>", "<div class=comment>", "</div>", "<b>", "<table>", "<td>", "<li>", "<nav>", "<!-- a < b -->", "<svg><style>a</svg>",
     "<script>if (a<b) '</div>'</script>", "<br>", "<br><br>", "&lt;x&gt; &amp;", "<span class=caption>", "</span>", "<a href='?a<b'>",
     "</a>", "<pre>", "<select><option>no</select>", "<noscript>", "<frameset>", "<template>t", "<plaintext>", "word ", "Ein Satz, der endet. ",
     "\r", "\0", "日本語。", "<h1>", "<math><mi>x</mi></math>", "<title>word</title>", "<textarea>q<p>", "<figure><figcaption>", "<a<b \"q\"=1>"]
)  # fmt: skip


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join), st.sets(st.sampled_from(PARTS)))
def test_no_page_fails_and_options_only_add(html: str, keep: set[str]) -> None:
    plain, more = from_html(html), from_html(html, frozenset(keep))
    if "+all" not in plain.extractor:
        at = 0
        for line in plain.text.split("\n"):  # in the order of the page
            for word in line.split():
                found = more.text.find(word, at)
                assert found >= 0
                at = found + len(word)
    assert set(plain.text) <= set(html) | set("<>& \n\ufffd")


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000 + "deep",
        "<p>a<b>" * 20_000,
        "<a" * 50_000,
        "<!--" * 50_000 + "x",
        "<td>x" * 20_000,
        "x" * 1_000_000,
    ],
)
def test_deep_and_broken_pages_take_no_longer_than_others_of_their_size(html: str) -> None:
    assert from_html(html).text or html.startswith(("<a<", "<!--"))


def test_every_text_of_a_page_is_in_one_segment() -> None:
    html = "<body>a<div>b<p>c <i>d</i>e</p>f<span class=author>g</span>h<table><td>i<td>j</table></div>k<br>l<br><br>m"
    found = segments_of(HTMLTree.parse(html).body.html)
    assert "".join(found.texts).replace(" ", "").replace("\n", "") == "abcdefghijklm"
    assert all(parent < at for at, parent in enumerate(found.parents) if at)


def test_names_of_classes_are_read_as_words() -> None:
    assert bits_of('div class="js-relatedPosts"') & BIT["related"]
    assert bits_of('div id="CommentList"') & BIT["comments"]
    assert not bits_of('div class="commentator recommender"')
    assert bits_of('div style="color:red; display: none"') & BIT["hidden"]


def test_the_weights_are_whole_numbers_and_scores_have_no_rounding() -> None:
    for layer in (model().first, model().second, model().last):
        assert (layer == np.rint(layer)).all()
    rows = np.random.default_rng(0).integers(0, 64, (40, len(model().first) - 1)).astype(float)
    forward = model().scores(rows)
    assert (np.concatenate([model().scores(rows)[:20], forward[20:]]) == forward).all()
    alone = rows.astype(object) @ model().first.astype(np.int64).astype(object)[:-1]  # Python's own whole numbers
    assert (alone == (rows @ model().first[:-1])).all()


def test_the_name_of_an_extractor_has_the_parts_that_it_keeps() -> None:
    assert keeping("resiliparse", ["comments", "captions", "comments"]) == "resiliparse+captions+comments"
    assert extractor("resiliparse+captions")(MADE["captions"][0]).text.count("Workers in 1893") == 1
    with pytest.raises(ArchiveError, match="no part 'footnotes'"):
        keeping("resiliparse", ["footnotes"])
    with pytest.raises(ArchiveError, match="cannot keep parts"):
        keeping("trafilatura", ["captions"])
    with pytest.raises(ArchiveError, match="no part"):
        extractor("resiliparse+footnotes")


@pytest.mark.parametrize("keep", [[], ["captions"], ["comments", "title"], list(PARTS)])
def test_a_label_leads_back_to_the_extractor_that_made_it(keep: list[str]) -> None:
    name = keeping("resiliparse", keep)
    for html, _ in MADE.values():
        made = extractor(name)(html)
        assert name_of(made.extractor) == name
        assert extractor(name_of(made.extractor))(html) == made


def test_a_label_from_before_leads_to_the_method_of_then() -> None:
    html = MADE["comments"][0]
    before = extractor(name_of("resiliparse/1.0.2"))(html)
    assert "Great story" in before.text
    assert "+lb" not in before.extractor
    assert name_of("trafilatura/2.0.0") == "trafilatura"


def test_other_parts_are_another_reading_of_a_file(lake: Lake, write: Write) -> None:
    source = write("a.warc", record(body=MADE["captions"][0]))
    take(lake, source)
    again = archive.ingest(lake, source, keep="captions,title", workers=1)
    assert (again.files_skipped, again.captures) == (0, 1)
    labels = lake.read("captures", ["extractor"])["extractor"].to_pylist()
    assert sorted(each.split("+", 1)[1] for each in labels) == ["lb1", "lb1+title+captions"]
    assert archive.ingest(lake, source, keep=["title", "captions"], workers=1).files_skipped == 1
    with pytest.raises(ArchiveError, match="no part 'footnotes'"):
        archive.ingest(lake, source, keep="footnotes", workers=1)


@pytest.mark.skipif(not GOLD.is_dir(), reason="../shared/data is not there")
def test_the_score_on_gold_pages_does_not_fall() -> None:
    golds = sorted(segments(GOLD), key=lambda gold: gold.name)[::10]
    result = measure(golds, lambda html: from_html(html).text)
    assert len(golds) == 99
    assert result["f1"][0] > 0.90
    assert result["recall"][0] > 0.93
    assert result["empty"] == 0


@pytest.mark.parametrize("part", ["<script type=application/ld+json>x", "<script ", "<script type='a' "])
def test_scripts_without_an_end_cost_no_more_than_their_length(part: str) -> None:
    started = time.process_time()
    from_html(f"<body><p>Hi.</p>{part * 20_000}application/ld+json")
    assert time.process_time() - started < 10
