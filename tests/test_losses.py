"""The losses: hand values, gradients, extremes, forms of labels, refusals."""

import numpy as np
import pytest

from nnbook.core.activations import Sigmoid, Softmax
from nnbook.core.layer import DenseLayer
from nnbook.core.losses import BinaryCrossEntropyLoss, CrossEntropyLoss, Loss, MSELoss
from nnbook.network import Model, Sequential
from nnbook.validation.gradient_check import numerical_gradient, relative_error

M, N = 5, 3
LOSSES = [MSELoss, BinaryCrossEntropyLoss, CrossEntropyLoss]
CLASSIFIERS = [BinaryCrossEntropyLoss, CrossEntropyLoss]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def targets_for(loss, rng, m=M, n=N):
    if isinstance(loss, CrossEntropyLoss):
        return rng.dirichlet(np.ones(n), size=m)
    return rng.uniform(0.1, 0.9, size=(m, n))


def outputs_for(loss, rng, m=M, n=N):
    if isinstance(loss, CrossEntropyLoss):
        return rng.dirichlet(np.ones(n) * 3, size=m)
    return rng.uniform(0.1, 0.9, size=(m, n))


# --- values by hand -----------------------------------------------------------------------------


def test_mse_by_hand():
    # row 1: (1 + 4)/2, row 2: (9 + 0)/2, mean of 2.5 and 4.5
    assert MSELoss().forward([[1, 2], [3, 0]], [[0, 4], [0, 0]]) == 3.5


def test_mse_gradient_by_hand():
    loss = MSELoss()
    loss.forward([[1, 2], [3, 0]], [[0, 4], [0, 0]])
    assert loss.backward().tolist() == [[1, -2], [3, 0]]


def test_bce_by_hand():
    loss = BinaryCrossEntropyLoss()
    J = loss.forward([[0.8, 0.4]], [[1, 0]])
    assert J == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2, rel=1e-14)
    assert loss.backward() == pytest.approx(np.array([[-1 / 0.8 / 2, 1 / 0.6 / 2]]), rel=1e-12)


def test_ce_by_hand():
    loss = CrossEntropyLoss()
    J = loss.forward([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], [0, 1])
    assert J == pytest.approx((np.log(2) + np.log(10)) / 2, rel=1e-14)
    assert loss.backward() == pytest.approx(np.array([[-2, 0, 0], [0, -10, 0]]), rel=1e-14)


@pytest.mark.parametrize("n_classes", [2, 10, 1000])
def test_a_network_that_knows_nothing_costs_ln_k(n_classes):
    J = CrossEntropyLoss().forward(np.zeros((4, n_classes)), [0, 1, 0, 1], logits=True)
    assert J == pytest.approx(np.log(n_classes), rel=1e-14)


@pytest.mark.parametrize("kind", [MSELoss, BinaryCrossEntropyLoss])
def test_outputs_are_averaged(kind, rng):
    loss = kind()
    A, Y = outputs_for(loss, rng), targets_for(loss, rng)
    once = loss.forward(A, Y)
    assert loss.forward(np.hstack([A, A]), np.hstack([Y, Y])) == pytest.approx(once, rel=1e-13)


def test_cross_entropy_sums_over_classes(rng):
    A, Y = rng.dirichlet(np.ones(N), size=M), rng.dirichlet(np.ones(N), size=M)
    assert CrossEntropyLoss().forward(A, Y) == pytest.approx(-(Y * np.log(A)).sum() / M, rel=1e-13)


@pytest.mark.parametrize("kind", LOSSES)
def test_forward_is_the_mean_of_per_example(kind, rng):
    loss = kind()
    A, Y = outputs_for(loss, rng), targets_for(loss, rng)
    ell = loss.per_example(A, Y)
    assert ell.shape == (M,)
    assert loss.forward(A, Y) == pytest.approx(ell.mean(), rel=1e-14)


@pytest.mark.parametrize("kind", LOSSES)
def test_forward_gives_a_python_float(kind, rng):
    loss = kind()
    assert type(loss.forward(outputs_for(loss, rng), targets_for(loss, rng))) is float


def test_gibbs(rng):
    y = rng.dirichlet(np.ones(6))
    answers = rng.dirichlet(np.ones(6), size=500)
    losses = CrossEntropyLoss().per_example(answers, np.broadcast_to(y, answers.shape))
    assert losses.min() >= CrossEntropyLoss().forward([y], [y])


# --- gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LOSSES)
def test_gradient_of_outputs(kind, rng):
    loss = kind()
    A, Y = outputs_for(loss, rng), targets_for(loss, rng)
    numeric = numerical_gradient(lambda A: loss.per_example(A, Y).sum(), A)
    loss.per_example(A, Y)
    assert relative_error(loss.backward(), numeric) < 1e-7


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_gradient_of_logits(kind, rng):
    loss = kind()
    Z, Y = 2 * rng.normal(size=(M, N)), targets_for(loss, rng)
    numeric = numerical_gradient(lambda Z: loss.per_example(Z, Y, logits=True).sum(), Z)
    loss.per_example(Z, Y, logits=True)
    assert relative_error(loss.backward(), numeric) < 1e-7


@pytest.mark.parametrize("kind", LOSSES)
def test_signals_are_per_example(kind, rng):
    loss = kind()
    A, Y = outputs_for(loss, rng), targets_for(loss, rng)
    loss.forward(A, Y)
    dA = loss.backward().copy()
    loss.forward(A[2:3], Y[2:3])
    assert loss.backward()[0] == pytest.approx(dA[2], rel=1e-14)


@pytest.mark.parametrize(
    ("kind", "activation"), [(CrossEntropyLoss, Softmax), (BinaryCrossEntropyLoss, Sigmoid)]
)
def test_fused_equals_one_after_the_other(kind, activation, rng):
    loss, g = kind(), activation()
    assert kind.fused_with is activation
    Z, Y = 2 * rng.normal(size=(M, N)), targets_for(loss, rng)
    J = loss.forward(g.forward(Z), Y)
    dZ = g.backward(loss.backward())
    assert loss.forward(Z, Y, logits=True) == pytest.approx(J, rel=1e-13)
    assert loss.backward() == pytest.approx(dZ, rel=1e-11, abs=1e-14)


def test_fused_gradient_is_answer_minus_target(rng):
    Z = rng.normal(size=(M, N))
    ce, bce = CrossEntropyLoss(), BinaryCrossEntropyLoss()
    Y = np.eye(N)[[0, 2, 1, 1, 0]]
    ce.forward(Z, Y, logits=True)
    assert ce.backward() == pytest.approx(Softmax().forward(Z) - Y, abs=1e-15)
    bce.forward(Z, Y, logits=True)
    assert bce.backward() == pytest.approx((Sigmoid().forward(Z) - Y) / N, abs=1e-15)


def test_two_classes_are_one_probability(rng):
    z, y = rng.normal(size=(M, 1)), rng.integers(2, size=M)
    both = CrossEntropyLoss().forward(np.hstack([np.zeros((M, 1)), z]), y, logits=True)
    assert both == pytest.approx(BinaryCrossEntropyLoss().forward(z, y, logits=True), rel=1e-13)


def test_a_shift_of_the_logits_changes_nothing(rng):
    loss, Z = CrossEntropyLoss(), rng.normal(size=(M, N))
    labels = [0, 1, 2, 0, 1]
    J = loss.forward(Z, labels, logits=True)
    dZ = loss.backward()
    assert loss.forward(Z + 1000, labels, logits=True) == pytest.approx(J, rel=1e-11)
    assert loss.backward() == pytest.approx(dZ, abs=1e-12)


# --- extremes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_ce_of_extreme_logits(dtype, size):
    loss = CrossEntropyLoss()
    Z = np.array([[size, 0, -size], [-size, size, 0]], dtype)
    J = loss.forward(Z, [1, 1], logits=True)
    assert J == pytest.approx(size / 2, rel=1e-6)
    assert loss.backward() == pytest.approx(np.array([[1, -1, 0], [0, 0, 0]]), abs=1e-30)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_bce_of_extreme_logits(dtype, size):
    loss = BinaryCrossEntropyLoss()
    Z = np.array([[size], [-size], [size], [-size]], dtype)
    J = loss.forward(Z, [0, 1, 1, 0], logits=True)
    assert J == pytest.approx(size / 2, rel=1e-6)
    assert loss.backward() == pytest.approx(np.array([[1], [-1], [0], [0]]), abs=1e-30)


def test_small_losses_do_not_drown():
    """ln(1 + e^−z) for a sure and right answer is e^−z, not 0."""
    assert BinaryCrossEntropyLoss().forward([[40.0]], [1], logits=True) == pytest.approx(
        np.exp(-40), rel=1e-12
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ce_of_probabilities_zero_and_one(dtype):
    loss = CrossEntropyLoss()
    A = np.array([[1, 0, 0]], dtype)
    assert loss.forward(A, [0]) == 0
    assert loss.forward(A, [1]) == pytest.approx(-np.log(np.finfo(dtype).tiny), rel=1e-6)
    assert np.isfinite(loss.backward()).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bce_of_probabilities_zero_and_one(dtype):
    loss, eps = BinaryCrossEntropyLoss(), np.finfo(dtype).eps
    A = np.array([[0], [1]], dtype)
    assert 0 <= loss.forward(A, [0, 1]) < 2 * eps
    assert loss.forward(A, [1, 0]) == pytest.approx(-np.log(eps), rel=1e-6)
    assert np.isfinite(loss.backward()).all()


def test_mse_of_large_numbers_in_float32():
    A = np.full((2, 3), 1e15, np.float32)
    assert MSELoss().forward(A, np.zeros((2, 3))) == pytest.approx(1e30, rel=1e-6)


# --- types --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", LOSSES)
def test_dtype_is_kept(kind, dtype, rng):
    loss = kind()
    A, Y = outputs_for(loss, rng).astype(dtype), targets_for(loss, rng)
    loss.forward(A, Y)
    assert loss.backward().dtype == dtype
    assert loss.per_example(A, Y.astype(dtype)).dtype == dtype
    if loss.fused_with:
        loss.forward(A, Y, logits=True)
        assert loss.backward().dtype == dtype


@pytest.mark.parametrize("kind", LOSSES)
def test_arguments_are_not_changed(kind, rng):
    loss = kind()
    A, Y = outputs_for(loss, rng), targets_for(loss, rng)
    A0, Y0 = A.copy(), Y.copy()
    loss.forward(A, Y)
    if loss.fused_with:
        loss.forward(A, Y, logits=True)
    assert (A == A0).all() and (Y == Y0).all()


def test_lists_and_integers_are_converted():
    assert MSELoss().forward([[1], [2]], [1, 4]) == 2.0


# --- labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        [2, 0, 1, 2],
        np.array([2, 0, 1, 2], np.uint8),
        np.array([2, 0, 1, 2], np.int64),
        np.array([2.0, 0.0, 1.0, 2.0]),
    ],
)
def test_integer_classes_equal_one_hot_rows(labels, rng):
    loss, Z = CrossEntropyLoss(), rng.normal(size=(4, 3))
    one_hot = np.eye(3)[[2, 0, 1, 2]]
    assert loss.forward(Z, labels, logits=True) == loss.forward(Z, one_hot, logits=True)
    Y = loss.targets(labels, 3, np.float32)
    assert Y.dtype == np.float32 and (Y == one_hot).all()


def test_boolean_one_hot_rows(rng):
    Z, labels = rng.normal(size=(4, 3)), [2, 0, 1, 2]
    rows = np.eye(3, dtype=bool)[labels]
    assert CrossEntropyLoss().forward(Z, rows, logits=True) == CrossEntropyLoss().forward(
        Z, labels, logits=True
    )


def test_soft_rows_may_be_rounded_to_float32(rng):
    soft = rng.dirichlet(np.ones(10), size=50).astype(np.float32)
    CrossEntropyLoss().forward(rng.normal(size=(50, 10)).astype(np.float32), soft, logits=True)


def test_binary_labels_in_three_forms():
    loss, Z = BinaryCrossEntropyLoss(), np.array([[0.3], [-2.0], [1.1]])
    J = loss.forward(Z, np.array([[1.0], [0.0], [1.0]]), logits=True)
    assert loss.forward(Z, [1, 0, 1], logits=True) == J
    assert loss.forward(Z, np.array([True, False, True]), logits=True) == J


def test_classes_of_probabilities_and_logits():
    ce, bce = CrossEntropyLoss(), BinaryCrossEntropyLoss()
    assert ce.classes(np.array([[0.2, 0.8], [0.6, 0.4]])).tolist() == [1, 0]
    assert bce.classes(np.array([[0.2], [0.6]])).tolist() == [0, 1]
    assert bce.classes(np.array([[-0.2], [0.3]]), logits=True).tolist() == [0, 1]
    assert bce.classes(np.array([[0.2, 0.6]])).tolist() == [[0, 1]]
    assert bce.classes(np.array([[0.5]])).tolist() == bce.classes(np.array([[0.0]]), logits=True).tolist() == [0]
    assert bce.classes(np.array([[0.2]])).dtype == ce.classes(np.array([[0.2, 0.8]])).dtype == np.intp


# --- refusals -----------------------------------------------------------------------------------

A32 = np.full((3, 2), 0.5)
ONES = [[1, 0]] * 3


@pytest.mark.parametrize(
    ("kind", "A", "Y", "logits", "error", "message"),
    [
        (
            MSELoss,
            np.zeros((3, 2)),
            np.zeros((4, 2)),
            False,
            ValueError,
            r"as many targets as examples.*\(3, 2\).*\(4, 2\)",
        ),
        (
            MSELoss,
            np.zeros((3, 2)),
            np.zeros((3, 4)),
            False,
            ValueError,
            r"MSELoss expects Y of shape \(m, 2\), got \(3, 4\)",
        ),
        (
            MSELoss,
            np.zeros((3, 2)),
            np.zeros(3),
            False,
            ValueError,
            r"Y of shape \(m, 2\), got \(3,\)",
        ),
        (MSELoss, np.zeros(3), np.zeros(3), False, ValueError, r"A of shape \(m, n\), got \(3,\)"),
        (MSELoss, np.zeros((0, 2)), np.zeros((0, 2)), False, ValueError, "empty"),
        (MSELoss, np.zeros((3, 2)), np.zeros((0, 2)), False, ValueError, "empty"),
        (
            MSELoss,
            np.zeros((3, 2)),
            np.full((3, 2), np.nan),
            False,
            ValueError,
            "Y must hold finite numbers",
        ),
        (
            MSELoss,
            np.zeros((3, 2)),
            np.full((3, 2), np.inf),
            False,
            ValueError,
            "Y must hold finite numbers",
        ),
        (
            MSELoss,
            np.zeros((3, 2)),
            [["a", "b"]] * 3,
            False,
            TypeError,
            "Y as an array of real numbers",
        ),
        (
            MSELoss,
            np.zeros((3, 2), complex),
            np.zeros((3, 2)),
            False,
            TypeError,
            "A as an array of real numbers",
        ),
        (MSELoss, [[1, 2], [3]], np.zeros((2, 2)), False, ValueError, "ragged"),
        (
            MSELoss,
            np.zeros((3, 2)),
            np.zeros((3, 2)),
            True,
            ValueError,
            "MSELoss is fused with no activation",
        ),
        (
            CrossEntropyLoss,
            A32,
            [0, 1, 2],
            False,
            ValueError,
            "integer classes from 0 to 1, got 2 at index 2",
        ),
        (CrossEntropyLoss, A32, [0, -1, 1], False, ValueError, "from 0 to 1, got -1 at index 1"),
        (CrossEntropyLoss, A32, [0, 0.5, 1], False, ValueError, "got 0.5 at index 1"),
        (CrossEntropyLoss, A32, [0, np.nan, 1], False, ValueError, "got nan at index 1"),
        (CrossEntropyLoss, A32, [0, 1], False, ValueError, "as many targets as examples"),
        (CrossEntropyLoss, A32, [], False, ValueError, "empty|shape"),
        (CrossEntropyLoss, A32, [[1, 0], [1, 1], [0, 1]], False, ValueError, "sum to 1, got row 1"),
        (
            CrossEntropyLoss,
            A32,
            [[1, 0], [0, 1], [2, -1]],
            False,
            ValueError,
            "sum to 1, got row 2",
        ),
        (CrossEntropyLoss, A32, np.full((3, 2), np.nan), False, ValueError, "finite"),
        (
            CrossEntropyLoss,
            A32 + 1,
            ONES,
            False,
            ValueError,
            "probabilities between 0 and 1.*logits=True",
        ),
        (CrossEntropyLoss, A32 - 1, ONES, False, ValueError, "probabilities between 0 and 1"),
        (CrossEntropyLoss, A32 * np.nan, ONES, False, ValueError, "probabilities between 0 and 1"),
        (
            CrossEntropyLoss,
            np.full((3, 1), 0.5),
            [0, 1, 0],
            False,
            ValueError,
            "at least 2 outputs.*BinaryCrossEntropyLoss",
        ),
        (
            BinaryCrossEntropyLoss,
            A32,
            [[2, 0]] * 3,
            False,
            ValueError,
            "targets between 0 and 1, got 2 in row 0",
        ),
        (
            BinaryCrossEntropyLoss,
            A32,
            [[0, 0], [0, -0.1], [0, 0]],
            False,
            ValueError,
            "got -0.1 in row 1",
        ),
        (
            BinaryCrossEntropyLoss,
            A32,
            [0, 1, 0],
            False,
            ValueError,
            r"Y of shape \(m, 2\), got \(3,\)",
        ),
        (
            BinaryCrossEntropyLoss,
            A32 + 1,
            ONES,
            False,
            ValueError,
            "probabilities between 0 and 1.*logits=True",
        ),
        (BinaryCrossEntropyLoss, A32, np.full((3, 2), np.nan), False, ValueError, "finite"),
    ],
)
def test_bad_input_is_refused(kind, A, Y, logits, error, message):
    with pytest.raises(error, match=message):
        kind().forward(A, Y, logits=logits)


@pytest.mark.parametrize("kind", LOSSES)
def test_backward_before_forward(kind):
    with pytest.raises(RuntimeError, match=rf"{kind.__name__}.backward.*call forward first"):
        kind().backward()


@pytest.mark.parametrize("kind", LOSSES)
def test_a_refusal_keeps_the_last_signal(kind, rng):
    loss = kind()
    A = outputs_for(loss, rng)
    loss.forward(A, targets_for(loss, rng))
    signal = loss.backward().copy()
    with pytest.raises(ValueError):
        loss.forward(A, np.full((M, N), np.nan))
    assert (loss.backward() == signal).all()


def test_mse_has_no_classes():
    with pytest.raises(ValueError, match="for numbers, not for classes"):
        MSELoss().classes(np.zeros((2, 2)))


# --- as components ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LOSSES)
def test_config_builds_the_loss_again(kind):
    loss = Loss.build(kind().config())
    assert type(loss) is kind and repr(loss) == f"{kind.__name__}()"


def test_the_model_fuses(rng):
    """Scores at which the unfused signal is zero still train the network."""
    network = Sequential(DenseLayer(2, 2, activation=Softmax(), rng=0))
    network.layers[0].W = [[1000, -1000], [0, 0]]
    model = Model(network, CrossEntropyLoss())
    J, grad = model.cost_and_gradient(np.array([[1.0, 0.0]]), [1])
    assert model.fused and J == pytest.approx(2000)
    assert network.layers[0].dW.tolist() == [[1, -1], [0, 0]] and np.isfinite(grad).all()
