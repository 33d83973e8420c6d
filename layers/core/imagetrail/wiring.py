"""Who knows everyone: builds each part of a deployment lazily, once per process."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import cache, cached_property
from typing import TYPE_CHECKING

from imagetrail.aws import Endpoint
from imagetrail.callers import ANONYMOUS, Caller, owner_of
from imagetrail.dynamo import Dynamo
from imagetrail.settings import Settings
from imagetrail.sigv4 import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from imagetrail.allowances import Limits
    from imagetrail.analytics.athena import Athena
    from imagetrail.analytics.folding import Fold
    from imagetrail.analytics.forgetting import Forgetting
    from imagetrail.analytics.reports import Reports
    from imagetrail.analytics.store import Store
    from imagetrail.batch import Batch
    from imagetrail.datasets import Datasets
    from imagetrail.edge import Edge
    from imagetrail.emptying import Emptying
    from imagetrail.erasing import Erasing
    from imagetrail.erasure import Erasure
    from imagetrail.export_job import Export
    from imagetrail.exporting import Exporting
    from imagetrail.extraction import Extraction
    from imagetrail.generation import Generation
    from imagetrail.history import History
    from imagetrail.images import Images
    from imagetrail.jobs import Jobs
    from imagetrail.ledger import Ledger
    from imagetrail.lineage import Family
    from imagetrail.models.catalog import Catalog
    from imagetrail.presigning import Presigner
    from imagetrail.references import References
    from imagetrail.regeneration import Regeneration
    from imagetrail.running import Kind, Runner
    from imagetrail.s3 import Bucket
    from imagetrail.search.indexing import Indexer
    from imagetrail.search.rebuilding import Rebuild
    from imagetrail.search.searching import Search
    from imagetrail.search.segments import Segments
    from imagetrail.search.shards import Shards
    from imagetrail.secrets_manager import Secrets
    from imagetrail.settling import Sweep
    from imagetrail.submission import Submission
    from imagetrail.tokens import Verifier
    from imagetrail.tombstones import Tombstones
    from imagetrail.trash import Trash
    from imagetrail.usage import Usage
    from imagetrail.versions import Versions
    from imagetrail.webhooks import Webhooks
    from imagetrail.worker import Worker

_SEARCH_BYTES = 256 * 1024 * 1024  # of the 512 MB that a function has in /tmp


class Deployment:
    """Every part of one deployment, each built when it is first asked for."""

    def __init__(self, settings: Settings, credentials: Callable[[], Credentials] | None = None) -> None:
        """`credentials` are those of the settings if absent: a role's, for the life of a function's process."""
        held = Credentials(settings.access_key_id, settings.secret_access_key, settings.session_token)
        self.settings, self.credentials = settings, credentials or (lambda: held)
        self._closing = ExitStack()

    def close(self) -> None:
        """Closes every connection."""
        self._closing.close()

    def authenticate(self, authorization: str | None, pages: str = "") -> Caller:
        """The caller behind an Authorization header, anonymous without one. Raises Unauthenticated, Unavailable.

        `pages` is the client that the pages sign in with: it is made after the functions, so the stage names it.
        """
        return ANONYMOUS if authorization is None else self.verifier.caller(authorization, pages)

    @cached_property
    def dynamo(self) -> Dynamo:
        """The tables."""
        return Dynamo(self._endpoint("dynamodb"))

    @cached_property
    def bucket(self) -> Bucket:
        """The pixels."""
        from imagetrail.s3 import Bucket

        s = self.settings
        return self._closing.enter_context(closing(Bucket(s.bucket, s.region, self.credentials, s.endpoint_url)))

    @cached_property
    def verifier(self) -> Verifier:
        """The judge of bearer tokens; with it cryptography is imported, only when a header came."""
        from imagetrail.tokens import KeySet, Verifier

        s = self.settings
        keys = KeySet(s.auth_issuer, s.auth_jwks_url, allow_loopback_http=s.local_run)
        secret = (lambda: self._secrets.read(s.auth_secret_name)) if s.auth_secret_name else None
        return Verifier(s.auth_issuer, s.auth_audience, keys, secret)

    @cached_property
    def history(self) -> History:
        """The history of images."""
        from imagetrail.history import History
        from imagetrail.ledger import Days

        s = self.settings
        return History(self.dynamo, s.images_table, Days(self.dynamo, s.ledger_table), s.anonymous_history)

    @cached_property
    def images(self) -> Images:
        """The records, to be changed."""
        from imagetrail.images import Images

        return Images(dynamo=self.dynamo, table=self.settings.images_table, sees_all=self.history.sees_all)

    @cached_property
    def trash(self) -> Trash:
        """Where images are thrown."""
        from imagetrail.trash import Trash

        return Trash(images=self.images, bucket=self.bucket)

    @cached_property
    def batch(self) -> Batch:
        """Many changes at once."""
        from imagetrail.batch import AT_ONCE, Batch

        return Batch(
            history=self.history,
            images=self.images,
            trash=self.trash,
            jobs=self.jobs,
            tombstones=self.tombstones,
            executor=self._threads(AT_ONCE),
        )

    @cached_property
    def emptying(self) -> Emptying:
        """What the trash does by itself."""
        from imagetrail.emptying import Emptying

        return Emptying(
            dynamo=self.dynamo,
            table=self.settings.images_table,
            bucket=self.bucket,
            edge=self.edge,
            executor=self.executor,
        )

    @cached_property
    def edge(self) -> Edge:
        """The distribution that keeps copies of the pixels."""
        from imagetrail.edge import URL as EDGE_URL
        from imagetrail.edge import Edge

        s = self.settings
        endpoint = Endpoint("cloudfront", "us-east-1", self.credentials, s.endpoint_url or EDGE_URL)
        return Edge(self._closing.enter_context(closing(endpoint)), s.distribution)

    @cached_property
    def datasets(self) -> Datasets:
        """The brand datasets."""
        from imagetrail.datasets import Datasets

        return Datasets(
            dynamo=self.dynamo, table=self.settings.datasets_table, url=self.presigner.url, tombstones=self.tombstones
        )

    @cached_property
    def presigner(self) -> Presigner:
        """The signer of addresses that callers open themselves."""
        from imagetrail.presigning import Presigner

        s = self.settings
        return Presigner(address=s.bucket_url, bucket=s.bucket, region=s.region, credentials=self.credentials)

    @cached_property
    def references(self) -> References:
        """The datasets' reference images."""
        from imagetrail.references import References

        return References(datasets=self.datasets, bucket=self.bucket, presigner=self.presigner, executor=self.executor)

    @cached_property
    def extraction(self) -> Extraction:
        """The finder of visual elements."""
        from imagetrail.extraction import Extraction
        from imagetrail.vision import VisionModel

        s = self.settings
        look = VisionModel(
            model=s.vision_model, region=s.bedrock_region, credentials=self.credentials, url=s.bedrock_url
        )
        return Extraction(datasets=self.datasets, references=self.references, look=look if s.vision_model else None)

    @cached_property
    def ledger(self) -> Ledger:
        """The start and the end of every generation."""
        from imagetrail.ledger import Ledger

        s = self.settings
        return Ledger(self.dynamo, s.images_table, s.ledger_table, self.executor, self.tombstones)

    @cached_property
    def executor(self) -> Executor:
        """Threads for what can wait side by side: a generation has at most four requests under way besides its own."""
        return self._threads(4)

    @cached_property
    def limits(self) -> Limits:
        """What callers may generate."""
        from imagetrail.allowances import Limits

        s = self.settings
        return Limits(
            user_daily_quota=s.user_daily_quota,
            anonymous_daily_quota=s.anonymous_daily_quota,
            monthly_budget_usd=s.monthly_budget_usd,
            source_key=lambda: self._secrets.read(s.source_secret_name),
        )

    @cached_property
    def catalog(self) -> Catalog:
        """The image models on offer."""
        from imagetrail.models.catalog import Catalog
        from imagetrail.models.connecting import connect

        return Catalog(self.settings.model, lambda name: connect(name, self.settings, self._closing.callback))

    @cached_property
    def generation(self) -> Generation:
        """The maker of images."""
        from imagetrail.generation import Generation

        return Generation(
            ledger=self.ledger,
            bucket=self.bucket,
            datasets=self.datasets,
            load=self.references.load,
            catalog=self.catalog,
            limits=self.limits,
            executor=self.executor,
            embed_prompt=self.settings.embed_prompt,
        )

    @cached_property
    def submission(self) -> Submission:
        """The way of a request for an image to its answer."""
        from imagetrail.idempotency import IdempotencyGuard
        from imagetrail.sqs import Queue
        from imagetrail.submission import Submission

        s = self.settings
        return Submission(
            generation=self.generation,
            queue=Queue(self._endpoint("sqs"), s.generation_queue),
            dynamo=self.dynamo,
            images_table=s.images_table,
            guard=IdempotencyGuard(dynamo=self.dynamo, images_table=s.images_table, ledger_table=s.ledger_table),
        )

    @cached_property
    def regeneration(self) -> Regeneration:
        """The way of a record's request, sent again."""
        from imagetrail.regeneration import Regeneration

        return Regeneration(
            history=self.history, datasets=self.datasets, catalog=self.catalog, submission=self.submission
        )

    @cached_property
    def lineage(self) -> Family:
        """The families of images."""
        from imagetrail.lineage import Family

        return Family(
            history=self.history, dynamo=self.dynamo, table=self.settings.images_table, executor=self.executor
        )

    @cached_property
    def worker(self) -> Worker:
        """The end of the queue."""
        from imagetrail.worker import Worker

        return Worker(generation=self.generation)

    @cached_property
    def usage(self) -> Usage:
        """What is left for a caller."""
        from imagetrail.usage import Usage

        return Usage(accounts=self.ledger.accounts, limits=self.limits)

    @cached_property
    def sweep(self) -> Sweep:
        """The settler of what was left pending."""
        from imagetrail.settling import Sweep

        s = self.settings
        return Sweep(
            dynamo=self.dynamo,
            images_table=s.images_table,
            ledger=self.ledger,
            bucket=self.bucket,
            tombstones=self.tombstones,
            versions=self.versions,
        )

    @cached_property
    def tombstones(self) -> Tombstones:
        """What is being erased, or just was."""
        from imagetrail.tombstones import Tombstones

        return Tombstones(self.dynamo, self.settings.ledger_table)

    @cached_property
    def versions(self) -> Versions:
        """The deleter of objects for good."""
        from imagetrail.versions import STRIPES, Versions

        return Versions(self.bucket, self._threads(STRIPES))

    @cached_property
    def jobs(self) -> Jobs:
        """What goes on after its request was answered."""
        from imagetrail.jobs import Jobs

        s = self.settings
        return Jobs(
            dynamo=self.dynamo,
            table=s.ledger_table,
            secret=lambda: self._secrets.read(s.source_secret_name),
            kick=lambda job_id: self._lambda.invoke_later(s.run_jobs_function, {"job_id": job_id}),
        )

    @cached_property
    def erasing(self) -> Erasing:
        """Who may have a user or a dataset erased."""
        from imagetrail.erasing import Erasing

        return Erasing(jobs=self.jobs, datasets=self.datasets)

    @cached_property
    def webhooks(self) -> Webhooks:
        """What the issuer of the tokens tells, signed."""
        from imagetrail.webhooks import Webhooks

        name = self.settings.webhook_secret_name
        return Webhooks((lambda: self._secrets.read(name)) if name else None)

    @cached_property
    def runner(self) -> Runner:
        """The worker of jobs."""
        from imagetrail.running import Runner

        return Runner(dynamo=self.dynamo, table=self.settings.ledger_table, kinds=self.job_kinds)

    @cached_property
    def job_kinds(self) -> Mapping[str, Kind]:
        """Every kind of job, by its name."""
        from imagetrail import batch, exporting
        from imagetrail.erasing import DATASET, USER

        return {
            USER: self.erasure,
            DATASET: self.erasure,
            exporting.KIND: self.export_job,
            batch.KIND: self.batch.page,
        }

    @cached_property
    def exporting(self) -> Exporting:
        """The history, to take away."""
        from imagetrail.exporting import Exporting

        return Exporting(
            history=self.history,
            bucket=self.bucket,
            jobs=self.jobs,
            tombstones=self.tombstones,
            executor=lambda: self.executor,
            presigner=self.presigner,
        )

    @cached_property
    def export_job(self) -> Export:
        """The history, to take away when it is large."""
        from imagetrail.export_job import Export
        from imagetrail.multipart import Multipart

        return Export(
            history=self.history,
            bucket=self.bucket,
            multipart=Multipart(self.bucket),
            jobs=self.jobs,
            tombstones=self.tombstones,
            executor=self.executor,
        )

    @cached_property
    def erasure(self) -> Erasure:
        """What a user who leaves had, and what a deleted dataset was for."""
        from imagetrail.erasure import Erasure

        s = self.settings
        return Erasure(
            dynamo=self.dynamo,
            images_table=s.images_table,
            datasets_table=s.datasets_table,
            ledger_table=s.ledger_table,
            versions=self.versions,
            jobs=self.jobs,
            edge=self.edge,
            steps={
                "search_documents": lambda user_id: self.search_rebuild.forget(owner_of(user_id)),
                "reports": self._forgetting.forget,
            },
        )

    @cached_property
    def _forgetting(self) -> Forgetting:
        from imagetrail.analytics.forgetting import Forgetting

        fold_days = self.settings.fold_days_function
        return Forgetting(store=self._report_store, kick=lambda: self._lambda.invoke_later(fold_days, {}))

    @cached_property
    def _lambda(self) -> Endpoint:
        return self._endpoint("lambda")

    def ending_models(self) -> dict[str, str]:
        """Of the Bedrock models in use, those that are about to go, each with what Bedrock says of it."""
        from imagetrail.models.lifecycle import bedrock_ids, legacy_models

        s = self.settings
        if not (ids := [*bedrock_ids(self.catalog.offers), *filter(None, [s.vision_model])]):
            return {}
        import boto3

        with closing(boto3.client("bedrock", region_name=s.bedrock_region, endpoint_url=s.bedrock_url)) as client:
            return legacy_models(ids, client)

    @cached_property
    def search(self) -> Search:
        """Full-text search."""
        from imagetrail.search.reader import Reader
        from imagetrail.search.searching import Search

        return Search(
            history=self.history,
            datasets=self.datasets,
            dynamo=self.dynamo,
            images_table=self.settings.images_table,
            reader=Reader(self.bucket, self._segments, _SEARCH_BYTES),
            shards=self._shards(creates=False),
            requests=self._threads(4),
            executor=self._threads(8),
        )

    @cached_property
    def indexer(self) -> Indexer:
        """The writer of the search index."""
        from imagetrail.search.indexing import Indexer

        return Indexer(
            dynamo=self.dynamo,
            images_table=self.settings.images_table,
            bucket=self.bucket,
            segments=self._segments,
            shards=self._shards(creates=True),
        )

    @cached_property
    def search_rebuild(self) -> Rebuild:
        """Writes the search index anew."""
        from imagetrail.search.rebuilding import Rebuild

        return Rebuild(self.indexer)

    @cached_property
    def _segments(self) -> Segments:
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from imagetrail.search.segments import Segments

        folder = self._closing.enter_context(TemporaryDirectory(prefix="search-"))
        return Segments(self.bucket, Path(folder), self._threads(8))

    def _shards(self, *, creates: bool) -> Shards:
        from imagetrail.search.shards import Shards

        return Shards(self.bucket, self.settings.search_shards, creates=creates)

    def _threads(self, count: int) -> Executor:
        from concurrent.futures import ThreadPoolExecutor

        return self._closing.enter_context(ThreadPoolExecutor(count))

    @cached_property
    def _report_store(self) -> Store:
        from imagetrail.analytics.store import Store

        return Store(self.dynamo, self.settings.reports_table)

    @cached_property
    def reports(self) -> Reports:
        """The reports."""
        from imagetrail.analytics.reports import Reports

        return Reports(store=self._report_store, anonymous_history=self.settings.anonymous_history, limits=self.limits)

    @cached_property
    def fold(self) -> Fold:
        """The maker of reports and of the lake."""
        from imagetrail.analytics.folding import Fold
        from imagetrail.analytics.lake import Lake
        from imagetrail.ledger import Days

        s = self.settings
        return Fold(
            dynamo=self.dynamo,
            images_table=s.images_table,
            store=self._report_store,
            lake=Lake(self.bucket),
            days=Days(self.dynamo, s.ledger_table),
        )

    @cached_property
    def athena(self) -> Athena:
        """SQL over the lake."""
        from imagetrail.analytics.athena import Athena

        return Athena(self._endpoint("athena"), self.settings.lake)

    @cached_property
    def _secrets(self) -> Secrets:
        from imagetrail.secrets_manager import Secrets

        return Secrets(self._endpoint("secretsmanager"))

    def _endpoint(self, service: str) -> Endpoint:
        endpoint = Endpoint(service, self.settings.region, self.credentials, self.settings.endpoint_url)
        return self._closing.enter_context(closing(endpoint))


@cache
def deployment() -> Deployment:
    """The deployment this process belongs to."""
    return Deployment(Settings.from_environment())
