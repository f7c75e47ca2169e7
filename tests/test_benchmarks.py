"""The benchmark compares like with like, says what is missing, and its stored results are sound.

Nothing here measures time.
"""

import copy
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnbook.utils import load_mnist

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks"
sys.path.insert(0, str(FOLDER))

import bench  # noqa: E402
import environment  # noqa: E402
import report  # noqa: E402
from ablation import VARIANTS  # noqa: E402
from programs import PROGRAMS, Floor, NNBook, Textbook, Textbook64  # noqa: E402
from reference import PlainNumPy  # noqa: E402
from tasks import TASKS, batch_order, first_batches, points, start_weights  # noqa: E402

NUMPY_ALONE = {"nnbook": NNBook, "plain": Textbook, "plain, float64": Textbook64, **VARIANTS}


def examples(name: str, rows: int):
    if name == "digits":
        digits = load_mnist()
        return digits.X_train[:rows], digits.Y_train[:rows]
    return points(TASKS[name], rows)


def plain(name: str, X, labels, batches, eps_hat: bool = False) -> list[float]:
    task = TASKS[name]
    net = PlainNumPy(start_weights(task), hidden=task.hidden, lr=task.lr, dtype=np.float64,
                     eps_hat=eps_hat)
    return [net.step(X[i].astype(np.float64), labels[i]) for i in batches]


@pytest.mark.parametrize("kind", NUMPY_ALONE.values(), ids=list(NUMPY_ALONE))
def test_numpy_programs_compute_the_losses_of_plain_numpy(kind):
    X, labels = examples("digits", 1_500)
    batches = first_batches(len(X), 128, 12)
    found = kind(TASKS["digits"], start_weights(TASKS["digits"]), X, labels).losses(batches)
    assert np.allclose(found, plain("digits", X, labels, batches), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["spiral", "xor"])
def test_small_networks_compute_the_losses_of_plain_numpy(name):
    X, labels = examples(name, 400)
    batches = first_batches(len(X), 32, 50)
    found = NNBook(TASKS[name], start_weights(TASKS[name]), X, labels).losses(batches)
    assert np.allclose(found, plain(name, X, labels, batches), rtol=0, atol=1e-4)


def test_an_epoch_of_fit_takes_the_batches_that_the_others_are_given():
    task, (X, labels) = TASKS["digits"], examples("digits", 700)
    program = NNBook(task, start_weights(task), X, labels)
    program.epoch(seed=7)
    order = batch_order(len(X), 7)
    batches = [order[s:s + task.batch] for s in range(0, len(X), task.batch)]
    losses = plain("digits", X, labels, batches)
    assert len(batches[-1]) < task.batch
    mean = np.average(losses, weights=[len(i) for i in batches])
    assert program.model.history["loss"] == pytest.approx([mean], abs=1e-4)


def test_the_two_places_of_eps_are_two_programs():
    X, labels = examples("digits", 1_500)
    batches = first_batches(len(X), 128, 12)
    one, other = (plain("digits", X, labels, batches, form) for form in (False, True))
    assert one[0] == other[0] and 1e-4 < max(np.abs(np.subtract(one, other))) < 1e-2


def test_the_floor_makes_the_products_of_a_step():
    task, (X, labels) = TASKS["spiral"], examples("spiral", 64)
    floor = Floor(task, start_weights(task), X, labels)
    floor.epoch(0)
    assert np.allclose(floor.A[1], X[:32] @ floor.W[0], atol=1e-6)
    assert np.allclose(floor.dW[2], floor.A[2].T @ floor.dZ[3], atol=1e-5)
    assert np.allclose(floor.dX[1], floor.dZ[2] @ floor.W[1].T, atol=1e-5)
    assert floor.losses([]) is None


def test_help_needs_no_peer():
    done = subprocess.run([sys.executable, FOLDER / "bench.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout and "make bench" in done.stdout


def test_what_is_not_installed_is_named(tmp_path, monkeypatch):
    absent = [name for name, module in (("PyTorch", "torch"), ("JAX, jitted step", "jax"))
              if importlib.util.find_spec(module) is None]
    if not absent:
        pytest.skip("every peer is installed here")
    monkeypatch.setattr(environment, "FOLDER", tmp_path)
    X, labels = examples("spiral", 64)
    np.savez(tmp_path / "data.npz", X=X, labels=labels)
    race = bench.Race(["nnbook", *absent], "spiral", tmp_path / "data.npz", 1, tmp_path)
    try:
        assert set(race.missing) == set(absent)
        assert all("No module named" in reason for reason in race.missing.values())
        references = {False: plain("spiral", X, labels, first_batches(64, 32, 4))}
        assert set(race.agree(references)) == {"nnbook"}
    finally:
        race.close()
    results = {**json.loads(bench.STORED.read_text(encoding="utf-8")), "missing": race.missing}
    for name in absent:
        assert f"MISSING: {name}: ModuleNotFoundError" in report.table(results)


def test_a_program_that_ended_by_itself_is_an_error_and_can_be_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "FOLDER", tmp_path)
    worker = bench.Worker("nnbook", "spiral", tmp_path / "data.npz", 1, tmp_path)
    worker.process.kill()
    worker.process.wait()
    assert "its process ended" in worker.ask("build")["error"]
    worker.close()


def test_a_program_that_computes_something_else_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "FOLDER", tmp_path)
    X, labels = examples("spiral", 64)
    np.savez(tmp_path / "data.npz", X=X, labels=labels)
    race = bench.Race(["NumPy, as a textbook"], "spiral", tmp_path / "data.npz", 1, tmp_path)
    wrong = [1.001 * loss for loss in plain("spiral", X, labels, first_batches(64, 32, 4))]
    race.agree({False: wrong})
    assert not race.workers and "its losses differ" in race.missing["NumPy, as a textbook"]


def test_workers_are_given_their_threads_and_no_choice_of_kernels(monkeypatch):
    for name in bench.SLOWS_BLAS_DOWN:
        monkeypatch.setenv(name, "x")
    env = bench.settings(2)
    assert not set(bench.SLOWS_BLAS_DOWN) & set(env)
    assert env["OMP_NUM_THREADS"] == env["OPENBLAS_NUM_THREADS"] == env["MKL_NUM_THREADS"] == "2"


def test_peers_are_pinned_and_share_the_versions_of_the_book():
    pinned = set(re.findall(r"^([\w-]+)==", (ROOT / "requirements.txt").read_text(), re.M))
    for line in environment.requirements():
        assert re.fullmatch(r"[\w-]+==[\w.]+", line) or line in pinned, line
    assert "numpy" in environment.requirements()
    assert "://" not in (FOLDER / "requirements.txt").read_text()


@pytest.fixture(scope="module")
def stored():
    return json.loads(bench.STORED.read_text(encoding="utf-8"))


def test_stored_results_are_complete(stored):
    report.check(stored)
    assert (FOLDER / "results.png").stat().st_size > 10_000
    assert report.verdicts(stored) == stored["verdicts"]
    assert not stored["missing"] and not stored["quick"]
    for at in stored["epoch"].values():
        assert set(at["seconds"]) == set(PROGRAMS) and set(report.LIMITS) <= set(at["ratio"])
    assert set(VARIANTS) == set(stored["ablation"]["1"]["seconds"])
    for found in stored["agreement"].values():
        assert all(first < 1e-4 and last < 1e-3 for first, last in found.values())
    assert {"torch", "jax", "keras", "scikit-learn", "numpy"} <= set(stored["versions"])


@pytest.mark.parametrize("spoil", [
    lambda r: r.pop("machine"),
    lambda r: r.update(version=99),
    lambda r: r["epoch"]["1"]["seconds"]["nnbook"].update(median=0),
    lambda r: r["verdicts"][0].update(met=not r["verdicts"][0]["met"]),
])
def test_spoiled_results_are_refused(stored, spoil):
    results = copy.deepcopy(stored)
    spoil(results)
    with pytest.raises(ValueError):
        report.check(results)


def test_summary_and_ratios_by_hand():
    assert report.summary([3.0]) == {"median": 3.0, "low": 3.0, "high": 3.0}
    assert report.summary([1.0, 2.0, 3.0, 4.0, 5.0]) == {"median": 3.0, "low": 2.0, "high": 4.0}
    found = report.ratios({"nnbook": [1.0, 4.0, 3.0], "peer": [2.0, 4.0, 2.0]}, "nnbook")
    assert found["peer"]["median"] == 1.0 and set(found) == {"peer"}
