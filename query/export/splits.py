"""Splits that share nothing: what hangs together by site or by near-duplicates stays together."""

from __future__ import annotations

import duckdb
import pyarrow as pa

_BATCH = 50_000


def assign(db: duckdb.DuckDBPyConnection, split: tuple[tuple[str, float], ...], seed: int) -> None:
    """Make the table `splits(site, split)` for the rows of `chosen(site, cluster_id, size)`.

    Sites are joined where a cluster of near-duplicates has texts in both. The groups that result are dealt out from
    the largest on, each to the split that lacks most: the shares come out as near as the groups allow.
    """
    joined = _joined(db)
    db.register("joined_rows", joined)
    db.execute("CREATE TEMP TABLE joined AS SELECT * FROM joined_rows")
    db.unregister("joined_rows")
    db.execute("""
        CREATE TEMP TABLE sites AS
        SELECT site, coalesce(any_value(j.team), site) AS team, sum(size) AS size
        FROM chosen LEFT JOIN joined AS j USING (site) GROUP BY site
    """)
    ((total,),) = db.execute("SELECT sum(size)::BIGINT FROM sites").fetchall()
    teams = db.execute(
        f"SELECT team, sum(size)::BIGINT FROM sites GROUP BY team ORDER BY 2 DESC, md5('{seed}:' || team)"
    )
    lacking = {name: share * total for name, share in split}
    dealt: list[pa.RecordBatch] = []
    while rows := teams.fetchmany(_BATCH):
        names = []
        for _, size in rows:
            name = max(lacking, key=lacking.__getitem__)
            lacking[name] -= size
            names.append(name)
        dealt.append(pa.record_batch([pa.array([team for team, _ in rows]), pa.array(names)], names=["team", "split"]))
    db.register("dealt_rows", pa.Table.from_batches(dealt))
    db.execute("CREATE TEMP TABLE splits AS SELECT site, split FROM sites JOIN dealt_rows USING (team)")
    db.unregister("dealt_rows")


def _joined(db: duckdb.DuckDBPyConnection) -> pa.Table:
    """Sites that share a cluster with another, and the least name of all that they hang together with."""
    root: dict[str, str] = {}

    def find(site: str) -> str:
        while (above := root.setdefault(site, site)) != site:
            root[site] = site = root[above]
        return site

    edges = db.execute("""
        SELECT cluster_id, list(DISTINCT site ORDER BY site) AS sites FROM chosen WHERE cluster_id IS NOT NULL
        GROUP BY cluster_id HAVING count(DISTINCT site) > 1
    """)
    while rows := edges.fetchmany(_BATCH):
        for _, sites in rows:
            first = find(sites[0])
            for site in sites[1:]:
                other = find(site)
                first, other = min(first, other), max(first, other)
                root[other] = first
    sites = sorted(root)
    return pa.table(
        {"site": pa.array(sites, pa.string()), "team": pa.array([find(site) for site in sites], pa.string())}
    )
