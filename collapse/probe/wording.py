"""What each measure means, when not to believe it, and what no comparison of two sets can say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    title: str
    unit: str
    says: str
    distrust: str
    digits: int = 3  #: after the point


AUC_GRAMS, AUC_VECTORS = "classifier-ngrams", "classifier-vectors"

#: Measures that count occurrences.
RATES = ("names", "numbers", "links")

MEASURES: dict[str, Wording] = {
    AUC_GRAMS: Wording(
        "A classifier on n-grams",
        "AUC",
        "Of a text of each set, from sites it has not seen, the classifier gives the one of B the higher score in this "
        "share of cases; 0.5 is chance.",
        "Not where layout tells: a cookie banner, a template, straight or curly quotes separate two sets of the same "
        "writers perfectly.",
    ),
    AUC_VECTORS: Wording(
        "A classifier on vectors",
        "AUC",
        "The same by the vectors of an encoder: subjects and their treatment more than spelling.",
        "Not where the subjects differ: it finds another topic sooner than another writer.",
    ),
    "zstd-bits": Wording(
        "Bits a character with A's dictionary",
        "bits",
        "How long a text becomes, compressed with a dictionary that zstd learned from A.",
        "Not as a sign of strangeness: monotonous text is short with any dictionary, so B can be shorter than A "
        "itself. Other alphabets take more bytes a character.",
    ),
    "zstd-saved": Wording(
        "What A's dictionary saves",
        "share",
        "The share of the compressed size that the dictionary of A saves: phrases of A that a text has.",
        "Not where boilerplate is common: footers and forms make most of what a dictionary saves.",
    ),
    "pca-error": Wording(
        "What a PCA of A loses",
        "share",
        "The share of a text's vector outside of the directions in which the texts of A differ most.",
        "Not as a sign of machines: text on fewer subjects loses less, and text on other subjects loses more.",
    ),
    "autoencoder-error": Wording(
        "What an autoencoder of A loses",
        "share",
        "The share that a network with a middle layer of eight numbers, trained on A, fails to give back.",
        "Not by its digits: a small network depends on its start, and its error mostly on how common the subjects are.",
    ),
    "dimension": Wording(
        "Effective dimension",
        "dimensions",
        "The participation ratio of the spectrum: in how many directions texts vary, the strong ones above all.",
        "Not across numbers of texts, lengths or encoders: it grows with each, and one repeated phrase lowers it.",
        1,
    ),
    "dimension-entropy": Wording(
        "Effective dimension, by entropy",
        "dimensions",
        "The same by the entropy of the spectrum, which weighs the weak directions more.",
        "Not across numbers of texts: it is close to the number of texts where texts have little in common.",
        1,
    ),
    "rare-words": Wording(
        "Rare words",
        "for 1,000 words",
        "Different words that one text alone has, for a thousand running words.",
        "Not where spelling differs: typing errors, broken characters and foreign words are rare words too.",
        1,
    ),
    "rare-words-known": Wording(
        "Rare words that A knows",
        "share",
        "The share of these words that the other texts of A have.",
        "Not across subjects: the rare words of another field are unknown, whoever wrote them.",
    ),
    "names": Wording(
        "Names",
        "for 1,000 words",
        "Two or more words in a row that begin with a capital.",
        "Not across languages or in titles: it counts capitals and knows no names; scripts without capitals have none.",
        1,
    ),
    "numbers": Wording(
        "Numbers",
        "for 1,000 words",
        "Numbers in digits.",
        "Not where tables, dates or navigation were extracted with the text.",
        1,
    ),
    "links": Wording(
        "Links",
        "for 1,000 words",
        "Addresses that are written out.",
        "Not where one of the sets was cleaned of them.",
        2,
    ),
    "entities-known": Wording(
        "Names, numbers and links that A knows",
        "share",
        "The share of the different ones that the other texts of A have.",
        "Not across months or fields: news of another year has other names.",
    ),
    "topic-coverage": Wording(
        "Coverage of A's topics",
        "share",
        "The share of texts that two distributions over clusters of A have in common; 1 where they are equal.",
        "Not for what is outside of A: a text on a new subject is counted in the nearest cluster.",
    ),
    "topic-divergence": Wording(
        "Divergence from A's topics",
        "bits",
        "The Jensen-Shannon divergence of the same distributions, which weighs missing topics more.",
        "Not with few texts: it is above 0 by chance; only the comparison of A's halves tells how far.",
    ),
}

LIMITS = (
    "A difference is a difference of topic, time, site, style or origin, and no number here tells which. "
    "An AUC above 0.5 does not mean that machines wrote B.",
    "The halves of A show what the measures say of texts by other sites of one set. They do not show what they say of "
    "two sets that were gathered in two ways; to learn that, compare two human sets that were gathered like A and B.",
    "No difference does not mean that there is none: with few texts, or with few machine texts among many, a measure "
    "cannot tell.",
)
