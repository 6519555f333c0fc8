"""``pgfast bench``: how fast training is on this machine."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgfast.cli.output import Debug, Json, Quiet, answer, fail
from pgfast.errors import PgfastError, unknown

if TYPE_CHECKING:
    from pgfast.workloads import Workload

FAILED_CHECK = 1  # exit code
PICTURE = "bench.png"


def bench(
    workload: Annotated[list[str] | None, typer.Argument(help="Workloads; by default all.")] = None,
    rounds: Annotated[int, typer.Option(help="Complete trainings of each, with a seed of their own.")] = 7,
    threads: Annotated[
        list[int] | None, typer.Option(help="Threads; may be repeated. By default 1 and all processors.")
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(help="float64 or float32; may be repeated. By default float64, with --peers both."),
    ] = None,
    peers: Annotated[
        bool, typer.Option("--peers", help="Run other ways to do the same in turn with pgfast, and show ratios.")
    ] = False,
    cold: Annotated[
        bool, typer.Option("--cold", help="Compile everything anew, in a cache that is deleted afterwards.")
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Compare ratios with what an earlier `bench --peers --json` printed; exit code 1 if worse.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help=f"Where {PICTURE} is drawn.")] = Path("."),
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Measure training in time and memory. Environment, sampling, returns and update are measured together."""
    from pgfast._bench import check as regression
    from pgfast._bench import report
    from pgfast._bench.pictures import draw
    from pgfast.cli.bench_tables import show
    from pgfast.storage import make_folder

    chosen = _workloads(workload)
    plan: dict[str, Any] = {
        "rounds": _at_least_one("rounds", rounds),
        "threads": _threads(threads, peers or check is not None),
        "precisions": _precisions(precision, peers or check is not None),
        "peers": _peers(peers, check is not None),
    }
    record = regression.read_record(check) if check is not None else None
    if record is not None:
        regression.check_rounds(record, [w.name for w in chosen], rounds)
    make_folder(out)
    picture = out / PICTURE
    with _cache(cold) as cache, _saying(not (as_json or quiet)) as say:
        data = report.bench(chosen, **plan, cache=cache, say=say)
    if record is not None:
        data["check"] = regression.compare(record, data)
    draw(data, picture)
    data["picture"] = str(picture.absolute())
    answer(data, lambda: show(data), as_json, quiet)
    complaints = _complaints(data)
    return fail(" ".join(complaints), FAILED_CHECK, as_json=False) if complaints else 0


def _workloads(names: list[str] | None) -> list[Workload]:
    from pgfast.workloads import WORKLOADS

    for name in names or []:
        if name not in WORKLOADS:
            raise unknown("workload", name, WORKLOADS)
    return [WORKLOADS[name] for name in dict.fromkeys(names or WORKLOADS)]


def _at_least_one(name: str, count: int) -> int:
    if count < 1:
        raise PgfastError(f"{name} is {count}: it must be at least 1.")
    return count


def _threads(given: list[int] | None, compared: bool) -> list[int]:
    """Those asked for, by default one and all processors; peers are compared with one."""
    from pgfast.training import default_threads

    counts = {_at_least_one("threads", count) for count in given or [1, default_threads()]}
    return sorted(counts | {1} if compared else counts)


def _precisions(given: list[str] | None, compared: bool) -> list[str]:
    from pgfast.kernels.lanes import PRECISIONS

    for name in given or []:
        if name not in PRECISIONS:
            raise unknown("precision", name, PRECISIONS)
    return list(dict.fromkeys(given or (PRECISIONS if compared else ["float64"])))


def _peers(all_of_them: bool, checked: bool) -> list[str]:
    """All peers, or those that a check needs."""
    from pgfast._bench.check import yardsticks
    from pgfast._bench.peers import PEERS

    return list(PEERS) if all_of_them else list(yardsticks()) if checked else []


@contextmanager
def _cache(cold: bool) -> Iterator[Path | None]:
    """An empty cache for a cold start; None: the user's own."""
    with tempfile.TemporaryDirectory(prefix="pgfast-bench-") if cold else nullcontext() as folder:
        yield None if folder is None else Path(folder) / "kernels"


@contextmanager
def _saying(visible: bool) -> Iterator[Callable[[str], None]]:
    """What is going on, on stderr, for as long as it goes on."""
    if not (visible and sys.stderr.isatty()):
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(text)


def _complaints(data: dict[str, Any]) -> list[str]:
    """A sentence where something didn't learn, has become slower, or couldn't be checked."""
    from pgfast._bench.words import number

    said = []
    lazy = {row["workload"]: row for row in data["workloads"] if row["learned"] < row["rounds"]}
    if lazy:
        each = (
            f"{name} ({r['rounds'] - r['learned']} of {r['rounds']}, down to a mean return of "
            f"{number(r['final_return_min'])}, not {r['goal']:g})"
            for name, r in lazy.items()
        )
        said.append(f"No throughput is quoted of runs that didn't learn: {', '.join(each)}.")
    verdicts = data["check"]["verdicts"] if "check" in data else []
    worse = [v for v in verdicts if v["verdict"] == "worse"]
    if worse:
        each = (
            f"{v['workload']} in {v['precision']} ({v['now']:.3g} times {v['peer']}, not {v['recorded']:.3g})"
            for v in worse
        )
        said.append(f"pgfast has become slower: {', '.join(each)}.")
    if verdicts and all(v["verdict"] == "not measured" for v in verdicts):
        said.append("Nothing was checked: none of what the record compares with can run here.")
    return said
