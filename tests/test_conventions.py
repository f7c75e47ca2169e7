"""The preface: what enters the package, and how wrong arguments are refused."""

import math
import re

import numpy as np
import pytest

import nnbook
from nnbook.core.conventions import (
    Component,
    as_batch,
    as_dtype,
    as_floats,
    as_generator,
    check_finite,
    check_instance,
    check_integer,
    check_number,
)


def says(error, message):
    """A context that expects `error` with a message that contains `message` word for word."""
    return pytest.raises(error, match=re.escape(message))


# ---- dtypes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["float32", np.float32, np.dtype("float32")])
def test_float32_in_any_spelling(given):
    assert as_dtype(given) == np.float32


def test_float64():
    assert as_dtype(float) == np.float64


@pytest.mark.parametrize(
    "given", ["float16", int, "complex128", None, "no such type", object(), bool]
)
def test_other_dtypes_are_refused(given):
    with says(ValueError, f"dtype must be float32 or float64, got {given!r}"):
        as_dtype(given)


# ---- arrays ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_that_fit_are_not_copied(dtype):
    X = np.ones((2, 3), dtype)
    assert as_floats("X", X) is X
    assert as_floats("X", X, dtype) is X
    assert as_batch("X", X, 3, dtype) is X


@pytest.mark.parametrize("given", [[1, 2], (True, False), np.arange(2), np.ones(2, np.float16), 3])
def test_other_numbers_become_float64(given):
    found = as_floats("X", given)
    assert found.dtype == np.float64
    assert np.array_equal(found, np.asarray(given, float))


def test_the_argument_is_never_changed():
    X = np.arange(6)
    found = as_floats("X", X, np.float32)
    found[:] = -1
    assert X.tolist() == [0, 1, 2, 3, 4, 5]


def test_conversion_to_float32_overflows_to_infinity_without_a_warning():
    assert as_floats("X", [1e300], np.float32).tolist() == [math.inf]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (["a"], "list of dtype <U1"),
        (np.array([1j]), "ndarray of dtype complex128"),
        ([object()], "list of dtype object"),
        (None, "NoneType"),
        ("text", "str"),
        (np.array(["2020-01-01"], "datetime64[D]"), "ndarray of dtype datetime64[D]"),
    ],
)
def test_what_is_no_number_is_refused(given, kind):
    with says(TypeError, f"Layer expects X as an array of real numbers, got {kind}"):
        as_floats("X", given, owner="Layer")


def test_ragged_lists_are_refused():
    with says(ValueError, "Layer expects Y as a rectangular array, got a ragged list"):
        as_floats("Y", [[1, 2], [3]], owner="Layer")


def test_a_batch_from_lists():
    X = as_batch("X", [[1, 2, 3]], 3, np.float32)
    assert X.shape == (1, 3)
    assert X.dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "n", "message"),
    [
        ((4, 2), 3, "Layer expects X of shape (m, 3), got (4, 2)"),
        ((3,), 3, "Layer expects X of shape (m, 3), got (3,)"),
        ((), None, "Layer expects X of shape (m, n), got ()"),
        ((2, 3, 4), None, "Layer expects X of shape (m, n), got (2, 3, 4)"),
        ((0, 3), 3, "Layer expects X of shape (m, 3), got (0, 3), which is empty"),
        ((3, 0), None, "Layer expects X of shape (m, n), got (3, 0), which is empty"),
    ],
)
def test_wrong_shapes_are_refused(shape, n, message):
    with says(ValueError, message):
        as_batch("X", np.ones(shape), n, owner="Layer")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_located(bad):
    X = np.zeros((3, 4))
    check_finite("X", X)
    X[1, 2] = X[2, 0] = bad
    with says(
        ValueError,
        f"X must hold finite numbers, got 2 that are not, the first is {bad} at index (1, 2)",
    ):
        check_finite("X", X)


# ---- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1, 20, np.int64(3), np.uint8(7)])
def test_integers(value):
    found = check_integer("epochs", value)
    assert found == value
    assert type(found) is int


@pytest.mark.parametrize("value", [1.0, "3", None, True, np.True_, np.float64(2), [1]])
def test_what_is_no_integer_is_refused(value):
    with says(TypeError, f"epochs must be an integer, got {type(value).__name__}: {value!r}"):
        check_integer("epochs", value)


@pytest.mark.parametrize(("value", "least"), [(0, 1), (-1, 0), (4, 5)])
def test_integers_that_are_too_small_are_refused(value, least):
    with says(ValueError, f"epochs must be at least {least}, got {value}"):
        check_integer("epochs", value, least)


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.25), np.int32(1)])
def test_numbers_with_their_ends(value):
    found = check_number("alpha", value, 0, 1)
    assert found == value
    assert type(found) is float


@pytest.mark.parametrize("value", ["0.1", None, True, 1j, [0.1]])
def test_what_is_no_number_is_no_setting(value):
    with says(TypeError, f"alpha must be a number, got {type(value).__name__}: {value!r}"):
        check_number("alpha", value)


@pytest.mark.parametrize(
    ("value", "ends", "interval"),
    [
        (-0.1, {"low": 0, "high": 1}, "[0, 1]"),
        (1.1, {"low": 0, "high": 1}, "[0, 1]"),
        (0, {"low": 0, "open_low": True}, "(0, inf)"),
        (1, {"low": 0, "high": 1, "open_high": True}, "[0, 1)"),
        (math.nan, {}, "(-inf, inf)"),
        (math.inf, {"low": 0}, "[0, inf)"),
        (-math.inf, {}, "(-inf, inf)"),
    ],
)
def test_numbers_outside_are_refused(value, ends, interval):
    with says(ValueError, f"alpha must be a number in {interval}, got {value!r}"):
        check_number("alpha", value, **ends)


def test_instances():
    check_instance("activation", nnbook.ReLU(), nnbook.Activation)
    with says(TypeError, "activation must be an instance, got the class ReLU; write ReLU()"):
        check_instance("activation", nnbook.ReLU, nnbook.Activation)
    with says(TypeError, "activation must be an instance of Activation, got str"):
        check_instance("activation", "relu", nnbook.Activation)
    with says(TypeError, "activation must be an instance of Activation, got type"):
        check_instance("activation", int, nnbook.Activation)


# ---- randomness --------------------------------------------------------------------------------


def test_a_generator_is_passed_on():
    rng = np.random.default_rng(1)
    assert as_generator(rng) is rng


def test_the_same_seed_gives_the_same_bits():
    assert as_generator(5).bytes(64) == as_generator(np.int64(5)).bytes(64)
    assert as_generator(5).bytes(64) != as_generator(6).bytes(64)
    assert as_generator().bytes(64) != as_generator().bytes(64)


@pytest.mark.parametrize("bad", [1.5, "0", True, np.random.RandomState(0), [1, 2]])
def test_other_sources_of_randomness_are_refused(bad):
    with says(
        TypeError,
        f"rng must be a numpy.random.Generator, an integer seed or None, got {type(bad).__name__}",
    ):
        as_generator(bad)


def test_negative_seeds_are_refused():
    with says(ValueError, "rng must be at least 0, got -1"):
        as_generator(-1)


def test_the_global_random_state_is_neither_read_nor_changed():
    def train(seed_of_the_world):
        np.random.seed(seed_of_the_world)
        before = np.random.get_state()[1].tolist()
        layers = nnbook.DenseLayer(3, 4, nnbook.Tanh(), rng=1), nnbook.DenseLayer(4, 2, rng=2)
        model = nnbook.Model(nnbook.Sequential(*layers), nnbook.MSELoss(), nnbook.Adam())
        X = np.random.default_rng(3).normal(size=(20, 3))
        model.fit(X, X[:, :2], epochs=2, batch_size=6, seed=4, progress=False)
        assert np.random.get_state()[1].tolist() == before
        return model.network.theta.tobytes()

    assert train(1) == train(2)


# ---- components --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "component",
    [
        nnbook.ReLU(),
        nnbook.LeakyReLU(0.2),
        nnbook.He("uniform", alpha=0.3),
        nnbook.Xavier(),
        nnbook.Adam(lr=0.1, beta1=0.8),
        nnbook.CrossEntropyLoss(),
        nnbook.DenseLayer(3, 2, nnbook.LeakyReLU(0.1), nnbook.LeCun("uniform"), dtype=np.float64),
    ],
    ids=lambda component: type(component).__name__,
)
def test_a_component_is_rebuilt_from_its_description(component):
    config = component.config()
    again = Component.build(config)
    assert type(again) is type(component)
    assert again.config() == config
    assert repr(again) == repr(component)
    assert again is not component


def test_repr_shows_what_differs_from_the_default():
    assert repr(nnbook.Adam()) == "Adam()"
    assert repr(nnbook.Adam(lr=0.1)) == "Adam(lr=0.1)"
    assert repr(nnbook.DenseLayer(3, 2, nnbook.ReLU(), rng=0)).startswith(
        "DenseLayer(n_in=3, n_out=2, activation=ReLU()"
    )


def test_a_reader_s_class_is_known_by_its_module():
    class Cube(nnbook.Activation):
        pass

    assert Cube().config() == {"kind": f"{__name__}.Cube"}
    assert isinstance(nnbook.Activation.build({"kind": f"{__name__}.Cube"}), Cube)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "Adagrad"}, "'Adagrad' is not a known Optimizer"),
        ({"kind": "ReLU"}, "'ReLU' is not a known Optimizer"),
        ({"kind": "Adam", "speed": 3}, "the description of Adam does not fit"),
        ({"kind": 3}, "expected the description of a Optimizer"),
        ({"lr": 0.1}, "expected the description of a Optimizer"),
        ("Adam", "expected the description of a Optimizer"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(config, message):
    with says(ValueError, message):
        nnbook.Optimizer.build(config)


# ---- the gradient convention -------------------------------------------------------------------


def test_parameters_take_the_mean_and_signals_do_not():
    rng = np.random.default_rng(0)
    layer = nnbook.DenseLayer(4, 3, nnbook.Tanh(), rng=rng, dtype=np.float64)
    X, dA = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    layer.forward(X)
    dX = layer.backward(dA)
    dW, db = layer.dW.copy(), layer.db.copy()
    layer.forward(np.tile(X, (3, 1)))
    tripled = layer.backward(np.tile(dA, (3, 1)))
    np.testing.assert_allclose(layer.dW, dW, rtol=1e-12)
    np.testing.assert_allclose(layer.db, db, rtol=1e-12)
    np.testing.assert_allclose(tripled, np.tile(dX, (3, 1)), rtol=1e-12)
