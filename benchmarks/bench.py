"""How fast is nnbook, and how fast are the others, on this machine?

    make bench                      about fifteen minutes; results in _build/bench
    make bench ARGS=--quick         under two minutes, for orientation
    make bench ARGS=--save          and replace the results that the book shows

Every program lives in a process of its own for the whole run. First all must compute the same
losses from the same weights and batches. Then they take turns, in a new random order each round,
one epoch each; what is reported are medians, quartiles, and ratios of times from the same round.
At one thread a program is bound to one core and its processor time counts; at more, the clock's.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import environment
import report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
STORED = ROOT / "nnbook" / "data" / "benchmark.json"  # in the package: the chapter reads it wherever it runs
SLOWS_BLAS_DOWN = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # they choose kernels by hand


def settings(threads: int) -> dict[str, str]:
    """The environment of a program that may use so many threads."""
    env = {name: value for name, value in os.environ.items() if name not in SLOWS_BLAS_DOWN}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        env[name] = str(threads)
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    if threads == 1:
        env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    env.update(PYTHONPATH=str(ROOT), PYTHONPYCACHEPREFIX=str(environment.FOLDER / "pycache"), JAX_PLATFORMS="cpu", KERAS_BACKEND="jax",
               TORCHINDUCTOR_CACHE_DIR=str(environment.FOLDER / "compiled"))
    return env


def bound_to(threads: int) -> Any:
    """A function that binds the calling process to the last `threads` cores, where that can be done."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))[-threads:]
    return lambda: os.sched_setaffinity(0, cores)


class Worker:
    """A program in a process of its own."""

    def __init__(self, name: str, task: str, data: Path, threads: int, log: Path) -> None:
        self.name = name
        self.log = open(log / f"{name}-{task}-{threads}.log".replace(" ", "_"), "w")
        self.process = subprocess.Popen(
            [sys.executable, HERE / "worker.py", name, task, data], env=settings(threads), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, preexec_fn=bound_to(threads))

    def ask(self, do: str, **job: Any) -> dict[str, Any]:
        self.tell(do, **job)
        return self.answer()

    def tell(self, do: str, **job: Any) -> None:
        try:
            print(json.dumps({"do": do, **job}), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # it gives no answer either

    def answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": f"its process ended, see {self.log.name}"}

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # it may have ended by itself
            self.process.stdin.close()
        self.process.wait()
        self.log.close()


def measure(name: str, *arguments: Any, threads: int = 1) -> Any:
    """What `measures.py` prints, or an error as a string."""
    done = subprocess.run([sys.executable, HERE / "measures.py", name, *map(str, arguments)],
                          env=settings(threads), preexec_fn=bound_to(threads), text=True,
                          capture_output=True)
    if done.returncode:
        return (done.stderr.splitlines() or ["failed"])[-1]
    return json.loads(done.stdout)


class Race:
    """Programs of one task that take turns."""

    def __init__(self, names: list[str], task: str, data: Path, threads: int, log: Path) -> None:
        self.threads, self.workers = threads, {}
        self.missing: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        for name in names:
            self.workers[name] = Worker(name, task, data, threads, log)
            self.workers[name].tell("build")  # all at once: importing the libraries takes longest
        for name, worker in list(self.workers.items()):
            answer = worker.answer()
            if "error" in answer:
                self.drop(name, answer["error"])
            else:
                worker.eps_hat = answer["eps_hat"]
                self.versions.update(answer["versions"])

    def agree(self, references: dict[bool, list[float]]) -> dict[str, list[float]]:
        """How far each program's losses are from plain NumPy's in float64, over 10 steps and all.

        Rounding moves a float32 network off the float64 one, and Adam's first steps, whose size
        does not depend on the gradient's, make the most of it: hence the wider bound at the end.
        """
        steps, differences = len(references[False]), {}
        for name, worker in list(self.workers.items()):
            answer = worker.ask("losses", steps=steps)
            if "error" in answer:
                self.drop(name, answer["error"])
            elif answer["losses"] is not None:
                far = [abs(a - b) for a, b in zip(answer["losses"], references[worker.eps_hat])]
                differences[name] = [max(far[:10]), max(far)]
                if not (max(far[:10]) < 1e-4 and max(far) < 1e-3):
                    self.drop(name, "left out: its losses differ from plain NumPy's by "
                                    f"{max(far[:10]):.1e} in 10 steps, {max(far):.1e} in {steps}")
        if "nnbook" in self.missing:
            sys.exit(f"there is nothing to compare: nnbook: {self.missing['nnbook']}")
        return differences

    def drop(self, name: str, reason: str) -> None:
        self.missing[name] = reason
        self.workers.pop(name).close()

    def run(self, do: str, rounds: int, warm: int = 1, **job: Any) -> dict[str, Any]:
        """`rounds` rounds, after some that don't count, of every program in random order."""
        clock = "cpu" if self.threads == 1 else "wall"
        times: dict[str, list[float]] = {name: [] for name in self.workers}
        shuffled = random.Random(0)
        for r in range(-warm, rounds):
            for name in shuffled.sample(list(self.workers), len(self.workers)):
                answer = self.workers[name].ask(do, seed=r + 100, **job)
                if "error" in answer:
                    self.drop(name, answer["error"])
                    del times[name]
                elif r >= 0:
                    times[name].append(answer[clock])
        return {"clock": clock, "rounds": rounds,
                "seconds": {name: report.summary(values) for name, values in times.items()},
                "ratio": report.ratios(times, next(iter(times)) if "nnbook" not in times else "nnbook")}

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()


def machine() -> dict[str, Any]:
    """What the numbers belong to."""
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            processor = next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (FileNotFoundError, StopIteration):
        pass
    return {"processor": processor, "cores": os.cpu_count(), "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}"}


def plain_losses(task: Any, X: Any, labels: Any, eps_hat: bool, steps: int = 50) -> list[float]:
    """The losses that every program must compute: those of plain NumPy in float64."""
    import numpy as np
    from reference import PlainNumPy
    from tasks import first_batches, start_weights

    net = PlainNumPy(start_weights(task), hidden=task.hidden, lr=task.lr, dtype=np.float64, eps_hat=eps_hat)
    return [net.step(X[i].astype(np.float64), labels[i]) for i in first_batches(len(X), task.batch, steps)]


def say(sentence: str) -> None:
    print(f"{datetime.datetime.now():%H:%M:%S}  {sentence}", flush=True)


def compare(arguments: argparse.Namespace, missing: dict[str, str]) -> dict[str, Any]:
    """The whole run."""
    import numpy as np
    from ablation import VARIANTS
    from programs import PROGRAMS
    from tasks import TASKS, digits, points

    quick, threads = arguments.quick, arguments.threads
    rounds = arguments.rounds or (2 if quick else 15)
    X, labels, source = digits(6_000 if quick else 60_000)
    results: dict[str, Any] = {
        "format": report.FORMAT, "version": report.VERSION, "date": f"{datetime.date.today()}",
        "quick": quick, "machine": machine(), "versions": {}, "data": source, "examples": len(X),
        "missing": dict(missing), "agreement": {}, "epoch": {}, "ablation": {}, "small": {},
        "predict": {}, "limits": {}}

    with tempfile.TemporaryDirectory(prefix="nnbook-bench-") as folder:
        data, log = Path(folder), Path(arguments.output)
        examples = {"digits": (X, labels), "spiral": points(TASKS["spiral"]), "xor": points(TASKS["xor"])}
        references = {}
        for name, (rows, classes) in examples.items():
            np.savez(data / f"{name}.npz", X=rows, labels=classes)
            references[name] = {form: plain_losses(TASKS[name], rows, classes, form) for form in (False, True)}
        del X, labels, examples

        def race(names: list[str], task: str, n: int) -> Race:
            new = Race(names, task, data / f"{task}.npz", n, log)
            results["versions"].update(new.versions)
            return new

        for n in threads:
            compared = not quick or n == threads[0]
            say(f"{n} thread(s): {len(PROGRAMS)} programs are set up" + " and compared over 50 steps" * compared)
            run = race(list(PROGRAMS), "digits", n)
            results["agreement"][str(n)] = run.agree(references["digits"]) if compared else {}
            say(f"{n} thread(s): {rounds} rounds of one epoch each")
            results["epoch"][str(n)] = run.run("epoch", rounds)
            for name in set(run.workers) - {"nnbook", "PyTorch", "JAX, jitted step", "scikit-learn"}:
                run.workers.pop(name).close()
            results["predict"][str(n)] = run.run("predict", 2 * rounds, rows=10_000)
            run.close()
            results["missing"].update(run.missing)
        for n in threads[:1] if quick else threads:
            say(f"{n} thread(s): what each habit is worth")
            run = race(list(VARIANTS), "digits", n)
            results["agreement"][str(n)].update(run.agree(references["digits"]))
            results["ablation"][str(n)] = run.run("epoch", rounds)
            run.close()
        say("small networks")
        for task in ("spiral", "xor"):
            run = race(["nnbook", "PyTorch"], task, 1)
            results["agreement"][task] = run.agree(references[task])
            results["small"][task] = {**run.run("epoch", 2 * rounds, warm=2), "steps": -(-3_200 // TASKS[task].batch)}
            run.close()

    say("imports, memory, the machine's limits")
    imports: dict[str, list[float]] = {"nnbook": [], "numpy": []}
    for turn in range(4 if quick else 26):
        for module, found in imports.items():
            seconds = measure("import", module)
            if turn:
                found.append(seconds)
    results["import"] = {"seconds": {name: report.summary(found) for name, found in imports.items()},
                         "ratio": report.ratios(imports, "nnbook")["numpy"]}
    sizes = [6_000, 60_000] if quick else [6_000, 60_000, 600_000]
    results["training"] = [measure("training", rows) for rows in sizes]
    for n in threads:
        results["limits"][str(n)] = measure("limits", 0.03 if quick else 0.1, threads=n)
    results["parts"] = measure("parts", 100 if quick else 1_000)
    results["convolution"] = {
        str(n): {library: measure("convolution", library, 0.2 if quick else 1.0, threads=n)
                 for library in ("tensordot", "einsum", "torch")}
        for n in (threads[:1] if quick else threads)}
    results["verdicts"] = report.verdicts(results)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, fewer examples: under two minutes")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads (1 2)")
    parser.add_argument("--rounds", type=int, help="rounds of one epoch a program (15, quick: 2)")
    parser.add_argument("--output", default=ROOT / "_build" / "bench", help="where results go (_build/bench)")
    parser.add_argument("--save", action="store_true",
                        help="also replace nnbook/data/benchmark.json and benchmarks/results.png, which the book and the README show")
    arguments = parser.parse_args()
    missing = environment.install()
    if Path(sys.prefix).resolve() != environment.FOLDER.resolve():
        os.execv(environment.PYTHON, [str(environment.PYTHON), *sys.argv])
    sys.path.insert(0, str(ROOT))
    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    results = compare(arguments, missing)
    report.check(results)
    places = [(output / "results.json", output / "results.png")]
    if arguments.save:
        places.append((STORED, HERE / "results.png"))
    for numbers, picture in places:
        numbers.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        report.figure(results, picture)
    print(report.table(results))
    print(f"\nresults.json and results.png are in {os.path.relpath(output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
