"""The words of the command `imagetrail`: what an operator may ask for, and what is answered."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

    from cli.recost import Sum
    from imagetrail.wiring import Deployment

TROUBLE = 2
_DAY = click.DateTime(["%Y-%m-%d"])


class Trouble(click.ClickException):
    """The command could not do what it was asked; the message says what to change."""

    exit_code = TROUBLE


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def command() -> None:
    """Look after an imagetrail deployment.

    Without --stack a command works on the local stack that `make run` has started, with its data in DATA_DIR (default
    .imagetrail). With --stack NAME it works on a deployed one, with the usual AWS credentials, which need to read the
    stack's description and to use its tables and its bucket.

    Exit codes: 0 it is done, 1 `check` has findings, 2 it could not be done.
    """


def on_a_deployment(run: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that choose a deployment, gives `run` the deployment, and tells people what went wrong."""

    @click.option("--stack", metavar="NAME", help="A deployed stack; the local one if left out.")
    @click.option("--region", metavar="NAME", help="Where the stack is; as configured for AWS if left out.")
    @click.option("--profile", metavar="NAME", help="The AWS profile to use.")
    @wraps(run)
    def chosen(stack: str | None, region: str | None, profile: str | None, **options: Any) -> None:
        from botocore.exceptions import BotoCoreError

        from cli.deployments import opened
        from imagetrail.aws import AwsError
        from imagetrail.errors import Unavailable
        from local.problem import ProblemError

        try:
            with opened(stack, region, profile) as deployment:
                run(deployment, **options)
        except ProblemError as error:
            raise Trouble(str(error)) from None
        except AwsError as error:
            raise Trouble(f"AWS refuses: {error}; what is done stays done, run it again to go on") from None
        except Unavailable:
            raise Trouble("AWS does not answer; what is done stays done, run it again to go on") from None
        except BotoCoreError as error:
            raise Trouble(f"AWS cannot be asked: {error}") from None

    return chosen


@command.command()
@click.option("--from", "first", type=_DAY, metavar="DAY", help="The first UTC day, such as 2026-11-01.")
@click.option("--to", "last", type=_DAY, metavar="DAY", help="The first UTC day that is left out.")
@click.option("--model", metavar="NAME", help="Only this model, such as stability-rest or stability-rest/core.")
@click.option("--apply", is_flag=True, help="Write the new costs; without it they are only shown.")
@on_a_deployment
def recost(
    deployment: Deployment, first: datetime | None, last: datetime | None, model: str | None, *, apply: bool
) -> None:
    """Compute what past images cost from today's table of prices.

    For when a price of the table was corrected: each record is priced by the row that was valid on its day. Records
    that are pending, and failures that nobody was charged for, stay as they are. It may be stopped and run again at
    any time. The budget of a month is not rewritten: what was spent there under the old price stays spent.
    """
    from cli.recost import Recost

    day = timedelta(days=1)
    with progress_bar("Records") as progress:
        sums = Recost(deployment=deployment, model=model, apply=apply).run(
            first and first.replace(tzinfo=UTC), last and last.replace(tzinfo=UTC) - day, progress
        )
    click.echo(table(sums))
    for name, of_model in sorted(sums.items()):
        if of_model.unpriced:
            click.echo(f"{name} has no price: {of_model.unpriced} records are left as they are", err=True)
    if missed := sum(of_model.missed for of_model in sums.values()):
        raise Trouble(f"{missed} records changed while they were looked at; run it again")
    if not apply and any(of_model.changed for of_model in sums.values()):
        click.echo("nothing is written yet; do it with --apply", err=True)


def table(sums: dict[str, Sum]) -> str:
    """What a recost found, a row a model and their total."""
    from cli.recost import Sum

    total = Sum()
    for of_model in sums.values():
        total.add(of_model)
    rows = [("model", "records", "changed", "old total", "new total")]
    rows += [
        (name, str(row.records), str(row.changed), dollars(row.before), dollars(row.after))
        for name, row in [*sorted(sums.items()), ("total", total)]
    ]
    width = max(len(row[0]) for row in rows)
    return "\n".join(
        row[0].ljust(width) + "".join(cell.rjust(wide) for cell, wide in zip(row[1:], (10, 10, 16, 16), strict=True))
        for row in rows
    )


def dollars(amount: Decimal) -> str:
    """As people write them, to a tenth of a cent."""
    return f"${amount:,.3f}"


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error, where that is a terminal; it is told the share that is done."""
    steps = 1000
    with click.progressbar(length=steps, label=label, file=sys.stderr) as bar:
        yield lambda done: bar.update(round(done * steps) - bar.pos)
