"""Which function of a kernel the time is spent in: ``python -m pgfast._bench.profile WORKLOAD``.

Linux's perf looks where all threads are, two thousand times a second, while the workload is learned again and again.
perf knows no names of code that was made in memory: where each function of the kernel has come to lie is found out here
and said in /tmp/perf-PID.map, which perf reads. Functions are those of the machine code: what LLVM has inlined, such as
the loops over lanes, counts for the function that it was inlined into.

    apt install linux-perf && pip install "pgfast[profile]"
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from pgfast._bench.bars import in_batches
from pgfast._bench.command import parser_of
from pgfast._bench.contest import Entrant, learn
from pgfast._bench.words import table
from pgfast.compiler.cache import cached_files, object_file
from pgfast.errors import PgfastError
from pgfast.kernels.lanes import PRECISIONS
from pgfast.workloads import WORKLOADS, Workload

SHOWN = 0.005  # of the time; functions of less are not
_PROBE = 32  # bytes by which a section is looked for
_SAME = 0.9  # of a section's bytes are as in its file; the others are addresses


class Function(NamedTuple):
    """Of a kernel, in memory."""

    address: int
    size: int
    name: str


def plain_name(symbol: str) -> str:
    """``pgfast.kernels.batches.finish`` for what numba makes of it: each part behind its length, then a version."""
    parts, rest = [], symbol.removeprefix("_ZN")
    while length := re.match(r"\d+", rest):
        first = length.end()
        parts.append(rest[first : first + int(length[0])])
        rest = rest[first + int(length[0]) :]
    return ".".join(parts) or symbol


def code_in_memory() -> Iterator[tuple[int, bytes]]:
    """Address and bytes of all that can be executed in this process and comes from no file."""
    with open("/proc/self/mem", "rb") as memory:
        for line in Path("/proc/self/maps").read_text("utf-8").splitlines():
            fields = line.split()
            first, last = (int(x, 16) for x in fields[0].split("-"))
            if "x" in fields[1] and len(fields) < 6:
                memory.seek(first)
                yield first, memory.read(last - first)


def lies_at(section: bytes, regions: list[tuple[int, bytes]]) -> int | None:
    """Where a section of an object file has come to lie, addresses in it filled in."""
    for start in range(0, len(section) - _PROBE, _PROBE):
        for address, region in regions:
            at = region.find(section[start : start + _PROBE])
            there = region[at - start : at - start + len(section)] if at >= start else b""
            if sum(a == b for a, b in zip(there, section, strict=False)) > _SAME * len(section):
                return address + at - start
    return None


def functions(code: bytes, regions: list[tuple[int, bytes]]) -> Iterator[Function]:
    """Those of an object file that has been loaded."""
    from elftools.elf.constants import SH_FLAGS
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(BytesIO(code))
    bases = {
        number: lies_at(section.data(), regions)
        for number, section in enumerate(elf.iter_sections())
        if section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR
    }
    for symbol in elf.get_section_by_name(".symtab").iter_symbols():
        base = bases.get(symbol["st_shndx"])
        if base is not None and symbol["st_info"]["type"] == "STT_FUNC":
            yield Function(base + symbol["st_value"], symbol["st_size"], plain_name(symbol.name))


def write_map() -> Path:
    """Where the functions of all kernels lie that this process has loaded from the cache's folder or saved there."""
    regions = list(code_in_memory())
    found = [f for file in map(object_file, cached_files()) if file for f in functions(file.code, regions)]
    path = Path(f"/tmp/perf-{os.getpid()}.map")
    path.write_text("".join(f"{f.address:x} {f.size:x} {f.name}\n" for f in found), "utf-8")
    return path


def profile(workload: Workload, precision: str, threads: int, seconds: float) -> list[tuple[float, str]]:
    """Shares of the time and the functions that it was spent in, of this process while it learns for so long."""
    perf = shutil.which("perf")
    if perf is None:
        raise PgfastError("There is no perf here: it comes with Linux (Debian: apt install linux-perf).")
    if find_spec("elftools") is None:
        raise PgfastError('pyelftools is not installed: pip install "pgfast[profile]".')
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PGFAST_CACHE_DIR"] = f"{folder}/kernels"  # this workload's, and no other
        entrant = Entrant(workload, precision=precision, threads=threads)
        learn(entrant, seed=0)
        names, data = write_map(), f"{folder}/perf.data"
        record = [perf, "record", "--quiet", "--event", "cpu-clock", "--freq", "2000", "--output", data, "--pid"]
        with subprocess.Popen([*record, str(os.getpid())]) as recording:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                learn(entrant, seed=0)
            recording.send_signal(signal.SIGINT)
        report = [perf, "report", "--stdio", "--sort", "symbol", "--field-separator", "\t", "--input", data]
        said = subprocess.run(report, capture_output=True, text=True, check=False)
        names.unlink()
    if said.returncode != 0:
        raise PgfastError(f"perf has not seen this process: {said.stderr.strip()}; may users of this system profile?")
    shares = re.findall(r"^ *([\d.]+)% *\t\[(.)\] ([^\t]+?) *(?:\t|$)", said.stdout, re.M)
    return [(float(share) / 100, name if space == "." else f"{name} (system)") for share, space, name in shares]


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--batch", type=int, help="episodes per update; default: the workload's")
    parser.add_argument("--precision", choices=PRECISIONS, default="float64")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=10.0, help="default: %(default)s")
    given = parser.parse_args()
    workload = WORKLOADS[given.workload]
    for name in ("batch", "threads", "seconds"):
        if (value := getattr(given, name)) is not None and value <= 0:
            parser.error(f"{name} is {value}: it must be more than 0.")
    if given.batch is not None:
        workload = in_batches(workload, given.batch)
    try:
        found = profile(workload, given.precision, given.threads, given.seconds)
    except PgfastError as error:
        parser.error(str(error))
    print(table(("time", "function"), [(f"{100 * share:.1f} %", name) for share, name in found if share >= SHOWN]))


if __name__ == "__main__":
    main()
