"""Chapter 2: the tool that checks gradients, checked; and with it every derivative there is."""

import contextlib
import copy
import io
import re

import numpy as np
import pytest

from nnbook.core import (
    SELU,
    Adam,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    DenseLayer,
    He,
    Identity,
    LeakyReLU,
    LeCun,
    MSELoss,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
    Xavier,
)
from nnbook.network import Model, Sequential
from nnbook.validation import (
    gradient_check_layer,
    gradient_check_model,
    numerical_gradient,
    relative_error,
)

LIMIT = 1e-7
ACTIVATIONS = [
    Identity(),
    ReLU(),
    LeakyReLU(),
    LeakyReLU(0.3),
    SELU(),
    Sigmoid(),
    Tanh(),
    Softmax(),
]
INITIALIZERS = [
    kind(distribution) for kind in (He, Xavier, LeCun) for distribution in ("normal", "uniform")
]


def says(error, message):
    return pytest.raises(error, match=re.escape(message))


def batch(n_in, n_out, m=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, n_in)), rng.normal(size=(m, n_out))


def biased(layer, seed=9):
    """`layer` with biases that are not zero."""
    layer.b = np.random.default_rng(seed).normal(size=layer.n_out)
    return layer


def printed(check, *args, **kwargs):
    """What `check` prints, and what it returns."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        result = check(*args, verbose=True, **kwargs)
    return out.getvalue(), result


# ---- the numerical gradient --------------------------------------------------------------------


def test_numerical_gradient_of_a_known_function():
    x = np.array([[0.3, -1.2, 2.0], [4.0, -0.5, 1.5]])
    found = numerical_gradient(lambda x: np.sum(np.sin(x) * x), x)
    np.testing.assert_allclose(found, np.cos(x) * x + np.sin(x), rtol=1e-8)
    assert found.shape == x.shape
    assert found.dtype == np.float64


def test_numerical_gradient_leaves_its_argument_alone():
    x = np.array([1.0, 2.0])
    seen = []
    numerical_gradient(lambda p: seen.append(p.copy()) or 0.0, x)
    assert x.tolist() == [1.0, 2.0]
    assert len(seen) == 4
    assert all((p != x).sum() == 1 for p in seen)


def test_numerical_gradient_takes_numbers_lists_and_float32():
    assert numerical_gradient(lambda x: x**2, 3).shape == ()
    np.testing.assert_allclose(numerical_gradient(lambda x: x**2, 3), 6)
    np.testing.assert_allclose(numerical_gradient(lambda x: x @ x, [1, 2]), [2, 4])
    found = numerical_gradient(lambda x: float(x @ x), np.array([1, 2], np.float32))
    np.testing.assert_allclose(found, [2, 4], rtol=1e-9)


def test_numerical_gradient_takes_any_memory_order():
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    C = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
    np.testing.assert_allclose(numerical_gradient(lambda x: np.sum(C * x), x), C, rtol=1e-9)


def test_the_step_grows_with_the_coordinate():
    large = 1e12
    np.testing.assert_allclose(
        numerical_gradient(lambda x: x[0] ** 2, [large]), [2 * large], rtol=1e-9
    )


def test_the_central_difference_is_of_second_order():
    errors = [abs(numerical_gradient(np.exp, 1.0, h=h) - np.exp(1.0)) for h in (1e-2, 1e-3)]
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.01)


def test_a_given_step_is_taken():
    seen = []
    numerical_gradient(lambda x: seen.append(float(x)) or 0.0, 1.0, h=0.25)
    assert seen == [1.25, 0.75]


def test_chosen_coordinates_only():
    found = numerical_gradient(
        lambda x: np.sum(x**2), np.ones((2, 3)), coordinates=np.array([1, 5])
    )
    np.testing.assert_allclose(found, [[0, 2, 0], [0, 0, 2]], atol=1e-9)


@pytest.mark.parametrize("h", [0, -1e-5, np.nan, np.inf])
def test_steps_that_are_no_steps_are_refused(h):
    with says(ValueError, "h must be a number in (0, inf)"):
        numerical_gradient(np.sum, [1.0], h=h)


def test_points_that_are_no_numbers_are_refused():
    with says(TypeError, "numerical_gradient expects x as an array of real numbers"):
        numerical_gradient(np.sum, ["a"])


# ---- the relative error ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 4], [1, 5], 0.2),
        ([1, -4], [1, 4], 2.0),
        ([0, 0], [0, 0], 0.0),
        ([0, 0], [0, 1e-12], 1.0),
        ([[3.0]], [[3.0]], 0.0),
        ([1e-8, 1], [2e-8, 1], 1e-8),
    ],
)
def test_relative_error(a, b, expected):
    assert relative_error(a, b) == pytest.approx(expected, rel=1e-9)
    assert relative_error(b, a) == relative_error(a, b)


def test_relative_error_is_computed_in_double_precision():
    a, b = np.float32([1e30, 1]), np.float32([1.1e30, 2])  # whose squares are no float32
    assert relative_error(a, b) == relative_error(a.astype(float), b.astype(float))
    assert 0.04 < relative_error(a, b) < 0.1


def test_the_step_near_zero_is_the_cube_root_of_the_rounding_error():
    seen = []
    numerical_gradient(lambda x: seen.append(float(x[0])) or float(x[0]), np.array([0.5]))
    assert max(seen) - 0.5 == pytest.approx(np.finfo(float).eps ** (1 / 3), rel=1e-6)


def test_relative_error_does_not_depend_on_the_scale():
    a, b = np.random.default_rng(0).normal(size=(2, 3, 4))
    assert relative_error(1e-30 * a, 1e-30 * b) == pytest.approx(relative_error(a, b))


@pytest.mark.parametrize("position", [0, 1])
def test_nan_is_never_agreement(position):
    a, b = np.ones(3), np.ones(3)
    (a, b)[position][1] = np.nan
    assert np.isnan(relative_error(a, b))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1, 2], [1], "relative_error expects arrays of one shape, got (2,) and (1,)"),
        ([[1, 2]], [1, 2], "relative_error expects arrays of one shape, got (1, 2) and (2,)"),
        ([], [], "relative_error expects at least one entry, got shape (0,)"),
    ],
)
def test_relative_error_refuses(a, b, message):
    with says(ValueError, message):
        relative_error(a, b)


# ---- every derivative of the package -----------------------------------------------------------


@pytest.mark.parametrize("initializer", INITIALIZERS, ids=repr)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_dense_layer(activation, initializer):
    layer = biased(DenseLayer(4, 3, activation, initializer, rng=1))
    errors = gradient_check_layer(layer, *batch(4, 3))
    assert set(errors) == {"W", "b", "X"}
    assert max(errors.values()) < LIMIT, errors


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("m", "n_in", "n_out"), [(1, 1, 1), (1, 4, 3), (6, 1, 5), (7, 5, 1)])
def test_dense_layer_of_every_shape(m, n_in, n_out, dtype):
    layer = biased(DenseLayer(n_in, n_out, Tanh(), rng=1, dtype=dtype))
    errors = gradient_check_layer(layer, *batch(n_in, n_out, m))
    assert max(errors.values()) < LIMIT, errors


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_a_network_is_checked_like_a_layer(activation):
    rng = np.random.default_rng(2)
    network = Sequential(DenseLayer(4, 5, activation, rng=rng), DenseLayer(5, 3, Tanh(), rng=rng))
    network.theta = rng.normal(size=network.n_params) / 2
    errors = gradient_check_layer(network, *batch(4, 3))
    assert set(errors) == {"W1", "b1", "W2", "b2", "X"}
    assert max(errors.values()) < LIMIT, errors


CLASSES = np.array([0, 2, 1, 2, 0])
SOFT = np.random.default_rng(5).dirichlet([1, 1, 1], size=5)
NUMBERS = np.random.default_rng(6).normal(size=(5, 3))
BITS = np.random.default_rng(7).integers(0, 2, size=(5, 3))
LOSSES = {
    "cross-entropy fused, classes": (CrossEntropyLoss(), Softmax(), CLASSES),
    "cross-entropy fused, one-hot": (CrossEntropyLoss(), Softmax(), np.eye(3)[CLASSES]),
    "cross-entropy fused, soft": (CrossEntropyLoss(), Softmax(), SOFT),
    "cross-entropy of sigmoids": (CrossEntropyLoss(), Sigmoid(), CLASSES),
    "binary fused": (BinaryCrossEntropyLoss(), Sigmoid(), BITS),
    "binary of softmax": (BinaryCrossEntropyLoss(), Softmax(), BITS),
    "squared error, identity": (MSELoss(), Identity(), NUMBERS),
    "squared error, tanh": (MSELoss(), Tanh(), NUMBERS),
    "squared error, softmax": (MSELoss(), Softmax(), NUMBERS),
}


def model_with(loss, activation, n_out=3, hidden=None):
    rng = np.random.default_rng(3)
    network = Sequential(
        DenseLayer(4, 6, hidden or Tanh(), rng=rng), DenseLayer(6, n_out, activation, rng=rng)
    )
    network.theta = rng.normal(size=network.n_params) / 2
    return Model(network, loss, Adam())


@pytest.mark.parametrize("case", LOSSES)
def test_every_loss_in_a_model(case):
    loss, activation, Y = LOSSES[case]
    model = model_with(loss, activation)
    assert model.fused == ("fused" in case)
    errors = gradient_check_model(model, batch(4, 3)[0], Y)
    assert set(errors) == {"W1", "b1", "W2", "b2"}
    assert max(errors.values()) < LIMIT, errors


@pytest.mark.parametrize("case", [name for name in LOSSES if "fused" in name])
def test_the_fused_gradient_is_the_one_of_the_two_steps(case):
    loss, activation, Y = LOSSES[case]
    fused = model_with(loss, activation).astype(np.float64)
    apart = copy.deepcopy(fused)
    apart.fused = False
    X = batch(4, 3)[0]
    assert fused.cost(X, Y) == pytest.approx(apart.cost(X, Y), rel=1e-12)
    assert (
        relative_error(fused.cost_and_gradient(X, Y)[1], apart.cost_and_gradient(X, Y)[1]) < 1e-12
    )
    assert max(gradient_check_model_apart(apart, X, Y).values()) < LIMIT


def gradient_check_model_apart(model, X, Y):
    """`gradient_check_model` for a model that is not to be fused: `astype` would fuse it again."""
    model.astype = lambda dtype: model
    return gradient_check_model(model, X, Y)


@pytest.mark.parametrize(
    ("loss", "Y", "logits"),
    [
        (CrossEntropyLoss(), CLASSES, True),
        (CrossEntropyLoss(), SOFT, False),
        (BinaryCrossEntropyLoss(), BITS, True),
        (BinaryCrossEntropyLoss(), BITS, False),
        (MSELoss(), NUMBERS, False),
    ],
    ids=lambda value: None if isinstance(value, np.ndarray) else str(value),
)
def test_every_loss_by_itself(loss, Y, logits):
    rng = np.random.default_rng(8)
    A = rng.normal(size=(5, 3)) if logits else rng.uniform(0.1, 0.9, size=(5, 3))
    loss.forward(A, Y, logits=logits)
    signal = loss.backward().copy()
    numeric = 5 * numerical_gradient(lambda A: loss.forward(A, Y, logits=logits), A)
    assert relative_error(signal, numeric) < LIMIT


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_every_hidden_activation_in_a_model(activation):
    model = model_with(CrossEntropyLoss(), Softmax(), hidden=activation)
    errors = gradient_check_model(model, batch(4, 3)[0], CLASSES)
    assert max(errors.values()) < LIMIT, errors


def test_single_output():
    model = model_with(BinaryCrossEntropyLoss(), Sigmoid(), n_out=1)
    errors = gradient_check_model(model, batch(4, 1)[0], [0, 1, 1, 0, 1])
    assert max(errors.values()) < LIMIT, errors


# ---- planted bugs are caught -------------------------------------------------------------------


class ForgotMean(DenseLayer):
    def backward(self, dY, *, want_dX=True):
        dX = super().backward(dY, want_dX=want_dX)
        self.grad *= len(dY)
        return dX


class MeanTwice(DenseLayer):
    def backward(self, dY, *, want_dX=True):
        return super().backward(dY, want_dX=want_dX) / len(dY)


class WrongSign(DenseLayer):
    def backward(self, dY, *, want_dX=True):
        dX = super().backward(dY, want_dX=want_dX)
        self.db = -self.db
        return dX


class Untransposed(DenseLayer):
    def backward(self, dY, *, want_dX=True):
        super().backward(dY, want_dX=want_dX)
        return self.activation.backward(dY) @ self.W


class TransposedGradient(DenseLayer):
    def backward(self, dY, *, want_dX=True):
        dX = super().backward(dY, want_dX=want_dX)
        self.dW = self.dW.T.copy()
        return dX


class NoActivation(DenseLayer):
    def backward(self, dY, *, want_dX=True):
        self.gave_logits = True
        return super().backward(dY, want_dX=want_dX)


class SumsUp(DenseLayer):
    def backward(self, dY, *, want_dX=True):
        before = self.dW.copy()
        dX = super().backward(dY, want_dX=want_dX)
        self.dW += before + 1e-3
        return dX


class OneEntry(DenseLayer):
    def backward(self, dY, *, want_dX=True):
        dX = super().backward(dY, want_dX=want_dX)
        self.dW[2, 1] *= 1 + 1e-3
        return dX


class NotANumber(DenseLayer):
    def backward(self, dY, *, want_dX=True):
        dX = super().backward(dY, want_dX=want_dX)
        self.grads["b"][0] = np.nan
        return dX


BUGS = {
    ForgotMean: {"W", "b"},
    MeanTwice: {"X"},
    WrongSign: {"b"},
    Untransposed: {"X"},
    TransposedGradient: {"W"},
    NoActivation: {"W", "b", "X"},
    SumsUp: {"W"},
    OneEntry: {"W"},
    NotANumber: {"b"},
}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_planted_bugs_are_caught(bug):
    layer = biased(bug(4, 4, Tanh(), rng=1))
    text, errors = printed(gradient_check_layer, layer, *batch(4, 4))
    found = {name for name, error in errors.items() if not error < 1e-5}
    assert found == BUGS[bug]
    marks = {line.split()[0]: line[-1] for line in text.splitlines()}
    assert marks == {name: "❌" if name in BUGS[bug] else "✅" for name in ("W", "b", "X")}


def test_a_bug_in_a_model_shows_where_it_is():
    class Bent(Tanh):
        def backward(self, dA):
            return dA * (1 - np.abs(self.A))

    model = model_with(CrossEntropyLoss(), Softmax(), hidden=Bent())
    errors = gradient_check_model(model, batch(4, 3)[0], CLASSES)
    assert {name for name, error in errors.items() if error > 1e-3} == {"W1", "b1"}
    assert max(errors["W2"], errors["b2"]) < LIMIT


def test_the_size_of_the_error_names_the_bug():
    errors = gradient_check_layer(biased(ForgotMean(4, 4, Tanh(), rng=1)), *batch(4, 4, m=5))
    assert errors["W"] == pytest.approx(1 - 1 / 5, rel=1e-6)
    errors = gradient_check_layer(biased(WrongSign(4, 4, Tanh(), rng=1)), *batch(4, 4))
    assert errors["b"] == pytest.approx(2, rel=1e-6)


def test_the_kink_of_relu_is_not_smoothed_over():
    layer = DenseLayer(4, 3, ReLU(), rng=1)
    X, dY = batch(4, 3)
    X[0] = 0
    assert gradient_check_layer(layer, X, dY)["b"] > 1e-3


# ---- what is checked stays as it was -----------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_layer_is_unchanged(dtype):
    layer = biased(DenseLayer(4, 3, Tanh(), rng=1, dtype=dtype))
    X, dY = batch(4, 3)
    layer.forward(X[:2])
    layer.backward(dY[:2])
    kept = layer.X
    theta, grad, given = layer.theta.copy(), layer.grad.copy(), (X.copy(), dY.copy())
    gradient_check_layer(layer, X, dY)
    assert np.array_equal(layer.theta, theta)
    assert np.array_equal(layer.grad, grad)
    assert layer.dtype == layer.W.dtype == dtype
    assert layer.X is kept
    assert np.array_equal(X, given[0])
    assert np.array_equal(dY, given[1])


def test_the_model_is_unchanged():
    model = model_with(CrossEntropyLoss(), Softmax())
    X = batch(4, 3)[0]
    model.fit(X, CLASSES, epochs=1, batch_size=2, seed=0, progress=False)
    theta, grad, t = model.network.theta.copy(), model.network.grad.copy(), model.optimizer.t
    gradient_check_model(model, X, CLASSES)
    assert np.array_equal(model.network.theta, theta)
    assert np.array_equal(model.network.grad, grad)
    assert model.optimizer.t == t
    assert model.network.dtype == np.float32


def test_float32_layers_are_checked_in_float64():
    seen = set()

    class Spy(Tanh):
        def forward(self, Z):
            seen.add(Z.dtype)
            return super().forward(Z)

    errors = gradient_check_layer(DenseLayer(4, 3, Spy(), rng=1), *batch(4, 3))
    assert seen == {np.dtype(np.float64)}
    assert max(errors.values()) < LIMIT
    seen.clear()
    model = model_with(MSELoss(), Identity(), hidden=Spy())
    assert max(gradient_check_model(model, *batch(4, 3)).values()) < LIMIT
    assert seen == {np.dtype(np.float64)}


def test_a_parameter_is_put_back_when_the_layer_raises():
    class Fragile(DenseLayer):
        calls = 0

        def forward(self, X, *, logits=False):
            Fragile.calls += 1
            if Fragile.calls == 4:
                raise RuntimeError("broken")
            return super().forward(X, logits=logits)

        def astype(self, dtype):
            return self

    layer = Fragile(4, 3, rng=1, dtype=np.float64)
    theta = layer.theta.copy()
    with says(RuntimeError, "broken"):
        gradient_check_layer(layer, *batch(4, 3))
    assert np.array_equal(layer.theta, theta)


# ---- what is printed ---------------------------------------------------------------------------

LINE = re.compile(r"  (W|b|X)  rel_error = (\d\.\d\de[+-]\d\d)  (✅|❌)")


def test_the_printed_lines_are_the_users():
    text, errors = printed(gradient_check_layer, DenseLayer(4, 3, Tanh(), rng=1), *batch(4, 3))
    lines = text.splitlines()
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches), lines
    assert [match[1] for match in matches] == ["W", "b", "X"] == list(errors)
    for match in matches:
        assert match[2] == f"{errors[match[1]]:.2e}"
        assert match[3] == "✅"


def test_model_lines_have_one_width():
    rng = np.random.default_rng(0)
    network = Sequential(*(DenseLayer(3, 3, Tanh(), rng=rng) for _ in range(10)))
    text, _ = printed(
        gradient_check_model, Model(network, MSELoss()), *batch(3, 3), per_parameter=1
    )
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[:2] + lines[-2:]] == ["W1", "b1", "W10", "b10"]
    assert len({line.index("rel_error") for line in lines}) == 1


def test_the_tolerance_moves_the_verdict():
    layer, data = DenseLayer(4, 3, Tanh(), rng=1), batch(4, 3)
    assert "✅" not in printed(gradient_check_layer, layer, *data, tolerance=0)[0]
    assert "❌" not in printed(gradient_check_layer, ForgotMean(4, 3, rng=1), *data, tolerance=1)[0]


def test_float32_examples_are_taken_in_float64():
    layer, X, dY = DenseLayer(3, 2, Tanh(), rng=0, dtype="float64"), np.float32([[0.1, 0.2, 0.3]]), np.float32([[0.7, -0.3]])
    assert gradient_check_layer(layer, X, dY) == gradient_check_layer(layer, X.astype(float), dY.astype(float))


def test_defaults_of_the_model_check(capsys):
    model = Model(Sequential(DenseLayer(3, 4, Tanh(), rng=0), DenseLayer(4, 2, rng=1)), MSELoss())
    X, Y = np.random.default_rng(0).normal(size=(5, 3)), np.ones((5, 2))
    assert gradient_check_model(model, X, Y, per_parameter=3) == gradient_check_model(model, X, Y, per_parameter=3, rng=0)
    assert capsys.readouterr().out == ""
    gradient_check_model(model, X, Y, verbose=True)
    shown = capsys.readouterr().out
    gradient_check_model(model, X, Y, verbose=True, tolerance=1e-7)
    assert capsys.readouterr().out == shown != ""


def test_a_sample_has_no_coordinate_twice():
    asked = []

    class Dice(np.random.Generator):
        def choice(self, a, size=None, replace=True, **more):
            asked.append(replace)
            return super().choice(a, size, replace, **more)

    model = Model(Sequential(DenseLayer(3, 2, rng=0)), MSELoss())
    gradient_check_model(model, np.ones((2, 3)), np.ones((2, 2)), per_parameter=1, rng=Dice(np.random.PCG64(0)))
    assert asked and not any(asked)


def test_quiet_unless_asked(capsys):
    gradient_check_layer(DenseLayer(4, 3, rng=1), *batch(4, 3))
    assert capsys.readouterr().out == ""


# ---- a sample of the coordinates ---------------------------------------------------------------


def test_a_sample_costs_what_it_says(monkeypatch):
    model = model_with(CrossEntropyLoss(), Softmax())
    calls = []
    cost = Model.cost
    monkeypatch.setattr(Model, "cost", lambda self, X, Y: calls.append(1) or cost(self, X, Y))
    errors = gradient_check_model(model, batch(4, 3)[0], CLASSES, per_parameter=4)
    # 4 of each of W1, b1 and W2, and all 3 of b2: two evaluations each, and one before.
    assert len(calls) == 2 * (4 + 4 + 4 + 3) + 1
    assert max(errors.values()) < LIMIT


def test_the_sample_comes_from_rng():
    model = model_with(CrossEntropyLoss(), Softmax(), hidden=Sigmoid())
    X = batch(4, 3)[0]

    def check(rng):
        return gradient_check_model(model, X, CLASSES, per_parameter=2, rng=rng)

    assert check(1) == check(1) == check(np.random.default_rng(1))
    assert check(1) != check(2)


# ---- wrong arguments ---------------------------------------------------------------------------


OUTPUT = "expects dY of the shape of the layer's output (5, 3), got"
NUMBERS_WANTED = "as an array of real numbers"


@pytest.mark.parametrize(
    ("X", "dY", "error", "message"),
    [
        (np.ones((5, 4)), np.ones((5, 2)), ValueError, f"{OUTPUT} (5, 2)"),
        (np.ones((5, 4)), np.ones((4, 3)), ValueError, f"{OUTPUT} (4, 3)"),
        (np.ones((5, 4)), np.ones(3), ValueError, f"{OUTPUT} (3,)"),
        (np.ones(4), np.ones((5, 3)), ValueError, "expects X of shape (m, n), got (4,)"),
        (np.ones((5, 3)), np.ones((5, 3)), ValueError, "expects X of shape (m, 4), got (5, 3)"),
        (np.ones((0, 4)), np.ones((0, 3)), ValueError, "which is empty"),
        ([["a"] * 4], np.ones((1, 3)), TypeError, f"expects X {NUMBERS_WANTED}"),
        (np.ones((5, 4)), None, TypeError, f"expects dY {NUMBERS_WANTED}"),
    ],
)
def test_wrong_arguments_of_the_layer_check(X, dY, error, message):
    with says(error, message):
        gradient_check_layer(DenseLayer(4, 3, rng=1), X, dY)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"per_parameter": 0}, ValueError, "per_parameter must be at least 1, got 0"),
        ({"per_parameter": 2.5}, TypeError, "per_parameter must be an integer"),
        ({"rng": "dice"}, TypeError, "rng must be a numpy.random.Generator"),
        ({"Y": CLASSES[:3]}, ValueError, "must have one length"),
        ({"Y": CLASSES + 1}, ValueError, "integer classes from 0 to 2, got 3 at index 1"),
        ({"X": np.ones((5, 9))}, ValueError, "expects X of shape (m, 4), got (5, 9)"),
    ],
)
def test_wrong_arguments_of_the_model_check(arguments, error, message):
    given = {"X": batch(4, 3)[0], "Y": CLASSES, **arguments}
    with says(error, message):
        gradient_check_model(model_with(CrossEntropyLoss(), Softmax()), **given)
