"""Activations against values by hand, finite differences, and the ends of the number line."""

import copy
import math
import pickle
import warnings

import numpy as np
import pytest

from nnbook.core import (
    SELU,
    Activation,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
    activations,
)
from nnbook.core.conventions import Component
from nnbook.network.model import NOT_PROBABILITIES
from nnbook.validation import numerical_gradient, relative_error

EVERYONE = [
    Identity(),
    ReLU(),
    LeakyReLU(),
    LeakyReLU(alpha=0.3),
    LeakyReLU(alpha=0),
    SELU(),
    Sigmoid(),
    Tanh(),
    Softmax(),
]
ELEMENTWISE = EVERYONE[:-1]

every = pytest.mark.parametrize("activation", EVERYONE, ids=repr)
elementwise = pytest.mark.parametrize("activation", ELEMENTWISE, ids=repr)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def test_every_activation_is_among_them_and_has_values_by_hand():
    public = {name for name in activations.__all__ if name != "Activation"}
    assert {type(g).__name__ for g in EVERYONE} == public
    by_hand = {type(g).__name__ for g, *_ in BY_HAND}
    assert by_hand == {type(g).__name__ for g in ELEMENTWISE}


@pytest.fixture
def g(activation):
    """The activation as a fresh object: the parametrised ones are shared."""
    return copy.deepcopy(activation)


def numbers(shape, seed=0):
    """Numbers of both signs, none near the kink."""
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 1], size=shape) * rng.uniform(0.1, 3, size=shape)


LN2, LN3 = math.log(2), math.log(3)
ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
BY_HAND = [  # activation, z, g(z), g'(z)
    (Identity(), [-2, 0, 3], [-2, 0, 3], [1, 1, 1]),
    (ReLU(), [-2, 0, 3], [0, 0, 3], [0, 0, 1]),
    (LeakyReLU(), [-2, 0, 3], [-0.02, 0, 3], [0.01, 0.01, 1]),
    (LeakyReLU(alpha=0.5), [-2, 0, 3], [-1, 0, 3], [0.5, 0.5, 1]),
    (LeakyReLU(alpha=0), [-2, 0, 3], [0, 0, 3], [0, 0, 1]),
    (SELU(), [-LN2, 2], [-SCALE * ALPHA / 2, 2 * SCALE], [SCALE * ALPHA / 2, SCALE]),
    (Sigmoid(), [-LN3, 0, LN3], [1 / 4, 1 / 2, 3 / 4], [3 / 16, 1 / 4, 3 / 16]),
    (Tanh(), [-LN2, 0, LN2], [-3 / 5, 0, 3 / 5], [16 / 25, 1, 16 / 25]),
]


@pytest.mark.parametrize(
    "g, z, a, slope",
    BY_HAND,
    ids=lambda value: repr(value) if isinstance(value, Activation) else "",
)
def test_values_by_hand(g, z, a, slope):
    np.testing.assert_allclose(g.forward(z), a, rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(
        g.backward(np.full(len(z), -2.0)), -2 * np.array(slope), rtol=1e-14, atol=1e-16
    )


def test_softmax_by_hand():
    g = Softmax()
    A = g.forward([[0, LN2, LN3, LN2], [0, 0, 0, 0]])
    np.testing.assert_allclose(A, [[1 / 8, 2 / 8, 3 / 8, 2 / 8], [1 / 4] * 4], rtol=1e-14)
    dZ = g.backward([[1, 0, 0, 0], [0, 1, 0, 0]])  # the first and second rows of the Jacobians
    np.testing.assert_allclose(
        dZ, [[7 / 64, -2 / 64, -3 / 64, -2 / 64], [-1 / 16, 3 / 16, -1 / 16, -1 / 16]], rtol=1e-14
    )


def test_softmax_backward_is_the_product_with_the_jacobian():
    rng = np.random.default_rng(1)
    g, Z, dA = Softmax(), rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    A = g.forward(Z)
    expected = [(np.diag(a) - np.outer(a, a)).T @ da for a, da in zip(A, dA, strict=True)]
    np.testing.assert_allclose(g.backward(dA), expected, rtol=1e-12, atol=1e-15)


def test_softmax_of_two_scores_is_a_sigmoid():
    Z = numbers((7, 2))
    np.testing.assert_allclose(
        Softmax().forward(Z)[:, 0], Sigmoid().forward(Z[:, 0] - Z[:, 1]), rtol=1e-13
    )


def test_tanh_is_a_stretched_sigmoid():
    z = numbers(20)
    np.testing.assert_allclose(Tanh().forward(z), 2 * Sigmoid().forward(2 * z) - 1, rtol=1e-12)


def test_selu_constants_make_mean_0_and_variance_1_a_fixed_point():
    z = (np.arange(-120_000, 120_000) + 0.5) * 1e-4
    weight = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * 1e-4
    a = SELU().forward(z)
    assert abs(np.sum(weight * a)) < 1e-8
    assert abs(np.sum(weight * a * a) - 1) < 1e-7


@every
@pytest.mark.parametrize("shape", [(6, 5), (1, 3), (4,), (2, 3, 4)])
def test_gradient(g, shape):
    Z, dA = numbers(shape, 2), np.random.default_rng(3).normal(size=shape)
    g.forward(Z)
    analytic = g.backward(dA)
    assert analytic.shape == shape
    assert (
        relative_error(analytic, numerical_gradient(lambda Z: np.sum(dA * g.forward(Z)), Z)) < 1e-7
    )


@every
@dtypes
def test_extreme_numbers(g, dtype):
    Z = np.array([[-1e4, -745, -104, -89, -1e-30, 0, 1e-30, 89, 104, 710, 1e4]], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            A = g.forward(Z)
            dZ = g.backward(np.ones_like(Z))
    assert A.dtype == dZ.dtype == dtype
    assert np.isfinite(A).all() and np.isfinite(dZ).all()


@dtypes
def test_sigmoid_and_softmax_reach_their_ends(dtype):
    np.testing.assert_array_equal(Sigmoid().forward(np.array([-1e4, 1e4], dtype)), [0, 1])
    np.testing.assert_array_equal(
        Softmax().forward(np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4]], dtype)),
        [[1, 0], [0, 1], [0.5, 0.5]],
    )


@dtypes
def test_sigmoid_keeps_small_probabilities(dtype):
    """1/(1 + e^z) of a large z is e^-z to the last digits, not the remainder of 1 - 1."""
    np.testing.assert_allclose(
        Sigmoid().forward(np.array([-80, -40], dtype)), np.exp([-80.0, -40.0]), rtol=1e-5
    )


def test_at_zero_the_slope_is_the_one_on_the_left():
    for g, slope in ((ReLU(), 0), (LeakyReLU(0.25), 0.25), (SELU(), SELU.scale * SELU.alpha)):
        g.forward([0.0])
        assert g.backward([1.0]).tolist() == [slope]


def test_selu_keeps_small_numbers():
    np.testing.assert_allclose(SELU().forward([-1e-12]), [-SCALE * ALPHA * 1e-12], rtol=1e-11)


@dtypes
def test_softmax_rows_sum_to_one(dtype):
    A = Softmax().forward((50 * np.random.default_rng(4).normal(size=(40, 7))).astype(dtype))
    np.testing.assert_allclose(A.sum(axis=1), 1, rtol=10 * np.finfo(dtype).eps)
    assert (A >= 0).all()


@dtypes
@pytest.mark.parametrize("shift", [-1e4, -8.0, 1.0, 1e4])
def test_softmax_is_shift_invariant(dtype, shift):
    Z = np.random.default_rng(5).integers(-9, 10, size=(6, 5)).astype(dtype)  # an exact shift
    np.testing.assert_array_equal(Softmax().forward(Z + dtype(shift)), Softmax().forward(Z))


def test_softmax_works_on_the_last_axis():
    Z = numbers((2, 3, 4))
    np.testing.assert_allclose(Softmax().forward(Z)[1, 2], Softmax().forward(Z[1, 2]), rtol=1e-14)


@elementwise
def test_elementwise_means_elementwise(g):
    Z = numbers((4, 3))
    A = g.forward(Z)
    np.testing.assert_array_equal(A.ravel(), g.forward(Z.ravel()))
    np.testing.assert_array_equal(A.T, g.forward(Z.T))


@every
@dtypes
def test_dtype_and_shape_are_kept(g, dtype):
    Z = numbers((3, 4)).astype(dtype)
    before = Z.copy()
    A = g.forward(Z)
    assert A.dtype == dtype and A.shape == (3, 4)
    dZ = g.backward(np.ones((3, 4), np.float64))
    assert dZ.dtype == dtype and dZ.shape == (3, 4)
    np.testing.assert_array_equal(Z, before)


@every
def test_backward_leaves_the_signal_alone(g):
    g.forward(numbers((3, 4)))
    dA = np.ones((3, 4))
    first = g.backward(dA)
    np.testing.assert_array_equal(dA, 1)
    np.testing.assert_array_equal(g.backward(dA), first)


@every
@pytest.mark.parametrize(
    "Z",
    [
        [[1, -2], [3, 4]],
        np.array([[1, 0], [0, 1]], np.int8),
        [[True, False]],
        np.ones((2, 2), np.float16),
    ],
    ids=["list", "int8", "bool", "float16"],
)
def test_other_numbers_become_float64(g, Z):
    assert g.forward(Z).dtype == np.float64
    assert g.backward(np.ones(np.shape(Z))).dtype == np.float64


@every
def test_call_is_forward(g):
    Z = numbers((3, 4))
    np.testing.assert_array_equal(g(Z), g.forward(Z))


@every
def test_backward_before_forward(g):
    name = type(g).__name__
    with pytest.raises(
        RuntimeError, match=rf"{name}\.backward needs what forward keeps: call forward first"
    ):
        g.backward(np.ones((2, 3)))


@every
@pytest.mark.parametrize("shape", [(2, 4), (3, 2), (3,), (1, 3), (2, 3, 1), ()])
def test_wrong_shape_backward(g, shape):
    g.forward(numbers((2, 3)))
    expected = (
        rf"^{type(g).__name__}\.backward expects dA of the shape of its last output \(2, 3\), got"
    )
    with pytest.raises(ValueError, match=expected):
        g.backward(np.ones(shape))


@every
@pytest.mark.parametrize(
    "Z",
    ["high", ["a", "b"], [1 + 2j], None, [None], object(), {"z": 1}],
    ids=["text", "list of text", "complex", "None", "list of None", "object", "dict"],
)
def test_what_is_no_number_is_refused(g, Z):
    with pytest.raises(
        TypeError, match=rf"{type(g).__name__} expects Z as an array of real numbers, got"
    ):
        g.forward(Z)
    assert g.A is None
    g.forward([[1.0]])
    with pytest.raises(TypeError, match="expects dA as an array of real numbers, got"):
        g.backward(Z)


@every
def test_a_ragged_list_is_refused(g):
    with pytest.raises(ValueError, match="rectangular"):
        g.forward([[1.0, 2.0], [3.0]])


@pytest.mark.parametrize("Z", [3.0, np.zeros((2, 0))], ids=["number", "no scores"])
def test_softmax_needs_scores(Z):
    with pytest.raises(ValueError, match="at least one score a row"):
        Softmax().forward(Z)


@pytest.mark.parametrize("alpha", [-0.1, 1.0, 2, math.nan, math.inf])
def test_leaky_slope_out_of_range(alpha):
    with pytest.raises(ValueError, match=r"alpha must be a number in \[0, 1\)"):
        LeakyReLU(alpha=alpha)


@pytest.mark.parametrize("alpha", ["0.1", None, True, 1j])
def test_leaky_slope_that_is_no_number(alpha):
    with pytest.raises(TypeError, match="alpha must be a number"):
        LeakyReLU(alpha=alpha)


def test_the_base_class_computes_nothing():
    with pytest.raises(NotImplementedError):
        Activation().forward([1.0])
    with pytest.raises(NotImplementedError):
        Activation().backward([1.0])


@every
def test_an_activation_can_be_rebuilt_copied_and_pickled(g):
    Z = numbers((3, 4))
    A = g.forward(Z)
    for twin in (Component.build(g.config()), copy.deepcopy(g), pickle.loads(pickle.dumps(g))):
        assert type(twin) is type(g) and repr(twin) == repr(g)
        np.testing.assert_array_equal(twin.forward(Z), A)


@every
def test_the_model_knows_whether_outputs_are_probabilities(g):
    A = g.forward(numbers((6, 5)))
    assert isinstance(g, NOT_PROBABILITIES) == bool((A < 0).any() or (A > 1).any())


def test_repr():
    assert repr(ReLU()) == "ReLU()" and repr(LeakyReLU(alpha=0.3)) == "LeakyReLU(alpha=0.3)"


def test_two_objects_do_not_share_what_they_keep():
    first, second = ReLU(), ReLU()
    first.forward([[1.0, -1.0]])
    assert second.A is None and ReLU.A is None


def test_a_dead_unit_gets_no_gradient_and_a_leaky_one_does():
    Z, dA = -np.abs(numbers((8, 3))), np.ones((8, 3))
    relu, leaky = ReLU(), LeakyReLU()
    relu.forward(Z), leaky.forward(Z)
    assert not relu.backward(dA).any()
    np.testing.assert_array_equal(leaky.backward(dA), 0.01)
