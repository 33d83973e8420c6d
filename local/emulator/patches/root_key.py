"""Accepts one root key, the data folder's.

The emulator also takes `test`, any account id and no key at all for the account's root user, and lets each of them do
everything. No key is right only for an upload form, whose own signature the emulator checks. Upstream: a setting that
leaves only the configured key.
"""

from contextvars import ContextVar

from ministack.core import iam_evaluator
from ministack.services import sts

from local.emulator.context import Context

TARGETS = {
    "ministack.core.iam_evaluator.is_root_access_key": "e6ae3b633355",
    "ministack.core.iam_evaluator.resolve_credential": "32276bd395ef",
}

signed_form: ContextVar[bool] = ContextVar("signed_form", default=False)  # whether the request is such a form


def apply(context: Context) -> None:
    def is_root_access_key(access_key_id: str) -> bool:
        return access_key_id == context.credentials.access_key_id or (not access_key_id and signed_form.get())

    iam_evaluator.is_root_access_key = sts.is_root_access_key = is_root_access_key
