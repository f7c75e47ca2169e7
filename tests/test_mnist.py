"""Chapter 16: the experiment on MNIST, from the choice of the data to the accuracy."""

import inspect
import os
from pathlib import Path

import numpy as np
import pytest

from nnbook.core.losses import CrossEntropyLoss
from nnbook.core.optimizers import Adam
from nnbook.examples import mnist
from nnbook.examples.mnist import CoolDown, build_network, choose_data, run, shift_images
from nnbook.network.model import Model
from nnbook.utils.data_utils import MNIST, MNIST_FILES, DownloadError, load_mnist

ROOT = Path(__file__).resolve().parent.parent
ORIGINALS = Path(os.environ.get("NNBOOK_TEST_MNIST") or ROOT.parent / "shared" / "mnist")
needs_originals = pytest.mark.skipif(
    not all((ORIGINALS / file.name).exists() for file in MNIST_FILES),
    reason=f"the four original MNIST files are not in {ORIGINALS} (or NNBOOK_TEST_MNIST)",
)


@pytest.fixture
def offline(monkeypatch):
    """No cache, and no mirror that answers."""

    def refuse(full=False, **arguments):
        if full:
            raise DownloadError("no mirror could provide it")
        return load_mnist()

    monkeypatch.setattr(mnist, "load_mnist", refuse)


@pytest.fixture
def few(monkeypatch):
    """120 training and 50 test digits, called the full set."""
    digits = load_mnist()
    small = MNIST(*(array[:n] for array, n in zip(digits, (120, 120, 50, 50), strict=True)))
    monkeypatch.setattr(mnist, "load_mnist", lambda full=False, **arguments: small)
    return small


# ---------------------------------------------------------------- the network


def test_the_network_is_the_one_of_the_book():
    network = build_network(rng=0)
    assert [(layer.n_in, layer.n_out) for layer in network] == [(784, 256), (256, 128), (128, 10)]
    assert [type(layer.activation).__name__ for layer in network] == ["ReLU", "ReLU", "Softmax"]
    assert network.n_params == 235_146 and network.dtype == np.float32


def test_the_same_seed_draws_the_same_network():
    assert (build_network(3).theta == build_network(np.random.default_rng(3)).theta).all()
    assert (build_network(3).theta != build_network(4).theta).any()


# ---------------------------------------------------------------- the choice of the data


def test_the_replacement_is_announced(offline):
    said = []
    digits = choose_data(note=said.append)
    assert len(digits.X_train) == 10_000
    assert "not to be had: no mirror could provide it" in said[0]
    assert "comes with nnbook" in said[1] and "10,000 training and 2,000 test" in said[1]


def test_insisting_on_the_full_set_is_an_error_without_it(offline):
    said = []
    with pytest.raises(DownloadError):
        choose_data(True, note=said.append)
    assert said == []


def test_the_part_is_taken_without_asking_for_more(monkeypatch):
    asked = []

    def load(full=False, **arguments):
        asked.append(full)
        return load_mnist()

    monkeypatch.setattr(mnist, "load_mnist", load)
    said = []
    choose_data(False, note=said.append)
    assert asked == [False] and len(said) == 1


def test_the_full_set_is_taken_where_it_is(few):
    for full in (None, True):
        said = []
        assert choose_data(full, note=said.append) is few
        assert said == ["Using the full MNIST set: 120 training and 50 test digits."]


def test_a_choice_that_is_none():
    with pytest.raises(TypeError, match="full must be True, False or None"):
        choose_data("yes")


@needs_originals
@pytest.mark.full_mnist
def test_a_cache_is_used_and_announced(monkeypatch, tmp_path):
    (tmp_path / "mnist").symlink_to(ORIGINALS, target_is_directory=True)
    monkeypatch.setenv("NNBOOK_CACHE", str(tmp_path))
    said = []
    assert len(choose_data(note=said.append).X_train) == 60_000
    assert said == ["Using the full MNIST set: 60,000 training and 10,000 test digits."]


# ---------------------------------------------------------------- CoolDown


class Rates:
    """Collects the learning rate of each step."""

    def __init__(self, optimizer):
        self.rates, self.update = [], optimizer.update

    def __call__(self, theta, grad, lr):
        self.rates.append(lr)
        self.update(theta, grad, lr)


def test_the_learning_rate_falls_on_a_line_and_comes_back(few):
    model = Model(build_network(0), CrossEntropyLoss(), Adam(0.01))
    model.optimizer.update = rates = Rates(model.optimizer)
    model.fit(few.X_train, few.Y_train, epochs=4, batch_size=60, seed=0, callbacks=[CoolDown(4)],
              progress=False)  # fmt: skip
    assert np.allclose(rates.rates, np.repeat([0.01, 0.0075, 0.005, 0.0025], 2))
    assert model.optimizer.lr == 0.01


def test_one_epoch_has_the_full_rate(few):
    model = Model(build_network(0), CrossEntropyLoss(), Adam(0.01))
    model.optimizer.update = rates = Rates(model.optimizer)
    model.fit(few.X_train, few.Y_train, epochs=1, batch_size=120, callbacks=[CoolDown(1)],
              progress=False)  # fmt: skip
    assert rates.rates == [0.01]


def test_cool_down_refuses():
    with pytest.raises(ValueError, match="epochs"):
        CoolDown(0)
    model = Model(build_network(0), CrossEntropyLoss(), Adam(lambda t: 0.1))
    with pytest.raises(TypeError, match="schedule"):
        model.fit(np.ones((3, 784)), [0, 1, 2], epochs=1, batch_size=3, callbacks=[CoolDown(1)],
                  progress=False)  # fmt: skip


# ---------------------------------------------------------------- shift_images


@pytest.mark.parametrize("down, right", [(0, 0), (3, 0), (-2, 0), (0, 5), (0, -1), (4, -6)])
def test_shifted_images_against_a_roll_of_padded_ones(down, right):
    X = np.random.default_rng(0).uniform(1, 2, size=(5, 784)).astype(np.float32)
    padded = np.pad(X.reshape(5, 28, 28), ((0, 0), (10, 10), (10, 10)))
    expected = np.roll(padded, (down, right), axis=(1, 2))[:, 10:38, 10:38].reshape(5, 784)
    found = shift_images(X, down, right)
    assert (found == expected).all() and found.dtype == np.float32


def test_shifting_out_of_the_picture_leaves_blank_paper():
    X = np.ones((2, 784))
    for move in ((28, 0), (-28, 0), (0, 28), (0, -28)):
        assert (shift_images(X, *move) == 0).all()
    assert (shift_images(X, 27).sum(axis=1) == 28).all()
    assert (shift_images(X, 100) == 0).all()


def test_shift_copies_and_refuses():
    X = np.ones((2, 784))
    shift_images(X)[:] = 0
    assert X.all()
    with pytest.raises(ValueError, match=r"\(m, 784\)"):
        shift_images(np.ones((2, 28, 28)))
    with pytest.raises(TypeError, match="down"):
        shift_images(X, 0.5)


# ---------------------------------------------------------------- run


def test_run_returns_what_the_command_line_prints(few):
    result = run(epochs=2, seed=0, progress=False)
    assert result.history.epochs == 2
    assert set(result.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert result.predictions.shape == (50,) and result.digits is few
    assert result.test_accuracy == np.mean(result.predictions == few.Y_test)
    evaluated = result.model.evaluate(few.X_test, few.Y_test)
    assert evaluated == {"loss": result.test_loss, "accuracy": result.test_accuracy}


def test_run_repeats_bit_by_bit_and_seeds_differ(few):
    thetas = [run(epochs=2, seed=seed, progress=False).model.network.theta for seed in (5, 5, 6)]
    assert (thetas[0] == thetas[1]).all() and (thetas[0] != thetas[2]).any()


def test_run_keeps_the_best_epoch_of_the_validation_part(few):
    result = run(epochs=12, lr=0.01, batch_size=10, seed=1, progress=False)
    best = max(result.history["val_accuracy"])
    first = run(epochs=12, lr=0.01, batch_size=10, seed=1, progress=False)
    assert (first.model.network.theta == result.model.network.theta).all()
    rng = np.random.default_rng(1)
    build_network(rng)
    _, X_val, _, Y_val = mnist.train_test_split(
        few.X_train, few.Y_train, test_size=10, stratify=True, rng=rng
    )
    assert result.model.evaluate(X_val, Y_val)["accuracy"] == best


def test_run_saves_and_plots(few, tmp_path):
    model_path, picture = tmp_path / "model.npz", tmp_path / "curves.png"
    result = run(epochs=2, seed=0, save=model_path, plot=picture, progress=False)
    assert (Model.load(model_path).network.theta == result.model.network.theta).all()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_run_prints_nothing(few, capfd):
    run(epochs=1, progress=False)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_run_has_the_defaults_of_the_users_command():
    defaults = {name: p.default for name, p in inspect.signature(run).parameters.items()}
    expected = {"epochs": 20, "lr": 0.001, "batch_size": 128, "optimizer": "adam", "seed": 0}
    assert {name: defaults[name] for name in expected} == expected
    assert all(p.kind is p.KEYWORD_ONLY for p in inspect.signature(run).parameters.values())


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"lr": 0.0}, "lr"),
        ({"optimizer": "rmsprop"}, "optimizer"),
        ({"seed": -1}, "seed"),
        ({"plot": "curves.bmp"}, "plot"),
    ],
)
def test_run_refuses_before_it_asks_for_data(monkeypatch, arguments, message):
    monkeypatch.setattr(mnist, "load_mnist", lambda **arguments: pytest.fail("asked for data"))
    with pytest.raises(ValueError, match=message):
        run(progress=False, **arguments)


# ---------------------------------------------------------------- what it learns


@pytest.mark.parametrize("seed", [0, 1])
def test_the_embedded_part_gives_95_and_a_half_percent(seed):
    result = run(full=False, seed=seed, progress=False)
    assert result.test_accuracy >= 0.955
    assert result.history["accuracy"][-1] > 0.99  # it has enough parameters to learn by heart


@needs_originals
@pytest.mark.full_mnist
@pytest.mark.slow
def test_the_full_set_gives_98_percent_in_20_epochs(monkeypatch, tmp_path):
    (tmp_path / "mnist").symlink_to(ORIGINALS, target_is_directory=True)
    monkeypatch.setenv("NNBOOK_CACHE", str(tmp_path))
    result = run(epochs=20, lr=0.001, batch_size=128, full=True, progress=False)
    assert len(result.predictions) == 10_000
    assert result.test_accuracy >= 0.98
