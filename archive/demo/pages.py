"""The texts of the demo: invented pages of invented sites."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    url: str
    title: str
    text: str

    def html(self) -> bytes:
        """Return the page as UTF-8."""
        head = f'<meta charset="utf-8"><title>{self.title}</title>'
        body = f"<h1>{self.title}</h1><p>{self.text}</p>"
        return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>\n".encode()


LIGHTHOUSE = Page(
    "http://www.example.org/lighthouse",
    "The lighthouse on the north point",
    "The lighthouse on the north point was lit for the first time in the autumn of 1871. Two keepers lived in the low "
    "house beside it, and took turns to wind the clockwork every four hours of the night. On clear evenings the "
    "fishing boats counted the flashes to know how far they still had to row: three short ones, and a pause as long as "
    "a breath. The lamp burned rape oil, then paraffin, and since 1934 it has been electric. The last keeper left in "
    "1978, and the village keeps the key. If you want to climb the hundred and twelve steps, ask at the bakery on any "
    "Sunday between Easter and the end of September; children must hold somebody's hand.",
)
RYE = Page(
    "http://bakery.example.net/rye",
    "Rye bread in two days",
    "Good rye bread takes two days and very little work. On the first evening stir a spoon of sourdough into two cups "
    "of coarse rye flour and two cups of warm water, cover the bowl, and leave it near the stove. In the morning it "
    "smells of apples and has doubled. Keep one spoon of it for the next time. Add three more cups of flour, a cup of "
    "water, a spoon of salt and as much caraway as you like, and work it with a wooden spoon, since rye sticks to the "
    "hands. Fill a long tin to two thirds and wait until the dough reaches the rim. Bake it for an hour, hot at first "
    "and then less hot. The hard part is not to cut it before the next day.",
)
CHAIN = Page(
    "http://wheels.example.com/chain",
    "When to change a bicycle chain",
    "A bicycle chain does not stretch; its pins and bushings wear, and so it grows. Lay a ruler along it: twelve full "
    "links measure twelve inches when the chain is new. At twelve and one sixteenth it is time for a new one, and at "
    "twelve and an eighth it has taken the cassette with it. Wipe the chain with a dry rag after each wet ride and put "
    "one drop of oil on each roller, on the inside, where it is needed. Then turn the cranks backwards twenty times "
    "and wipe off what you can see, because oil on the outside only gathers sand. A chain that is looked after in this "
    "way lasts for four thousand kilometres, or a good deal more on flat roads.",
)
BEES = Page(
    "http://garden.example.org/bees",
    "What to plant for wild bees",
    "Wild bees need three things that a tidy garden lacks: flowers from March to October, bare ground, and dead stems. "
    "Plant willow and lungwort for the first queens, sage and bugloss for June, and ivy for the last warm days. Leave "
    "a square yard of sandy soil open to the sun, for most wild bees dig their nests and cannot use a hotel of bamboo. "
    "Cut the dry stalks of mullein and bramble in spring, not in autumn, since somebody is asleep in them. Double "
    "flowers look rich and hold nothing. Do not be afraid of them either: a bee that lives alone has no store to "
    "defend, and can hardly be made to sting.",
)
LIBRARY = Page(
    "http://town.example.net/library",
    "The library is moving",
    "From the first of March the town library is in the old post office at the market, with room for twice as many "
    "books, a lift, and a reading room that is open on Saturdays too. Your card stays as it is. Until then everybody "
    "may borrow as many books as they can carry, and bring them back to the new house: every bag that you take home "
    "is one that we need not move. The newspapers from 1848 on, which were in the cellar for years, have been dried "
    "and bound and can be asked for at the desk. We thank the school, the fire brigade and the rowing club, who carry "
    "the dictionaries.",
)
TRAM = Page(
    "http://town.example.net/tram",
    "Line 4 runs again",
    "After nine months of work the tram of line 4 runs again from the station to the botanical garden. The new rails "
    "are quieter in the curve at the theatre, where the old ones could be heard as far as the river. There are two "
    "more stops, at the hospital and at the swimming bath, and the cars can be entered without a step. Trams leave "
    "every ten minutes by day and every half hour at night. Bicycles ride free after seven in the evening. Who finds "
    "an umbrella in the car is asked to leave it with the driver: the depot has a room full of them.",
)

#: The chain page as its author mended it, and somebody else's edited copy of the bread.
CHAIN_MENDED = Page(CHAIN.url, CHAIN.title, CHAIN.text.replace("four thousand kilometres", "five thousand kilometres"))
RYE_COPIED = Page(
    "http://copies.example.com/best-rye-bread",
    "The best rye bread",
    RYE.text.replace("very little work", "almost no work").replace("the next day", "tomorrow"),
)
