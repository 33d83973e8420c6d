"""CloudFormation's intrinsic functions, evaluated: what a template says once its references are known."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.aws import ACCOUNT, REGION

NO_VALUE = object()


def _no_attribute(logical: str, name: str) -> str:
    raise LookupError(f"{logical}.{name}")


@dataclass(frozen=True)
class Scope:
    """A template with its parameters, and the resources that stand for its logical ids, if any do."""

    template: dict[str, Any]
    parameters: Mapping[str, str]
    stack: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    attribute: Callable[[str, str], str] = _no_attribute

    def resolve(self, node: Any) -> Any:
        """The value of a node. Members whose value is `AWS::NoValue` are left out."""
        if isinstance(node, list):
            return [value for item in node if (value := self.resolve(item)) is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name in ("Ref", "Condition") and isinstance(argument, str):
                return self._ref(argument) if name == "Ref" else self.holds(argument)
            if name.startswith("Fn::"):
                return self._call(name.removeprefix("Fn::"), argument)
        return {key: value for key, item in node.items() if (value := self.resolve(item)) is not NO_VALUE}

    def holds(self, condition: str) -> bool:
        return bool(self.resolve(self.template["Conditions"][condition]))

    def _ref(self, name: str) -> Any:
        if name in self.parameters:
            return self.parameters[name]
        if name in self.ids:
            return self.ids[name]
        return {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackName": self.stack,
            "AWS::URLSuffix": "amazonaws.com",
        }[name]

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "If":
                return self.resolve(argument[1] if self.holds(argument[0]) else argument[2])
            case "GetAtt":
                return self.attribute(*argument)
            case "Sub":
                return self._sub(argument)
        values = self.resolve(argument)
        match function:
            case "Equals":
                return str(values[0]) == str(values[1])
            case "Not":
                return not values[0]
            case "And":
                return all(values)
            case "Or":
                return any(values)
            case "Join":
                return values[0].join(values[1])
            case "Split":
                return values[1].split(values[0])
            case "Select":
                return values[1][int(values[0])]
        raise NotImplementedError(f"Fn::{function}")

    def _sub(self, argument: Any) -> str:
        text, names = (argument, {}) if isinstance(argument, str) else argument
        own = self.resolve(names)

        def replace(found: re.Match[str]) -> str:
            name = found[1]
            if name in own:
                return str(own[name])
            if "." in name:
                logical, attribute = name.split(".", 1)
                return self.attribute(logical, attribute)
            return str(self._ref(name))

        return re.sub(r"\$\{([^!][^}]*)\}", replace, text).replace("${!", "${")
