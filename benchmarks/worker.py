"""A process that keeps one program and runs it when told: a line of JSON in, a line out."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
import traceback
from typing import Any

import numpy as np
from ablation import VARIANTS
from programs import PROGRAMS
from tasks import TASKS, first_batches, start_weights


def main(name: str, task_name: str, data: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print goes to the log
    task = TASKS[task_name]
    kind = {**PROGRAMS, **VARIANTS}[name]
    program: Any = None
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer: dict[str, Any] = {}
            if job["do"] == "build":
                with np.load(data) as archive:
                    X, labels = archive["X"], archive["labels"]
                used_to_large_arrays()
                program = kind(task, start_weights(task), X, labels)
                answer["eps_hat"] = kind.eps_hat
                answer["versions"] = {package: importlib.metadata.version(package)
                                      for package in kind.packages if package != "nnbook"}
            elif job["do"] == "losses":
                m = task.batch
                answer["losses"] = program.losses(first_batches(len(X), m, job["steps"]))
            elif job["do"] == "epoch":
                answer = timed(program.epoch, job["seed"])
            elif job["do"] == "predict":
                answer = timed(program.predict, np.resize(X, (job["rows"], X.shape[1])))
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        print(json.dumps(answer), file=answers, flush=True)


def used_to_large_arrays() -> None:
    """Give a large array back, as a program does that loads and converts its data.

    From then on the C library keeps freed arrays of up to 32 MB for the next one. Before that it
    hands each array of a megabyte back to the system, and fetching the pages again can double the
    time of a step, for reasons that have nothing to do with the program.
    """
    np.ones(30 * 2**20, np.uint8)


def timed(function: Any, argument: Any) -> dict[str, float]:
    """Seconds on the clock, and seconds of processor time of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    function(argument)
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


if __name__ == "__main__":
    main(*sys.argv[1:])
