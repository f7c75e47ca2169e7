"""What must hold for every input, tried on inputs that Hypothesis thinks of."""

import contextlib
import copy
import pickle
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnbook import (
    SGD,
    Adam,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    DenseLayer,
    EarlyStopping,
    He,
    LeCun,
    Model,
    Momentum,
    MSELoss,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Standardizer,
    Tanh,
    TrainingDiverged,
    Xavier,
    batches,
    gradient_check_model,
    one_hot,
    shuffle,
    train_test_split,
)
from nnbook.core import Layer, Loss, Optimizer, activations
from nnbook.examples import mnist, regression, spiral, xor
from nnbook.utils.data_utils import evenly_spread, quotas

settings.register_profile("book", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
BOOK = settings.get_profile("book")
FEW = settings(BOOK, max_examples=25)

ACTIVATIONS = {name: getattr(activations, name) for name in activations.__all__ if name != "Activation"}
HIDDEN = st.sampled_from(list(ACTIVATIONS))
DTYPES = st.sampled_from([np.float32, np.float64])
SEEDS = st.integers(0, 2**32 - 1)
ENDS = st.sampled_from([(CrossEntropyLoss, "Softmax"), (CrossEntropyLoss, "Sigmoid"), (BinaryCrossEntropyLoss, "Sigmoid"), (BinaryCrossEntropyLoss, "Softmax"),
                        (MSELoss, "Identity"), (MSELoss, "Tanh"), (MSELoss, "SELU")])



def numbers(dtype, shape, largest=10.0):
    width = np.dtype(dtype).itemsize * 8
    return hnp.arrays(dtype, shape, elements=st.floats(-largest, largest, width=width, allow_subnormal=False))


@st.composite
def tables(draw, largest=10.0, rows=(1, 8), columns=(1, 6), dtype=None):
    dtype = dtype or draw(DTYPES)
    return draw(numbers(dtype, (draw(st.integers(*rows)), draw(st.integers(*columns))), largest))


@st.composite
def models(draw, dtype=None, optimizer=None):
    """A model, with examples and targets that fit it."""
    dtype, (loss, last), rng = dtype or draw(DTYPES), draw(ENDS), np.random.default_rng(draw(SEEDS))
    widths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)) + [draw(st.integers(2, 4))]
    names = [draw(HIDDEN) for _ in widths[2:]] + [last]
    network = Sequential(*(DenseLayer(n_in, n_out, ACTIVATIONS[name](), rng=rng, dtype=dtype) for n_in, n_out, name in zip(widths, widths[1:], names)))
    m = draw(st.integers(1, 9))
    X = rng.normal(size=(m, widths[0])).astype(dtype)
    Y = np.eye(widths[-1])[rng.integers(0, widths[-1], m)] if loss is CrossEntropyLoss else rng.uniform(size=(m, widths[-1]))
    return Model(network, loss(), optimizer() if optimizer else None), X, Y.astype(dtype)


def close(a, b, tolerance=None):
    a, b = np.asarray(a), np.asarray(b)
    scale = max(1.0, float(np.abs(a).max(initial=0)))
    assert np.abs(a - b).max(initial=0) <= (tolerance or (1e-4 if a.dtype == np.float32 else 1e-12)) * scale


# ---- activations -------------------------------------------------------------------------------


@BOOK
@given(HIDDEN, hnp.array_shapes(min_dims=1, max_dims=4, max_side=4).flatmap(lambda shape: DTYPES.flatmap(lambda dtype: numbers(dtype, shape, 1e4))))
def test_an_activation_keeps_shape_dtype_and_argument(name, Z):
    activation, before = ACTIVATIONS[name](), Z.copy()
    A = activation.forward(Z)
    dZ = activation.backward(np.ones_like(A))
    assert A.shape == dZ.shape == Z.shape and A.dtype == dZ.dtype == Z.dtype
    assert np.isfinite(A).all() and np.isfinite(dZ).all()
    np.testing.assert_array_equal(Z, before)


@BOOK
@given(st.sampled_from([name for name in ACTIVATIONS if name != "Softmax"]), tables(1e4))
def test_an_elementwise_activation_grows_and_looks_at_one_number_at_a_time(name, Z):
    A = ACTIVATIONS[name]().forward(Z)
    order = np.argsort(Z, axis=None, kind="stable")
    steps = np.diff(A.ravel()[order])
    assert (steps >= -4 * np.finfo(Z.dtype).eps * np.abs(A.ravel()[order][1:])).all()
    np.testing.assert_allclose([ACTIVATIONS[name]().forward(z.reshape(1))[0] for z in Z.ravel()], A.ravel(), rtol=1e-6, atol=1e-30)


@BOOK
@given(tables(1e4), st.integers(-10_000, 10_000))
def test_softmax_rows_are_probabilities_that_a_shift_leaves(Z, shift):
    A = Softmax().forward(Z)
    assert (A >= 0).all() and (A <= 1).all()
    np.testing.assert_allclose(A.sum(axis=1), 1, rtol=10 * np.finfo(Z.dtype).eps)
    whole = np.round(Z)  # whole numbers are shifted without rounding
    np.testing.assert_array_equal(Softmax().forward(whole + np.array(shift, Z.dtype)), Softmax().forward(whole))
    np.testing.assert_allclose(Softmax().forward(Z[:, ::-1])[:, ::-1], A, rtol=10 * np.finfo(Z.dtype).eps)  # no class is special


@BOOK
@given(tables(50.0), SEEDS)
def test_the_signal_through_softmax_sums_to_zero(Z, seed):
    softmax = Softmax()
    softmax.forward(Z)
    dA = np.random.default_rng(seed).normal(size=Z.shape).astype(Z.dtype)
    assert (np.abs(softmax.backward(dA).sum(axis=1)) <= 20 * np.finfo(Z.dtype).eps * np.abs(dA).max()).all()


# ---- losses ------------------------------------------------------------------------------------


@BOOK
@given(tables(1e4, columns=(2, 6), dtype=np.float32), SEEDS)
def test_losses_of_logits_are_finite_and_not_negative(Z, seed):
    rng = np.random.default_rng(seed)
    for loss, Y in ((CrossEntropyLoss(), rng.integers(0, Z.shape[1], len(Z))), (BinaryCrossEntropyLoss(), rng.integers(0, 2, Z.shape))):
        J, dZ = loss.forward(Z, Y, logits=True), loss.backward()
        assert 0 <= J < np.inf and dZ.dtype == Z.dtype and np.isfinite(dZ).all() and (np.abs(dZ) <= 1).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("right", [0, 1])
def test_losses_at_the_very_ends(dtype, right):
    """Logits of ±1e4, and probabilities of exactly 0 and 1, on the right and on the wrong side."""
    Z = np.array([[1e4, -1e4]], dtype)
    A = np.array([[1, 0]], dtype)
    targets = np.eye(2)[[right]]
    for loss, target in ((CrossEntropyLoss(), [right]), (BinaryCrossEntropyLoss(), targets)):
        for given_, logits in ((Z, True), (A, False)):
            J, signal = loss.forward(given_, target, logits=logits), loss.backward()
            assert 0 <= J < np.inf and np.isfinite(signal).all() and signal.dtype == dtype
            assert J == pytest.approx(0, abs=1e-6) if right == 0 else J > 10
    assert MSELoss().forward(A, targets) == (0 if right == 0 else 1)


@BOOK
@given(st.integers(1, 6), st.integers(2, 5), DTYPES, SEEDS)
def test_losses_of_probabilities_are_finite_and_not_negative(m, n, dtype, seed):
    rng = np.random.default_rng(seed)
    A = rng.integers(0, 2, (m, n)) * rng.choice([1, 1, 1e-3, 1e-30, 1e-320], (m, n))
    A = A.astype(dtype)
    for loss, Y in ((CrossEntropyLoss(), rng.integers(0, n, m)), (BinaryCrossEntropyLoss(), rng.integers(0, 2, A.shape)), (MSELoss(), rng.normal(size=A.shape))):
        J = loss.forward(A, Y)
        assert 0 <= J < np.inf and np.isfinite(loss.backward()).all() and loss.backward().dtype == dtype


@BOOK
@given(tables(1e3, columns=(2, 5)), SEEDS)
def test_integer_classes_and_one_hot_rows_say_the_same(Z, seed):
    c = np.random.default_rng(seed).integers(0, Z.shape[1], len(Z))
    one, other = CrossEntropyLoss(), CrossEntropyLoss()
    assert one.forward(Z, c, logits=True) == other.forward(Z, one_hot(c, Z.shape[1]), logits=True)
    np.testing.assert_array_equal(one.backward(), other.backward())


@BOOK
@given(tables(20.0, columns=(2, 5), dtype=np.float64), SEEDS)
def test_the_fused_gradient_is_the_product_of_the_two(Z, seed):
    rng = np.random.default_rng(seed)
    for loss, activation, Y in ((CrossEntropyLoss(), Softmax(), rng.integers(0, Z.shape[1], len(Z))), (BinaryCrossEntropyLoss(), Sigmoid(), rng.integers(0, 2, Z.shape))):
        J = loss.forward(Z, Y, logits=True)
        fused = loss.backward()
        apart = loss.forward(activation.forward(Z), Y)
        assert J == pytest.approx(apart, rel=1e-6, abs=1e-9)
        close(fused, activation.backward(loss.backward()), 1e-6)


# ---- networks ----------------------------------------------------------------------------------


@BOOK
@given(models())
def test_a_network_keeps_shape_and_dtype_and_takes_a_batch_of_one(problem):
    model, X, Y = problem
    network, dtype = model.network, model.network.dtype
    A = network.forward(X)
    dX = network.backward(np.ones_like(A))
    assert A.shape == (len(X), network.n_out) and dX.shape == X.shape
    assert {A.dtype, dX.dtype, network.theta.dtype, network.grad.dtype, model.predict(X).dtype} == {dtype}
    for i in range(len(X)):
        close(network.forward(X[i:i + 1])[0], A[i])
    J, _ = model.cost_and_gradient(X[:1], Y[:1])
    assert np.isfinite(J)


@FEW
@given(models())
def test_empty_axes_are_refused(problem):
    model, X, Y = problem
    for call in (lambda: model.predict(X[:0]), lambda: model.predict(X[:, :0]), lambda: model.evaluate(X[:0], Y[:0]), lambda: model.evaluate(X, Y[:, :0]),
                 lambda: model.network.forward(X[:0]), lambda: model.cost(X[:0], Y[:0])):
        with pytest.raises(ValueError):
            call()


@BOOK
@given(models(), SEEDS)
def test_permuting_the_examples_permutes_the_outputs_and_leaves_the_gradient(problem, seed):
    model, X, Y = problem
    order = np.random.default_rng(seed).permutation(len(X))
    close(model.predict(X[order]), model.predict(X)[order])
    J, gradient = model.cost_and_gradient(X, Y)
    gradient = gradient.copy()
    J_permuted, permuted = model.cost_and_gradient(X[order], Y[order])
    assert J_permuted == pytest.approx(J, rel=1e-5)
    close(gradient, permuted)


@BOOK
@given(models(dtype=np.float64), st.integers(1, 8))
def test_parts_of_a_batch_average_to_its_gradient(problem, cut):
    model, X, Y = problem
    m = len(X)
    assume(cut < m)
    J, whole = model.cost_and_gradient(X, Y)
    whole = whole.copy()
    J_left, left = model.cost_and_gradient(X[:cut], Y[:cut])
    left = left.copy()
    J_right, right = model.cost_and_gradient(X[cut:], Y[cut:])
    assert J == pytest.approx((cut * J_left + (m - cut) * J_right) / m, rel=1e-12)
    close(whole, (cut * left + (m - cut) * right) / m)


@BOOK
@given(models(dtype=np.float64))
def test_the_gradient_is_the_mean_of_those_of_single_examples(problem):
    model, X, Y = problem
    J, whole = model.cost_and_gradient(X, Y)
    whole, dX = whole.copy(), model.network.backward(model.loss.backward())
    alone = [(model.cost_and_gradient(x, y)[0], model.network.grad.copy(), model.network.backward(model.loss.backward()))
             for x, y in zip(X[:, None], Y[:, None])]
    assert J == pytest.approx(np.mean([J for J, *_ in alone]), rel=1e-12)
    close(whole, np.mean([grad for _, grad, _ in alone], axis=0))
    close(dX, np.concatenate([signal for *_, signal in alone]))  # a signal is of one example, and no mean


@BOOK
@given(models(dtype=np.float64), st.floats(-3, 3), st.floats(-3, 3), SEEDS)
def test_the_gradient_of_a_sum_is_the_sum_of_the_gradients(problem, a, b, seed):
    """Backward is linear: for two costs of one output, the signals may be added before or after."""
    network, X, rng = problem[0].network, problem[1], np.random.default_rng(seed)
    shape = network.forward(X).shape
    one, other = rng.normal(size=shape), rng.normal(size=shape)
    results = []
    for signal in (one, other, a * one + b * other):
        dX = network.backward(signal)
        results.append((network.grad.copy(), dX.copy()))
    for first, second, both in zip(*results):
        close(a * first + b * second, both, 1e-10)


@BOOK
@given(models(dtype=np.float64))
def test_backward_twice_is_the_same_and_logits_are_before_the_activation(problem):
    model, X, Y = problem
    model.cost_and_gradient(X, Y)
    first = model.network.grad.copy()
    model.cost_and_gradient(X, Y)
    np.testing.assert_array_equal(model.network.grad, first)
    Z = model.network.forward(X, logits=True)
    np.testing.assert_array_equal(copy.deepcopy(model.network[-1].activation).forward(Z), model.network.forward(X))


# ---- θ and the layers' views -------------------------------------------------------------------


def together(network):
    """θ and every view show the same numbers, in both directions."""
    for vector, views, parts in ((network.theta, network.params, "params"), (network.grad, network.grads, "grads")):
        assert vector.size == network.n_params == sum(view.size for view in views.values())
        flat = np.concatenate([view.ravel() for view in views.values()])
        np.testing.assert_array_equal(vector, flat)
        assert all(np.shares_memory(vector, view) for view in views.values())
        for l, layer in enumerate(network, 1):
            whole = layer.theta if parts == "params" else layer.grad
            assert np.shares_memory(vector, whole) and vector.dtype == whole.dtype == network.dtype
            for name, view in getattr(layer, parts).items():
                assert np.shares_memory(vector, view) and np.shares_memory(whole, view) and np.shares_memory(views[f"{name}{l}"], view)
        kept = vector.copy()
        vector[:] = np.arange(vector.size)
        np.testing.assert_array_equal(np.concatenate([view.ravel() for view in views.values()]), np.arange(vector.size))
        vector[:] = kept
    for layer in network:
        assert layer.W is layer.params["W"] and layer.dW is layer.grads["W"] and layer.b is layer.params["b"]


WAYS = {
    "deepcopy": copy.deepcopy, "copy": copy.copy, "pickle": lambda network: pickle.loads(pickle.dumps(network)),
    "astype": lambda network: network.astype(network.dtype), "to float64 and back": lambda network: network.astype(np.float64).astype(network.dtype),
    "the layers copied one by one": lambda network: Sequential(*map(copy.deepcopy, network)), "the layers pickled": lambda network: Sequential(*pickle.loads(pickle.dumps(network.layers))),
    "a copy of a copy": lambda network: copy.deepcopy(copy.copy(copy.deepcopy(network))),
}


@FEW
@given(models(), st.lists(st.sampled_from(list(WAYS)), min_size=1, max_size=3))
def test_theta_and_views_never_come_apart(problem, ways):
    model, X, Y = problem
    model.cost_and_gradient(X, Y)
    network = model.network
    for way in ways:
        twin = WAYS[way](network)
        together(twin)
        np.testing.assert_array_equal(twin.theta, network.theta)
        assert not np.shares_memory(twin.theta, network.theta) and not np.shares_memory(twin.grad, network.grad)
        np.testing.assert_array_equal(twin.forward(X), network.forward(X))
        network.theta = network.theta + 1
        assert not np.array_equal(twin.theta, network.theta)
        network = twin
    together(model.network)
    model.network.theta = np.zeros(model.network.n_params)
    model.network[0].W = np.ones_like(model.network[0].W)
    together(model.network)


@settings(FEW, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(models(optimizer=lambda: Adam(0.01)))
def test_theta_and_views_never_come_apart_in_a_training(tmp_path, problem):
    """Checkpoints, the best epoch put back, a divergence, a checked gradient: the vectors stay the same objects."""
    model, X, Y = problem
    theta, grad, path = model.network.theta, model.network.grad, tmp_path / "run.npz"
    path.unlink(missing_ok=True)
    for epochs in (2, 4):
        model.fit(X, Y, epochs=epochs, batch_size=3, seed=0, progress=False, callbacks=[EarlyStopping("loss", 1)], checkpoint=path, resume=True)
    together(model.network)
    gradient_check_model(model, X, Y, per_parameter=1)
    model.optimizer = SGD(1e30)
    with contextlib.suppress(TrainingDiverged):
        model.fit(X, Y, epochs=3, batch_size=3, seed=0, progress=False)
    together(model.network)
    assert model.network.theta is theta and model.network.grad is grad and np.isfinite(theta).all()


@settings(FEW, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(models(optimizer=lambda: Adam(0.01)))
def test_theta_and_views_never_come_apart_through_a_file(tmp_path, problem):
    model, X, Y = problem
    model.fit(X, Y, epochs=2, batch_size=3, seed=0, progress=False)
    model.save(tmp_path / "model")
    twin = Model.load(tmp_path / "model")
    together(twin.network)
    twin.load_parameters(tmp_path / "model")
    together(twin.network)
    np.testing.assert_array_equal(twin.network.theta, model.network.theta)
    one, other = (each.fit(X, Y, epochs=2, batch_size=3, seed=1, progress=False) for each in (model, twin))
    assert one == other
    np.testing.assert_array_equal(twin.network.theta, model.network.theta)
    for vector, expected in zip(twin.optimizer.state.values(), model.optimizer.state.values()):
        np.testing.assert_array_equal(vector, expected)
    for way in (copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), lambda model: model.astype(model.network.dtype)):
        together(way(model).network)


def _network():
    return Sequential(DenseLayer(3, 4, Tanh(), rng=0), DenseLayer(4, 2, rng=1))


def _by_name(what, name):
    def assign(network):
        getattr(network, what)[name] = np.ones_like(getattr(network, what)[name])
    return assign


def _of_layer(what, name):
    def assign(network):
        getattr(network[0], what)[name] = np.ones_like(getattr(network[0], what)[name])
    return assign


@pytest.mark.parametrize("assign", [
    lambda network: setattr(network, "theta", np.ones(26)), lambda network: setattr(network, "grad", np.ones(26)),
    lambda network: setattr(network[0], "theta", np.ones(16)), lambda network: setattr(network[0], "grad", np.ones(16)),
    lambda network: setattr(network[0], "W", np.ones((3, 4))), lambda network: setattr(network[0], "db", np.ones(4)),
    _by_name("params", "W1"), _by_name("grads", "b2"), _of_layer("params", "W"), _of_layer("grads", "b"),
], ids=["network.theta", "network.grad", "layer.theta", "layer.grad", "layer.W", "layer.db", "network.params", "network.grads", "layer.params", "layer.grads"])
def test_assigning_copies_or_is_refused(assign):
    network = _network()
    try:
        assign(network)
    except (AttributeError, TypeError):
        pass
    together(network)


def test_copies_of_a_layer_in_one_network_keep_their_own_activations():
    rng = np.random.default_rng(0)
    layer = DenseLayer(3, 3, Tanh(), rng=rng, dtype=np.float64)
    X, dY = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    expected = Sequential(copy.deepcopy(layer), copy.deepcopy(layer))
    network = Sequential(layer, copy.copy(layer))
    for each in (expected, network):
        each.forward(X)
        each.backward(dY)
    np.testing.assert_array_equal(network.grad, expected.grad)


# ---- randomness --------------------------------------------------------------------------------


def _random_everything(seed, optimizer):
    rng = np.random.default_rng(seed)
    X, c = rng.normal(size=(20, 3)), rng.integers(0, 3, 20)
    X, X_test, c, c_test = train_test_split(*shuffle(X, c, rng=seed), rng=seed, stratify=False)
    network = Sequential(DenseLayer(3, 5, ReLU(), He(), rng=rng), DenseLayer(5, 4, Tanh(), Xavier(), rng=rng), DenseLayer(4, 3, Softmax(), LeCun("uniform"), rng=rng))
    model = Model(network, CrossEntropyLoss(), optimizer())
    history = model.fit(X, c, epochs=3, batch_size=5, validation_split=0.25, seed=seed, progress=False)
    assert len(list(batches(X, c, 3, rng=seed))) == 6
    return [network.theta.tobytes(), dict(history), model.predict(X_test).tobytes(), c_test.tobytes(), pickle.dumps(model.optimizer.state)]


@FEW
@given(SEEDS, st.sampled_from([lambda: SGD(0.1), lambda: Momentum(0.1, nesterov=True), lambda: Adam(0.01, weight_decay=0.1)]))
def test_training_is_the_same_bits_for_a_seed_and_leaves_the_global_state_alone(seed, optimizer):
    before = pickle.dumps(np.random.get_state())
    first = _random_everything(seed, optimizer)
    np.random.seed(seed % 1000)
    moved = pickle.dumps(np.random.get_state())
    assert _random_everything(seed, optimizer) == first
    assert pickle.dumps(np.random.get_state()) == moved
    np.random.set_state(pickle.loads(before))


DRAWS = {
    "weights": lambda rng: He()(3, 2, rng), "a layer": lambda rng: DenseLayer(3, 2, rng=rng).W, "shuffle": lambda rng: shuffle(np.arange(9), rng=rng)[0],
    "batches": lambda rng: next(batches(np.arange(9), np.arange(9), 4, rng))[0], "a split": lambda rng: train_test_split(np.arange(9), np.arange(9), rng=rng)[0],
    "sin x": lambda rng: regression.make_sine(5, rng=rng)[0], "a spiral": lambda rng: spiral.make_spiral(5, rng=rng)[0],
    **{f"the network of {module.__name__}": lambda rng, module=module: module.build_network(rng).theta for module in (xor, spiral, regression, mnist)},
    "a gradient check": lambda rng: list(gradient_check_model(Model(regression.build_network(0, 4), MSELoss()), np.ones((2, 1)), np.ones((2, 1)), per_parameter=2, rng=rng).values()),
    "an experiment": lambda rng: xor.run(epochs=2, seed=rng, progress=False).model.network.theta,
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_whatever_draws_is_the_same_for_a_seed_and_leaves_the_global_states_alone(draw):
    np.random.seed(1)
    random.seed(1)
    before = pickle.dumps((np.random.get_state(), random.getstate()))
    first = np.asarray(draw(7)).tobytes()
    assert pickle.dumps((np.random.get_state(), random.getstate())) == before
    np.random.seed(2)
    assert np.asarray(draw(7)).tobytes() == first == np.asarray(draw(np.random.default_rng(7))).tobytes()


# ---- data --------------------------------------------------------------------------------------


@BOOK
@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(0, 5), DTYPES)
def test_one_hot_inverts(labels, more, dtype):
    n_classes = max(labels) + 1 + more
    Y = one_hot(labels, n_classes, dtype)
    assert Y.shape == (len(labels), n_classes) and Y.dtype == dtype and set(np.unique(Y)) <= {0, 1}
    np.testing.assert_array_equal(Y.argmax(axis=1), labels)
    np.testing.assert_array_equal(Y.sum(axis=1), 1)
    np.testing.assert_array_equal(CrossEntropyLoss().classes(Y), labels)


LABELLED = st.lists(st.integers(0, 4), min_size=2, max_size=40)


@st.composite
def splits(draw):
    labels = draw(LABELLED)
    return labels, draw(st.integers(1, len(labels) - 1)), draw(SEEDS), draw(st.booleans())


@BOOK
@given(splits())
def test_train_test_split_partitions(split):
    labels, n_test, seed, stratify = split
    ids, labels = np.arange(len(labels)), np.array(labels)
    train, test, c_train, c_test = train_test_split(ids, labels, test_size=n_test, rng=seed, stratify=stratify)
    assert len(test) == n_test and len(train) == len(ids) - n_test
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), ids)
    np.testing.assert_array_equal(c_train, labels[train])
    np.testing.assert_array_equal(c_test, labels[test])
    if stratify:
        for c in np.unique(labels):
            assert abs((c_test == c).sum() - n_test * (labels == c).mean()) < 1


@BOOK
@given(splits())
def test_stratifying_doesn_t_depend_on_how_the_classes_are_written(split):
    labels, n_test, seed, _ = split
    ids = np.arange(len(labels))
    by_class = train_test_split(ids, labels, test_size=n_test, rng=seed, stratify=True)[1]
    for spelling in (one_hot(labels, 5), np.array(labels, float), np.array(list("abcde"))[labels]):
        np.testing.assert_array_equal(train_test_split(ids, spelling, test_size=n_test, rng=seed, stratify=True)[1], by_class)


@BOOK
@given(splits())
def test_stratifying_by_a_column(split):
    labels, n_test, seed, _ = split
    ids = np.arange(len(labels))
    by_class = train_test_split(ids, labels, test_size=n_test, rng=seed, stratify=True)[1]
    np.testing.assert_array_equal(train_test_split(ids, np.array(labels)[:, None], test_size=n_test, rng=seed, stratify=True)[1], by_class)


@BOOK
@given(st.integers(1, 30), st.integers(1, 35), st.sampled_from([False, 0, 7, None]), st.booleans())
def test_batches_are_the_whole_once(m, batch_size, rng, drop_last):
    X, Y = np.arange(2 * m).reshape(m, 2), np.arange(m)
    parts = list(batches(X, Y, batch_size, rng, drop_last))
    seen = np.concatenate([y for _, y in parts]) if parts else np.array([], int)
    assert len(seen) == (m - m % batch_size if drop_last else m) == len(set(seen.tolist()))
    assert all(len(x) == len(y) == batch_size for x, y in parts[:-1])
    for x, y in parts:
        np.testing.assert_array_equal(x, X[y])
    if rng is False:
        np.testing.assert_array_equal(seen, Y[:len(seen)])


@BOOK
@given(st.integers(1, 30), SEEDS)
def test_shuffle_permutes_all_arrays_alike(m, seed):
    X, Y = shuffle(np.arange(3 * m).reshape(m, 3), np.arange(m), rng=seed)
    np.testing.assert_array_equal(np.sort(Y), np.arange(m))
    np.testing.assert_array_equal(X[:, 0], 3 * Y)


@BOOK
@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any), st.floats(0, 1))
def test_quotas_are_fair(counts, share):
    n = round(share * sum(counts))
    got = quotas(counts, n)
    assert got.sum() == n and (got >= 0).all() and (got <= counts).all()
    assert (np.abs(got - np.array(counts) * n / sum(counts)) < 1).all()


@BOOK
@given(LABELLED, st.floats(0.01, 1))
def test_evenly_spread_takes_each_example_at_most_once(labels, share):
    n = max(1, round(share * len(labels)))
    chosen = evenly_spread(labels, n)
    assert len(chosen) == len(set(chosen.tolist())) == n and 0 <= chosen.min() <= chosen.max() < len(labels)


@BOOK
@given(tables(1e6, rows=(2, 10)))
def test_standardised_columns_and_the_way_back(X):
    X = np.where(np.abs(X) < 1e-30, 0, X)  # the whole range: test_numerical_care.py
    scale = Standardizer().fit(X)
    U = scale.transform(X)
    eps = np.finfo(X.dtype).eps
    assert U.shape == X.shape and U.dtype == X.dtype and np.isfinite(U).all()
    resolved = scale.std > 1e3 * eps * np.abs(X).max(axis=0)
    constant = (X == X[0]).all(axis=0)
    assert np.abs(U.mean(axis=0, dtype=float)[resolved]).max(initial=0) < 0.01
    assert np.abs(U.std(axis=0, dtype=float)[resolved & ~constant] - 1).max(initial=0) < 0.01
    assert (U[:, constant] == 0).all()
    np.testing.assert_allclose(scale.inverse_transform(U), X, rtol=10 * eps, atol=10 * eps * np.abs(X).max(initial=1e-30))


# ---- optimizers --------------------------------------------------------------------------------


@BOOK
@given(st.sampled_from([lambda: SGD(0.1, 0.01), lambda: Momentum(0.1), lambda: Momentum(0.1, nesterov=True), lambda: Adam(0.1), lambda: Adam(0.1, weight_decay=0.2)]),
       DTYPES, st.integers(1, 20), st.integers(0, 20), SEEDS)
def test_a_rule_treats_every_coordinate_alike(make, dtype, n, cut, seed):
    """Two halves by two optimizers, or the whole by one: the same bits. And nothing outside is touched."""
    rng = np.random.default_rng(seed)
    cut = min(cut, n)
    theta, whole, left, right = rng.normal(size=n).astype(dtype), make(), make(), make()
    parts = theta.copy()
    for _ in range(4):
        grad = rng.normal(size=n).astype(dtype)
        kept = grad.copy()
        whole.step(theta, grad)
        left.step(parts[:cut], grad[:cut])
        right.step(parts[cut:], grad[cut:])
        np.testing.assert_array_equal(grad, kept)
    np.testing.assert_allclose(theta, parts, rtol=4 * np.finfo(dtype).eps)
    assert theta.dtype == dtype and whole.t == 4 and all(vector.dtype == dtype for vector in whole.state.values())


@BOOK
@given(st.floats(1e-3, 1e3), SEEDS)
def test_adam_does_not_see_the_size_of_the_gradient(size, seed):
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=5)
    scaled = theta.copy()
    one, other = Adam(0.1, eps=1e-300), Adam(0.1, eps=1e-300)
    for _ in range(5):
        grad = rng.normal(size=5)
        one.step(theta, grad)
        other.step(scaled, size * grad)
    np.testing.assert_allclose(scaled, theta, rtol=1e-9, atol=1e-12)


def test_the_base_classes_compute_nothing():
    layer = Layer(2, 3, {"W": (2, 3)})
    for call in (lambda: layer.forward(np.ones((1, 2))), lambda: layer.backward(np.ones((1, 3))),
                 lambda: Loss().per_example(np.ones((1, 1)), np.ones((1, 1))),
                 lambda: Optimizer(0.1).update(np.ones(1), np.ones(1), 0.1)):
        with pytest.raises(NotImplementedError):
            call()
