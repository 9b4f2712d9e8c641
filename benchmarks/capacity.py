"""What a page and a text take: the rates that `archive plan` computes with.

    python benchmarks/capacity.py FOLDER [--pages 200,900] [--encoder FOLDER] [--write]

FOLDER has pages (`*.html` or `*.html.gz`). They are captured in one month, as WARC; where there are not enough, they
come again with one word in 300 replaced. Ten times as many texts are made of theirs in the same way, as WET. Every
command runs with one worker on two such sets, of which one is larger; a rate is the difference of the two, so that the
start of a program is no part of it. The bytes of the index are those of the pages, since texts that are alike take
fewer. Seconds are those of processors, bytes those of Parquet files. --encoder is all-MiniLM-L6-v2, whose tokens are
counted. --write puts the rates into archive/capacity/rates.toml.
"""

from __future__ import annotations

import argparse
import gzip
import io
import random
import re
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from processes import measure
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from archive.lake import Lake

_WORD = re.compile(rb"(?<=[ >])[a-z]{4,12}(?=[ .,<])")
#: Texts for each page, in what is measured without pages.
_TEXTS = 10
_RATES = Path(__file__).parents[1] / "archive" / "capacity" / "rates.toml"
Rates = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", default="200,900")
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    files = sorted([*args.folder.glob("*.html"), *args.folder.glob("*.html.gz")])
    pages = [gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes() for file in files]
    few, many = sorted(int(count) for count in args.pages.split(","))
    with tempfile.TemporaryDirectory(prefix="capacity-") as folder:
        measured(pages, 20, Path(folder, "warm"), None)  # what is compiled once is no part of a rate
        first = measured(pages, few, Path(folder, "few"), None)
        second = measured(pages, many, Path(folder, "many"), args.encoder)
    rates = rates_of(first, second)
    print("| | |\n| --- | --: |")
    for name, value in rates.items():
        print(f"| {name} | {value:.4g} |")
    if args.write:
        _RATES.write_text(written(_RATES.read_text(), rates))


def measured(pages: list[bytes], count: int, folder: Path, encoder: Path | None) -> Rates:
    """Run each command once over `count` pages; return seconds, bytes and counts."""
    folder.mkdir()
    warc, wet = folder / "pages.warc.gz", folder / "pages.warc.wet.gz"
    write(warc, "response", varied(pages, count), "text/html")
    found: Rates = {"html": sum(len(page) for page in varied(pages, count))}
    lake, lean = folder / "lake", folder / "wet"
    found["warc"] = run("ingest", warc, "--lake", lake)
    texts = [text.encode() for table in tables(lake, "documents") for text in table["text"].to_pylist()]
    write(wet, "conversion", varied(texts, _TEXTS * count), "text/plain")
    found["wet"] = run("ingest", wet, "--lake", lean)
    found["captures"], found["texts"] = rows(lake, "captures"), rows(lake, "documents")
    found["wet captures"], found["wet texts"] = rows(lean, "captures"), rows(lean, "documents")
    found["characters"] = sum(len(text.decode()) for text in texts)
    found["capture bytes"], found["text bytes"] = size(lake) - size(lake / "documents"), size(lake / "documents")
    empty = Lake(str(folder / "empty"))
    empty.create()
    found["objects"] = objects(lean) - objects(folder / "empty")
    found["index"] = run("index", "--lake", lean)
    found["quality"] = run("quality", "--lake", lean)
    found["export"] = run("export", folder / "set", "--before", "2021-01-01", "--lake", lean)
    run("index", "--lake", lake, "--witness-only", folder / "witnesses")
    found["index bytes"] = size(lake / "signatures") + size(lake / "bands")
    found["witness bytes"] = size(folder / "witnesses")
    if encoder is not None:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        found["tokens"] = sum(len(tokenizer.encode(text.decode()).ids) for text in texts[:1000]) / len(texts[:1000])
    return found


def rates_of(few: Rates, many: Rates) -> Rates:
    """Return the rates: differences of the two runs."""

    def slope(name: str, of: str) -> float:
        return (many[name] - few[name]) / (many[of] - few[of])

    rates = {
        "warc_seconds": slope("warc", "captures"),
        "wet_seconds": slope("wet", "wet captures"),
        "capture_bytes": slope("capture bytes", "captures"),
        "text_bytes": slope("text bytes", "texts"),
        "span_objects": many["objects"],
        "index_seconds": slope("index", "wet texts"),
        "index_bytes": slope("index bytes", "texts"),
        "quality_seconds": slope("quality", "wet texts"),
        "witness_bytes": slope("witness bytes", "texts"),
        "export_seconds": slope("export", "wet texts"),
    }
    if "tokens" in many:
        rates["text_tokens"] = many["tokens"]
    print(f"{many['html'] / many['captures']:,.0f} bytes of HTML a page, {many['characters'] / many['texts']:,.0f} "
          f"characters a text, {many['texts']:,.0f} texts of {many['captures']:,.0f} captures\n")  # fmt: skip
    return rates


def varied(pages: list[bytes], count: int) -> Iterator[bytes]:
    """Yield pages with one word in 300 replaced: the same ones each time."""
    rng = random.Random(1)
    for number in range(count):
        yield _WORD.sub(
            lambda found: found[0] if rng.random() > 1 / 300 else b"w%x" % rng.getrandbits(24),
            pages[number % len(pages)],
        )


def write(path: Path, kind: str, payloads: Iterable[bytes], content_type: str) -> None:
    """Write one record for each payload, all of them of January 2020."""
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for number, payload in enumerate(payloads):
            at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
            named = {
                "WARC-Date": f"{at:%Y-%m-%dT%H:%M:%SZ}",
                "WARC-Record-ID": f"<urn:uuid:{uuid.UUID(int=number + 1)}>",
                "Content-Type": content_type if kind == "conversion" else "application/http; msgtype=response",
            }
            headers = StatusAndHeaders("200 OK", [("Content-Type", content_type)], protocol="HTTP/1.1")
            writer.write_record(
                writer.create_warc_record(
                    f"https://site{number % 1999}.example/{number}.html",
                    kind,
                    payload=io.BytesIO(payload),
                    http_headers=headers if kind == "response" else None,
                    warc_content_type=named["Content-Type"],
                    warc_headers_dict=named,
                )
            )


def run(command: str, *args: object) -> float:
    """Run a command with one worker; return the seconds of processors that it and all its processes took."""
    options = [str(arg) for arg in args] + ["--workers", "1", "--quiet"]
    done = measure([sys.executable, "-m", "archive", command, *options], cores=2)
    seconds: float = done["cpu"]
    return seconds


def tables(lake: Path, name: str) -> Iterator[pq.Table]:
    for path in sorted((lake / name).rglob("*.parquet")):
        if "_delta_log" not in path.parts:
            yield pq.ParquetFile(path).read()


def rows(lake: Path, name: str) -> int:
    return sum(table.num_rows for table in tables(lake, name))


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts)


def objects(lake: Path) -> int:
    return sum(1 for path in lake.rglob("*") if path.is_file())


def written(text: str, rates: Rates) -> str:
    """Return the text of rates.toml with other values."""
    for name, value in rates.items():
        text, found = re.subn(rf"(\[rates\.{name}\]\nvalue = )\S+", rf"\g<1>{value:.3g}", text)
        if not found:
            raise SystemExit(f"{_RATES} has no {name}")
    return text


if __name__ == "__main__":
    main()
