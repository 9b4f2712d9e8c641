"""Splits that share no site and no near-duplicate."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from archive.errors import ExportError
from archive.lake import Lake
from index import tables

_BATCH = 50_000


def assign(
    db: duckdb.DuckDBPyConnection, lake: Lake, split: tuple[tuple[str, float], ...], seed: int, scratch: Path
) -> None:
    """Make the table `splits(site, split)` for the rows of `chosen(content_id, site, cluster_id, size)`.

    Two sites are in one group if a text of one is like a text of the other: if both texts are in one cluster of the
    index, or if their signatures are similar (`query.export.leakage`). The groups are dealt out, the largest first,
    each to the split that lacks most. So the shares are as near to those asked for as the groups allow.

    Raises:
        ExportError: the index is not up to date.
    """
    if not tables.is_current(lake):
        raise ExportError("--split keeps near-duplicates together: run `archive index` first")
    sites = _Sites()
    _join_clusters(db, sites)
    _join_similar(db, lake, sites, scratch)
    joined = sites.table()
    db.register("joined", joined)
    db.execute("""
        CREATE TEMP TABLE sites AS
        SELECT site, coalesce(any_value(j.leader), site) AS leader, sum(size) AS size
        FROM chosen LEFT JOIN joined AS j USING (site) GROUP BY site
    """)
    db.unregister("joined")
    dealt = _deal(db, split, seed)
    db.register("dealt", dealt)
    db.execute("CREATE TEMP TABLE splits AS SELECT site, split FROM sites JOIN dealt USING (leader)")
    db.unregister("dealt")


def _deal(db: duckdb.DuckDBPyConnection, split: tuple[tuple[str, float], ...], seed: int) -> pa.Table:
    """Return the split of each group of sites."""
    ((total,),) = db.execute("SELECT sum(size)::BIGINT FROM sites").fetchall()
    lacking = {name: share * total for name, share in split}
    groups = db.execute(
        f"SELECT leader, sum(size)::BIGINT FROM sites GROUP BY leader ORDER BY 2 DESC, md5('{seed}:' || leader)"
    )
    leaders: list[str] = []
    names: list[str] = []
    while rows := groups.fetchmany(_BATCH):
        for leader, size in rows:
            name = max(lacking, key=lacking.__getitem__)
            lacking[name] -= size
            leaders.append(leader)
            names.append(name)
    return pa.table({"leader": pa.array(leaders, pa.string()), "split": pa.array(names, pa.string())})


class _Sites:
    """Groups of sites, as a forest; the leader of a group is the site with the least name."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        one, other = self._root(one), self._root(other)
        self._above[max(one, other)] = min(one, other)

    def _root(self, site: str) -> str:
        while (above := self._above.setdefault(site, site)) != site:
            self._above[site] = site = self._above[above]
        return site

    def table(self) -> pa.Table:
        sites = sorted(self._above)
        leaders = [self._root(site) for site in sites]
        return pa.table({"site": pa.array(sites, pa.string()), "leader": pa.array(leaders, pa.string())})


def _join_clusters(db: duckdb.DuckDBPyConnection, sites: _Sites) -> None:
    clusters = db.execute("""
        SELECT list(DISTINCT site ORDER BY site) FROM chosen WHERE cluster_id IS NOT NULL
        GROUP BY cluster_id HAVING count(DISTINCT site) > 1
    """)
    while rows := clusters.fetchmany(_BATCH):
        for ((first, *others),) in rows:
            for other in others:
                sites.join(first, other)


def _join_similar(db: duckdb.DuckDBPyConnection, lake: Lake, sites: _Sites, scratch: Path) -> None:
    from query.export.leakage import similar_pairs

    chosen = db.sql("SELECT content_id, site FROM chosen").to_arrow_table()
    names = chosen["site"].combine_chunks()
    for pairs in similar_pairs(lake, chosen["content_id"].combine_chunks(), scratch):
        left, right = (names.take(pa.array(pairs[:, side])).to_pylist() for side in (0, 1))
        for one, other in set(zip(left, right, strict=True)):
            if one != other:
                sites.join(one, other)
