"""What a crawl will cost, by a part of its index, where to read all of the index takes too long for a question."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence

import numpy as np

from archive.commoncrawl import arc, columnar
from archive.commoncrawl.cluster import Block, Cluster
from archive.commoncrawl.cost import CrawlCost
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.listings import files_of
from archive.commoncrawl.plan import by_table
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selected import Selected
from archive.commoncrawl.selection import Selection, hash_of
from archive.commoncrawl.sizes import ASKED, mean_size
from archive.sources.take import GAP

#: An index of so many parts, or blocks, is read as a whole: the numbers are exact then.
PARTS, BLOCKS = 8, 400
#: How much of a larger one is read: Parquet files, row groups of each, and blocks.
_FILES, _GROUPS, _SAMPLED = 6, 2, 24


def forecast(reach: Reach, crawl: Crawl, selection: Selection) -> CrawlCost | None:
    """Return what a selection of a crawl takes, from a part of a large index; None where a plan is to tell.

    Args:
        selection: as `Selection.narrowed` returns it for this crawl.

    Raises:
        SourceError: the index cannot be read.
    """
    if crawl.is_arc and not selection.by_record:
        if reach.cache.has(arc.list_name(crawl)):
            return None
        return _of_arc(reach, crawl, selection)
    if selection.by_record and not selection.by_key and by_table(reach, crawl, selection):
        table = columnar.Table(reach, crawl)
        return _of_table(reach, crawl, selection, table) if len(table.paths) > PARTS else None
    return None


def _of_table(reach: Reach, crawl: Crawl, selection: Selection, table: columnar.Table) -> CrawlCost:
    """Scale up from some row groups. The files of the table have about as many rows as each other."""
    paths = sorted(table.paths, key=hash_of)[:_FILES]
    rows = np.mean([table.footer(path).num_rows for path in paths]) * len(table.paths)
    every = Selected(selection)
    seen = 0
    for path in paths:
        groups = [group for group in table.groups(selection, [path]) if group.rows]
        for group in sorted(groups, key=lambda each: hash_of(f"{each.path} {each.number}"))[:_GROUPS]:
            columnar.select_group(table, group, selection, every)
            seen += group.rows
        skipped = table.footer(path).num_rows - sum(group.rows for group in groups)
        seen += round(skipped * min(_GROUPS / max(len(groups), 1), 1.0))  # those that can hold none
    found = every.sorted()
    share = sum(map(len, found)) / max(seen, 1)
    length = np.concatenate([some["length"] for some in found]).mean() if found else 0.0
    listed = files_of(reach, crawl)
    files = len(listed) if selection.files is None else min(selection.files, len(listed))
    files = round(files / selection.part[1])
    # `every` has no records of other machines' parts; `files` of each crawl thin them out further
    share *= 1.0 if selection.files is None else min(selection.files / len(listed), 1.0)
    return _spread(reach, crawl, listed, files, rows * share, float(length))


def _spread(reach: Reach, crawl: Crawl, listed: Sequence[str], files: int, records: float, length: float) -> CrawlCost:
    """Return what so many records of a mean length take that are spread over some files by chance."""
    each = records / max(files, 1)
    opened = files * -math.expm1(-each)
    size = mean_size(reach, crawl, listed)
    slots = max(size / GAP, 1.0)
    parts = slots * -math.expm1(-each / slots) if each else 0.0
    wait = reach.seconds_for_request
    streams = parts > 1 and (parts + 1) * wait + each * length / reach.bandwidth > wait + size / reach.bandwidth
    cost = CrawlCost(crawl.id, round(opened), round(opened) if streams else 0, round(records), estimated=True)
    if streams:
        cost.requests, cost.bytes = round(opened), round(opened * size)
    else:
        cost.requests, cost.bytes = round(files * parts + opened), round(records * length)
    return cost


def _of_arc(reach: Reach, crawl: Crawl, selection: Selection) -> CrawlCost | None:
    """Scale up from some blocks of the sorted index: its lines are the records, and their lengths all of the files."""
    cluster = Cluster(reach, crawl)
    count = cluster.count()
    if count <= BLOCKS:
        return None
    lines, size, paths = 0, 0, set[str]()
    sampled = list(_sampled(cluster))
    for block in sampled:
        for path, length in _records(cluster, block):
            lines, size = lines + 1, size + length
            paths.add(path)
    scale = count / max(len(sampled), 1)
    each = mean_size(reach, crawl, sorted(paths), ASKED)
    files = size * scale / max(each, 1)
    share = 1 / selection.part[1] if selection.files is None else min(selection.files / max(files, 1), 1.0)
    wanted = max(round(files * share), 1)
    return CrawlCost(
        crawl.id, wanted, wanted, round(lines * scale * share), wanted, round(size * scale * share), estimated=True
    )


def _sampled(cluster: Cluster) -> Iterator[Block]:
    pages = cluster.pages
    for number in sorted({round(at * (pages - 1) / (_SAMPLED - 1)) for at in range(_SAMPLED)}):
        blocks = cluster.blocks_of_page(number)
        if blocks:
            yield blocks[hash_of(f"{cluster.crawl.id} {number}") % len(blocks)]


def _records(cluster: Cluster, block: Block) -> Iterator[tuple[str, int]]:
    for line in cluster.lines_of(block):
        try:
            fields = json.loads(line.split(b" ", 2)[2])
            yield fields["filename"], int(fields["length"])
        except (ValueError, KeyError, IndexError, TypeError):
            continue
