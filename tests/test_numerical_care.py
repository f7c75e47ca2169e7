"""Overflow, underflow and NaN: what is finite stays finite, and what can't be is never passed over in silence.

Not silent is an error of the package, or NumPy's RuntimeWarning, which pytest turns into an error here. `fit`,
`evaluate`, `predict` and `cost` go further: no warning escapes them, and they say where it happened.
"""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnbook import (
    SELU,
    SGD,
    Adam,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    DenseLayer,
    EarlyStopping,
    He,
    Identity,
    LeakyReLU,
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
    numerical_gradient,
    r2_score,
    relative_error,
)
from nnbook.core import activations

nan, inf = float("nan"), float("inf")
EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)
DTYPES = [np.float32, np.float64]
ACTIVATIONS = {name: getattr(activations, name) for name in activations.__all__ if name != "Activation"}




# ---- activations: finite everywhere, and right at the ends ---------------------------------------


def magnitudes(dtype):
    info = np.finfo(dtype)
    sizes = np.array([0, info.smallest_subnormal, info.tiny, info.eps, 1e-3, 0.5, 1, 10, 80, 100, 710, 1e4, 1e10, np.sqrt(info.max), info.max / 4], dtype)
    return np.concatenate([-sizes[::-1], sizes])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_finite_over_the_whole_range(name, dtype):
    activation, Z = ACTIVATIONS[name](), magnitudes(dtype)
    A = activation.forward(Z)
    dZ = activation.backward(np.ones_like(Z))
    assert np.isfinite(A).all() and np.isfinite(dZ).all() and A.dtype == dZ.dtype == dtype
    assert (np.abs(dZ) <= 1.76).all()  # no derivative is larger than SELU's λα


def test_activations_at_the_ends():
    for dtype in DTYPES:
        big = np.array([np.finfo(dtype).max], dtype)
        assert Sigmoid().forward(big) == 1 and Sigmoid().forward(-big) == 0
        assert Tanh().forward(big) == 1 and Tanh().forward(-big) == -1
        assert ReLU().forward(big) == big and ReLU().forward(-big) == 0
        assert SELU().forward(-big)[0] == pytest.approx(-1.7580993, rel=1e-6)
        tiny = np.array([np.finfo(dtype).tiny * 4], dtype)
        for activation in (Tanh(), SELU(), Identity(), ReLU(), LeakyReLU()):  # small numbers are not lost
            assert activation.forward(tiny)[0] == pytest.approx(tiny[0] * (1.0507009873554805 if isinstance(activation, SELU) else 1), rel=1e-6)
        low = np.array([-30.0], dtype)
        assert Sigmoid().forward(low)[0] == pytest.approx(math.exp(-30), rel=1e-5)
        sigmoid = Sigmoid()
        sigmoid.forward(low)
        assert sigmoid.backward(np.ones(1))[0] == pytest.approx(math.exp(-30), rel=1e-5)
        np.testing.assert_allclose(Softmax().forward(np.array([[0, -60.0]], dtype))[0, 1], math.exp(-60), rtol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_of_scores_further_apart_than_the_range(dtype):
    largest = np.finfo(dtype).max
    Z = np.array([[largest, -largest, 0]], dtype)
    np.testing.assert_array_equal(Softmax().forward(Z), [[1, 0, 0]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_of_scores_further_apart_than_the_range(dtype):
    largest = np.finfo(dtype).max
    assert CrossEntropyLoss().forward(np.array([[largest, -largest]], dtype), [0], logits=True) == 0


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_is_handed_on(name):
    Z = np.array([[1.0, nan, -1.0]])
    A = ACTIVATIONS[name]().forward(Z)
    assert np.isnan(A[0, 1])
    layer = DenseLayer(3, 2, ACTIVATIONS[name](), rng=0)
    assert np.isnan(layer.forward(Z)).all()


# ---- losses --------------------------------------------------------------------------------------


@EXAMPLES
@given(st.sampled_from(DTYPES), st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=5), st.integers(0, 4))
def test_cross_entropy_of_logits_keeps_its_digits(dtype, row, target):
    """Against exact sums in Python's own floats, relative to the largest score."""
    Z, target = np.array([row], dtype), target % len(row)
    exact = [float(z) for z in Z[0]]
    top = max(exact)
    expected = top - exact[target] + math.log(math.fsum(math.exp(z - top) for z in exact))
    J = CrossEntropyLoss().forward(Z, [target], logits=True)
    assert J == pytest.approx(expected, rel=10 * float(np.finfo(dtype).eps), abs=10 * float(np.finfo(dtype).eps))
    terms = [max(z, 0) - z * (i == target) + math.log1p(math.exp(-abs(z))) for i, z in enumerate(exact)]
    J = BinaryCrossEntropyLoss().forward(Z, np.eye(len(row))[[target]], logits=True)
    assert J == pytest.approx(math.fsum(terms) / len(row), rel=20 * float(np.finfo(dtype).eps), abs=20 * float(np.finfo(dtype).tiny))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0, 5e-324, 1e-45, 1e-40, 1e-38, 1e-30, 0.5, 1])
def test_entropies_of_vanishing_probabilities(p, dtype):
    A = np.array([[p, 1 - p]], dtype)
    for loss, target in ((CrossEntropyLoss(), [0]), (CrossEntropyLoss(), [1]), (BinaryCrossEntropyLoss(), [[1, 0]]), (BinaryCrossEntropyLoss(), [[0, 1]])):
        J = loss.forward(A, target)
        assert 0 <= J < 800 and np.isfinite(loss.backward()).all()


@pytest.mark.parametrize("bad", [nan, inf, -inf])
@pytest.mark.parametrize(("loss", "logits"), [(MSELoss, False), (CrossEntropyLoss, True), (BinaryCrossEntropyLoss, True)])
def test_a_loss_of_what_is_not_finite_is_not_finite(loss, logits, bad):
    with np.errstate(all="ignore"):
        J = loss().forward([[0.5, bad, 0.1]], [[0.0, 0.0, 1.0]], logits=logits)
    # e^−∞ is 0: a score of −∞ says "never", and the loss of a class that did not occur stays finite
    assert not math.isfinite(J) or (bad == -inf and loss is not MSELoss)


# ---- layers and networks: no overflow in silence -------------------------------------------------


def loud(function):
    """Run `function`; an overflow in it must be an error, be it the package's or NumPy's warning."""
    with pytest.raises((ArithmeticError, ValueError, RuntimeWarning)):
        function()


def test_overflow_in_the_parts_is_loud():
    big = np.full((2, 3), 3e38, np.float32)
    with np.errstate(all="ignore"):  # whether a matrix product warns is its library's affair; it is not finite
        assert not np.isfinite(DenseLayer(3, 2, rng=0).forward(big)).all()
    loud(lambda: MSELoss().forward(big, -big))
    selu = SELU()
    selu.forward(big / 4)
    loud(lambda: selu.backward(big * np.float32(1.1)))
    loud(lambda: Adam().step(np.ones(2, np.float32), np.full(2, 1e20, np.float32)))


def test_changing_to_a_narrower_type_is_loud():
    network = Sequential(DenseLayer(2, 2, rng=0, dtype=np.float64))
    network.theta = np.full(6, 1e300)
    loud(lambda: network.astype(np.float32))


def model(loss=MSELoss, last=Identity, lr=0.01, optimizer=SGD, dtype=np.float32, depth=3):
    rng = np.random.default_rng(0)
    widths = [3] + [4] * (depth - 1) + [2]
    layers = [DenseLayer(n_in, n_out, Tanh() if l < depth else last(), rng=rng, dtype=dtype) for l, (n_in, n_out) in enumerate(zip(widths, widths[1:]), 1)]
    return Model(Sequential(*layers), loss(), optimizer(lr))


X = np.random.default_rng(1).normal(size=(12, 3))
Y = np.random.default_rng(2).normal(size=(12, 2))
TOO_LARGE = np.full((4, 3), 3e38, np.float32)


@pytest.mark.parametrize("call", [
    lambda m: m.predict(TOO_LARGE), lambda m: m.evaluate(TOO_LARGE, [0, 1, 1, 0]), lambda m: m.cost(TOO_LARGE, [0, 1, 1, 0]), lambda m: m.cost_and_gradient(TOO_LARGE, [0, 1, 1, 0]),
    lambda m: m.predict_classes(TOO_LARGE)], ids=["predict", "evaluate", "cost", "cost_and_gradient", "predict_classes"])
def test_a_model_names_the_layer_that_overflows(call):
    made = model(CrossEntropyLoss, Softmax)
    made.network[0].W = np.ones((3, 4))
    made.network[0].activation = Identity()
    with pytest.raises(ArithmeticError, match="layer 1"):
        call(made)


# ---- fit: where, and what is left ----------------------------------------------------------------


def diverge(made, X=X, Y=Y, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TrainingDiverged) as caught:
            made.fit(X, Y, **{"epochs": 50, "batch_size": 4, "seed": 0, "progress": False, **more})
    return caught.value


RUNAWAYS = {
    "a wild rate": lambda: model(lr=1e6),
    "momentum": lambda: model(lr=1e5, optimizer=Momentum),
    "a rate beyond float32": lambda: model(lr=3e38),
    "Adam": lambda: model(lr=1e37, optimizer=Adam),
    "float64": lambda: model(lr=1e200, dtype=np.float64),
    "linear": lambda: Model(Sequential(DenseLayer(3, 4, rng=0), DenseLayer(4, 2, rng=1)), MSELoss(), SGD(10.0)),
    "deep": lambda: Model(Sequential(*(DenseLayer(n, k, LeakyReLU(0.5), rng=n + k) for n, k in ((3, 8), (8, 8), (8, 8), (8, 2)))), MSELoss(), SGD(10.0)),
}


@pytest.mark.parametrize("make", RUNAWAYS.values(), ids=RUNAWAYS.keys())
def test_fit_stops_without_a_warning_and_says_what_to_do(make):
    made = make()
    error = diverge(made, Y=Y * 10)
    assert error.epoch >= 1 and 1 <= error.step <= 3
    assert f"epoch {error.epoch}, step {error.step}" in str(error)
    assert "learning rate" in str(error) and "standardi" in str(error)
    assert np.isfinite(made.network.theta).all()
    assert made.history.epochs == error.epoch - 1
    assert all(math.isfinite(value) for values in made.history.values() for value in values)


@pytest.mark.parametrize("make", RUNAWAYS.values(), ids=RUNAWAYS.keys())
def test_fit_names_the_layer(make):
    made = make()
    error = diverge(made, Y=Y * 10)
    assert 1 <= error.layer <= len(made.network)
    assert f"layer {error.layer}" in str(error)


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_fit_names_the_layer_that_broke_first(broken):
    layers = [DenseLayer(3, 3, rng=l) for l in range(3)]
    layers[broken - 1].W = np.full((3, 3), 1e38)
    for l in range(broken, 3):
        layers[l].W = np.full((3, 3), 1e-30)
    error = diverge(Model(Sequential(*layers), MSELoss(), SGD(1e-3)), X=np.full((4, 3), 10.0), Y=np.zeros((4, 3)))
    assert (error.epoch, error.step, error.layer) == (1, 1, broken)


def test_a_gradient_that_overflows_while_the_loss_is_finite():
    made = Model(Sequential(DenseLayer(3, 2, rng=0)), MSELoss(), SGD(1e-3))
    made.network[0].W = np.zeros((3, 2))
    before = made.network.theta.copy()
    error = diverge(made, X=np.full((4, 3), 1e21), Y=np.full((4, 2), 1e18))
    assert (error.epoch, error.step, error.layer) == (1, 1, 1)
    assert str(error).startswith("the gradient became infinite or NaN in epoch 1, step 1, layer 1;")
    np.testing.assert_array_equal(made.network.theta, before)


class Faulty(Identity):
    """Its derivative fails from the fifth step on."""

    calls = 0

    def backward(self, dA):
        self.calls += 1
        return dA * np.float32(nan if self.calls >= 5 else 1)


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_fit_names_the_layer_that_breaks_on_the_way_back(broken):
    made = Model(Sequential(*(DenseLayer(3, 3, Faulty() if l == broken else Tanh(), rng=l) for l in (1, 2, 3))), MSELoss(), SGD(1e-3))
    error = diverge(made, Y=X)
    assert (error.epoch, error.step, error.layer) == (2, 2, broken)  # three steps an epoch
    assert "gradient" in str(error) and np.isfinite(made.network.theta).all()


def test_the_first_step_of_a_runaway_is_found():
    made = model(lr=0.01)
    made.network[2].W = np.full((4, 2), 3e38)
    before = made.network.theta.copy()
    error = diverge(made)
    assert (error.epoch, error.step) == (1, 1)
    np.testing.assert_array_equal(made.network.theta, before)


def test_the_parameters_kept_are_the_last_finite_ones():
    class Bomb(SGD):
        def update(self, theta, grad, lr):
            theta -= lr * grad
            seen.append(theta.copy())
            if self.t == 5:
                theta[0] = inf

    seen = []
    made = model(optimizer=Bomb, lr=0.01)
    error = diverge(made, batch_size=4)
    assert (error.epoch, error.step) == (2, 2)
    np.testing.assert_array_equal(made.network.theta, seen[3])


def test_parameters_that_overflow_behind_a_bounded_activation_are_found_at_that_step():
    made = model(lr=0.01)
    made.optimizer = SGD(lambda t: 0.01 if t < 2 else 3.3e38)
    assert (diverge(made, epochs=1, batch_size=1).step) == 2


def test_gradients_whose_squares_overflow_are_not_silent(tmp_path):
    made = Model(Sequential(DenseLayer(3, 2, rng=0)), MSELoss(), Adam(0.01))
    before = made.network.theta.copy()
    try:
        made.fit(X * 1e9, Y * 1e12, epochs=3, batch_size=4, seed=0, progress=False)
    except TrainingDiverged:
        pass
    else:
        assert not np.array_equal(made.network.theta, before), "three epochs, no step, and no word"
    made.save(tmp_path / "model")
    Model.load(tmp_path / "model")


@pytest.mark.parametrize("optimizer", [SGD, Momentum, Adam])
def test_a_model_can_go_on_after_it_diverged(optimizer, tmp_path):
    made = Model(Sequential(DenseLayer(3, 4, rng=0), DenseLayer(4, 2, rng=1)), MSELoss(), optimizer(1e30))
    before = made.network.theta.copy()
    diverge(made, Y=Y * 10)
    made.save(tmp_path / "model")
    again = Model.load(tmp_path / "model")
    again.network.theta = before
    again.optimizer = optimizer(1e-3)
    history = again.fit(X, Y, epochs=3, batch_size=4, seed=0, progress=False)
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("callbacks", [[], [EarlyStopping()]], ids=["alone", "early stopping"])
def test_a_validation_loss_that_is_not_finite_stops_the_training(callbacks):
    made = Model(Sequential(DenseLayer(3, 2, rng=0)), MSELoss(), SGD(0.01))
    error = diverge(made, validation_data=(np.full((2, 3), 1e30), Y[:2]), callbacks=callbacks)
    assert error.epoch == 1 and "validation" in str(error)


@EXAMPLES
@given(st.sampled_from(list(RUNAWAYS)), st.floats(-40, 38), st.integers(0, 100))
def test_no_rate_makes_fit_lose_its_finite_parameters(name, exponent, seed):
    made = RUNAWAYS[name]()
    made.optimizer.lr = 10.0**exponent
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            history = made.fit(X, Y, epochs=2, batch_size=5, seed=seed, progress=False)
            assert all(math.isfinite(value) for value in history["loss"])
        except TrainingDiverged:
            pass
    assert np.isfinite(made.network.theta).all()


# ---- optimizers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [0, 1e-45, 1e-38, 1e-25, 1e-20, 1e-10, 1, 1e10, 1e15])
@pytest.mark.parametrize("make", [lambda: SGD(0.1), lambda: Momentum(0.1), lambda: Adam(0.1), lambda: Adam(0.1, 0, 0), lambda: Adam(0.1, 0.9, 0.999999)])
def test_steps_are_finite_for_gradients_of_any_ordinary_size(make, size, dtype):
    optimizer, theta, grad = make(), np.zeros(2, dtype), np.array([size, -size], dtype)
    for _ in range(30):
        optimizer.step(theta, grad)
        assert np.isfinite(theta).all() and all(np.isfinite(vector).all() for vector in optimizer.state.values())
    assert theta[0] == -theta[1] and theta[0] <= 0
    if isinstance(optimizer, Adam):
        assert abs(theta[0]) <= 0.1 * 30 * 1.001
        if size >= 1e-5:  # far above ε
            assert theta[0] == pytest.approx(-3, rel=1e-3)


def test_adam_after_very_many_steps():
    """β^t underflows to 0, and the corrections become 1."""
    theta, optimizer = np.zeros(1), Adam(0.1)
    optimizer.t = 10**9
    optimizer.step(theta, np.ones(1))
    assert theta[0] == pytest.approx(-0.1 * 0.1 / math.sqrt(0.001), rel=1e-6)


# ---- the rest ------------------------------------------------------------------------------------


@pytest.mark.parametrize("initializer", [He, Xavier, LeCun])
def test_weights_of_the_widest_layers_are_finite(initializer):
    for n_in, n_out in ((1, 1), (100_000, 1), (1, 100_000)):
        W = initializer("normal")(n_in, n_out, rng=0)
        assert np.isfinite(W).all() and (W.std() > 0 or W.size == 1)


@pytest.mark.parametrize(("dtype", "low", "high"), [
    (np.float32, 0, 1e-45), (np.float32, 1e-45, 3e-45), (np.float32, -1e38, 1e38), (np.float32, 0, 1e-30), (np.float64, 0, 1e-200), (np.float64, 0, 5e-324),
    (np.float64, -1e200, 1e200), (np.float64, -1e308, 1e308), (np.float64, 1e200, 1.5e200), (np.float64, 0, 1e-150),
])
def test_standardizer_over_the_whole_range(dtype, low, high):
    column = np.array([[low], [high]], dtype)
    U = Standardizer().fit(column).transform(column)
    assert np.isfinite(U).all() and U[0] <= U[1]
    if high - low > np.finfo(dtype).tiny * 1e3 and high - low < np.finfo(dtype).max:
        np.testing.assert_allclose(U, [[-1], [1]], rtol=1e-5)


@pytest.mark.parametrize(("a", "b", "expected"), [([1e308], [-1e308], 2.0), ([5e-324], [0.0], 1.0), ([1e-320], [1e-320], 0.0), ([0.0], [-0.0], 0.0), ([1e300, 1.0], [1e300, 2.0], 1e-300)])
def test_relative_error_over_the_whole_range(a, b, expected):
    assert relative_error(a, b) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(("a", "b"), [([nan], [1.0]), ([1.0], [nan]), ([inf], [1.0]), ([inf], [inf]), ([inf], [-inf])])
def test_relative_error_of_what_is_not_finite_is_no_agreement(a, b):
    error = relative_error(a, b)
    assert math.isnan(error) or error == inf


@pytest.mark.parametrize("scale", [1e-300, 1e-155, 1.0, 1e155, 1e300])
def test_r2_does_not_depend_on_the_unit(scale):
    true, pred = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.5, 3.0])
    assert r2_score(scale * true, scale * pred) == pytest.approx(r2_score(true, pred), rel=1e-9)


@pytest.mark.parametrize("x", [0.0, 1e-300, 1e-10, 1.0, 1e10, 1e100, 1e300])
def test_numerical_gradient_over_the_whole_range(x):
    assert numerical_gradient(lambda v: float(3 * v[0]), [x])[0] == pytest.approx(3, rel=1e-9)


def test_no_warning_escapes_an_ordinary_run():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for loss, last in ((CrossEntropyLoss, Softmax), (BinaryCrossEntropyLoss, Sigmoid), (MSELoss, Identity)):
            for dtype in DTYPES:
                made = model(loss, last, 0.05, Adam, dtype)
                made.fit(X * 1e4, (Y > 0).argmax(axis=1) if loss is CrossEntropyLoss else (Y > 0), epochs=5, batch_size=5, seed=0, validation_split=0.3, progress=False)
                made.predict(X * 1e4)


def test_a_runtime_warning_is_an_error_in_every_test():
    with pytest.raises(RuntimeWarning, match="overflow"):
        np.float32(3e38) * np.float32(10)
    with pytest.raises(RuntimeWarning, match="invalid"):
        np.array([inf]) - np.array([inf])
