"""The rules that keep handlers small, imports cheap, and the template, the handlers and the documents in step."""

import ast
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from samtranslator.yaml_helper import yaml_parse

from imagetrail.analytics.parameters import REPORT
from imagetrail.callers import ANONYMOUS
from imagetrail.endpoints import Endpointed
from imagetrail.erasure import LONGEST_REQUEST

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for path in (ROOT / "functions").glob("*.py") if path.name != "__init__.py")
EVENTS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "tests" / "events").glob("*.json")}
HANDLERS = {path.stem: import_module(f"functions.{path.stem}").handler for path in MODULES}
ENDPOINTS: dict[str, Endpointed] = {name: part for name, part in HANDLERS.items() if isinstance(part, Endpointed)}

Function = dict[str, Any]


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    return dict(yaml_parse((ROOT / "template.yaml").read_text()))


@pytest.fixture(scope="session")
def functions(template: dict[str, Any]) -> dict[str, Function]:
    """The properties of every function of the template, by the module of its handler."""
    return {
        resource["Properties"]["Handler"].removesuffix(".handler"): resource["Properties"] | {"Name": name}
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def imported(tree: ast.AST) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_a_handler_is_short_and_leaves_the_work_to_the_package(module: Path) -> None:
    source = module.read_text()
    tree = ast.parse(source)
    assert len([line for line in source.splitlines() if line.strip()]) <= 20
    assert not {name.partition(".")[0] for name in imported(tree)} & {"boto3", "botocore", "os"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
    assert ast.get_docstring(tree)
    (handler,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert handler.name == "handler"
    assert ast.get_docstring(handler)
    assert handler.returns


def test_only_the_settings_look_at_the_environment() -> None:
    modules = [*(ROOT / "layers" / "core" / "imagetrail").rglob("*.py"), *MODULES]
    assert [path.name for path in modules if "os" in imported(ast.parse(path.read_text()))] == ["settings.py"]


def test_every_handler_has_a_function_and_every_function_a_handler(functions: dict[str, Function]) -> None:
    assert set(functions) == {module.stem for module in MODULES}
    for module, function in functions.items():
        assert function["Name"] == "".join(word.capitalize() for word in module.split("_"))


def test_every_handler_is_documented_with_its_route(functions: dict[str, Function]) -> None:
    for module in MODULES:
        routes = [
            f"{event['Properties']['Method']} {event['Properties']['Path']}"
            for event in functions[module.stem].get("Events", {}).values()
            if event["Type"] == "HttpApi" and event["Properties"]["Path"] != "$default"
        ]
        documented = ast.get_docstring(ast.parse(module.read_text())) or ""
        assert routes in ([], [documented], [documented, documented.replace("GET", "HEAD")])


def test_head_is_answered_wherever_get_is(functions: dict[str, Function]) -> None:
    for function in functions.values():
        routes = [event["Properties"] for event in function["Events"].values() if event["Type"] == "HttpApi"]
        read = {method: {r["Path"] for r in routes if r["Method"] == method} for method in ("GET", "HEAD")}
        assert read["GET"] == read["HEAD"]


def test_every_function_is_reached_by_a_route_a_schedule_a_queue_or_a_stream(functions: dict[str, Function]) -> None:
    routes = []
    for module, function in functions.items():
        events = list(function.get("Events", {}).values())
        assert events
        other = ("ScheduleV2", "SQS", "EventBridgeRule", "DynamoDB")
        assert module in ENDPOINTS or all(event["Type"] in other for event in events)
        routes += [(e["Properties"]["Method"], e["Properties"]["Path"]) for e in events if e["Type"] == "HttpApi"]
    assert len(set(routes)) == len(routes)
    assert ("ANY", "$default") in routes


def test_every_request_is_over_when_an_erasure_looks_again(functions: dict[str, Function]) -> None:
    timeouts = {module: functions[module].get("Timeout", 10) for module in ENDPOINTS}
    assert max(timeouts.values()) + 10 < LONGEST_REQUEST.total_seconds()


def test_only_those_who_validate_or_paint_attach_those_layers(functions: dict[str, Function]) -> None:
    for module, function in functions.items():
        layers = {layer["Ref"] for layer in function.get("Layers", ())}
        validates = module in ENDPOINTS and ENDPOINTS[module].operation.body is not None
        assert ("ValidationLayer" in layers) is validates
        pictures = ("generate_image", "generate_queued", "regenerate_image", "confirm_reference")
        assert ("ImagingLayer" in layers) is (module in pictures)
        assert ("SearchLayer" in layers) is (module in ("search_images", "index_images", "run_jobs"))


@pytest.mark.skipif(not (ROOT / "README.md").exists(), reason="there is no README.md yet")
def test_every_parameter_of_the_template_is_documented(template: dict[str, Any]) -> None:
    readme = (ROOT / "README.md").read_text()
    in_capitals = {name: re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper() for name in template["Parameters"]}
    assert not [name for name, env in in_capitals.items() if f"`{name}`" not in readme and f"`{env}`" not in readme]


BUDGET = {
    "list_images": [
        "boto3",
        "botocore.",
        "pydantic",
        "pyvips",
        "cryptography",
        "jwt",
        "PIL",
        "requests",
        "urllib.request",
    ],
    "get_image": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL"],
    "search_images": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL", "tantivy"],
    "index_images": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL", "tantivy"],
    "get_analytics": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL", "duckdb"],
    "touch_days": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL", "duckdb"],
    "fold_days": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL", "duckdb"],
    "get_openapi": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL"],
    "create_dataset": ["boto3", "botocore.", "pyvips", "cryptography", "jwt", "PIL"],
    "generate_image": ["boto3", "botocore.", "cryptography", "jwt", "PIL"],
    "generate_queued": ["boto3", "botocore.", "pydantic", "cryptography", "jwt", "PIL"],
    "check_models": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL"],
    "get_job": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL"],
    "run_jobs": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL", "xml"],
    "settle_pending": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL"],
    "delete_image": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL", "xml"],
    "purge_trash": ["boto3", "botocore.", "pydantic", "pyvips", "cryptography", "jwt", "PIL"],
}


@pytest.mark.parametrize("module", BUDGET)
def test_a_cold_start_imports_no_more_than_it_needs(module: str) -> None:
    program = f"import json, sys, functions.{module}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT)
    loaded = [f"{name}." for name in json.loads(done.stdout)]
    for heavy in BUDGET[module]:
        prefix = heavy if heavy.endswith(".") else f"{heavy}."
        assert not [name for name in loaded if name.startswith(prefix) and name != "botocore."], heavy


def test_every_function_has_a_sample_event(functions: dict[str, Function]) -> None:
    assert set(EVENTS) == set(functions)


@pytest.mark.parametrize("name", sorted(set(EVENTS) & set(ENDPOINTS)))
def test_a_sample_event_is_a_request_that_its_function_takes(name: str, functions: dict[str, Function]) -> None:
    event, context = EVENTS[name], EVENTS[name]["requestContext"]
    route = functions[name]["Events"]["Api"]
    method, path = route["Properties"]["Method"], route["Properties"]["Path"]
    assert event["routeKey"] == context["routeKey"] == (path if method == "ANY" else f"{method} {path}")
    assert method in (context["http"]["method"], "ANY")
    assert event["version"] == "2.0"
    assert event["rawPath"] == context["http"]["path"]
    assert event["rawQueryString"] == urlencode(event.get("queryStringParameters", {}))
    assert event["headers"].get("content-length", "0") == str(len(event.get("body", "").encode()))
    if "{" in path:
        assert path.format(**event["pathParameters"]) == event["rawPath"]
    request = ENDPOINTS[name].operation.read(event, ANONYMOUS, "", 10_000)
    assert request.public_url == "http://localhost:3000"
    for parameter, value in event.get("pathParameters", {}).items():
        assert value == (request.path_value(REPORT) if parameter == REPORT.name else request.path_id(parameter))


@pytest.mark.parametrize("name", ["settle_pending", "purge_trash", "check_models", "run_jobs", "fold_days"])
def test_the_sample_event_of_a_schedule_is_one(name: str) -> None:
    event = EVENTS[name]
    assert (event["source"], event["detail-type"]) == ("aws.scheduler", "Scheduled Event")
    assert event["resources"][0].endswith(f"-{name.replace('_', '-')}")
