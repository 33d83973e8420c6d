"""Whatever is sent, the service answers as its OpenAPI document says, and never with a 500."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from imagetrail import openapi_document

if TYPE_CHECKING:
    from tests.conftest import Service

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
DOCUMENT = schemathesis.openapi.from_path(str(openapi_document.PATH))
OPERATIONS: list[Any] = [found.ok() for found in DOCUMENT.get_all_operations() if isinstance(found, Ok)]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_the_service_keeps_its_contract(service: Service, operation: Any, mode: GenerationMode) -> None:
    @settings(max_examples=8, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def keeps(case: Case[Any]) -> None:
        case.call_and_validate(base_url=service.url, checks=CHECKS)

    try:
        keeps()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "no request of this operation can be right"
