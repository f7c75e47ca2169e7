"""The optimizers against plain re-implementations; what they promise about θ, t and refusals."""

import math

import numpy as np
import pytest

from nnbook.core.optimizers import SGD, Adam, Momentum, Optimizer

STEPS = 100


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# --- plain re-implementations: one number at a time, in Python's floats -------------------------


def plain_sgd(theta, gradients, lr, decay=0.0):
    for g in gradients:
        theta = [p - lr * decay * p - lr * d for p, d in zip(theta, g, strict=True)]
    return theta


def plain_momentum(theta, gradients, lr, mu, nesterov, decay=0.0):
    v = [0.0] * len(theta)
    for g in gradients:
        v = [mu * w + d for w, d in zip(v, g, strict=True)]
        step = [d + mu * w for w, d in zip(v, g, strict=True)] if nesterov else v
        theta = [p - lr * decay * p - lr * s for p, s in zip(theta, step, strict=True)]
    return theta


def plain_adam(theta, gradients, lr, beta1, beta2, eps, decay=0.0):
    m, v = [0.0] * len(theta), [0.0] * len(theta)
    for t, g in enumerate(gradients, 1):
        rate = lr(t) if callable(lr) else lr
        for i, d in enumerate(g):
            m[i] = beta1 * m[i] + (1 - beta1) * d
            v[i] = beta2 * v[i] + (1 - beta2) * d * d
            m_hat, v_hat = m[i] / (1 - beta1**t), v[i] / (1 - beta2**t)
            theta[i] = theta[i] - rate * decay * theta[i] - rate * m_hat / (math.sqrt(v_hat) + eps)
    return theta


RULES = {
    "sgd": (lambda: SGD(0.03), lambda p, g: plain_sgd(p, g, 0.03)),
    "sgd decay": (lambda: SGD(0.03, weight_decay=0.4), lambda p, g: plain_sgd(p, g, 0.03, 0.4)),
    "momentum": (
        lambda: Momentum(0.02, 0.85),
        lambda p, g: plain_momentum(p, g, 0.02, 0.85, False),
    ),
    "nesterov": (
        lambda: Momentum(0.02, 0.85, nesterov=True),
        lambda p, g: plain_momentum(p, g, 0.02, 0.85, True),
    ),
    "nesterov decay": (
        lambda: Momentum(0.02, 0.85, True, weight_decay=0.4),
        lambda p, g: plain_momentum(p, g, 0.02, 0.85, True, 0.4),
    ),
    "adam": (lambda: Adam(0.01), lambda p, g: plain_adam(p, g, 0.01, 0.9, 0.999, 1e-8)),
    "adam constants": (
        lambda: Adam(0.05, 0.7, 0.95, 1e-2),
        lambda p, g: plain_adam(p, g, 0.05, 0.7, 0.95, 1e-2),
    ),
    "adam without means": (
        lambda: Adam(0.05, 0, 0, 1e-2),
        lambda p, g: plain_adam(p, g, 0.05, 0, 0, 1e-2),
    ),
    "adamw": (
        lambda: Adam(0.01, weight_decay=0.4),
        lambda p, g: plain_adam(p, g, 0.01, 0.9, 0.999, 1e-8, 0.4),
    ),
    "adam schedule": (
        lambda: Adam(lambda t: 0.1 / t),
        lambda p, g: plain_adam(p, g, lambda t: 0.1 / t, 0.9, 0.999, 1e-8),
    ),
}
MAKERS = [pytest.param(make, id=name) for name, (make, _) in RULES.items()]


@pytest.mark.parametrize("name", RULES)
def test_equals_the_plain_rule(name, rng):
    make, plain = RULES[name]
    theta, gradients = rng.normal(size=7), rng.normal(size=(STEPS, 7)) * np.geomspace(1e-4, 1e4, 7)
    expected = plain(theta.tolist(), gradients.tolist())
    optimizer = make()
    for g in gradients:
        optimizer.step(theta, g)
    assert optimizer.t == STEPS
    np.testing.assert_allclose(theta, expected, rtol=1e-12, atol=1e-14)


def test_first_step_of_adam_is_lr_in_every_coordinate():
    theta = np.zeros(4)
    Adam(0.01).step(theta, np.array([1e3, -1.0, 1e-3, 0.0]))
    np.testing.assert_allclose(theta, [-0.01, 0.01, -0.01, 0], rtol=1e-4)


def test_adam_does_not_see_the_scale_of_the_cost(rng):
    one, other = np.zeros(5), np.zeros(5)
    small, large = Adam(0.01, eps=1e-30), Adam(0.01, eps=1e-30)
    for g in rng.normal(size=(50, 5)):
        small.step(one, g)
        large.step(other, 1000 * g)
    np.testing.assert_allclose(one, other, rtol=1e-11)


def test_adam_is_bounded(rng):
    """The bound of the chapter, and the growing gradients that reach it."""
    beta1, beta2, T = 0.9, 0.999, 2000
    bound = (1 - beta1) * math.sqrt((1 - beta2**T) / (1 - beta2)) / math.sqrt(1 - beta1**2 / beta2)
    theta, adam = np.zeros(1), Adam(lr=1.0, eps=1e-120)
    for t in range(T):
        before = theta.item()
        adam.step(theta, np.array([1e-60 * (beta2 / beta1) ** t]))
    assert before - theta.item() == pytest.approx(bound, rel=1e-6)
    assert bound == pytest.approx(6.76, abs=0.01)


def test_adam_on_a_gradient_that_is_always_zero():
    theta = np.array([1.0, 2.0])
    adam = Adam(0.1)
    for _ in range(10):
        adam.step(theta, np.zeros(2))
    assert theta.tolist() == [1, 2]


def test_adam_after_a_million_steps(rng):
    """β^t underflows; the corrections go to 1 and nothing else happens."""
    theta, adam = np.zeros(3), Adam(0.1)
    adam.t = 10**6
    adam.step(theta, rng.normal(size=3))
    assert np.isfinite(theta).all()


def test_momentum_is_an_exponential_sum(rng):
    gradients, mu = rng.normal(size=(20, 4)), 0.8
    momentum, theta = Momentum(0.1, mu), np.zeros(4)
    for g in gradients:
        momentum.step(theta, g)
    expected = sum(mu**k * gradients[19 - k] for k in range(20))
    np.testing.assert_allclose(momentum.state["v"], expected, rtol=1e-12)


def test_effective_step_of_momentum():
    theta, momentum = np.zeros(1), Momentum(0.01, 0.9)
    for _ in range(400):
        before = theta.item()
        momentum.step(theta, np.ones(1))
    assert before - theta.item() == pytest.approx(0.01 / (1 - 0.9))


def test_nesterov_is_a_look_ahead():
    """The code's form, moved back by lr·μ·v, is Nesterov's own."""
    lr, mu, gradient = 0.05, 0.9, lambda theta: np.array([1.0, 7.0, 20.0]) * theta
    theta, optimizer = np.array([1.0, -2.0, 0.5]), Momentum(lr, mu, nesterov=True)
    phi, v = theta.copy(), np.zeros(3)
    for _ in range(30):
        optimizer.step(theta, gradient(theta))
        v = mu * v + gradient(phi - lr * mu * v)
        phi = phi - lr * v
        np.testing.assert_allclose(theta, phi - lr * mu * v, rtol=1e-9, atol=1e-12)


def test_momentum_without_momentum_is_sgd(rng):
    one, other = np.ones(3), np.ones(3)
    plain, still = SGD(0.1), Momentum(0.1, momentum=0)
    for g in rng.normal(size=(10, 3)):
        plain.step(one, g)
        still.step(other, g)
    assert (one == other).all()


def test_sgd_converges_at_the_predicted_rate():
    lam, lr = np.array([1.0, 9.0]), 0.2
    theta = np.array([1.0, 1.0])
    sgd = SGD(lr)
    for _ in range(20):
        sgd.step(theta, lam * theta)
    np.testing.assert_allclose(theta, (1 - lr * lam) ** 20, rtol=1e-12)


@pytest.mark.parametrize(("factor", "diverges"), [(1.99, False), (2.01, True)])
def test_sgd_diverges_above_two_over_the_curvature(factor, diverges):
    theta, sgd = np.array([1.0]), SGD(factor / 5)
    for _ in range(500):
        sgd.step(theta, 5 * theta)
    assert bool(abs(theta[0]) > 1) is diverges


# --- θ stays where it is ------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_in_place_on_a_view(make, rng):
    """The layers look at θ through views; what lies around it is not touched."""
    everything = rng.normal(size=20)
    before, theta = everything.copy(), everything[5:11]
    W = theta.reshape(2, 3)
    copy, gradient = theta.copy(), rng.normal(size=6)
    make().step(theta, gradient)
    make().step(copy, gradient)
    assert (W.ravel() == copy).all() and not (copy == before[5:11]).any()
    assert (everything[:5] == before[:5]).all() and (everything[11:] == before[11:]).all()


@pytest.mark.parametrize("make", MAKERS)
def test_strided_view(make, rng):
    everything = rng.normal(size=12)
    gradient, copy = rng.normal(size=6), everything[::2].copy()
    odd = everything[1::2].copy()
    one, other = make(), make()
    for _ in range(3):
        one.step(everything[::2], gradient)
        other.step(copy, gradient)
    assert (everything[::2] == copy).all() and (everything[1::2] == odd).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", MAKERS)
def test_dtype_is_kept(make, dtype, rng):
    optimizer, theta = make(), rng.normal(size=6).astype(dtype)
    for _ in range(3):
        optimizer.step(theta, rng.normal(size=6).astype(dtype))
    assert theta.dtype == dtype
    assert all(vector.dtype == dtype for vector in optimizer.state.values())


@pytest.mark.parametrize("make", MAKERS)
def test_the_gradient_is_not_changed(make, rng):
    optimizer, theta, gradient = make(), rng.normal(size=6), rng.normal(size=6)
    kept = gradient.copy()
    for _ in range(3):
        optimizer.step(theta, gradient)
    assert (gradient == kept).all()


@pytest.mark.parametrize("make", MAKERS)
def test_the_state_is_not_the_gradient(make, rng):
    """The gradient's vector is overwritten in every step; the memory must not be."""
    gradients, theta, reused = rng.normal(size=(5, 6)), np.zeros(6), np.zeros(6)
    one, other, buffer = make(), make(), np.empty(6)
    for g in gradients:
        one.step(theta, g)
        buffer[:] = g
        other.step(reused, buffer)
        buffer[:] = np.nan
    assert (theta == reused).all()


def test_float32_adam_stays_close_to_float64(rng):
    single, double = np.zeros(50, np.float32), np.zeros(50)
    a, b = Adam(0.01), Adam(0.01)
    for g in rng.normal(size=(STEPS, 50)).astype(np.float32):
        a.step(single, g)
        b.step(double, g.astype(float))
    np.testing.assert_allclose(single, double, atol=2e-6)


# --- what has faded, and long vectors ------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [lambda: Momentum(0.1), lambda: Adam(0.001, beta1=0.8, beta2=0.85)])
def test_what_has_faded_becomes_zero_before_it_is_subnormal(make, dtype):
    tiny = np.finfo(dtype).tiny
    optimizer, theta, gradient = make(), np.ones(3, dtype), np.array([1, 1e-3, 0], dtype)
    optimizer.step(theta, gradient)
    while any(vector.any() for vector in optimizer.state.values()):
        optimizer.step(theta, np.zeros(3, dtype))
        for vector in optimizer.state.values():
            assert ((vector == 0) | (vector >= tiny)).all()
        assert optimizer.t < 30_000


@pytest.mark.parametrize("make", [lambda: Momentum(0.1), lambda: Adam(0.001)])
def test_what_has_not_faded_stays(make, rng):
    optimizer, theta = make(), rng.normal(size=6)
    for _ in range(63):
        optimizer.step(theta, rng.normal(size=6))
    before = {name: vector.copy() for name, vector in optimizer.state.items()}
    for vector in optimizer.state.values():
        vector[0] = 1e-300  # faded in float64 is below 2.4e-302
    optimizer.step(theta, np.zeros(6))
    for name, vector in optimizer.state.items():
        assert 0 < vector[0] < 1e-299 and np.sign(vector[1:]).tolist() == np.sign(before[name][1:]).tolist()


@pytest.mark.parametrize("size", [1, 2**16 - 1, 2**16, 2**16 + 1, 3 * 2**16 + 5])
def test_a_long_vector_moves_as_its_parts_do(size, rng):
    whole = rng.normal(size=size).astype(np.float32)
    parts = np.array_split(whole.copy(), 7)
    one, others = Adam(0.01), [Adam(0.01) for _ in parts]
    for _ in range(3):
        gradient = rng.normal(size=size).astype(np.float32)
        one.step(whole, gradient)
        for optimizer, part, g in zip(others, parts, np.array_split(gradient, 7), strict=True):
            optimizer.step(part, g)
    assert (whole == np.concatenate(parts)).all()


@pytest.mark.parametrize("shape", [(), (0,), (3, 4), (2, 3, 4)])
def test_adam_moves_arrays_of_any_shape(shape, rng):
    theta, flat, gradient = rng.normal(size=shape), None, rng.normal(size=shape)
    theta = np.asarray(theta)
    flat = theta.reshape(-1).copy()
    one, other = Adam(0.01), Adam(0.01)
    for _ in range(3):
        one.step(theta, np.asarray(gradient))
        other.step(flat, np.asarray(gradient).reshape(-1))
    assert (theta.reshape(-1) == flat).all()


# --- the count of steps, schedules, reset -------------------------------------------------------


@pytest.mark.parametrize("kind", [SGD, Momentum, Adam])
def test_a_schedule_is_asked_for_steps_from_one(kind, rng):
    asked = []

    def schedule(t):
        asked.append(t)
        return 0.1

    optimizer, theta = kind(lr=schedule), np.zeros(3)
    assert optimizer.t == 0
    for t in (1, 2, 3):
        optimizer.step(theta, rng.normal(size=3))
        assert optimizer.t == t
    assert asked == [1, 2, 3]


@pytest.mark.parametrize("kind", [SGD, Momentum, Adam])
def test_a_schedule_sets_the_step(kind, rng):
    theta, gradient = np.zeros(3), rng.normal(size=3)
    optimizer = kind(lr=lambda t: np.float64(0.5) if t == 1 else 0)
    optimizer.step(theta, gradient)
    constant = np.zeros(3)
    kind(lr=0.5).step(constant, gradient)
    assert (theta == constant).all() and theta.any()
    optimizer.step(theta, gradient)
    assert (theta == constant).all()


def test_a_schedule_in_numpy_floats_keeps_float32():
    theta = np.ones(3, np.float32)
    SGD(lambda t: np.float64(0.1), weight_decay=0.1).step(theta, np.ones(3, np.float32))
    assert theta.dtype == np.float32


@pytest.mark.parametrize("make", MAKERS)
def test_reset_forgets_everything(make, rng):
    optimizer, gradients = make(), rng.normal(size=(4, 6))
    fresh, again = np.ones(6), np.ones(6)
    for g in gradients:
        optimizer.step(fresh, g)
    optimizer.reset()
    assert optimizer.t == 0 and optimizer.state == {}
    for g in gradients:
        optimizer.step(again, g)
    assert (fresh == again).all()


@pytest.mark.parametrize("make", MAKERS)
def test_after_reset_another_network_may_come(make, rng):
    optimizer = make()
    optimizer.step(np.zeros(6), np.ones(6))
    optimizer.reset()
    theta = np.zeros(9, np.float32)
    optimizer.step(theta, np.ones(9, np.float32))
    assert theta.all()


# --- weight decay -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SGD, Momentum, Adam])
def test_decay_alone_shrinks_by_a_constant_factor(kind):
    theta, optimizer = np.array([2.0, -3.0]), kind(lr=0.1, weight_decay=0.5)
    for _ in range(10):
        optimizer.step(theta, np.zeros(2))
    np.testing.assert_allclose(theta, np.array([2.0, -3.0]) * 0.95**10, rtol=1e-13)


def test_decay_of_sgd_is_the_penalty(rng):
    decayed, penalised = np.ones(4), np.ones(4)
    one, other = SGD(0.1, weight_decay=0.3), SGD(0.1)
    for g in rng.normal(size=(20, 4)):
        one.step(decayed, g)
        other.step(penalised, g + 0.3 * penalised)
    np.testing.assert_allclose(decayed, penalised, rtol=1e-12)


def test_decay_of_adam_is_not_the_penalty(rng):
    decayed, penalised = np.ones(2), np.ones(2)
    one, other = Adam(0.01, weight_decay=0.3), Adam(0.01)
    for g in rng.normal(size=(200, 2)) * [0.1, 10]:
        one.step(decayed, g)
        other.step(penalised, g + 0.3 * penalised)
    assert np.abs(decayed - penalised).min() > 0.05


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SGD, Momentum, Adam])
@pytest.mark.parametrize(
    ("lr", "error"),
    [
        (0, ValueError),
        (-0.1, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        (True, TypeError),
        (np.bool_(True), TypeError),
        ("0.1", TypeError),
        (None, TypeError),
        ([0.1], TypeError),
        (1j, TypeError),
    ],
)
def test_learning_rate_is_refused(kind, lr, error):
    with pytest.raises(error, match="lr must be a number"):
        kind(lr=lr)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SGD(weight_decay=-0.1), "weight_decay"),
        (lambda: Adam(weight_decay=math.nan), "weight_decay"),
        (lambda: Momentum(momentum=1), "momentum"),
        (lambda: Momentum(momentum=-0.1), "momentum"),
        (lambda: Momentum(momentum=True), "momentum"),
        (lambda: Adam(beta1=1), "beta1"),
        (lambda: Adam(beta1=-0.1), "beta1"),
        (lambda: Adam(beta2=1.0), "beta2"),
        (lambda: Adam(beta2=math.nan), "beta2"),
        (lambda: Adam(eps=0), "eps"),
        (lambda: Adam(eps="small"), "eps"),
    ],
)
def test_constants_are_refused(make, name):
    with pytest.raises((ValueError, TypeError), match=f"^{name} must be a number"):
        make()


def bad_steps():
    f32 = np.ones(6, np.float32)
    return {
        "short gradient": (np.ones(6), np.ones(5), ValueError, r"grad of shape \(6,\).*got \(5,\)"),
        "matrix": (np.ones(6), np.ones((2, 3)), ValueError, r"got \(2, 3\)"),
        "other dtype": (np.ones(6), f32, ValueError, "float32"),
        "integers": (
            np.ones(6),
            np.ones(6, int),
            TypeError,
            "grad as an array of floats, got dtype int",
        ),
        "integer theta": (
            np.ones(6, int),
            np.ones(6),
            TypeError,
            "theta as an array of floats, got dtype int",
        ),
        "list": (np.ones(6), [1.0] * 6, TypeError, "grad as an array of floats, got list"),
        "list theta": ([1.0] * 6, np.ones(6), TypeError, "theta as an array of floats, got list"),
        "none": (np.ones(6), None, TypeError, "got NoneType"),
        "complex": (np.ones(6), np.ones(6, complex), TypeError, "got dtype complex"),
    }


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("case", bad_steps())
def test_a_refused_step_changes_nothing(make, case, rng):
    theta, grad, error, message = bad_steps()[case]
    optimizer, good = make(), np.ones(6)
    optimizer.step(good, rng.normal(size=6))
    kept = {name: vector.copy() for name, vector in optimizer.state.items()}
    before = np.array(theta)
    with pytest.raises(error, match=message):
        optimizer.step(theta, grad)
    assert optimizer.t == 1 and (np.array(theta) == before).all()
    assert all((vector == kept[name]).all() for name, vector in optimizer.state.items())


@pytest.mark.parametrize("make", [lambda: Momentum(), lambda: Adam()])
@pytest.mark.parametrize("other", [np.ones(9), np.ones(6, np.float32)])
def test_another_network_needs_a_reset(make, other):
    optimizer = make()
    optimizer.step(np.ones(6), np.ones(6))
    before = other.copy()
    with pytest.raises(ValueError, match=r"call reset\(\) before another network"):
        optimizer.step(other, np.ones_like(other))
    assert optimizer.t == 1 and (other == before).all()


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, None, "a", True])
@pytest.mark.parametrize("kind", [SGD, Momentum, Adam])
def test_a_bad_schedule_is_refused_and_changes_nothing(kind, bad):
    optimizer, theta = kind(lr=lambda t: 0.1 if t < 3 else bad, weight_decay=0.1), np.ones(3)
    for _ in range(2):
        optimizer.step(theta, np.ones(3))
    before, kept = theta.copy(), {name: vector.copy() for name, vector in optimizer.state.items()}
    with pytest.raises((ValueError, TypeError), match=r"lr\(3\) must be a number"):
        optimizer.step(theta, np.ones(3))
    assert optimizer.t == 2 and (theta == before).all()
    assert all((vector == kept[name]).all() for name, vector in optimizer.state.items())


# --- as components ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.2),
        SGD(0.2, 0.1),
        Momentum(0.1, 0.5, True),
        Momentum(),
        Adam(),
        Adam(0.01, 0.8, 0.9, 1e-6, 0.1),
    ],
)
def test_config_builds_the_optimizer_again(optimizer):
    twin = Optimizer.build(optimizer.config())
    assert type(twin) is type(optimizer) and repr(twin) == repr(optimizer)


def test_repr_shows_what_differs_from_the_defaults():
    assert repr(Adam()) == "Adam()" and repr(Adam(lr=0.01)) == "Adam(lr=0.01)"


def test_a_reader_can_write_a_rule():
    class Sign(Optimizer):
        def update(self, theta, grad, lr):
            theta -= lr * np.sign(grad)

    theta = np.zeros(3)
    Sign(0.5).step(theta, np.array([3.0, -2.0, 0.0]))
    assert theta.tolist() == [-0.5, 0.5, 0]


@pytest.mark.parametrize("make", MAKERS)
def test_parameters_may_have_any_shape(make, rng):
    flat = rng.normal(size=6)
    table, optimizer, other = flat.reshape(2, 3).copy(), make(), make()
    for g in rng.normal(size=(3, 6)):
        optimizer.step(flat, g)
        other.step(table, g.reshape(2, 3))
    np.testing.assert_array_equal(table.ravel(), flat)
    assert all(vector.shape == (2, 3) for vector in other.state.values())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam_works_in_memory_that_it_keeps(dtype):
    theta, adam = np.ones(4, dtype), Adam(0.1)
    adam.step(theta, theta.copy())
    kept = adam._scratch
    adam.step(theta, theta.copy())
    assert adam._scratch is kept and kept.dtype == dtype


def test_a_rule_of_ones_own_decays_nothing_unless_asked():
    assert Optimizer(0.1).weight_decay == 0 and Optimizer(0.1, 0.5).weight_decay == 0.5
