"""The template's parameters, taken from environment variables and checked before anything starts."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from local.intrinsics import Scope
from local.problem import ProblemError

Template = dict[str, Any]


class InvalidParameterError(ProblemError):
    """An environment variable that the template's own constraints refuse."""


def variable(parameter: str) -> str:
    """`AuthIssuer` is set by `AUTH_ISSUER`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", parameter).upper()


def parameters(template: Template, given: Mapping[str, str]) -> dict[str, str]:
    """A value for every parameter; `given` maps parameter names to values, an empty one counts as absent."""
    values = {
        name: _checked(name, definition, given.get(name) or str(definition["Default"]))
        for name, definition in template["Parameters"].items()
    }
    _check_rules(template, values)
    return values


def from_environment(template: Template, environment: Mapping[str, str]) -> dict[str, str]:
    """What the environment says about the template's parameters, not yet checked."""
    named = {name: environment.get(variable(name), "") for name in template["Parameters"]}
    return {name: value for name, value in named.items() if value}


def _checked(name: str, definition: dict[str, Any], value: str) -> str:
    for fault in _faults(definition, value):
        raise InvalidParameterError(f"{variable(name)}={value} is refused: {fault}")
    return value


def _faults(definition: dict[str, Any], value: str) -> list[str]:
    faults = []
    allowed = [str(choice) for choice in definition.get("AllowedValues", [])]
    if allowed and value not in allowed:
        faults.append(f"it must be one of {', '.join(allowed)}")
    pattern = definition.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        faults.append(definition.get("ConstraintDescription") or f"it must match {pattern}")
    for bound, length in (("MinLength", len(value)), ("MaxLength", len(value))):
        if bound in definition and _outside(bound, length, definition[bound]):
            faults.append(f"its length must be at {_words(bound)} {definition[bound]}")
    if definition["Type"] == "Number":
        faults += _number_faults(definition, value)
    return faults


def _number_faults(definition: dict[str, Any], value: str) -> list[str]:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        return ["it must be a number"]
    return [
        f"it must be at {_words(bound)} {definition[bound]}"
        for bound in ("MinValue", "MaxValue")
        if bound in definition and _outside(bound, number, definition[bound])
    ]


def _outside(bound: str, value: Decimal | int, limit: Any) -> bool:
    return value < Decimal(str(limit)) if bound.startswith("Min") else value > Decimal(str(limit))


def _words(bound: str) -> str:
    return "least" if bound.startswith("Min") else "most"


def _check_rules(template: Template, values: dict[str, str]) -> None:
    scope = Scope(template, values)
    for rule in template.get("Rules", {}).values():
        if not scope.resolve(rule.get("RuleCondition", True)):
            continue
        for assertion in rule["Assertions"]:
            if not scope.resolve(assertion["Assert"]):
                raise InvalidParameterError(_in_variables(assertion["AssertDescription"], template))


def _in_variables(sentence: str, template: Template) -> str:
    return re.sub(r"\w+", lambda word: variable(word[0]) if word[0] in template["Parameters"] else word[0], sentence)
