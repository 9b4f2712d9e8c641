"""The words in class names, ids and roles that say what a part of a page is.

A name is cut at what is no letter and where a capital letter follows a small one: `js-relatedPosts` has the words
`js`, `related` and `posts`. Each word stands for itself: a word that is not in the table says nothing.
"""

from __future__ import annotations

import re


def listed(names: str) -> list[str]:
    """Return the names in a string, which white space parts."""
    return names.split()


#: What words say, one bit each. The first ones name a part that is not the text of a page.
BITS = (
    "captions",
    "comments",
    "credits",
    "share",
    "related",
    "navigation",
    "notices",
    "side",
    "head",
    "foot",
    "advert",
    "meta",
    "content",
    "article",
    "title",
    "lead",
    "hidden",
    "embed",
    "discussion",
    "list",
    "widget",
    "form",
    "gallery",
    "unseen",
    "noscript",
)
BIT = {name: 1 << at for at, name in enumerate(BITS)}

_WORDS = {
    "captions": "caption captions figcaption imagecaption bildunterschrift legende photocredit imgcaption wpcaption",
    "comments": "comment comments commentlist commentary disqus reply replies respond responses reader discussion "
    "kommentar kommentare commentaires comentarios commenti reacties livefyre guestbook trackback trackbacks pingback "
    "feedback commenting comentarii yorum yorumlar komentarze",
    "credits": "byline author authors autor auteur auteurs writer writers credit credits copyright journalist dateline "
    "datetime timestamp pubdate published publish posted postedon source sources "
    "contributor contributors bio biography "
    "vcard reporter editor updated lastmod modified readtime reading signature",
    "share": "share shares sharing sharer shared social socials sociable addthis addtoany "
    "sharethis sharebar sharedaddy "
    "facebook twitter whatsapp pinterest telegram follow followus bookmark bookmarks likes like flattr print",
    "related": "related relatedposts similar recommend recommended recommendation recommendations recirc "
    "recirculation more readmore seealso also popular mostpopular mostread trending latest recent teaser teasers "
    "promo promos outbrain taboola next prev previous nextprev pager pagination upnext verwandte weitere aehnliche "
    "headlines crosslinks tiles carousel slider suggestions suggested yarpp zergnet toplist featured",
    "navigation": "nav navi navigation navbar menu menus submenu subnav breadcrumb breadcrumbs crumbs crumb toc topnav "
    "mainnav skip skiplink skiplinks sitemap tabs tabbar toolbar dropdown hamburger megamenu tag tags tagcloud "
    "taglist categories category cats topics keywords search suche language lang switcher menubar",
    "notices": "cookie cookies consent gdpr cmp privacy banner newsletter newsletters subscribe subscription "
    "subscriptions signup paywall modal popup overlay lightbox alert notice disclaimer premium abo register "
    "registration donate donation login signin registrieren anmelden optin",
    "side": "sidebar sidebars side aside rail rightrail leftrail rightcol leftcol rightcolumn leftcolumn secondary "
    "complementary marginal infobox factbox",
    "head": "header masthead topbar head kopf",
    "foot": "footer foot bottom colophon copyright fuss impressum imprint",
    "advert": "ad ads advert advertisement advertising adsense adslot sponsor sponsored sponsors werbung anzeige "
    "publicidad promotion commercial dfp doubleclick banner",
    "meta": "meta info infos postmeta details data date time rating ratings counter count views stats author tags "
    "badge label icon icons button buttons btn tool tools",
    "content": "content body text copy main prose richtext rte maincontent contents bodytext mainbody page inhalt "
    "inhoud contenido contenu texte",
    "article": "article story entry post blogpost hentry articlebody storybody entrycontent postcontent postbody "
    "single artikel beitrag articulo articolo paragraph paragraphs wysiwyg",
    "title": "title headline heading titel titre titulo titolo headlines",
    "lead": "lead lede intro standfirst summary subtitle subheadline excerpt abstract teaser description dek vorspann "
    "deck kicker",
    "unseen": "hidden hide invisible visuallyhidden sronly screenreader offscreen noprint",
    "embed": "tweet embed embedded instagram blockquote quote pullquote twitter oembed",
    "discussion": "thread threads forum topic topics question questions answer answers "
    "postbody message messages viewtopic "
    "qa phpbb vbulletin discourse",
    "list": "list lists listing grid cards card items item feed archive results tiles",
    "widget": "widget widgets module box block panel plugin component",
    "form": "form input field fieldset search contact",
    "gallery": "gallery image images img photo photos picture pictures media video videos player figure slideshow "
    "thumb thumbnail bild foto",
}
WORDS: dict[str, int] = {}
for _name, _words in _WORDS.items():
    for _word in _words.split():
        WORDS[_word] = WORDS.get(_word, 0) | BIT[_name]

_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+")
_HIDDEN = re.compile(r"display:\s*none|visibility:\s*hidden", re.I)
#: How many different names are remembered, and how many letters of one count.
_REMEMBERED, _LONGEST = 50_000, 300
_known: dict[str, int] = {}


def bits_of(attributes: str) -> int:
    """Return what the attributes of an element say of it, as bits of `BIT`.

    Args:
        attributes: as they are in serialised HTML, with a space in front of each.

    >>> bits_of(' class="js-relatedPosts"') == BIT["related"]
    True
    """
    bits = 0
    if (at := attributes.find(' class="')) >= 0:
        bits = _bits_of_names(attributes[at + 8 : attributes.find('"', at + 8)])
    if (at := attributes.find(' id="')) >= 0:
        bits |= _bits_of_names(attributes[at + 5 : attributes.find('"', at + 5)])
    if ' role="' in attributes or ' itemprop="' in attributes:
        for name in _OTHERS:
            if (at := attributes.find(name)) >= 0:
                bits |= _bits_of_names(attributes[at + len(name) : attributes.find('"', at + len(name))])
    if " hidden=" in attributes or (' style="' in attributes and _HIDDEN.search(attributes)):
        bits |= _IS_HIDDEN
    return bits


_OTHERS = (' role="', ' itemprop="')
_IS_HIDDEN = BIT["hidden"]


def _bits_of_names(names: str) -> int:
    """Return what names say, which white space parts."""
    bits = 0
    for name in names.split():
        if (of_name := _known.get(name)) is None:
            of_name = 0
            for word in _WORD.findall(name[:_LONGEST]):
                of_name |= WORDS.get(word.lower(), 0)
            if len(_known) >= _REMEMBERED:
                _known.clear()
            if len(name) < _LONGEST:
                _known[name] = of_name
        bits |= of_name
    return bits
