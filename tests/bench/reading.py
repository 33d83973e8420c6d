"""The readers beside their peers: cold start to first answer, CPU of a warm call, memory."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from tests.bench import processes
from tests.bench.rows import OURS, PEERS, SIDES, Effort, Row, compared, in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.bench.processes import Cost, Stub

_READERS = {"list": ("list_images", "LIST"), "get": ("get_image", "GET")}
_MEMORY_CALLS = 200


def rows(stub: Stub, effort: Effort) -> Iterator[Row]:
    """Every side gives the same answer first; what differs is what it takes."""
    for name, (function, event) in _READERS.items():
        handlers = {OURS: f"functions.{function}.handler"}
        handlers |= {peer: f"tests.bench.peers.{peer}.{function}" for peer in PEERS}
        _check(handlers, event, stub.plain)
        yield from _cold(name, handlers, event, stub.plain, effort)
        if name == "list":
            yield from _cold("list tls", handlers, event, stub.secure, effort)
        yield compared(f"{name} warm", "CPU µs", _warm(handlers, event, stub.plain, effort))
        yield compared(f"{name} memory", "MB", _memory(handlers, event, stub.plain))


def _check(handlers: Mapping[str, str], event: str, environment: Mapping[str, str]) -> None:
    """One unmeasured process each, over which the byte code gets compiled too."""
    bodies = {side: processes.run("answer", handlers[side], event, environment) for side in SIDES}
    for side in PEERS:
        if bodies[side] != bodies[OURS]:
            raise RuntimeError(f"{handlers[side]} does not give the same answer")


def _cold(
    name: str, handlers: Mapping[str, str], event: str, environment: Mapping[str, str], effort: Effort
) -> Iterator[Row]:
    wall: dict[str, list[float]] = {side: [] for side in SIDES}

    def measure(side: str) -> float:
        cost: Cost = processes.cold(handlers[side], event, environment)
        wall[side].append(cost.wall)
        return cost.cpu

    for side in SIDES:
        processes.cold(handlers[side], event, environment)
    yield compared(f"{name} cold", "CPU ms", in_turn(effort.cold_rounds, measure))
    yield compared(f"{name} cold wall", "ms", wall)


def _warm(
    handlers: Mapping[str, str], event: str, environment: Mapping[str, str], effort: Effort
) -> dict[str, list[float]]:
    blocks, calls = effort.warm_blocks, effort.calls_per_block
    return in_turn(
        effort.warm_rounds,
        lambda side: median(processes.run("warm", handlers[side], event, environment, blocks, calls)),
    )


def _memory(handlers: Mapping[str, str], event: str, environment: Mapping[str, str]) -> dict[str, list[float]]:
    return in_turn(1, lambda side: processes.run("memory", handlers[side], event, environment, _MEMORY_CALLS))
