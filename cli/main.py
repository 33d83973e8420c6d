"""The words of the command `imagetrail`: what an operator may ask for, and what is answered."""

from __future__ import annotations

import sys
import time
import traceback
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

    from cli.deployments import Opened
    from cli.recost import Sum
    from cli.tables import Format

FINDINGS, TROUBLE = 1, 2
_AGAIN = "what is done stays done, run it again to go on"
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

    Exit codes: 0 it is done, 1 it is done and something was found, 2 it could not be done.
    """


def on_a_deployment(run: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that choose a deployment, gives `run` its parts, and tells people what went wrong."""

    @click.option("--stack", metavar="NAME", help="A deployed stack; the local one if left out.")
    @click.option("--region", metavar="NAME", help="Where the stack is; as configured for AWS if left out.")
    @click.option("--profile", metavar="NAME", help="The AWS profile to use.")
    @wraps(run)
    def chosen(stack: str | None, region: str | None, profile: str | None, **options: Any) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        from cli.deployments import opened
        from imagetrail.aws import AwsError
        from imagetrail.errors import Unavailable
        from local.problem import ProblemError

        if stack is None and (region or profile):
            raise click.UsageError("--region and --profile say where a stack is: name it with --stack")
        try:
            with opened(stack, region, profile) as parts:
                run(parts, **options)
        except ProblemError as error:
            raise Trouble(str(error)) from None
        except (AwsError, ClientError) as error:
            raise Trouble(f"AWS refuses: {error}; {_AGAIN}") from None
        except BotoCoreError as error:
            raise Trouble(f"AWS cannot be asked: {error}; {_AGAIN}") from None
        except Unavailable:
            raise Trouble(f"AWS does not answer; {_AGAIN}") from None
        except KeyboardInterrupt:
            raise Trouble(f"stopped; {_AGAIN}") from None
        except (click.ClickException, BrokenPipeError):
            raise
        except Exception:
            traceback.print_exc()  # a defect is no finding: its exit code must not be that of one
            raise SystemExit(TROUBLE) from None

    return chosen


@command.command()
@click.option("--from", "first", type=_DAY, metavar="DAY", help="The first UTC day, such as 2026-11-01.")
@click.option("--to", "last", type=_DAY, metavar="DAY", help="The first UTC day that is left out.")
@click.option("--model", metavar="NAME", help="Only this model, such as stability-rest or stability-rest/core.")
@click.option("--apply", is_flag=True, help="Write the new costs; without it they are only shown.")
@on_a_deployment
def recost(parts: Opened, first: datetime | None, last: datetime | None, model: str | None, *, apply: bool) -> None:
    """Compute what past images cost from today's table of prices.

    For when a price of the table was corrected: each record is priced by the row that was valid on its day. Records
    that are pending, and failures that nobody was charged for, stay as they are. It may be stopped and run again at
    any time. The budget of a month is not rewritten: what was spent there under the old price stays spent.

    It ends with 1 if there were records that it could not read; they are named, and left as they are.
    """
    from cli.recost import Recost, known_models

    if last is not None and last <= (first or datetime.min):  # noqa: DTZ901 (as click gives them)
        raise click.UsageError("that is no day: --to is the first one left out, and must be later than --from")
    if model is not None and model not in (known := known_models(parts.deployment)):
        raise click.UsageError(f"there is no model {model}; there are {', '.join(sorted(known))}")
    day = timedelta(days=1)
    recosting = Recost(deployment=parts.deployment, model=model, apply=apply)
    with progress_bar("Records") as progress:
        sums = recosting.run(first and first.replace(tzinfo=UTC), last and last.replace(tzinfo=UTC) - day, progress)
    click.echo(table(sums))
    for image_id, columns in recosting.illegible.items():
        click.echo(f"a record whose {', '.join(columns)} cannot be read\t{image_id}")
    for name, of_model in sorted(sums.items()):
        if of_model.unpriced:
            click.echo(f"{name} has no price: {of_model.unpriced} records are left as they are", err=True)
    if missed := sum(of_model.missed for of_model in sums.values()):
        raise Trouble(f"{missed} records changed while they were looked at; run it again")
    if not apply and any(of_model.changed for of_model in sums.values()):
        click.echo("nothing is written yet; do it with --apply", err=True)
    if recosting.illegible:
        raise SystemExit(FINDINGS)


@command.command()
@click.option("--start-after", metavar="KEY", default="", help="Go on behind this key, as an interrupted run names it.")
@on_a_deployment
def recover(parts: Opened, start_after: str) -> None:
    """Rebuild the table of images from the images in the bucket.

    Every image carries its own record, and its owner as tags. Those without a record in the table get it back, with
    all that follows from it; a record that is there is never written over, and an image in the trash stays there. What
    cannot be recovered is named with the reason. Not in the pixels are favourites, failed generations, and, where
    EmbedPrompt is false, the prompts. It may be stopped and run again at any time.

    It ends with 1 if there was an image it could not recover.
    """
    from cli.recover import Recovery

    recovery = Recovery.of(parts, lambda key, reason: say(f"{key}\t{reason}"))
    try:
        with progress_bar("Images") as progress:
            recovery.run(start_after, by_time_of_id(progress))
    except BaseException:
        if recovery.report.after:
            click.echo(f"to go on from here: --start-after {recovery.report.after}", err=True)
        raise
    report = recovery.report
    click.echo(
        f"{report.recovered} recovered, {report.present} had their record, {report.refused} could not be recovered",
        err=True,
    )
    for count, what in (
        (report.unowned, "recovered belong to nobody: they carry no owner"),
        (report.promptless, "recovered have no prompts: EmbedPrompt was false when they were made"),
        (report.thumbnails, "thumbnails were missing and made anew"),
        (report.gone, "were deleted meanwhile"),
    ):
        if count:
            click.echo(f"{count} {what}", err=True)
    if report.refused:
        raise SystemExit(FINDINGS)


@command.command()
@click.option("--deep", is_flag=True, help="Read every image, and compare its SHA-256 with its record's.")
@on_a_deployment
def check(parts: Opened, *, deep: bool) -> None:
    """Compare the table of images with the bucket.

    Names every record without its pixels, all pixels without their record or that it does not know, sizes that differ,
    images that are served though they are in the trash or failed, records that lists do not show, and those that cannot
    be read. What changes meanwhile is looked at again before it is named. Records that were imported without a picture
    are only counted. Nothing is changed: `recover` brings records back.

    It ends with 0 if nothing was found, and with 1 if something was.
    """
    from cli.check import Check

    found = 0
    with progress_bar("Listing and reading") as progress:
        inspection = Check.of(parts, deep=deep)
        for finding in inspection.run(progress):
            say(f"{finding.what}\t{finding.where}")
            found += 1
    seen = f"{inspection.records} records and {inspection.objects_seen} objects"
    if inspection.pictureless:
        click.echo(f"{inspection.pictureless} records have no picture", err=True)
    click.echo(f"found in {seen}: {found or 'nothing'}", err=True)
    if found:
        raise SystemExit(FINDINGS)


@command.command()
@click.option("--mend", is_flag=True, help="Only what differs from the table: quick, and little is written.")
@on_a_deployment
def reindex(parts: Opened, *, mend: bool) -> None:
    """Write the search index anew from the table, while it serves.

    For an index that was lost or damaged, and, with --mend, for changes that could not be indexed when they were made
    (an alarm tells of those). What is made or changed meanwhile is not lost. It may be stopped and run again at any
    time.
    """
    from imagetrail.search.rebuilding import OvertakenError

    def show(count: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{count} records", nl=False, err=True)

    try:
        count = parts.deployment.search_rebuild.mend() if mend else parts.deployment.search_rebuild.run(show)
    except OvertakenError:
        raise Trouble("another reindex has begun since; let that one finish") from None
    click.echo(f"{count} records {'differed and ' if mend else ''}are indexed")


@command.command()
@click.argument("file", type=click.File(encoding="utf-8"), required=False)
@click.option("--query", metavar="SQL", help="A query, instead of a file with one.")
@click.option("--csv", "as_csv", is_flag=True, help="Write all rows as CSV, instead of a table of the first 1,000.")
@on_a_deployment
def sql(parts: Opened, file: IO[str] | None, query: str | None, *, as_csv: bool) -> None:
    """Ask the lake a question in SQL, by Athena.

    FILE is one of the folder sql/, or your own; - is standard input. The table generated_images has every column of a
    record, and `day` such as 2026-11-22, by which it is partitioned: a condition on it keeps a query cheap. It holds
    what the hourly fold has seen.
    """
    from cli.sql import as_table, is_question, write_csv
    from imagetrail.analytics.athena import QueryFailedError

    try:
        text = file.read() if file else query
    except UnicodeDecodeError:
        raise Trouble("the file is not UTF-8, so it is no query") from None
    if text is None or (file and query):
        raise Trouble("give either a FILE with a query or --query")
    if not is_question(text):
        raise Trouble(
            "that is no question: one SELECT, WITH, VALUES, SHOW, DESCRIBE or EXPLAIN, without another after it"
        )
    try:
        answer = parts.deployment.athena.run(text)
    except QueryFailedError as error:
        raise Trouble(f"Athena refuses the query: {error}") from None
    if as_csv:
        write_csv(answer, sys.stdout)
        return
    for line in as_table(answer):
        click.echo(line)


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--user", metavar="ID", help="Who all of it belongs to, in place of those whom the rows name.")
@click.option(
    "--columns", metavar="NAMES", help="The columns of a file without a header, such as id,prompt,created_at."
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "text", "unaligned", "dump", "json", "copied-json"]),
    help="What FILE is, where it is not recognized: text is COPY's, unaligned that of psql -A, copied-json what \\copy "
    "writes of row_to_json.",
)
@click.option("--delimiter", metavar="CHARACTER", help="What is between the cells of FILE; tab for a tab.")
@click.option("--encoding", metavar="NAME", help="The encoding of FILE, such as windows-1252, if it is not recognized.")
@click.option("--ignore-unknown", is_flag=True, help="Skip columns that are not imported; they are an error otherwise.")
@click.option("--no-images", is_flag=True, help="Leave the images for later: a run without it adds them.")
@click.option("--allow-loopback", is_flag=True, help="Fetch images from this machine too.")
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write why rows were refused; FILE.refused.csv if left out.",
)
@on_a_deployment
def import_(
    parts: Opened,
    file: Path,
    user: str | None,
    columns: str | None,
    report_file: Path | None,
    file_format: Format | None,
    delimiter: str | None,
    encoding: str | None,
    *,
    ignore_unknown: bool,
    no_images: bool,
    allow_loopback: bool,
) -> None:
    """Bring a history here: a table generated_images of PostgreSQL or Supabase, or an export of imagetrail.

    FILE is a CSV, what psql's \\copy wrote (csv or text), a dump of pg_dump in plain text, JSON of row_to_json or
    json_agg, or an export (csv, jsonl, zip); gzip is unpacked. How it is written is recognized. Images are fetched
    from image_url, only over http and https and from the public internet, and stored with a thumbnail and their
    record. A record that is here already is never written over. It may be stopped and run again at any time: what is
    here is passed over, and what was refused is tried again.

    It ends with 1 if rows were refused; they are in the report with line, column and reason.
    """
    from cli.fetching import Fetcher
    from cli.importing import Import
    from cli.refusals import Refusals
    from cli.tables import Options, opened

    delimiter = "\t" if delimiter in ("tab", "\\t") else delimiter
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\\'):
        raise click.UsageError("--delimiter is one character, or tab")
    options = Options(format=file_format, delimiter=delimiter, encoding=encoding, ignore_unknown=ignore_unknown)
    names = tuple(name.strip() for name in columns.split(",")) if columns else None
    report_file = report_file or file.with_name(f"{file.name}.refused.csv")
    if report_file.exists() and report_file.samefile(file):
        raise click.UsageError("--report would be written over FILE; name another file")
    refusals = Refusals(report_file)
    with opened(file, names, options) as source, refusals, progress_bar("Rows") as progress:
        if source.note:
            click.echo(source.note, err=True)
        report = Import(
            deployment=parts.deployment,
            table=source,
            fetcher=Fetcher(allow_loopback=allow_loopback),
            tell=refusals.tell,
            user_id=user,
            with_images=not no_images,
        ).run(progress)
    added = f", {report.completed} got their images" if report.completed else ""
    click.echo(f"{report.imported} imported{added}, {report.standing} were here, {report.refused} refused", err=True)
    if report.refused:
        click.echo(f"why is in {refusals.path}", err=True)
        raise SystemExit(FINDINGS)


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


def by_time_of_id(progress: Callable[[float], None]) -> Callable[[str], None]:
    """Progress through keys that sort by the time in their ids, from the first one until now."""
    now = time.time() * 1000
    first: int | None = None

    def passed(key: str) -> None:
        nonlocal first
        with suppress(ValueError):
            moment = UUID(key.partition("/")[2].partition(".")[0]).int >> 80
            first = moment if first is None else first
            progress(min(max((moment - first) / max(now - first, 1), 0), 1))

    return passed


def say(line: str) -> None:
    """A line of the answer, in place of the bar, which is drawn again below it."""
    if sys.stderr.isatty():
        click.echo("\r\033[K", err=True, nl=False)
    click.echo(line)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error, where that is a terminal; it is told the share that is done."""
    steps = 1000
    with click.progressbar(length=steps, label=label, file=sys.stderr) as bar:
        yield lambda done: bar.update(round(done * steps) - bar.pos)
        bar.update(steps - bar.pos)
