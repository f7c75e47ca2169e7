"""Initialisers: the stated variance against formulas, and against the weights that are drawn."""

import copy
import math

import numpy as np
import pytest

from nnbook.core import (
    SELU,
    DenseLayer,
    He,
    Identity,
    Initializer,
    LeakyReLU,
    LeCun,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
    Xavier,
    default_initializer,
)
from nnbook.core.conventions import Component

RULES = [He, Xavier, LeCun]
DISTRIBUTIONS = ["normal", "uniform"]
rules = pytest.mark.parametrize("rule", RULES)
distributions = pytest.mark.parametrize("distribution", DISTRIBUTIONS)
FOURTH = {"normal": 3, "uniform": 9 / 5}  # E[w⁴] in units of the squared variance

STATED = [
    (He(), 50, 7, 0.04),
    (He(), 2, 999, 1.0),
    (He(alpha=0.5), 4, 3, 0.4),
    (Xavier(), 30, 10, 0.05),
    (Xavier("normal"), 10, 30, 0.05),
    (LeCun(), 25, 7, 0.04),
    (LeCun("uniform"), 1, 1, 1.0),
]


@pytest.mark.parametrize("initializer, n_in, n_out, variance", STATED, ids=str)
def test_stated_variance(initializer, n_in, n_out, variance):
    assert initializer.variance(n_in, n_out) == pytest.approx(variance, rel=1e-15)


@rules
@distributions
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("n_in, n_out", [(300, 400), (500, 100)])
def test_drawn_weights_have_mean_0_and_the_stated_variance(rule, distribution, seed, n_in, n_out):
    initializer = rule(distribution)
    v, N = initializer.variance(n_in, n_out), n_in * n_out
    W = initializer(n_in, n_out, rng=seed, dtype=np.float64)
    assert abs(W.mean()) < 5 * math.sqrt(v / N)
    assert abs(np.mean(W**2) / v - 1) < 5 * math.sqrt((FOURTH[distribution] - 1) / N)


@rules
@distributions
def test_drawn_weights_have_the_stated_distribution(rule, distribution):
    """The fourth moment tells a normal draw from a uniform one of the same variance."""
    initializer = rule(distribution)
    W = initializer(300, 400, rng=3, dtype=np.float64) / math.sqrt(initializer.variance(300, 400))
    assert np.mean(W**4) == pytest.approx(FOURTH[distribution], rel=0.05)


@rules
def test_uniform_weights_stay_within_their_limit_and_reach_it(rule):
    initializer = rule("uniform")
    limit = math.sqrt(3 * initializer.variance(300, 400))
    W = initializer(300, 400, rng=4, dtype=np.float64)
    assert np.abs(W).max() <= limit
    assert W.max() > 0.999 * limit and W.min() < -0.999 * limit


def test_xavier_uniform_is_the_formula_of_the_paper():
    W = Xavier()(100, 200, rng=5, dtype=np.float64)
    expected = np.random.default_rng(5).uniform(-math.sqrt(6 / 300), math.sqrt(6 / 300), (100, 200))
    np.testing.assert_allclose(W, expected, rtol=1e-12)


def test_he_normal_is_the_formula_of_the_paper():
    W = He()(100, 200, rng=5, dtype=np.float64)
    np.testing.assert_allclose(
        W, np.random.default_rng(5).normal(0, math.sqrt(2 / 100), (100, 200)), rtol=1e-12
    )


@rules
@distributions
def test_weights_are_not_correlated_between_units(rule, distribution):
    W = rule(distribution)(2000, 6, rng=6, dtype=np.float64)
    off_diagonal = np.corrcoef(W, rowvar=False)[~np.eye(6, dtype=bool)]
    assert np.abs(off_diagonal).max() < 5 / math.sqrt(2000)


def test_default_distributions():
    assert He().distribution == LeCun().distribution == "normal"
    assert Xavier().distribution == "uniform"


@rules
@distributions
def test_the_same_seed_gives_the_same_weights(rule, distribution):
    initializer = rule(distribution)
    first = initializer(5, 4, rng=7)
    np.testing.assert_array_equal(first, initializer(5, 4, rng=7))
    np.testing.assert_array_equal(first, initializer(5, 4, rng=np.random.default_rng(7)))
    assert (first != initializer(5, 4, rng=8)).any()


@rules
def test_a_generator_moves_on(rule):
    generator = np.random.default_rng(9)
    assert (rule()(5, 4, rng=generator) != rule()(5, 4, rng=generator)).any()


def test_no_seed_means_new_weights_every_time():
    assert (He()(5, 4) != He()(5, 4)).any()


@rules
def test_the_global_random_state_is_neither_read_nor_changed(rule):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    first = rule()(5, 4, rng=1)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.random.seed(1)
    np.testing.assert_array_equal(rule()(5, 4, rng=1), first)


@rules
@distributions
def test_both_dtypes_see_the_same_weights(rule, distribution):
    initializer = rule(distribution)
    single, double = initializer(6, 5, rng=1), initializer(6, 5, rng=1, dtype=np.float64)
    assert single.dtype == np.float32 and double.dtype == np.float64
    assert single.shape == double.shape == (6, 5)
    np.testing.assert_array_equal(single, double.astype(np.float32))


CHOICES = [
    (ReLU(), He()),
    (LeakyReLU(), He(alpha=0.01)),
    (LeakyReLU(alpha=0.3), He(alpha=0.3)),
    (SELU(), LeCun()),
    (Sigmoid(), Xavier()),
    (Tanh(), Xavier()),
    (Softmax(), Xavier()),
    (Identity(), Xavier()),
]


@pytest.mark.parametrize("activation, expected", CHOICES, ids=repr)
def test_default_by_activation(activation, expected):
    assert default_initializer(activation).config() == expected.config()
    layer = DenseLayer(6, 5, activation=activation, rng=2)
    np.testing.assert_array_equal(layer.W, expected(6, 5, rng=2))


def test_default_of_a_subclass_is_that_of_its_family():
    class Mine(ReLU):
        pass

    assert isinstance(default_initializer(Mine()), He)


@pytest.mark.parametrize("activation", ["relu", None, ReLU, 3])
def test_default_of_no_activation(activation):
    with pytest.raises(TypeError, match="activation must be an instance"):
        default_initializer(activation)


def flow(activation, initializer, depth=50, n=200, m=100):
    """The mean square of the scores at the last of `depth` layers, over that at the first."""
    rng = np.random.default_rng(0)
    A, squares = rng.normal(size=(m, n)), []
    for _ in range(depth):
        Z = A @ initializer(n, n, rng, np.float64)
        squares.append(np.mean(Z * Z))
        A = copy.deepcopy(activation).forward(Z)
    return squares[-1] / squares[0]


@pytest.mark.parametrize("activation", [ReLU(), LeakyReLU(alpha=0.3), SELU(), Identity()], ids=repr)
def test_fifty_layers_keep_the_signal(activation):
    assert 0.05 < flow(activation, default_initializer(activation)) < 20


@pytest.mark.parametrize(
    "activation, initializer, low, high",
    [
        (ReLU(), LeCun(), 2.0**-54, 2.0**-44),
        (Identity(), He(), 2.0**44, 2.0**54),
    ],
    ids=["vanishes", "explodes"],
)
def test_the_wrong_scale_does_not(activation, initializer, low, high):
    assert low < flow(activation, initializer) < high


@rules
@pytest.mark.parametrize("distribution", ["gaussian", "Normal", None, 1])
def test_unknown_distribution(rule, distribution):
    with pytest.raises(ValueError, match='distribution must be "normal" or "uniform", got'):
        rule(distribution)


@pytest.mark.parametrize(
    "alpha, error",
    [(-0.1, ValueError), (1.0, ValueError), (math.nan, ValueError), ("0.1", TypeError)],
)
def test_wrong_slope(alpha, error):
    with pytest.raises(error, match="alpha must be a number"):
        He(alpha=alpha)


@rules
@pytest.mark.parametrize(
    "n_in, n_out, name, error",
    [
        (0, 3, "n_in", ValueError),
        (3, -1, "n_out", ValueError),
        (2.0, 3, "n_in", TypeError),
        (3, "3", "n_out", TypeError),
        (True, 3, "n_in", TypeError),
        (None, 3, "n_in", TypeError),
    ],
)
def test_wrong_widths(rule, n_in, n_out, name, error):
    with pytest.raises(error, match=f"^{name} must be"):
        rule()(n_in, n_out)


@rules
@pytest.mark.parametrize("dtype", [np.float16, int, "complex128", None, "nonsense"])
def test_wrong_dtype(rule, dtype):
    with pytest.raises(ValueError, match="dtype must be float32 or float64"):
        rule()(3, 4, dtype=dtype)


@rules
@pytest.mark.parametrize(
    "rng, error",
    [
        ("seed", TypeError),
        (1.5, TypeError),
        (True, TypeError),
        (-1, ValueError),
        (np.random.RandomState(0), TypeError),
    ],
    ids=str,
)
def test_wrong_rng(rule, rng, error):
    with pytest.raises(error, match="rng must be"):
        rule()(3, 4, rng=rng)


def test_a_refused_call_does_not_move_the_generator():
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError):
        He()(3, 4, rng=generator, dtype=np.float16)
    assert generator.random() == np.random.default_rng(0).random()


def test_the_base_class_states_no_variance():
    with pytest.raises(NotImplementedError):
        Initializer().variance(3, 4)


@pytest.mark.parametrize(
    "initializer",
    [He(), He("uniform", alpha=0.2), Xavier(), Xavier("normal"), LeCun("uniform")],
    ids=repr,
)
def test_an_initializer_can_be_rebuilt(initializer):
    twin = Component.build(initializer.config())
    assert repr(twin) == repr(initializer)
    np.testing.assert_array_equal(twin(4, 3, rng=0), initializer(4, 3, rng=0))


def test_repr():
    assert repr(He()) == "He()" and repr(He(alpha=0.1)) == "He(alpha=0.1)"
    assert (
        repr(Xavier("normal")) == "Xavier(distribution='normal')" and repr(Xavier()) == "Xavier()"
    )
