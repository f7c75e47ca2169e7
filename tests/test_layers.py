"""Layers: the base class, its views, and the dense layer."""

import copy
import pickle

import numpy as np
import pytest

from nnbook.core import DenseLayer, He, Identity, Layer, LeCun, ReLU, Sigmoid, Softmax, Tanh, Xavier
from nnbook.core.layer import ParameterView
from nnbook.validation import gradient_check_layer


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def layer(rng):
    layer = DenseLayer(4, 3, Tanh(), rng=1, dtype=np.float64)
    layer.b = rng.normal(size=3)
    return layer


def test_forward_is_the_sum_written_out(layer, rng):
    X = rng.normal(size=(5, 4))
    Z = layer.forward(X, logits=True)
    for i in range(5):
        for j in range(3):
            assert Z[i, j] == pytest.approx(sum(X[i, k] * layer.W[k, j] for k in range(4)) + layer.b[j], rel=1e-14)
    np.testing.assert_array_equal(layer.forward(X), np.tanh(Z))


def test_backward_is_the_four_derivatives_written_out(layer, rng):
    X, dA = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    A = layer.forward(X)
    dX = layer.backward(dA)
    dZ = dA * (1 - A**2)
    dW = np.array([[sum(X[i, k] * dZ[i, j] for i in range(5)) / 5 for j in range(3)] for k in range(4)])
    np.testing.assert_allclose(layer.dW, dW, rtol=1e-12)
    np.testing.assert_allclose(layer.db, [sum(dZ[i, j] for i in range(5)) / 5 for j in range(3)], rtol=1e-12)
    np.testing.assert_allclose(dX, [[sum(dZ[i, j] * layer.W[k, j] for j in range(3)) for k in range(4)] for i in range(5)],
                               rtol=1e-12)


def test_after_logits_backward_starts_before_the_activation(layer, rng):
    X, dZ = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    layer.forward(X)
    layer.forward(X, logits=True)
    np.testing.assert_allclose(layer.backward(dZ), dZ @ layer.W.T)
    np.testing.assert_allclose(layer.dW, X.T @ dZ / 5)
    layer.forward(X)  # and with the activation again
    assert not np.allclose(layer.backward(dZ), dZ @ layer.W.T)


def test_unwanted_dX_is_not_computed_but_the_gradients_are(layer, rng):
    X, dA = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    layer.forward(X)
    layer.backward(dA)
    gradient = layer.grad.copy()
    layer.grad[:] = 0
    assert layer.backward(dA, want_dX=False) is None
    np.testing.assert_array_equal(layer.grad, gradient)


@pytest.mark.parametrize("activation", [Identity(), ReLU(), Sigmoid(), Tanh(), Softmax()], ids=repr)
def test_gradient_check(activation, rng):
    errors = gradient_check_layer(DenseLayer(4, 3, activation, rng=2), rng.normal(size=(5, 4)), rng.normal(size=(5, 3)))
    assert set(errors) == {"W", "b", "X"}
    assert max(errors.values()) < 1e-7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_dtype_throughout(dtype, rng):
    layer = DenseLayer(4, 3, Sigmoid(), rng=0, dtype=dtype)
    for X in (rng.normal(size=(5, 4)), rng.normal(size=(5, 4)).astype(np.float32), rng.integers(0, 9, (5, 4))):
        A = layer.forward(X)
        dX = layer.backward(rng.normal(size=(5, 3)))
        assert {a.dtype for a in (A, dX, layer.W, layer.b, layer.dW, layer.db, layer.theta, layer.grad)} == {np.dtype(dtype)}


def test_lists_and_integers_are_converted():
    layer = DenseLayer(2, 1, rng=0)
    layer.W, layer.b = [[3], [-1]], [-3]
    assert layer.forward([[1, 2], [0, 0]]).tolist() == [[-2], [-3]]


def test_views_look_into_the_vectors(layer):
    assert layer.n_params == 15 == layer.theta.size
    layer.theta[:] = np.arange(15)
    layer.grad[:] = -np.arange(15)
    np.testing.assert_array_equal(layer.W, np.arange(12).reshape(4, 3))
    np.testing.assert_array_equal(layer.b, [12, 13, 14])
    np.testing.assert_array_equal(layer.dW, -np.arange(12).reshape(4, 3))
    np.testing.assert_array_equal(layer.params["b"], -layer.grads["b"])


def test_assignment_copies_into_the_vector(layer):
    values = np.ones((4, 3))
    layer.W = values
    layer.b += 1
    values[:] = 7
    assert layer.theta[:12].tolist() == [1] * 12
    assert np.shares_memory(layer.W, layer.theta) and np.shares_memory(layer.b, layer.theta)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer)),
                                       lambda layer: layer.astype(np.float32), lambda layer: layer.astype(np.float64)],
                         ids=["copy", "deepcopy", "pickle", "float32", "float64"])
def test_copies_are_independent_and_whole(layer, duplicate, rng):
    theta = layer.theta.copy()
    twin = duplicate(layer)
    np.testing.assert_allclose(twin.theta, theta, rtol=1e-6)
    twin.theta[:] = 0
    assert not twin.W.any() and not twin.b.any() and np.shares_memory(twin.W, twin.theta)
    np.testing.assert_array_equal(layer.theta, theta)
    assert twin.forward(rng.normal(size=(2, 4))).dtype == twin.dtype == twin.theta.dtype == twin.grad.dtype
    assert vars(twin).keys() == vars(layer).keys()


def test_bind_moves_the_parameters(layer):
    before, theta, grad = layer.theta.copy(), np.empty(15), np.empty(15)
    layer.bind(theta, grad)
    np.testing.assert_array_equal(theta, before)
    theta[:] = 1
    assert (layer.W == 1).all() and layer.theta is theta


def test_the_layer_keeps_a_copy_of_its_activation(rng):
    shared = ReLU()
    first, second = DenseLayer(3, 3, shared, rng=0), DenseLayer(3, 3, shared, rng=1)
    assert first.activation is not shared and first.activation is not second.activation


def test_same_seed_same_weights_and_zero_biases():
    one, two, other = (DenseLayer(4, 3, rng=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.W, two.W)
    assert not np.array_equal(one.W, other.W) and not one.b.any()
    generator = np.random.default_rng(5)
    first, second = DenseLayer(4, 3, rng=generator), DenseLayer(4, 3, rng=generator)
    np.testing.assert_array_equal(first.W, one.W)
    assert not np.array_equal(first.W, second.W)


@pytest.mark.parametrize(("activation", "kind"), [(ReLU(), He), (Tanh(), Xavier), (Sigmoid(), Xavier), (None, Xavier)])
def test_initializer_follows_the_activation(activation, kind):
    assert type(DenseLayer(4, 3, activation, rng=0).initializer) is kind
    assert type(DenseLayer(4, 3, activation, initializer=LeCun(), rng=0).initializer) is LeCun


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()
    DenseLayer(4, 3)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: DenseLayer(0, 3), ValueError, "n_in must be at least 1, got 0"),
    (lambda: DenseLayer(4, -1), ValueError, "n_out must be at least 1, got -1"),
    (lambda: DenseLayer(4.0, 3), TypeError, "n_in must be an integer, got float"),
    (lambda: DenseLayer(True, 3), TypeError, "n_in must be an integer, got bool"),
    (lambda: DenseLayer(4, 3, activation=ReLU), TypeError, r"activation must be an instance.*write ReLU\(\)"),
    (lambda: DenseLayer(4, 3, activation="relu"), TypeError, "activation must be an instance of Activation, got str"),
    (lambda: DenseLayer(4, 3, initializer=1), TypeError, "initializer must be an instance of Initializer, got int"),
    (lambda: DenseLayer(4, 3, rng="x"), TypeError, "rng must be .* got str"),
    (lambda: DenseLayer(4, 3, dtype=int), ValueError, "dtype must be float32 or float64"),
    (lambda: DenseLayer(4, 3, dtype="float16"), ValueError, "dtype must be float32 or float64"),
])
def test_bad_arguments_of_the_constructor(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(("X", "error", "words"), [
    (np.ones((32, 784)), ValueError, r"DenseLayer\(4 → 3\) expects X of shape \(m, 4\), got \(32, 784\)"),
    (np.ones(4), ValueError, r"expects X of shape \(m, 4\), got \(4,\)"),
    (np.ones((0, 4)), ValueError, "which is empty"),
    (np.ones((2, 4)) * 1j, TypeError, "real numbers, got ndarray of dtype complex128"),
    ([["a"] * 4], TypeError, "real numbers"),
    (None, TypeError, "real numbers, got NoneType"),
    ([[1, 2, 3, 4], [1]], ValueError, "ragged list"),
])
def test_bad_input_of_forward(layer, X, error, words):
    with pytest.raises(error, match=words):
        layer.forward(X)


def test_backward_needs_a_forward_and_a_fitting_signal(layer):
    with pytest.raises(RuntimeError, match="call forward first"):
        DenseLayer(4, 3).backward(np.ones((2, 3)))
    layer.forward(np.ones((2, 4)))
    before = layer.grad.copy()
    with pytest.raises(ValueError, match=r"expects dY of shape \(2, 3\), as its last X had 2 rows, got \(5, 3\)"):
        layer.backward(np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"dY of shape \(m, 3\), got \(2, 4\)"):
        layer.backward(np.ones((2, 4)))
    np.testing.assert_array_equal(layer.grad, before)


@pytest.mark.parametrize(("values", "error", "words"), [
    (np.ones((3, 4)), ValueError, r"expects W of shape \(4, 3\), got \(3, 4\)"),
    (np.full((4, 3), np.nan), ValueError, r"W must hold finite numbers, got 12 that are not, the first is nan at index \(0, 0\)"),
    (np.full((4, 3), np.inf), ValueError, "finite"),
    ("weights", TypeError, "real numbers"),
])
def test_bad_assignment_changes_nothing(layer, values, error, words):
    before = layer.theta.copy()
    with pytest.raises(error, match=words):
        layer.W = values
    np.testing.assert_array_equal(layer.theta, before)


class Scale(Layer):
    """A layer of a reader's own."""

    def __init__(self, n, dtype=np.float32):
        super().__init__(n, n, {"s": (1,)}, dtype)
        self.n = n
        self.params["s"][:] = 2

    def forward(self, X):
        self.X = np.asarray(X, self.dtype)
        return self.params["s"] * self.X

    def backward(self, dY, *, want_dX=True):
        self.grads["s"][:] = (dY * self.X).sum() / len(self.X)
        return self.params["s"] * dY


def test_a_layer_of_ones_own(rng):
    errors = gradient_check_layer(Scale(3), rng.normal(size=(5, 3)), rng.normal(size=(5, 3)))
    assert set(errors) == {"s", "X"} and max(errors.values()) < 1e-7
    assert Layer.build(Scale(3).config()).n == 3
    with pytest.raises(NotImplementedError):
        Layer(2, 2, {}).forward(np.ones((1, 2)))


def test_a_view_of_a_parameter_knows_where_to_look(layer):
    view = ParameterView("grads", "b")
    assert (view.where, view.name) == ("grads", "b") and view.__get__(None) is view
    view.__set__(layer, np.arange(layer.n_out))
    np.testing.assert_array_equal(layer.db, np.arange(layer.n_out))


def test_a_signal_is_converted_to_the_type_of_the_layer():
    layer = DenseLayer(4, 3, rng=0)
    for logits in (False, True):
        layer.forward(np.ones((2, 4)), logits=logits)
        assert layer.backward(np.ones((2, 3))).dtype == layer.dtype == np.float32
