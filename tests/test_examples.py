"""The experiments: their data, their outcomes over seeds, and the frame that they share."""

import os
import subprocess
import sys

import numpy as np
import pytest
from faults import as_nobody

from nnbook import examples
from nnbook.core import SGD, Adam, BinaryCrossEntropyLoss, Momentum
from nnbook.examples import regression, spiral, xor
from nnbook.network import Callback, Model, TrainingDiverged

EXPERIMENTS = [xor, spiral, regression]


def names(values):
    return [value.__name__.rpartition(".")[2] for value in values]


# data


def test_xor_is_the_truth_table():
    X, Y = xor.make_xor()
    assert X.dtype == np.float32 and X.shape == (4, 2)
    assert [int(a) ^ int(b) for a, b in X] == Y.tolist()


@pytest.mark.parametrize("arms", [2, 3, 5])
def test_spiral_points_lie_on_their_arms(arms):
    X, Y = spiral.make_spiral(40, arms=arms, noise=0.0, rng=1)
    assert X.dtype == np.float32 and X.shape == (40 * arms, 2)
    assert np.bincount(Y).tolist() == [40] * arms
    r = np.linalg.norm(X, axis=1)
    assert r.min() >= 0.1 - 1e-6 and r.max() <= 1 + 1e-6
    turn = np.arctan2(X[:, 1], X[:, 0]) / (2 * np.pi) - (r - 0.1) / 0.9 - Y / arms
    assert np.abs(turn - np.round(turn)).max() < 1e-5


def test_spiral_noise_is_what_was_asked_for():
    quiet, _ = spiral.make_spiral(4000, noise=0.0, rng=3)
    loud, _ = spiral.make_spiral(4000, noise=0.2, rng=3)
    assert np.std(loud - quiet) == pytest.approx(0.2, rel=0.03)


def test_sine_has_its_interval_and_noise():
    X, Y = regression.make_sine(5000, noise=0.3, low=1.0, high=4.0, rng=0)
    assert X.dtype == Y.dtype == np.float32 and X.shape == Y.shape == (5000, 1)
    assert X.min() >= 1.0 and X.max() <= 4.0
    assert np.std(Y - np.sin(X)) == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize("make", [spiral.make_spiral, regression.make_sine])
def test_data_depend_on_the_seed_alone(make):
    before = np.random.get_state()[1].copy()
    (X1, Y1), (X2, Y2), (X3, _) = make(20, rng=4), make(20, rng=4), make(20, rng=5)
    assert np.array_equal(X1, X2) and np.array_equal(Y1, Y2) and not np.array_equal(X1, X3)
    assert np.array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize(
    "call, named",
    [
        (lambda: spiral.make_spiral(0), "n_per_arm"),
        (lambda: spiral.make_spiral(5, arms=0), "arms"),
        (lambda: spiral.make_spiral(5, noise=-1), "noise"),
        (lambda: regression.make_sine(0), "n "),
        (lambda: regression.make_sine(5, low=2, high=2), "low must be below high"),
        (lambda: regression.make_sine(5, noise=float("nan")), "noise"),
        (lambda: regression.broken_line([0, 2, 1], [1, 1, 1]), "increasing"),
        (lambda: regression.broken_line([0], [1]), "broken_line"),
        (lambda: xor.optimizer_named("lbfgs", 0.1), "sgd, momentum, adam"),
        (lambda: xor.optimizer_named("adam", 0), "lr"),
    ],
)
def test_wrong_arguments_are_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()


# pieces


@pytest.mark.parametrize("name, kind", [("sgd", SGD), ("momentum", Momentum), ("adam", Adam)])
def test_optimizers_have_names(name, kind):
    found = xor.optimizer_named(name, 0.25)
    assert type(found) is kind and found.lr == 0.25


def test_broken_line_goes_through_its_points():
    t, values = np.array([-1.0, 0.5, 0.75, 3.0]), np.array([2.0, -1.0, 4.0, 0.5])
    x = np.linspace(-1, 3, 101)
    f = regression.broken_line(t, values).forward(x[:, None])[:, 0]
    assert np.allclose(f, np.interp(x, t, values), atol=1e-12)


# outcomes


def test_xor_is_solved_from_every_start():
    results = [xor.run(seed=seed, progress=False) for seed in range(10)]
    assert all(result.accuracy == 1.0 and result.loss < 0.01 for result in results)


def test_spirals_are_told_apart():
    for seed in range(10):
        result = spiral.run(seed=seed, progress=False)
        assert result.train_accuracy >= 0.99 and result.test_accuracy >= 0.97, seed


def test_sine_is_learned():
    for seed in range(10):
        assert regression.run(seed=seed, progress=False).test_r2 >= 0.999, seed


# the frame


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=names(EXPERIMENTS))
def test_run_prints_nothing_and_is_reproducible(experiment, capfd):
    first = experiment.run(epochs=3, seed=5, progress=False)
    second = experiment.run(epochs=3, seed=5, progress=False)
    other = experiment.run(epochs=3, seed=6, progress=False)
    assert np.array_equal(first.model.network.theta, second.model.network.theta)
    assert first.history == second.history and first.history.epochs == 3
    assert not np.array_equal(first.model.network.theta, other.model.network.theta)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=names(EXPERIMENTS))
def test_saving_changes_nothing_and_keeps_the_measured_model(experiment, tmp_path):
    place = tmp_path / "a model.npz"
    plain = experiment.run(epochs=12, progress=False)
    saved = experiment.run(epochs=12, progress=False, save=place)
    assert np.array_equal(plain.model.network.theta, saved.model.network.theta)
    assert np.array_equal(Model.load(place).network.theta, saved.model.network.theta)
    assert [path.name for path in tmp_path.iterdir()] == ["a model.npz"]


@pytest.mark.parametrize("ending", ["png", "pdf", "svg", "PNG"])
def test_curves_are_drawn(tmp_path, ending):
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    place = tmp_path / f"curves.{ending}"
    xor.run(epochs=2, progress=False, plot=place)
    start = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending.lower()]
    assert place.read_bytes().startswith(start) and pyplot.get_fignums() == before


def xor_model(lr=0.1):
    return Model(xor.build_network(0), BinaryCrossEntropyLoss(), Adam(lr))


class Interrupt(Callback):
    """Ctrl-C at the end of an epoch, before anyone else hears of it."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, model, epoch, logs):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epoch", [1, 2, 5])
def test_interrupted_training_is_saved(tmp_path, epoch):
    model, place = xor_model(), tmp_path / "model.npz"
    with pytest.raises(KeyboardInterrupt):
        xor.train(
            model,
            *xor.make_xor(),
            epochs=9,
            batch_size=4,
            seed=0,
            progress=False,
            save=place,
            callbacks=[Interrupt(epoch)],
        )
    assert np.array_equal(Model.load(place).network.theta, model.network.theta)


class Spoil(Callback):
    """Ruin the parameters after the last epoch's step."""

    def on_epoch_end(self, model, epoch, logs):
        if epoch == 6:
            model.network.theta += 10
            logs["loss"] = 100.0


def test_the_best_epoch_is_kept():
    steady, spoiled = xor_model(), xor_model()
    xor.train(steady, *xor.make_xor(), epochs=5, batch_size=4, seed=0, progress=False)
    xor.train(
        spoiled,
        *xor.make_xor(),
        epochs=6,
        batch_size=4,
        seed=0,
        progress=False,
        callbacks=[Spoil()],
    )
    assert np.array_equal(steady.network.theta, spoiled.network.theta)


def test_monitor_decides_what_is_best():
    X, Y = xor.make_xor()
    with pytest.raises(ValueError, match="monitor"):
        xor.train(xor_model(), X, Y, epochs=1, batch_size=4, progress=False, monitor="val_loss")
    xor.train(
        xor_model(),
        X,
        Y,
        epochs=1,
        batch_size=4,
        progress=False,
        validation_data=(X, Y),
        monitor="val_accuracy",
    )


def test_divergence_keeps_the_best_model(tmp_path):
    place = tmp_path / "model.npz"
    with pytest.raises(TrainingDiverged):
        regression.run(epochs=3, lr=1e6, optimizer="sgd", progress=False, save=place)
    assert not place.exists()


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=names(EXPERIMENTS))
@pytest.mark.parametrize(
    "outputs, error",
    [
        ({"save": "missing/model.npz"}, FileNotFoundError),
        ({"save": "."}, IsADirectoryError),
        ({"save": os.devnull}, IsADirectoryError),
        ({"plot": "missing/curves.png"}, FileNotFoundError),
        ({"plot": "curves.xlsx"}, ValueError),
        ({"plot": "curves"}, ValueError),
    ],
)
def test_places_are_tried_before_the_training(experiment, outputs, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Model, "fit", lambda *_, **__: pytest.fail("the training began"))
    with pytest.raises(error):
        experiment.run(progress=False, **outputs)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_folder_without_permission_is_refused(read_only):
    assert as_nobody(lambda: xor.check_outputs(read_only / "model.npz")).startswith(
        f"PermissionError: cannot write {read_only / 'model.npz'}: no permission to write to"
    )


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=names(EXPERIMENTS))
@pytest.mark.parametrize(
    "wrong, error",
    [
        ({"epochs": 0}, ValueError),
        ({"epochs": 1.5}, TypeError),
        ({"batch_size": -1}, ValueError),
        ({"lr": 0}, ValueError),
        ({"lr": float("inf")}, ValueError),
        ({"optimizer": "newton"}, ValueError),
        ({"seed": -3}, ValueError),
        ({"seed": "x"}, TypeError),
    ],
)
def test_run_refuses_wrong_settings(experiment, wrong, error):
    with pytest.raises(error, match=next(iter(wrong))):
        experiment.run(progress=False, **wrong)


def test_no_picture_no_matplotlib():
    code = (
        "import sys, nnbook.cli\nfrom nnbook.examples import xor, spiral, regression\n"
        "xor.run(epochs=1, progress=False)\nassert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_of_examples_loads_nothing():
    assert examples.__doc__ and not hasattr(examples, "run")
