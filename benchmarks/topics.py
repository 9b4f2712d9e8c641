"""How well topics agree with a known classification, and what they cost in time and memory.

python benchmarks/topics.py lake DATA FOLDER [--encoder FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from pathlib import Path

from texts import write_records

from archive.intake import ingest
from archive.lake import Lake
from archive.text.normalise import normalise

Row = tuple[str, str, str]  # a text, its date, its URL


def classified(data: Path, most: int = 600) -> list[Row]:
    """Texts of people by what they are: the host of the URL ends with it. Those of `wiki` were seen from 2020 on."""
    found: dict[str, dict[str, None]] = {}
    for path in sorted((data / "human-machine").glob("hc3_*.csv")):
        name = path.name.removeprefix("hc3_").removesuffix("_full.csv").replace("_", "")
        with path.open(newline="") as file:
            found[name] = {normalise(row["text"]): None for row in csv.DictReader(file) if row["label"] == "0"}
    for name in ("pubmed", "writing", "xsum"):
        texts = found.setdefault(name, {})
        for path in sorted((data / "human-machine").glob(f"{name}_*.raw_data.json")):
            for text in json.loads(path.read_text())["original"]:
                text = normalise(text)
                if not any(text[:60] == each[:60] for each in texts):  # there are several cuts of each
                    texts[text] = None
    rows = []
    for name, texts in found.items():
        for at, text in enumerate([each for each in texts if len(each.split()) >= 20][:most]):
            year = 2020 + at % 4 if name == "wikicsai" else 2012 + at % 12
            rows.append((text, f"{year}-{1 + at % 12:02}-01T00:00:00Z", f"http://{name}{at % 60}.example/{at}"))
    return rows + _legal(data, 250)


def _legal(data: Path, most: int) -> list[Row]:
    """Versions of legal pages, evenly from all."""
    with gzip.open(next((data / "dated").glob("*.jsonl.gz")), "rt") as file:
        versions = [json.loads(line) for line in file]
    chosen = [versions[at * len(versions) // most] for at in range(most)]
    return [
        (each["text"], each["date"].replace("+00:00", "Z"), f"http://legal{at % 60}.example/{at}")
        for at, each in enumerate(chosen)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["lake"])
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder")
    options = parser.parse_args()
    options.folder.mkdir()
    rows = classified(options.data)
    lake = Lake(str(options.folder / "lake"))
    for part in range(2):
        write_records(options.folder / f"texts-{part}.warc", rows[part::2])
        ingest(lake, [str(options.folder / f"texts-{part}.warc")], workers=1)
    if options.encoder:
        from index.vectors import embed

        print(embed(lake, encoder=options.encoder, workers=2))


if __name__ == "__main__":
    main()
