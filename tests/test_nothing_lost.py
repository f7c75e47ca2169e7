"""A training that is cut short goes on to the same bits, and no file is ever half written.

The cuts are real: SIGKILL, a limit to the size of files, a folder that can't be written to.
"""

import ast
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from faults import as_nobody, child, with_room_for

import nnbook
from nnbook import (
    SGD,
    Adam,
    Callback,
    CrossEntropyLoss,
    DenseLayer,
    EarlyStopping,
    Model,
    ModelFileError,
    Momentum,
    MSELoss,
    ReLU,
    SaveBest,
    Sequential,
    Softmax,
    TrainingDiverged,
)
from nnbook.examples.mnist import CoolDown
from nnbook.network.model import _Checkpoint

posix = pytest.mark.skipif(os.name != "posix", reason="needs the processes and signals of Unix")
FIXTURES = Path(__file__).parent / "fixtures"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5] > 0).astype(int)


def build(optimizer=None, seed=0):
    rng = np.random.default_rng(seed)
    network = Sequential(DenseLayer(3, 8, activation=ReLU(), rng=rng), DenseLayer(8, 2, activation=Softmax(), rng=rng))
    return Model(network, CrossEntropyLoss(), Adam(0.01) if optimizer is None else optimizer)


class Cut(Callback):
    """Ctrl-C at the end of an epoch; after that callback, or before, as they stand in the list."""

    def __init__(self, at=None):
        self.at = at

    def on_epoch_end(self, model, epoch, logs):
        if epoch == self.at:
            raise KeyboardInterrupt


def train(model, cut=None, callbacks=(), epochs=8, **more):
    more = {"validation_split": 0.2, "seed": 5, **more}
    return model.fit(X, Y, epochs=epochs, batch_size=7, progress=False, callbacks=[*callbacks, Cut(cut)], **more)


OPTIMIZERS = {
    "sgd": lambda: SGD(0.05),
    "momentum": lambda: Momentum(0.02, nesterov=True),
    "adamw": lambda: Adam(0.01, weight_decay=0.1),
    "scheduled": lambda: Adam(lambda t: 0.02 / t**0.5),
}


@pytest.mark.parametrize("cut", [1, 2, 5, 8])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_interrupted_training_ends_with_the_same_bits(name, cut, tmp_path):
    whole, history = build(OPTIMIZERS[name]()), None
    history = train(whole)
    with pytest.raises(KeyboardInterrupt):
        train(build(OPTIMIZERS[name]()), cut, checkpoint=tmp_path / "run.npz")
    again = build(OPTIMIZERS[name](), seed=99)  # its first weights do not matter
    resumed = train(again, checkpoint=tmp_path / "run.npz", resume=True)
    assert np.array_equal(again.network.theta, whole.network.theta)
    assert resumed == history and again.optimizer.t == whole.optimizer.t
    for vector, other in zip(again.optimizer.state.values(), whole.optimizer.state.values(), strict=True):
        assert np.array_equal(vector, other)
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("cut", [1, 3, 6])
def test_callbacks_go_on_with_what_they_remember(cut, tmp_path):
    def callbacks(name):
        return [EarlyStopping("val_loss", patience=3), SaveBest(tmp_path / name), CoolDown(12)]

    def model():
        return build(Adam(0.05))  # so fast that it overfits, and stops early

    whole = model()
    history = train(whole, callbacks=callbacks("whole"), epochs=12)
    assert 7 < history.epochs < 12
    for at in range(1, cut + 1):  # interrupted again and again
        with pytest.raises(KeyboardInterrupt):
            train(model(), at + 1, callbacks("parts"), 12, checkpoint=tmp_path / "run.npz", resume=True)
    again = model()
    assert train(again, None, callbacks("parts"), 12, checkpoint=tmp_path / "run.npz", resume=True) == history
    assert np.array_equal(again.network.theta, whole.network.theta)
    best = [Model.load(tmp_path / name).network.theta for name in ("whole", "parts")]
    assert np.array_equal(*best)


def test_a_finished_training_stays_finished_and_a_longer_one_goes_on(tmp_path):
    whole, parts = build(), build()
    train(whole, epochs=9)
    train(parts, epochs=4, checkpoint=tmp_path / "run.npz", checkpoint_every=3)
    theta = parts.network.theta.copy()
    assert train(parts, epochs=4, checkpoint=tmp_path / "run.npz", resume=True).epochs == 4
    assert np.array_equal(parts.network.theta, theta)
    train(parts, epochs=9, checkpoint=tmp_path / "run.npz", resume=True)
    assert np.array_equal(parts.network.theta, whole.network.theta)


def test_a_training_that_stopped_early_stays_stopped(tmp_path):
    more = {"callbacks": [EarlyStopping("loss", patience=1, min_delta=10)], "checkpoint": tmp_path / "run.npz"}
    first = train(build(), epochs=9, **more)
    again = build()
    assert train(again, epochs=9, resume=True, **more) == first and first.epochs == 2
    assert again.stop_training


@pytest.mark.parametrize(("more", "expected"), [({}, [None, 1, 2, 3, 4, 5]), ({"checkpoint_every": 2}, [None, None, 2, 2, 4, 5]),
                                                ({"checkpoint_every": 3}, [None, None, None, 3, 3, 5])])
def test_a_checkpoint_is_written_as_often_as_asked_and_at_the_end(more, expected, tmp_path):
    path = tmp_path / "run.npz"

    def look():
        written.append(json.loads(np.load(path)["config"].tobytes())["training"]["epoch"] if path.exists() else None)

    class Reader(Callback):
        def on_epoch_end(self, model, epoch, logs):
            look()  # what was written before this epoch

    written = []
    train(build(), epochs=5, callbacks=[Reader()], checkpoint=path, **more)
    look()
    assert written == expected


def test_other_validation_data_are_another_training(tmp_path):
    more = {"validation_split": 0.0, "checkpoint": tmp_path / "run.npz"}
    train(build(), epochs=2, validation_data=(X[:9], Y[:9]), **more)
    with pytest.raises(ValueError, match="belongs to another training: its data"):
        train(build(), epochs=3, validation_data=(X[:8], Y[:8]), resume=True, **more)


class Dotted(SGD):
    """Remembers a vector whose name has a dot in it."""

    def update(self, theta, grad, lr):
        remembered = self.memory("a.b", theta)
        remembered += grad
        theta -= lr * remembered


def test_names_of_what_an_optimizer_remembers_may_hold_a_dot(tmp_path):
    whole, again = build(Dotted(0.01)), build(Dotted(0.01))
    train(whole)
    with pytest.raises(KeyboardInterrupt):
        train(build(Dotted(0.01)), 3, checkpoint=tmp_path / "run.npz")
    assert list(Model.load(tmp_path / "run.npz").optimizer.state) == ["a.b"]
    train(again, checkpoint=tmp_path / "run.npz", resume=True)
    assert np.array_equal(again.network.theta, whole.network.theta)


def test_nothing_is_written_before_there_is_something_to_write(tmp_path):
    _Checkpoint(tmp_path / "run.npz", build(), [], np.random.default_rng(0), {}).write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_every_random_generator_of_numpy_goes_on(bits, tmp_path):
    whole, again = build(), build()
    train(whole, seed=np.random.Generator(bits(3)))
    with pytest.raises(KeyboardInterrupt):
        train(build(), 4, seed=np.random.Generator(bits(3)), checkpoint=tmp_path / "run.npz")
    train(again, seed=np.random.Generator(bits(77)), checkpoint=tmp_path / "run.npz", resume=True)
    assert np.array_equal(again.network.theta, whole.network.theta)


def test_interrupted_within_an_epoch_the_last_whole_one_is_kept(tmp_path):
    class Tired(Adam):
        def update(self, theta, grad, lr):
            super().update(theta, grad, lr)
            if self.t == 10:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(build(Tired(0.01)), checkpoint=tmp_path / "run.npz", checkpoint_every=100)
    assert np.load(tmp_path / "run.npz")["optimizer.M"].shape == (50,)
    assert json.loads(np.load(tmp_path / "run.npz")["config"].tobytes())["training"]["epoch"] == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda fit: fit(model=build(Momentum(0.1))), "optimizer"),
        (lambda fit: fit(model=build(Adam(0.01, beta1=0.5))), "optimizer"),
        (lambda fit: fit(batch_size=8), "batch_size"),
        (lambda fit: fit(shuffle=False), "shuffle"),
        (lambda fit: fit(validation_split=0.3), "validation_split"),
        (lambda fit: fit(callbacks=[EarlyStopping("loss")]), "callbacks"),
        (lambda fit: fit(X=X + 1), "data"),
        (lambda fit: fit(Y=1 - Y), "data"),
    ],
)
def test_another_training_is_refused_and_nothing_changes(change, named, tmp_path):
    path = tmp_path / "run.npz"

    def fit(model=None, X=X, Y=Y, **more):
        model = build() if model is None else model
        before = model.network.theta.copy(), model.optimizer.t
        try:
            arguments = {"epochs": 2, "batch_size": 7, "seed": 1, "validation_split": 0.2, "progress": False, **more}
            model.fit(X, Y, checkpoint=path, resume=True, **arguments)
        except ValueError:
            assert np.array_equal(model.network.theta, before[0]) and model.optimizer.t == before[1]
            raise

    fit()
    content = path.read_bytes()
    with pytest.raises(ValueError, match=f"belongs to another training: its {named}"):
        change(fit)
    assert path.read_bytes() == content


def test_what_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    build().save(path)
    with pytest.raises(ModelFileError, match="holds a model and no training"):
        train(build(), checkpoint=path, resume=True)
    path.write_bytes(b"PK nothing")
    with pytest.raises(ModelFileError, match="damaged"):
        train(build(), checkpoint=path, resume=True)
    with pytest.raises(ValueError, match="give checkpoint"):
        train(build(), resume=True)
    train(build(), checkpoint=path)  # without resume a file is replaced
    assert Model.load(path).optimizer.t == 8 * 7


def test_a_checkpoint_survives_a_training_that_diverges(tmp_path):
    model = Model(Sequential(DenseLayer(3, 1, rng=0)), MSELoss(), SGD(lambda t: 0.01 if t < 30 else 1e30))
    with pytest.raises(TrainingDiverged):
        model.fit(X, X[:, :1], epochs=8, batch_size=7, seed=0, progress=False, checkpoint=tmp_path / "run.npz")
    kept = Model.load(tmp_path / "run.npz")
    assert np.isfinite(kept.network.theta).all()


# ---- killed --------------------------------------------------------------------------------------

PROGRAM = textwrap.dedent("""
    import hashlib, sys
    import numpy as np
    from nnbook import *
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5)); Y = rng.integers(0, 3, 400)
    network = Sequential(DenseLayer(5, 30, activation=ReLU(), rng=1), DenseLayer(30, 3, activation=Softmax(), rng=2))
    model = Model(network, CrossEntropyLoss(), Adam(0.01))
    print("begun", flush=True)
    model.fit(X, Y, epochs=60, batch_size=16, seed=4, progress=False, validation_split=0.1,
              callbacks=[EarlyStopping("loss", patience=50)], checkpoint=sys.argv[1], resume=True)
    print(hashlib.sha256(model.network.theta.tobytes() + model.optimizer.state["M"].tobytes()).hexdigest())
""")


def written(path):
    """Something that changes whenever the file is replaced."""
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None


def run_killed_after(saves, path, moments):
    """What the program says; killed at a random moment after so many saves, None for never."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, path], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "begun\n"
        while saves and process.poll() is None:
            before = written(path)
            while written(path) == before and process.poll() is None:
                time.sleep(0.0005)
            saves -= 1
        if saves is not None:
            time.sleep(moments.uniform(0, 0.01))
            process.kill()
        return process.communicate(timeout=120)[0].strip(), process.returncode
    finally:
        process.kill()


@posix
def test_killed_again_and_again_it_ends_with_the_same_bits(tmp_path):
    expected, code = run_killed_after(None, tmp_path / "whole.npz", None)
    assert code == 0 and len(expected) == 64
    moments = random.Random(0)
    for saves in (1, 5, 12, 3, 9):  # of 60 epochs, so that the last run has some left
        _, code = run_killed_after(saves, tmp_path / "parts.npz", moments)
        assert code == -signal.SIGKILL
    assert run_killed_after(None, tmp_path / "parts.npz", None) == (expected, 0)


@posix
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_killed_at_random_moments_the_last_file_is_the_same_to_the_byte(name, tmp_path):
    """The parameters, and all that the file holds beside them: see `test_the_file_holds_all_of_it`."""

    def run(path):
        # other weights and another generator in every life: what counts is in the file
        train(build(OPTIMIZERS[name](), seed=path.stat().st_mtime_ns if path.exists() else 0), epochs=60,
              callbacks=[EarlyStopping("val_loss", patience=60)], checkpoint=path, resume=True)

    begun = time.perf_counter()
    run(tmp_path / "whole.npz")
    life, moments, kills = (time.perf_counter() - begun) / 6, random.Random(name), 0
    while True:
        number = child(lambda: run(tmp_path / "parts.npz"))
        time.sleep(moments.uniform(0, life))
        os.kill(number, signal.SIGKILL)
        if os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0:
            break
        kills, life = kills + 1, 1.02 * life  # in case the machine has become slower
    assert kills >= 5
    assert (tmp_path / "parts.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_the_file_holds_all_of_it(tmp_path):
    path, rng = tmp_path / "run.npz", np.random.default_rng(5)
    model, early = build(Adam(0.01)), EarlyStopping("val_loss", patience=60)
    history = train(model, callbacks=[early], seed=rng, checkpoint=path)
    arrays = dict(np.load(path))
    training = json.loads(arrays.pop("config").tobytes())["training"]
    expected = {"theta": model.network.theta, "callback0.theta": early.state()["theta"],
                **{f"optimizer.{name}": vector for name, vector in model.optimizer.state.items()}}
    assert arrays.keys() == expected.keys() and len(expected) == 4
    for name, vector in expected.items():
        assert np.array_equal(arrays[name], vector)
    assert training["history"] == history and training["epoch"] == history.epochs == 8
    assert training["t"] == model.optimizer.t and training["lr"] == 0.01 and training["stopped"] is False
    assert training["random"] == rng.bit_generator.state != training["first"] == np.random.default_rng(5).bit_generator.state
    assert training["callbacks"][0]["best_epoch"] == early.best_epoch


@posix
def test_killed_during_a_save_the_last_good_file_is_whole(tmp_path):
    path, moments = tmp_path / "model.npz", random.Random(1)
    model = build()
    versions = {}
    for k in range(2):  # two models that differ everywhere; the file must be one or the other
        model.network.theta = np.full(model.network.n_params, k + 1.0)
        versions[k] = model.network.theta.copy()
        model.save(path)

    def save_for_ever():
        while True:
            for values in versions.values():
                model.network.theta = values
                model.save(path)

    met = tries = 0
    while met < 200:
        tries += 1
        assert tries < 2000, f"only {met} kills met a save"
        before = written(path)
        number = child(save_for_ever)
        while written(path) == before:
            time.sleep(0.0002)
        time.sleep(moments.uniform(0, 0.004))
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
        theta = Model.load(path).network.theta
        assert any(np.array_equal(theta, values) for values in versions.values())
        parts = [part for part in tmp_path.iterdir() if part != path]
        assert all(part.name.startswith(".model.npz.") and part.suffix == ".part" for part in parts)
        met += bool(parts)
        for part in parts:
            part.unlink()


@posix
def test_two_processes_that_save_to_one_path(tmp_path):
    path, numbers = tmp_path / "model.npz", []
    for k in range(2):
        model = build()
        model.network.theta = np.full(model.network.n_params, k + 1.0)

        def work(model=model):
            for _ in range(100):
                model.save(path)

        numbers.append(child(work))
    while not path.exists():
        time.sleep(0.001)
    for _ in range(100):
        assert np.unique(Model.load(path).network.theta).tolist() in ([1.0], [2.0])
    for number in numbers:
        assert os.waitpid(number, 0)[1] == 0
    assert [part.name for part in tmp_path.iterdir()] == ["model.npz"]


@posix
def test_a_full_disk_is_said_and_the_old_file_stays(tmp_path):
    path = tmp_path / "model.npz"
    build().save(path)
    before, size = path.read_bytes(), path.stat().st_size
    for limit in [*range(0, size, 97), size - 1]:  # wherever in the file the room ends
        words = with_room_for(limit, lambda: build(seed=3).save(path))
        assert words.startswith("OSError: ") and "too large" in words and words.endswith(f"'{path}'")
        assert path.read_bytes() == before and [part.name for part in tmp_path.iterdir()] == ["model.npz"]
    assert with_room_for(2 * size, lambda: build(seed=3).save(path)) == ""


@posix
def test_a_training_goes_on_when_there_is_room_again(tmp_path):
    whole, again, path = build(), build(), tmp_path / "run.npz"
    train(whole, epochs=20)
    train(build(), epochs=3, checkpoint=path)
    before = path.read_bytes()
    words = with_room_for(len(before) + 150, lambda: train(build(), epochs=20, checkpoint=path, resume=True))
    assert words.startswith("OSError: ") and words.endswith(f"'{path}'")  # a longer history no longer fits
    assert Model.load(path).optimizer.t > 3 * 7 and [part.name for part in tmp_path.iterdir()] == ["run.npz"]
    train(again, epochs=20, checkpoint=path, resume=True)
    assert np.array_equal(again.network.theta, whole.network.theta)


@posix
def test_a_disk_that_is_really_full(full_disk):
    path = full_disk / "model.npz"
    build().save(path)
    before = path.read_bytes()
    (full_disk / "filler").write_bytes(bytes(36_000))
    with pytest.raises(OSError, match=r"No space left on device: .*model\.npz"):
        build(seed=3).save(path)
    with pytest.raises(OSError, match=r"No space left on device: .*run\.npz"):
        train(build(), checkpoint=full_disk / "run.npz")
    with pytest.raises(OSError, match="No space left on device"):
        train(build(), callbacks=[SaveBest(path)])
    assert path.read_bytes() == before
    assert sorted(part.name for part in full_disk.iterdir()) == ["filler", "model.npz"]
    (full_disk / "filler").unlink()
    build(seed=3).save(path)
    assert Model.load(path).network.theta.tobytes() == build(seed=3).network.theta.tobytes()


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.npz: there is no folder .*nowhere$"):
        build().save(tmp_path / "nowhere" / "model.npz")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileNotFoundError, match=r"model\.npz: there is no folder .*file$"):
        build().save(tmp_path / "file" / "model.npz")


@posix
@pytest.mark.parametrize("name", ["model.npz", "other.npz"])
def test_a_read_only_folder_is_said_and_the_old_file_stays(name, read_only):
    path = read_only / name
    before = (read_only / "model.npz").read_bytes()
    for work in (lambda: build(seed=3).save(path), lambda: train(build(), checkpoint=path), lambda: train(build(), callbacks=[SaveBest(path)])):
        assert as_nobody(work) == f"PermissionError: [Errno 13] Permission denied: '{path}'"
    assert as_nobody(lambda: Model.load(read_only / "model.npz")) == ""
    assert (read_only / "model.npz").read_bytes() == before
    assert [part.name for part in read_only.iterdir()] == ["model.npz"]


# ---- readable for ever -----------------------------------------------------------------------------


def test_files_of_the_first_version_are_read():
    """The fixtures were written by version 0.1.0 and are never written again."""
    model = Model.load(FIXTURES / "model_v1.npz")
    expected = np.load(FIXTURES / "model_v1_predictions.npy")
    assert np.allclose(model.predict(X), expected, rtol=1e-6)
    assert isinstance(model.optimizer, Adam) and model.optimizer.t == 16 and model.optimizer.lr == 0.01
    state = hashlib.sha256(model.optimizer.state["M"].tobytes()).hexdigest()
    assert state == "8b583a64369474e0ca606985c204e9e5cfb75a03fcd3bc70545ebaa00a31c71c"


def test_a_training_of_the_first_version_goes_on(tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes((FIXTURES / "checkpoint_v1.npz").read_bytes())
    model = build()
    rng = np.random.default_rng(0)  # its own data: they must have the same bits on every machine
    data = rng.integers(-4, 5, (24, 3)).astype(np.float32)
    history = model.fit(data, (data[:, 0] > 0).astype(int), epochs=5, batch_size=8, seed=0, progress=False,
                        callbacks=[EarlyStopping("loss")], checkpoint=path, resume=True)
    assert history.epochs == 5 and model.optimizer.t == 15


@pytest.mark.parametrize("version", [0, 2, 99, -1, None, "1", [1], 1.5])
def test_another_version_is_refused_by_its_number(version, tmp_path):
    path = tmp_path / "run.npz"
    arrays = dict(np.load(FIXTURES / "checkpoint_v1.npz"))
    config = {**json.loads(arrays["config"].tobytes()), "version": version}
    np.savez(path, **{**arrays, "config": np.frombuffer(json.dumps(config).encode(), np.uint8)})
    for read in (lambda: Model.load(path), lambda: build().load_parameters(path), lambda: train(build(), checkpoint=path, resume=True)):
        with pytest.raises(ModelFileError) as caught:
            read()
        assert str(caught.value) == f"{path} has format version {version!r}; this nnbook reads version 1"


def test_no_pickle_anywhere():
    package = Path(nnbook.__file__).parent
    for source in package.rglob("*.py"):
        tree = ast.parse(source.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = ([alias.name for alias in node.names] if isinstance(node, ast.Import)
                     else [node.module or ""] if isinstance(node, ast.ImportFrom) else [])  # fmt: skip
            assert not {name.partition(".")[0] for name in names} & {"pickle", "_pickle", "marshal", "shelve", "dill", "joblib"}, source
            assert not (isinstance(node, ast.keyword) and node.arg == "allow_pickle" and not (isinstance(node.value, ast.Constant) and node.value.value is False)), source
    for path in (*FIXTURES.glob("*.np*"), *(package / "data").glob("*.npz")):
        found = np.load(path, allow_pickle=False)
        for values in dict(found).values() if path.suffix == ".npz" else [found]:
            assert not values.dtype.hasobject
