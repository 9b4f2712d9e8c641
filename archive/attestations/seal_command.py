"""The command `archive seal`."""

from __future__ import annotations

import sys

import click

from archive.cli import complete_folder


@click.command("seal")
@click.argument("target", metavar="LAKE|SET", shell_complete=complete_folder)
@click.option("--tsa", metavar="URL", help="Ask this time-stamp authority (RFC 3161) for a token over the root.")
@click.option("--out", type=click.Path(), metavar="FILE", help="The token.  [default: LAKE|SET.seal.tsr]")
@click.option("--certificate", multiple=True, type=click.Path(), metavar="FILE",
              help="Root certificate of the authority, PEM or DER.  [default: those known here]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(target: str, tsa: str | None, out: str | None, certificate: tuple[str, ...], as_json: bool) -> None:
    """Compute one hash of a lake or of an exported set, and have it time-stamped.

    The root of a set is the Merkle root of its rows and evidence. The root of a lake is the SHA-256 of a statement with
    a hash of the captures of each unit, which is written next to the token. Without --tsa nothing is sent to anybody:
    stamp the root as you like (`openssl ts -query -sha256 -digest ROOT`, or `ots stamp` of the statement).

    `archive verify LAKE|SET --seal TOKEN --certificate FILE` checks it. Exits with 1 where the authority answered, and
    its certificate is not trusted.

    \b
    Examples:
      archive seal set
      archive seal set --tsa https://freetsa.org/tsr
      archive seal lake --tsa http://tsa.example/ --certificate ca.pem
    """
    from archive.attestations.seal import seal
    from archive.show import count_of, json_text

    result = seal(target, tsa=tsa, out=out, certificate=certificate)
    if as_json:
        click.echo(json_text(result))
    else:
        covers = count_of(result.captures, "row" if result.kind == "set" else "capture")
        click.echo(f"root {result.root} of {covers}")
        if result.statement:
            click.echo(f"statement {result.statement}")
        if result.token:
            click.echo(f"token {result.token}")
            if result.at is not None:
                click.echo(f"existed by {result.at:%Y-%m-%d %H:%M:%S} UTC, says {result.by}")
            else:
                click.echo(f"not verified: {result.detail}")
    sys.exit(1 if result.token and not result.verified else 0)
