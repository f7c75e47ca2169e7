"""Tests the wheel on every Python found, with the oldest and the newest releases that it allows.

    python _ext/run_compat.py [--jobs 2] [--quick] [python3.12 …]

A Python is found as `python3.N` on PATH, or among pyenv's. For each, an environment outside of the
sources gets the oldest releases that `settings.ini` allows and that have a wheel for this Python,
and another gets the newest; each gets the package's own wheel, and the unit tests run there, with
every warning an error. With --quick, NumPy is alone there, and the tests are those that take
seconds. Prints a line for each, and exits with 1 when one of them fails. A Python that NumPy has
wheels for, but that is not found, has a line too.
"""

from __future__ import annotations

import argparse
import configparser
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

from runnable_cells import SOURCES

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
ENDS = ("oldest", "newest")
TOOLS = ("pytest", "pytest-randomly", "pytest-xdist", "hypothesis")
# What the tests of the package use beside the package.
HELPERS = ("conftest.py", "browser.py", "faults.py", "fixtures")

# The unit tests that need NumPy and no other requirement, and take seconds; and the others that
# need neither notebooks nor site.
QUICK = tuple(
    "conventions gradient_check activations initializers layers losses optimizers".split()
)
OTHERS = tuple(
    "network data metrics visualization examples mnist cli equations properties bad_arguments "
    "numerical_care hostile_input nothing_lost".split()
)


class Unavailable(Exception):
    """What is to be tested isn't to be had, so nothing was tested."""


class Failed(Exception):
    """A program failed, with what it said."""


def run(command: Iterable[object], **options: Any) -> str:
    """What a program prints; raises `Failed`, with what it said, when it fails."""
    # the caller's PYTHONPATH would find this tree's package before the installed one
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= options.pop("env", {})
    parts = [str(part) for part in command]
    done = subprocess.run(parts, capture_output=True, text=True, env=env, **options)
    if done.returncode:
        raise Failed(f"{' '.join(parts)[:500]}\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}")
    return done.stdout


def setting(field: str) -> str:
    """What settings.ini says."""
    config = configparser.ConfigParser(delimiters=["="])
    config.read(ROOT / "settings.ini", encoding="utf-8")
    return config["DEFAULT"][field]


def requirements(*fields: str) -> list[Requirement]:
    """What these fields of settings.ini ask for."""
    return [Requirement(text) for field in fields for text in setting(field).split()]


# ---- releases -----------------------------------------------------------------------------------


def pip(python: Path | str, *arguments: object) -> list[object]:
    """The command that lets the pip of this environment work for another Python."""
    return [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check",
            *arguments]  # fmt: skip


@functools.cache
def releases(name: str, *options: str, python: Path | str = sys.executable) -> list[Version]:
    """The releases that have a wheel for a Python: pip lists them when it finds none that fits."""
    command = pip(python, "download", "--no-deps", "--only-binary=:all:", *options, f"{name}<0")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, cwd=folder
        )
    listed = re.search(r"\(from versions: ([^)]*)\)", done.stderr)
    if listed is None:
        raise Unavailable(f"pip does not say which releases of {name} there are:\n{done.stderr}")
    return [] if listed[1] == "none" else [Version(text) for text in listed[1].split(", ")]


def pinned(requirement: Requirement, end: str, python: Path | str = sys.executable) -> str:
    """The oldest or the newest release that a requirement allows and that has a wheel."""
    allowed = sorted(requirement.specifier.filter(releases(requirement.name, python=python)))
    if not allowed:
        raise Unavailable(f"pip finds no wheel of {requirement} for {python}")
    return f"{requirement.name}=={allowed[0 if end == 'oldest' else -1]}"


# ---- environments -------------------------------------------------------------------------------


def build_wheel(folder: Path) -> Path:
    """The package's wheel, built from a copy of the sources."""
    sources = folder / "sources"
    sources.mkdir(parents=True)
    for path in (ROOT / name for name in SOURCES):
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, sources / path.name)
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, sources])
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment(folder: Path, python: Path | str, *packages: object) -> Path:
    """A new environment of a Python, with these packages and pytest; return its interpreter."""
    run([python, "-m", "venv", "--without-pip", folder])
    inside = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    tools = [line for line in lines if line.partition("==")[0] in TOOLS]
    install = pip(inside, "install", "--quiet", "--no-compile", "--only-binary=:all:")
    run([*install, *tools, *packages])
    return inside


def run_tests(inside: Path, folder: Path, names: Iterable[str], jobs: int = 0) -> str:
    """Run tests/test_*.py of these names on an installed package; return pytest's last line."""
    folder.mkdir()
    shutil.copy(ROOT / "pyproject.toml", folder)  # pytest's settings
    (folder / "tests").mkdir()
    files = [f"test_{name}.py" for name in names]
    for path in (TESTS / name for name in (*HELPERS, *files)):
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, folder / "tests" / path.name)
    run([inside, "-W", "error", "-c", "import nnbook"], cwd=folder)
    where = run([inside, "-c", "import nnbook; print(nnbook.__file__)"], cwd=folder)
    if inside.parent.parent not in Path(where).parents:
        raise Failed(f"the tests would run on {where}, not on the installed wheel")
    command = [inside, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-n", jobs]
    # the digits for tests that want the original files, where they would be beside the sources
    env = {"NNBOOK_TEST_MNIST": str(ROOT.parent / "shared" / "mnist")} | os.environ
    said = run([*command, "--dist", "loadfile", "tests"], cwd=folder, env=env)
    return said.strip().splitlines()[-1].strip("= ")


# ---- all of them --------------------------------------------------------------------------------


def interpreters() -> Iterator[Path]:
    """Every `python3.N` that there is: on PATH, and among pyenv's, which PATH may hide."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in [*folders, *sorted(pyenv.glob("versions/*/bin"))]:
        for path in sorted(folder.glob("python3.*")):
            if re.fullmatch(r"python3\.\d+(\.exe)?", path.name):
                yield path


def version_of(python: Path | str) -> Version | None:
    """The version of a Python; none where it does not start."""
    try:
        return Version(run([python, "-c", "import platform; print(platform.python_version())"]))
    except (Failed, OSError):
        return None


def wanted() -> Iterator[tuple[str, Path | None]]:
    """Each `3.N` from the oldest allowed to the newest with wheels of NumPy, and its Python."""
    major, first = map(int, setting("min_python").split("."))
    found: dict[str, Path] = {}
    for python in interpreters():
        version = version_of(python)
        if version is not None:
            found.setdefault(f"{version.major}.{version.minor}", python)
    (numpy,) = (one for one in requirements("requirements") if one.name == "numpy")
    for minor in count(first):
        name = f"{major}.{minor}"
        if name not in found:
            allowed = numpy.specifier.filter(releases("numpy", "--python-version", name))
            if not list(allowed):
                return
        yield name, found.get(name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pythons", nargs="*", help="interpreters; all that are found, if none")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="only NumPy, and tests of seconds")
    options = parser.parse_args()
    names = QUICK if options.quick else QUICK + OTHERS
    asked = requirements("requirements", "equations_requirements")
    if options.quick:
        asked = [one for one in asked if one.name == "numpy"]
    named = [(name, Path(shutil.which(name) or name)) for name in options.pythons]
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        wheel = build_wheel(base / "wheel")
        for name, python in named or wanted():
            if python is None:
                print(f"Python {name}: NumPy has wheels for it, but it is not found: not run")
                continue
            for end in ENDS:
                folder = Path(tempfile.mkdtemp(dir=base))
                pins: list[str] = []
                start = time.perf_counter()
                try:
                    pins = [pinned(one, end, python) for one in asked]
                    inside = environment(folder / "env", python, *pins)
                    run(pip(inside, "install", "--quiet", "--no-deps", wheel))
                    said = run_tests(inside, folder / "run", names, options.jobs)
                except (Failed, Unavailable) as error:
                    failed += 1
                    said = f"FAILED\n{error}"
                took = f"{time.perf_counter() - start:.0f} s with setting up"
                print(
                    f"Python {version_of(python)}, {end}: {' '.join(pins)}: {said}; {took}",
                    flush=True,
                )
                shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
