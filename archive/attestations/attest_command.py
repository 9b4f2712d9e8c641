"""The command `archive attest`."""

from __future__ import annotations

import sys

import click

from archive.cli import complete_file, lake_option


@click.command("attest")
@click.argument("file", metavar="FILE", shell_complete=complete_file)
@click.argument("stamp", metavar="STAMP", type=click.Path())
@lake_option
@click.option("--certificate", multiple=True, type=click.Path(), metavar="FILE",
              help="Root certificate of an authority to trust, PEM or DER.  [default: those known here]")  # fmt: skip
@click.option("--block-header", multiple=True, type=click.Path(), metavar="FILE",
              help="Bitcoin block header that you trust, 80 bytes or hexadecimal.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    file: str,
    stamp: str,
    location: str,
    certificate: tuple[str, ...],
    block_header: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add a time stamp of FILE to the lake: a token of RFC 3161 (.tsr) or an OpenTimestamps proof (.ots).

    The time stamp must be one of the bytes of FILE. It is verified without a network. A proof is dated by the header of
    its Bitcoin block, from a node that you trust; without it the proof is added as not verified. Exits with 1 where the
    time stamp is not verified.

    \b
    Examples:
      archive attest crawl.warc.gz crawl.warc.gz.tsr --certificate ca.pem
      archive attest crawl.warc.gz crawl.warc.gz.ots --block-header 800000.hex
    """
    from archive.attestations.attest import attest
    from archive.show import count_of, json_text

    result = attest(location, file, stamp, certificate=certificate, block_header=block_header)
    if as_json:
        click.echo(json_text(result))
    else:
        if result.at is not None:
            click.echo(f"{result.file} existed by {result.at:%Y-%m-%d %H:%M:%S} UTC, says {result.by}")
        else:
            click.echo(f"not verified: {result.detail}")
        click.echo(f"SHA-256 {result.subject_sha256}")
        bounds = "existed by then: grade A" if result.verified else "came from this file"
        click.echo(f"{count_of(result.captures, 'capture')} of the lake {bounds}")
        if result.unknown:
            click.echo(
                f"{count_of(result.unknown, 'capture')} came from a file of this name whose SHA-256 the lake does not "
                "know; `archive maintain --regrade` reads it"
            )
        if not result.added:
            click.echo("the lake had this time stamp already")
    sys.exit(0 if result.verified else 1)
