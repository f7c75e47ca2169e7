"""The environment of the benchmark: `.venv-bench`, with each peer installed by itself."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FOLDER = ROOT / ".venv-bench"
PYTHON = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
NEEDED = ("numpy", "matplotlib", "threadpoolctl", "tqdm")  # without these there is no benchmark


def requirements() -> list[str]:
    """The lines of requirements.txt that name a package."""
    lines = (HERE / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def install() -> dict[str, str]:
    """Set the environment up, once for each state of the pins; why a peer is missing, by its name."""
    files = (HERE / "requirements.txt", ROOT / "requirements.txt")
    state = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    stamp = FOLDER / "installed.json"
    if stamp.exists() and (found := json.loads(stamp.read_text()))["state"] == state:
        return found["missing"]
    print(f"setting up {FOLDER.name}: this downloads PyTorch, JAX, Keras and scikit-learn", flush=True)
    if not PYTHON.exists():
        venv.create(FOLDER, with_pip=True)
    missing = {}
    for requirement in requirements():
        print(f"  {requirement}", flush=True)
        done = subprocess.run(
            [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "-c", ROOT / "requirements.txt", requirement], capture_output=True, text=True)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            reason = (errors or done.stderr.splitlines() or ["pip failed"])[-1]
            name = requirement.partition("==")[0]
            if name in NEEDED:
                sys.exit(f"{name} can't be installed, and the benchmark needs it: {reason}")
            missing[name] = reason
            print(f"    missing: {reason}", flush=True)
    if not missing:  # what is missing is tried again the next time
        stamp.write_text(json.dumps({"state": state, "missing": missing}))
    return missing
