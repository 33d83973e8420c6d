"""Nested stacks folded into their parent, so that the emulator sees one flat template.

The emulator creates nested stacks well and updates them badly: a resource that stays as it is loses its
attributes, and a table whose indexes change gets a new name and leaves its items behind under the old one.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Template = dict[str, Any]
Node = Any

STACK = "AWS::CloudFormation::Stack"


def fold(parent: Template, children: Mapping[str, Template]) -> Template:
    """The parent with every child's resources as its own, named `{child}{resource}`."""
    resources = {name: part for name, part in parent["Resources"].items() if name not in children}
    conditions = dict(parent.get("Conditions", {}))
    outputs: dict[tuple[str, str], Node] = {}
    for name, child in children.items():
        given = parent["Resources"][name]["Properties"].get("Parameters", {})
        inner = _Child(name, child, given).rewrite
        resources |= {name + part: inner(body) for part, body in child["Resources"].items()}
        conditions |= {name + part: inner(body) for part, body in child.get("Conditions", {}).items()}
        for part, body in child.get("Outputs", {}).items():
            outputs[name, f"Outputs.{part}"] = inner(body["Value"])
    flat = {**parent, "Resources": resources, "Conditions": conditions}

    def output(reference: str) -> Node | None:
        found = outputs.get(tuple(reference.split(".", 1)))  # type: ignore[arg-type]
        return None if found is None else references(found, output)

    return {name: references(body, output) for name, body in flat.items()}


def references(node: Node, replace: Callable[[str], Node | None]) -> Node:
    """A copy of a node, its `Ref`, `Fn::GetAtt` and names in `Fn::Sub` replaced where `replace` has an answer."""
    if isinstance(node, list):
        return [references(item, replace) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((function, argument),) = node.items()
        if function == "Ref":
            return _or(replace(argument), node)
        if function == "Fn::GetAtt":
            return _or(replace(".".join(argument)), node)
        if function == "Fn::Sub":
            return _substituted(argument, replace)
    return {name: references(value, replace) for name, value in node.items()}


def _substituted(argument: Node, replace: Callable[[str], Node | None]) -> Node:
    text, own = (argument, {}) if isinstance(argument, str) else argument
    names: dict[str, Node] = {name: references(value, replace) for name, value in own.items()}

    def rename(found: re.Match[str]) -> str:
        answer = None if found[1] in own else replace(found[1])
        if answer is None:
            return found[0]
        alias = re.sub(r"\W", "", found[1])
        names[alias] = answer
        return f"${{{alias}}}"

    text = re.sub(r"\$\{([^!}]+)\}", rename, text)
    return {"Fn::Sub": [text, names] if names else text}


def _or(answer: Node | None, otherwise: Node) -> Node:
    return otherwise if answer is None else answer


class _Child:
    """One nested template, with what its parent gives it."""

    def __init__(self, name: str, template: Template, given: Mapping[str, Node]) -> None:
        self._name, self._template = name, template
        defaults = {key: body["Default"] for key, body in template.get("Parameters", {}).items() if "Default" in body}
        self._given = {**defaults, **given}

    def rewrite(self, node: Node) -> Node:
        return self._conditions(references(node, self._replace))

    def _replace(self, reference: str) -> Node | None:
        name, _, attribute = reference.partition(".")
        if name in self._given:
            return self._given[name]
        if name not in self._template["Resources"]:
            return None
        return {"Fn::GetAtt": [self._name + name, attribute]} if attribute else {"Ref": self._name + name}

    def _conditions(self, node: Node) -> Node:
        if isinstance(node, list):
            return [self._conditions(item) for item in node]
        if not isinstance(node, dict):
            return node
        renamed: dict[str, Node] = {}
        for name, value in node.items():
            if name == "Fn::If":
                renamed[name] = [self._name + value[0], *self._conditions(value[1:])]
            elif name == "Condition" and isinstance(value, str) and value in self._template.get("Conditions", {}):
                renamed[name] = self._name + value
            else:
                renamed[name] = self._conditions(value)
        return renamed
