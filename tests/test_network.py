"""Sequential and Model: the chain, the flat vectors, training, evaluation, files."""

import copy
import json
import os
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from nnbook.core import (
    SGD,
    Adam,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    DenseLayer,
    He,
    Identity,
    Layer,
    LeakyReLU,
    Momentum,
    MSELoss,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from nnbook.network import (
    Callback,
    EarlyStopping,
    History,
    Model,
    ModelFileError,
    SaveBest,
    Sequential,
    TrainingDiverged,
)
from nnbook.validation import gradient_check_layer, gradient_check_model


def build(dtype=np.float32, seed=0, last=Softmax, n_out=3):
    rng = np.random.default_rng(seed)
    return Sequential(DenseLayer(4, 6, Tanh(), rng=rng, dtype=dtype), DenseLayer(6, 5, LeakyReLU(0.1), rng=rng, dtype=dtype),
                      DenseLayer(5, n_out, last(), rng=rng, dtype=dtype))


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(90, 4))
    return X, (X @ rng.normal(size=(4, 3))).argmax(axis=1)


@pytest.fixture
def model():
    return Model(build(), CrossEntropyLoss(), Adam(lr=0.01))


FIT = {"epochs": 3, "batch_size": 16, "seed": 0, "progress": False}


# ---- Sequential ------------------------------------------------------------------------------------


def test_forward_is_the_layers_one_after_the_other(data):
    network, A = build(), data[0]
    for layer in network:
        A = layer.forward(A)
    np.testing.assert_array_equal(network.forward(data[0]), A)
    Z = network.forward(data[0], logits=True)
    np.testing.assert_allclose(Softmax().forward(Z), A, rtol=1e-6)


def test_a_network_gives_the_signal_of_its_input_unless_told_not_to(data):
    network = build()
    dY = np.ones_like(network.forward(data[0]))
    assert network.backward(dY).shape == data[0].shape
    grad = network.grad.copy()
    assert network.backward(dY, want_dX=False) is None
    np.testing.assert_array_equal(network.grad, grad)


def test_gradients_of_a_network_and_of_its_cost(data):
    X = data[0][:7]
    errors = gradient_check_layer(build(), X, np.random.default_rng(0).normal(size=(7, 3)))
    assert set(errors) == {"W1", "b1", "W2", "b2", "W3", "b3", "X"} and max(errors.values()) < 1e-7


@pytest.mark.parametrize(("loss", "last", "n_out", "fused"), [
    (CrossEntropyLoss, Softmax, 3, True), (BinaryCrossEntropyLoss, Sigmoid, 1, True), (MSELoss, Identity, 2, False),
    (MSELoss, Sigmoid, 2, False), (BinaryCrossEntropyLoss, Softmax, 3, False)])
def test_gradient_of_the_cost_by_theta(loss, last, n_out, fused):
    rng = np.random.default_rng(2)
    model = Model(build(last=last, n_out=n_out), loss())
    assert model.fused is fused
    Y = rng.integers(0, 3, 7) if loss is CrossEntropyLoss else rng.random((7, n_out))
    errors = gradient_check_model(model, rng.normal(size=(7, 4)), Y)
    assert set(errors) == {"W1", "b1", "W2", "b2", "W3", "b3"} and max(errors.values()) < 1e-7


def test_theta_is_the_layers_end_to_end():
    network = build()
    assert network.n_params == network.theta.size == 4 * 6 + 6 + 6 * 5 + 5 + 5 * 3 + 3
    network.theta = np.arange(network.n_params)
    np.testing.assert_array_equal(network[0].W.ravel(), np.arange(24))
    np.testing.assert_array_equal(network[2].b, network.theta[-3:])
    np.testing.assert_array_equal(network.params["W2"], network[1].W)
    network[1].dW = np.ones((6, 5))
    assert network.grad[30:60].sum() == 30 and network.grads["W2"].sum() == 30


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n)),
                                       lambda n: n.astype(np.float32), lambda n: n.astype(np.float64)])
def test_copies_of_a_network_are_independent_and_whole(duplicate, data):
    network = build()
    theta = network.theta.copy()
    twin = duplicate(network)
    np.testing.assert_array_equal(twin.theta, theta)
    np.testing.assert_allclose(twin.forward(data[0]), network.forward(data[0]), rtol=1e-5)
    twin.theta = np.zeros(twin.n_params)
    assert not twin[1].W.any() and np.shares_memory(twin[1].W, twin.theta)
    np.testing.assert_array_equal(network.theta, theta)
    assert twin.forward(data[0]).dtype == twin.dtype


def test_summary_names_layers_shapes_and_counts():
    lines = build().summary().splitlines()
    assert lines[0].split() == ["layer", "output", "parameters", "count"]
    assert lines[2].split() == ["1", "DenseLayer(4", "→", "6)", "Tanh()", "(m,", "6)", "W", "4×6,", "b", "6", "30"]
    assert lines[-1].split() == ["total", "float32", "83"]


def test_a_sequence_of_layers():
    network = build()
    assert len(network) == 3 and list(network)[1] is network[1] is network.layers[1]
    assert (network.n_in, network.n_out, network.dtype) == (4, 3, np.float32)
    assert "LeakyReLU(alpha=0.1)" in repr(network)


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: Sequential(), ValueError, "at least one layer"),
    (lambda: Sequential([DenseLayer(2, 2)]), TypeError, r"write Sequential\(\*layers\)"),
    (lambda: Sequential(DenseLayer(4, 8), DenseLayer(7, 3)), ValueError,
     r"layers 1 and 2 don't fit: DenseLayer\(4 → 8\) gives 8 columns, DenseLayer\(7 → 3\) expects 7"),
    (lambda: Sequential(DenseLayer(4, 8), DenseLayer(8, 3, dtype=np.float64)), ValueError, "one dtype.*float32.*float64"),
    (lambda: Sequential(DenseLayer(4, 8), ReLU()), TypeError, "layer 2 must be an instance of Layer, got ReLU"),
    (lambda: Sequential(DenseLayer), TypeError, "write DenseLayer"),
    (lambda: Sequential(*[DenseLayer(3, 3)] * 2), ValueError, "layer 2, .* is in a network already"),
    (lambda: Sequential(build()[0]), ValueError, "layer 1, .* is in a network already"),
])
def test_networks_that_cannot_be_built(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_bad_theta_changes_nothing():
    network = build()
    before = network.theta.copy()
    for values, words in ((np.ones(5), r"theta of shape \(83,\), got \(5,\)"), (np.full(83, np.nan), "finite"),
                          (["a"] * 83, "real numbers")):
        with pytest.raises((ValueError, TypeError), match=words):
            network.theta = values
    np.testing.assert_array_equal(network.theta, before)


# ---- training --------------------------------------------------------------------------------------


def test_fit_learns_and_records(model, data):
    history = model.fit(*data, epochs=60, batch_size=16, seed=0, validation_data=data, progress=False)
    assert isinstance(history, History) and history is model.history and history.epochs == 60
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(len(values) == 60 and all(isinstance(value, float) for value in values) for values in history.values())
    assert history["loss"][-1] < 0.3 * history["loss"][0] and history["val_accuracy"][-1] > 0.95


@pytest.mark.parametrize("optimizer", [SGD(0.1), Momentum(0.05), Momentum(0.05, nesterov=True), Adam(0.01)], ids=repr)
def test_every_optimizer_lowers_the_cost(optimizer, data):
    history = Model(build(), CrossEntropyLoss(), optimizer).fit(*data, epochs=30, batch_size=16, seed=0, progress=False)
    assert history["loss"][-1] < 0.6 * history["loss"][0]


def test_fit_is_the_loop_written_out(data):
    X, Y = data[0].astype(np.float32), data[1]
    model, network, loss, optimizer = Model(build(), CrossEntropyLoss(), Adam(0.01)), build(), CrossEntropyLoss(), Adam(0.01)
    costs = []
    for _ in range(3):
        for start in range(0, 90, 16):
            x, y = X[start:start + 16], Y[start:start + 16]
            costs.append(loss.forward(network.forward(x, logits=True), y, logits=True) * len(x))
            network.backward(loss.backward())
            optimizer.step(network.theta, network.grad)
    history = model.fit(X, Y, epochs=3, batch_size=16, shuffle=False, progress=False)
    np.testing.assert_array_equal(model.network.theta, network.theta)
    np.testing.assert_allclose(history["loss"], np.reshape(costs, (3, 6)).sum(axis=1) / 90, rtol=1e-6)
    assert model.optimizer.t == 18


def test_labels_and_one_hot_rows_train_the_same(data):
    one, two = (Model(build(), CrossEntropyLoss(), Adam(0.01)) for _ in range(2))
    one.fit(data[0], data[1], **FIT)
    two.fit(data[0], np.eye(3)[data[1]], **FIT)
    np.testing.assert_array_equal(one.network.theta, two.network.theta)


def test_same_seed_same_bits_and_the_global_state_is_left_alone(data):
    def trained(seed):
        model = Model(build(), CrossEntropyLoss(), Adam(0.01))
        model.fit(*data, epochs=2, batch_size=16, seed=seed, validation_split=0.3, progress=False)
        return model.network.theta

    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(trained(3), trained(3))
    assert not np.array_equal(trained(3), trained(4))
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_without_shuffling_the_seed_does_not_matter(data):
    thetas = []
    for seed in (0, 1):
        model = Model(build(), CrossEntropyLoss(), SGD(0.1))
        model.fit(*data, epochs=2, batch_size=16, seed=seed, shuffle=False, progress=False)
        thetas.append(model.network.theta)
    np.testing.assert_array_equal(*thetas)


def test_validation_split_sets_examples_aside(data):
    seen = []

    class Spy(Sequential):
        def backward(self, dY, **options):
            seen.append(len(dY))
            return super().backward(dY, **options)

    model = Model(Spy(DenseLayer(4, 3, Softmax(), rng=0)), CrossEntropyLoss(), SGD(0.1))
    history = model.fit(*data, epochs=1, batch_size=16, validation_split=0.2, seed=0, progress=False)
    assert sum(seen) == 72 and "val_loss" in history


def test_a_single_example_may_be_set_aside(model, data):
    history = model.fit(data[0][:10], data[1][:10], validation_split=0.1, **FIT)
    assert len(history["val_loss"]) == 3 and set(history["val_accuracy"]) <= {0.0, 1.0}


def test_accuracies_of_logits_are_those_of_probabilities(data):
    Y = (data[0][:, 0] > 0.8).astype(float)
    model = Model(Sequential(DenseLayer(4, 1, Sigmoid(), rng=0)), BinaryCrossEntropyLoss(), SGD(1e-9))
    model.network[0].b = [0.3]  # so that many scores lie between 0 and 1/2, where the two differ
    share = float(np.mean((model.predict(data[0])[:, 0] > 0.5) == Y))
    assert model.evaluate(*(data[0], Y))["accuracy"] == pytest.approx(share)
    assert model.fit(data[0], Y, **FIT, validation_data=(data[0], Y)) and model.history["accuracy"] == model.history["val_accuracy"]
    assert model.history["accuracy"][0] == pytest.approx(share)


def test_a_batch_larger_than_the_data_is_all_of_it(data):
    model = Model(build(), CrossEntropyLoss(), SGD(0.1))
    model.fit(*data, epochs=2, batch_size=1000, progress=False)
    assert model.optimizer.t == 2


def test_regression_has_no_accuracy(data):
    model = Model(build(last=Identity, n_out=1), MSELoss(), Adam(0.01))
    history = model.fit(data[0], data[0][:, 0], **FIT, validation_data=(data[0], data[0][:, :1]))
    assert set(history) == {"loss", "val_loss"} and set(model.evaluate(data[0], data[0][:, 0])) == {"loss"}
    with pytest.raises(ValueError, match="MSELoss is a loss for numbers"):
        model.predict_classes(data[0])


def test_evaluate_does_not_depend_on_the_batch_size(model, data):
    whole = model.evaluate(*data)
    np.testing.assert_allclose(list(model.evaluate(*data, batch_size=7).values()), list(whole.values()), rtol=1e-6)
    Z = model.network.astype(np.float64).forward(data[0], logits=True)
    log_p = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
    assert whole["loss"] == pytest.approx(-log_p[np.arange(90), data[1]].mean(), rel=1e-5)
    assert whole["accuracy"] == (Z.argmax(axis=1) == data[1]).mean()


def test_progress_is_shown_step_by_step(model, data, monkeypatch, tmp_path):
    shown = []

    class Bar:
        def __init__(self, **how):
            shown.append(how)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            shown.append("closed")

        def update(self):
            shown.append("step")

        def set_postfix(self, logs):
            shown.append({name: float(value) for name, value in logs.items()})

    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace(tqdm=Bar))
    history = model.fit(*data, epochs=2, batch_size=40, seed=0)
    numbers = [{name: pytest.approx(values[k], abs=1e-4) for name, values in history.items()} for k in (0, 1)]
    steps = ["step"] * 3
    assert shown == [{"total": 6, "unit": "step"}, *steps, numbers[0], *steps, numbers[1], "closed"]
    for epochs in (2, 3):  # of a training that goes on, what is left of it
        model.fit(*data, epochs=epochs, batch_size=40, seed=0, checkpoint=tmp_path / "run.npz", resume=True)
    assert [how["total"] for how in shown if "total" in how and isinstance(how, dict)] == [6, 6, 3]


def test_without_the_library_for_it_no_progress_is_shown(model, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert model.fit(*data, epochs=2, batch_size=40, seed=0).epochs == 2


def batches_seen(model, monkeypatch):
    """How many examples go through the network at a time."""
    seen, forward = [], model.network.forward
    monkeypatch.setattr(model.network, "forward", lambda X, **more: seen.append(len(X)) or forward(X, **more))
    return seen


@pytest.mark.parametrize("ask", [lambda m, X, Y: m.predict(X), lambda m, X, Y: m.predict_classes(X), lambda m, X, Y: m.evaluate(X, Y)])
def test_without_a_batch_size_it_is_1024(ask, model, data, monkeypatch):
    seen = batches_seen(model, monkeypatch)
    ask(model, np.resize(data[0], (2050, 4)), np.resize(data[1], 2050))
    assert seen == [1024, 1024, 2]


def test_validation_goes_1024_at_a_time(model, data, monkeypatch):
    seen = batches_seen(model, monkeypatch)
    model.fit(*data, epochs=1, batch_size=90, progress=False, validation_data=(np.resize(data[0], (2050, 4)), np.resize(data[1], 2050)))
    assert seen == [90, 1024, 1024, 2]


def test_the_signal_of_the_first_input_is_not_computed(model, data, monkeypatch):
    wanted, first = [], model.network[0]
    backward = first.backward
    monkeypatch.setattr(first, "backward", lambda dY, want_dX=True: wanted.append(want_dX) or backward(dY, want_dX=want_dX))
    model.cost_and_gradient(*data)
    model.fit(*data, epochs=1, batch_size=90, progress=False)
    assert wanted == [False, False]


def test_a_copy_of_a_model_in_another_type_shares_nothing(model, data):
    model.fit(*data, **FIT)
    model.optimizer.notes = []
    t, M = model.optimizer.t, model.optimizer.state["M"].copy()
    twin = model.astype(np.float64)
    assert twin.network.dtype == np.float64 and repr(twin.optimizer) == repr(model.optimizer)
    assert (twin.optimizer.t, twin.optimizer.state) == (0, {})
    assert twin.optimizer.notes is not model.optimizer.notes and twin.loss.signal is not model.loss.signal
    twin.fit(*data, **FIT)
    assert model.optimizer.t == t and np.array_equal(model.optimizer.state["M"], M)
    assert Model(build(), MSELoss()).astype(np.float64).optimizer is None


class Pass(Layer):
    """A layer of ones own without parameters, in any type."""

    def __init__(self, n_in=3, n_out=3):
        super().__init__(n_in, n_out, {})

    def forward(self, X):
        return X

    def backward(self, dY, *, want_dX=True):
        return dY

    def astype(self, dtype):
        self.dtype = np.dtype(dtype)
        return self


def test_a_layer_that_is_its_own_copy_is_not_taken_out_of_its_network():
    network = Sequential(DenseLayer(4, 3), Pass())
    twin = network.astype(np.float64)
    assert twin[1] is not network[1] and network.dtype == np.float32 and network[1].dtype == np.float32


def test_predictions(model, data):
    assert model.predict(data[0]).dtype == np.float32 and model.astype(np.float64).predict(data[0]).dtype == np.float64
    A = model.predict(data[0], batch_size=7)
    np.testing.assert_allclose(A, model.network.forward(data[0]), rtol=1e-5)
    np.testing.assert_array_equal(model.predict_classes(data[0]), A.argmax(axis=1))
    binary = Model(build(last=Sigmoid, n_out=1), BinaryCrossEntropyLoss())
    classes = binary.predict_classes(data[0])
    assert classes.shape == (90,) and set(classes) <= {0, 1}
    np.testing.assert_array_equal(classes, binary.predict(data[0])[:, 0] > 0.5)


def test_integer_data_are_converted(model):
    X = np.arange(40).reshape(10, 4)
    np.testing.assert_array_equal(model.predict(X), model.predict(X.astype(float)))
    np.testing.assert_array_equal(model.predict(X.tolist()), model.predict(X.astype(np.float32)))


# ---- callbacks ---------------------------------------------------------------------------------------


def test_callbacks_are_called_in_order(model, data):
    calls = []

    class Spy(Callback):
        def on_train_begin(self, model):
            calls.append("begin")

        def on_epoch_end(self, model, epoch, logs):
            calls.append((epoch, sorted(logs)))
            model.stop_training = epoch == 2

        def on_train_end(self, model):
            calls.append("end")

    assert model.fit(*data, epochs=5, batch_size=16, callbacks=[Spy()], progress=False).epochs == 2
    assert calls == ["begin", (1, ["accuracy", "loss"]), (2, ["accuracy", "loss"]), "end"]


class Scripted(Callback):
    """Puts values into the logs, and the epoch's number into θ."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, model, epoch, logs):
        logs["val_loss"] = self.values[epoch - 1]
        model.network.theta = np.full(model.network.n_params, float(epoch))


def test_early_stopping_waits_and_restores(model, data):
    stopping = EarlyStopping(patience=2)
    history = model.fit(*data, epochs=9, batch_size=90, callbacks=[Scripted([5, 4, 3, 3.5, 3.1, 1]), stopping], progress=False)
    assert history.epochs == 5 and stopping.best_epoch == 3 and (model.network.theta == 3).all()
    again = model.fit(*data, epochs=2, batch_size=90, progress=False,
                      callbacks=[Scripted([5, 4]), EarlyStopping(patience=1, min_delta=2, restore_best=False)])
    assert again.epochs == 2 and (model.network.theta == 2).all()


@pytest.mark.parametrize(("values", "min_delta", "best", "epochs"), [
    ([2, 2, 2, 2], 0.0, 1, 3),  # as good is not better
    ([2, 2.1, 2, 2], 0.5, 1, 3),  # nor is hardly worse
    ([5, 4.6, 4.4, 4.3], 0.5, 3, 4),  # differences count against the best, as they are
    ([np.nan] * 4, 0.0, 0, 2),  # before there is a best, patience counts from the start
])
def test_early_stopping_counts(values, min_delta, best, epochs, model, data):
    stopping = EarlyStopping(patience=2, min_delta=min_delta)
    callbacks = [Scripted(values), stopping]
    assert model.fit(*data, epochs=4, batch_size=90, callbacks=callbacks, progress=False).epochs == epochs
    assert stopping.best_epoch == best


def test_early_stopping_on_an_accuracy_counts_differences_as_they_are(model, data):
    values = iter([0.5, 0.75, 0.8, 0.85])

    class Accuracy(Callback):
        def on_epoch_end(self, model, epoch, logs):
            logs["val_accuracy"] = next(values)

    stopping = EarlyStopping("val_accuracy", patience=1, min_delta=0.3)
    assert model.fit(*data, epochs=4, batch_size=90, callbacks=[Accuracy(), stopping], progress=False).epochs == 2
    assert stopping.best_epoch == 1


def test_early_stopping_on_an_accuracy_lets_it_grow(model, data):
    stopping = EarlyStopping("val_accuracy", patience=1)
    values = iter([0.5, 0.7, 0.6])

    class Accuracy(Callback):
        def on_epoch_end(self, model, epoch, logs):
            logs["val_accuracy"] = next(values)

    assert model.fit(*data, epochs=9, batch_size=90, callbacks=[Accuracy(), stopping], progress=False).epochs == 3
    assert stopping.best_epoch == 2


def test_save_best_saves_when_it_improves(model, data, tmp_path):
    path = tmp_path / "best.npz"
    model.fit(*data, epochs=3, batch_size=90, callbacks=[Scripted([2, 1, 3]), SaveBest(path)], progress=False)
    assert (Model.load(path).network.theta == 2).all()


def test_an_unknown_monitor_says_what_there_is(model, data):
    with pytest.raises(ValueError, match="monitor must be one of loss, accuracy, got 'val_loss'"):
        model.fit(*data, **FIT, callbacks=[EarlyStopping()])


@pytest.mark.parametrize(("last", "loss", "n_out", "validated", "names"), [
    (Softmax, CrossEntropyLoss, 3, False, "loss, accuracy"), (Softmax, CrossEntropyLoss, 3, True, "loss, accuracy, val_loss, val_accuracy"),
    (Identity, MSELoss, 1, False, "loss"), (Identity, MSELoss, 1, True, "loss, val_loss")])
def test_a_monitor_is_known_before_training(last, loss, n_out, validated, names, data):
    model = Model(build(last=last, n_out=n_out), loss(), SGD(1e-3))
    more = {**FIT, "validation_data": data if validated else None}
    for monitor in ("loss", "accuracy", "val_loss", "val_accuracy", "f1"):
        if monitor in names.split(", "):
            model.fit(*data, **more, callbacks=[EarlyStopping(monitor)])
        else:
            t = model.optimizer.t
            with pytest.raises(ValueError, match=f"^monitor must be one of {names}, got '{monitor}'$"):
                model.fit(*data, **more, callbacks=[EarlyStopping(monitor)])
            assert model.optimizer.t == t


def test_an_interrupt_keeps_what_was_learned(model, data):
    ended = []

    class Interrupt(Callback):
        def on_epoch_end(self, model, epoch, logs):
            if epoch == 2:
                raise KeyboardInterrupt

        def on_train_end(self, model):
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        model.fit(*data, **FIT, callbacks=[Interrupt()])
    assert model.history.epochs == 2 and ended


# ---- bad arguments -----------------------------------------------------------------------------------

X, Y = np.ones((20, 4)), np.arange(20) % 3
HOLED = np.where(np.arange(80).reshape(20, 4) == 14, np.nan, 1.0)


@pytest.mark.parametrize(("arguments", "error", "words"), [
    ({"Y": Y[:19]}, ValueError, "X and Y must have one length, got 20 examples and 19 targets"),
    ({"X": X[:0], "Y": Y[:0]}, ValueError, r"X of shape \(m, 4\), got \(0, 4\), which is empty"),
    ({"X": X[:, :3]}, ValueError, r"X of shape \(m, 4\), got \(20, 3\)"),
    ({"X": HOLED}, ValueError, r"X must hold finite numbers, got 1 that are not, the first is nan at index \(3, 2\)"),
    ({"X": X * np.inf}, ValueError, "X must hold finite numbers, got 80"),
    ({"X": X * 1e300}, ValueError, "X must hold finite numbers"),
    ({"X": X.astype(str)}, TypeError, "real numbers"),
    ({"Y": Y + 1}, ValueError, "integer classes from 0 to 2, got 3 at index 2"),
    ({"Y": Y - 1}, ValueError, "integer classes from 0 to 2, got -1 at index 0"),
    ({"Y": Y + 0.5}, ValueError, "got 0.5 at index 0"),
    ({"Y": np.ones((20, 3))}, ValueError, "sum to 1, got row 0"),
    ({"Y": np.eye(4)[Y]}, ValueError, r"Y of shape \(m, 3\), got \(20, 4\)"),
    ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
    ({"epochs": 2.0}, TypeError, "epochs must be an integer, got float"),
    ({"batch_size": -4}, ValueError, "batch_size must be at least 1, got -4"),
    ({"batch_size": True}, TypeError, "batch_size must be an integer, got bool"),
    ({"validation_split": 1.0}, ValueError, r"validation_split must be a number in \[0, 1\)"),
    ({"validation_split": 0.001}, ValueError, "leaves one part empty"),
    ({"validation_data": X}, TypeError, "validation_data must be a pair"),
    ({"validation_data": (X, Y[:3])}, ValueError, "validation X and validation Y must have one length"),
    ({"validation_data": (HOLED, Y)}, ValueError, "validation X must hold finite numbers"),
    ({"validation_data": (X, Y), "validation_split": 0.5}, ValueError, "not both"),
    ({"seed": "abc"}, TypeError, "seed must be"),
    ({"callbacks": [EarlyStopping]}, TypeError, r"write EarlyStopping\(\)"),
    ({"callbacks": ["stop"]}, TypeError, "callback must be an instance of Callback, got str"),
])
def test_bad_arguments_of_fit_change_nothing(model, arguments, error, words):
    before = model.network.theta.copy()
    with pytest.raises(error, match=words):
        model.fit(**{"X": X, "Y": Y, "epochs": 1, "batch_size": 4, "progress": False, **arguments})
    np.testing.assert_array_equal(model.network.theta, before)
    assert model.optimizer.t == 0 and not model.history


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: Model(DenseLayer(2, 2), MSELoss()), TypeError, "network must be an instance of Sequential, got DenseLayer"),
    (lambda: Model(build(), CrossEntropyLoss, Adam()), TypeError, r"write CrossEntropyLoss\(\)"),
    (lambda: Model(build(), CrossEntropyLoss(), "adam"), TypeError, "optimizer must be an instance of Optimizer, got str"),
    (lambda: Model(build(last=ReLU), CrossEntropyLoss()), ValueError, r"ends with ReLU\(\); end it with Softmax\(\)"),
    (lambda: Model(build(last=Identity), BinaryCrossEntropyLoss()), ValueError, r"end it with Sigmoid\(\)"),
    (lambda: Model(build(), CrossEntropyLoss()).fit(X, Y, epochs=1, batch_size=1), ValueError, "no optimizer"),
    (lambda: Model(build(), CrossEntropyLoss()).predict(X, batch_size=0), ValueError, "batch_size must be at least 1"),
    (lambda: Model(build(), CrossEntropyLoss()).predict(HOLED), ValueError, "finite"),
    (lambda: Model(build(), CrossEntropyLoss()).evaluate(X, Y[:3]), ValueError, "one length"),
    (lambda: EarlyStopping(patience=0), ValueError, "patience must be at least 1"),
    (lambda: EarlyStopping(min_delta=-1), ValueError, "min_delta"),
])
def test_other_bad_arguments(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("lr", [1e6, 1e30, 3e38])
def test_a_diverging_run_stops_with_finite_parameters(lr, data):
    model = Model(build(last=Identity, n_out=1), MSELoss(), SGD(lr))
    with pytest.raises(TrainingDiverged, match=r"in epoch \d+, step \d+, layer \d+; the last finite parameters were kept") as caught:
        model.fit(data[0] * 100, data[0][:, 0], epochs=20, batch_size=16, seed=0, progress=False)
    assert caught.value.epoch >= 1 and caught.value.step >= 1
    assert np.isfinite(model.network.theta).all()


# ---- files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [None, SGD(0.1), Momentum(0.1, 0.8, nesterov=True), Adam(0.01, weight_decay=0.1)], ids=repr)
def test_a_loaded_model_goes_on_bit_for_bit(optimizer, data, tmp_path):
    model = Model(build(), CrossEntropyLoss(), optimizer)
    if optimizer is not None:
        model.fit(*data, **FIT)
    model.save(tmp_path / "model.npz")
    twin = Model.load(tmp_path / "model.npz")
    assert repr(twin) == repr(model) and twin.network.summary() == model.network.summary()
    np.testing.assert_array_equal(twin.predict(data[0]), model.predict(data[0]))
    if optimizer is not None:
        for each in (model, twin):
            each.fit(*data, epochs=2, batch_size=16, seed=9, progress=False)
        np.testing.assert_array_equal(twin.network.theta, model.network.theta)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_files_keep_the_dtype_and_arguments(dtype, tmp_path):
    network = Sequential(DenseLayer(4, 3, LeakyReLU(0.3), initializer=He("uniform", alpha=0.3), dtype=dtype))
    Model(network, MSELoss()).save(tmp_path / "model")
    twin = Model.load(tmp_path / "model").network
    assert twin.dtype == dtype and repr(twin) == repr(network)
    np.testing.assert_array_equal(twin.theta, network.theta)


def test_a_schedule_cannot_be_saved_so_the_optimizer_is_left_out(data, tmp_path):
    model = Model(build(), CrossEntropyLoss(), SGD(lambda t: 0.1 / t))
    model.fit(*data, **FIT)
    model.save(tmp_path / "model.npz")
    twin = Model.load(tmp_path / "model.npz")
    assert twin.optimizer is None
    np.testing.assert_array_equal(twin.network.theta, model.network.theta)


def test_saving_leaves_one_file_and_replaces_it(model, tmp_path):
    path = tmp_path / "model.npz"
    for value in (1.0, 2.0):
        model.network.theta = np.full(83, value)
        model.save(path)
        assert os.listdir(tmp_path) == ["model.npz"] and (Model.load(path).network.theta == value).all()


def test_a_save_that_fails_leaves_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    model.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    model.network.theta = np.zeros(83)
    with pytest.raises(OSError, match="No space left"):
        model.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["model.npz"]
    monkeypatch.setattr(os, "unlink", lambda path: (_ for _ in ()).throw(PermissionError(13, "Not yours")))
    with pytest.raises(OSError, match="No space left"):  # not what went wrong after it
        model.save(path)


def test_load_parameters_needs_the_same_architecture(model, tmp_path):
    path = tmp_path / "model.npz"
    model.save(path)
    twin = Model(build(seed=5), CrossEntropyLoss())
    twin.load_parameters(path)
    np.testing.assert_array_equal(twin.network.theta, model.network.theta)
    other = Model(Sequential(DenseLayer(4, 3, Softmax(), rng=0)), CrossEntropyLoss())
    before = other.network.theta.copy()
    with pytest.raises(ModelFileError, match="another architecture"):
        other.load_parameters(path)
    np.testing.assert_array_equal(other.network.theta, before)
    with pytest.raises(ModelFileError, match="another architecture"):  # the same shapes, another function
        Model(build(last=Sigmoid), MSELoss()).load_parameters(path)
    bare = Model(Sequential(DenseLayer(4, 3), Pass()), MSELoss())
    bare.save(path)
    bare.load_parameters(path)


def rewritten(path, change):
    """The model file at `path` with its arrays changed."""
    with np.load(path) as archive:
        arrays = dict(archive)
    config = json.loads(arrays["config"].tobytes())
    change(config, arrays)
    arrays["config"] = np.frombuffer(json.dumps(config).encode(), np.uint8)
    np.savez(path, **arrays)


@pytest.mark.parametrize("change", [
    lambda c, a: c.update(format="something else"), lambda c, a: c.update(version=99), lambda c, a: c.pop("network"),
    lambda c, a: a.pop("theta"), lambda c, a: a.update(theta=a["theta"][:5]), lambda c, a: a.update(theta=a["theta"] * np.nan),
    lambda c, a: a.update(theta=a["theta"].astype(np.float64)), lambda c, a: c["network"]["layers"][0].update(kind="Gadget"),
    lambda c, a: c["network"]["layers"][0].update(n_out=7), lambda c, a: c["network"]["layers"][0].update(unknown=1),
    lambda c, a: c["loss"].update(kind="Adam"), lambda c, a: c["optimizer"].update(lr=-1), lambda c, a: c["optimizer"].pop("t"),
    lambda c, a: c["network"].update(layers=[]), lambda c, a: c.update(network=3),
])
def test_files_that_describe_no_model(model, data, tmp_path, change):
    path = tmp_path / "model.npz"
    model.fit(*data, **FIT)
    model.save(path)
    rewritten(path, change)
    with pytest.raises(ModelFileError, match=r"model\.npz"):
        Model.load(path)


def test_files_that_are_damaged_or_something_else(model, tmp_path):
    path = tmp_path / "model.npz"
    model.save(path)
    whole = path.read_bytes()
    for broken in (b"", b"PK", whole[:100], whole[:-30], b"hello" * 99, whole.replace(b"nnbook model", b"nnbook mode1")):
        path.write_bytes(broken)
        with pytest.raises(ModelFileError):
            Model.load(path)
    np.savez(path, config=np.array([object()], dtype=object))
    with pytest.raises(ModelFileError):
        Model.load(path)
    with pytest.raises(FileNotFoundError):
        Model.load(tmp_path / "nothing.npz")


def test_a_file_without_its_description_says_what_is_missing(tmp_path):
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    with pytest.raises(ModelFileError, match=r"other\.npz is no model file of nnbook: it has no 'config'"):
        Model.load(tmp_path / "other.npz")


@pytest.mark.parametrize("write", [
    lambda model, data, path: model.save(path),
    lambda model, data, path: model.fit(*data, **FIT, callbacks=[SaveBest(path, "loss")]),
    lambda model, data, path: model.fit(*data, **FIT, checkpoint=path),
], ids=["save", "SaveBest", "checkpoint"])
def test_places_that_cannot_be_written_are_refused_before_training(model, data, tmp_path, write):
    model.fit(*data, **FIT)
    before, history = model.network.theta.copy(), model.history
    with pytest.raises(FileNotFoundError, match=f"there is no folder {tmp_path / 'missing'}$"):
        write(model, data, tmp_path / "missing" / "model.npz")
    with pytest.raises(IsADirectoryError, match="path must name a file, got"):
        write(model, data, tmp_path)
    assert np.array_equal(model.network.theta, before) and model.history is history
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_not_in_the_history_is_refused_with_those_that_are(model, data):
    assert "loss" not in History() and History().get("loss") is None
    with pytest.raises(KeyError, match="name must be one of none yet, got 'loss'"):
        History()["loss"]
    history = model.fit(*data, **FIT)
    with pytest.raises(KeyError, match="name must be one of loss, accuracy, got 'val_loss'"):
        history["val_loss"]
