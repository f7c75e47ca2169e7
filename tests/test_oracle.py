"""What the package derives by hand, against libraries that derive by themselves.

The references are written in the textbook's most naive form (no fused gradient, no stable rearrangement, the
paper's Adam), with `autograd` for every derivative. All agree within 1e-10 in float64, relative to the largest
entry. PyTorch is a second oracle where it is installed; scikit-learn is the one for the metrics.
"""

import itertools
import math
import warnings

import autograd.numpy as anp
import numpy as np
import pytest
import sklearn.metrics
from autograd import elementwise_grad, value_and_grad
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnbook import (
    SELU,
    SGD,
    Adam,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    DenseLayer,
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
    Tanh,
    Xavier,
    accuracy,
    confusion_matrix,
    f1_score,
    precision,
    r2_score,
    recall,
)
from nnbook.core import activations

TOLERANCE = 1e-10
STEPS = 100


def assert_close(ours, theirs, what=""):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and ours.dtype == np.float64, what
    largest = max(np.abs(theirs).max(), np.finfo(float).tiny)
    assert np.abs(ours - theirs).max() <= TOLERANCE * largest, f"{what}: {np.abs(ours - theirs).max() / largest:.1e}"


# ---- the same in the most naive form -----------------------------------------------------------


def softmax(Z):
    E = anp.exp(Z)
    return E / anp.sum(E, axis=-1, keepdims=True)


ACTIVATIONS = {
    "Identity": (Identity, lambda Z: 1.0 * Z),
    "ReLU": (ReLU, lambda Z: Z * (Z > 0)),
    "LeakyReLU": (lambda: LeakyReLU(0.1), lambda Z: anp.where(Z > 0, Z, 0.1 * Z)),
    "SELU": (SELU, lambda Z: 1.0507009873554804934193349852946 * anp.where(Z > 0, Z, 1.6732632423543772848170429916717 * (anp.exp(Z) - 1))),
    "Sigmoid": (Sigmoid, lambda Z: 1 / (1 + anp.exp(-Z))),
    "Tanh": (Tanh, lambda Z: (anp.exp(2 * Z) - 1) / (anp.exp(2 * Z) + 1)),
    "Softmax": (Softmax, softmax),
}
LOSSES = {
    "MSE": (MSELoss, lambda A, Y: anp.mean((A - Y) ** 2)),
    "CE": (CrossEntropyLoss, lambda A, Y: -anp.mean(anp.sum(Y * anp.log(A), axis=1))),
    "BCE": (BinaryCrossEntropyLoss, lambda A, Y: -anp.mean(Y * anp.log(A) + (1 - Y) * anp.log(1 - A))),
}
# where a loss makes sense: probabilities for the two entropies (fused and not), anything for the square
ENDS = [("CE", "Softmax"), ("CE", "Sigmoid"), ("BCE", "Sigmoid"), ("BCE", "Softmax"), *(("MSE", name) for name in ACTIVATIONS)]
INITIALIZERS = {f"{kind.__name__}-{distribution}": (lambda k=kind, d=distribution: k(d))
                for kind in (He, Xavier, LeCun) for distribution in ("normal", "uniform")}


def outputs(theta, X, widths, names):
    """The output of the network whose parameters are laid out one after the other in θ."""
    start = 0
    for n_in, n_out, name in zip(widths, widths[1:], names):
        W = anp.reshape(theta[start:start + n_in * n_out], (n_in, n_out))
        b = theta[start + n_in * n_out:start + n_in * n_out + n_out]
        start += n_in * n_out + n_out
        X = ACTIVATIONS[name][1](anp.dot(X, W) + b)
    return X


def problem(depth, hidden, end, initializer, seed):
    """A model, examples, targets and the oracle's cost as a function of θ and X."""
    rng = np.random.default_rng(seed)
    loss, last = end
    widths = [4, 6, 5, 6, 5][:depth] + [3]
    names = [hidden] * (depth - 1) + [last]
    network = Sequential(*(DenseLayer(n_in, n_out, ACTIVATIONS[name][0](), INITIALIZERS[initializer](), rng=rng, dtype=np.float64)
                           for n_in, n_out, name in zip(widths, widths[1:], names)))
    network.theta = network.theta + 0.1 * rng.normal(size=network.n_params)  # biases away from 0
    X = rng.normal(size=(7, 4))
    Y = np.eye(3)[rng.integers(0, 3, 7)] if loss == "CE" else rng.uniform(size=(7, 3))
    if loss == "BCE":
        Y = np.round(Y)
    return Model(network, LOSSES[loss][0]()), X, Y, lambda theta, X: LOSSES[loss][1](outputs(theta, X, widths, names), Y)


# ---- activations, losses, a layer --------------------------------------------------------------


def test_the_oracle_knows_every_activation():
    assert ACTIVATIONS.keys() == set(activations.__all__) - {"Activation"}


Z = np.concatenate([np.random.default_rng(0).normal(size=(9, 5)) * scale for scale in (0.01, 1, 5)])
KINKLESS = np.where(np.abs(Z) < 1e-6, 1e-3, Z)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    make, naive = ACTIVATIONS[name]
    activation, dA = make(), np.random.default_rng(1).normal(size=Z.shape)
    assert_close(activation.forward(KINKLESS), naive(KINKLESS), name)
    _, dZ = value_and_grad(lambda Z: anp.sum(dA * naive(Z)))(KINKLESS)
    assert_close(activation.backward(dA), dZ, name)
    if name != "Softmax":
        for z in KINKLESS.ravel():  # and number by number, small ones too
            ours = make()
            ours.forward(np.array([z]))
            assert ours.backward(np.ones(1))[0] == pytest.approx(elementwise_grad(naive)(z), rel=TOLERANCE)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_from_outputs(name):
    make, naive = LOSSES[name]
    rng = np.random.default_rng(2)
    A = rng.dirichlet(np.ones(4), size=8) * 0.98 + 0.005
    Y = np.eye(4)[rng.integers(0, 4, 8)] if name == "CE" else rng.uniform(size=A.shape)
    loss = make()
    J, dA = value_and_grad(lambda A: naive(A, Y))(A)
    assert loss.forward(A, Y) == pytest.approx(J, rel=TOLERANCE)
    assert_close(loss.backward() / len(A), dA, name)


@pytest.mark.parametrize(("name", "activation"), [("CE", "Softmax"), ("BCE", "Sigmoid")])
def test_losses_from_logits(name, activation):
    make, naive = LOSSES[name]
    rng = np.random.default_rng(3)
    Z = 3 * rng.normal(size=(8, 4))
    for Y in (np.eye(4)[rng.integers(0, 4, 8)], rng.dirichlet(np.ones(4), size=8)):
        loss = make()
        J, dZ = value_and_grad(lambda Z, Y=Y: naive(ACTIVATIONS[activation][1](Z), Y))(Z)
        assert loss.forward(Z, Y, logits=True) == pytest.approx(J, rel=TOLERANCE)
        assert_close(loss.backward() / len(Z), dZ, name)


@pytest.mark.parametrize("initializer", INITIALIZERS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_layer(name, initializer):
    rng = np.random.default_rng(4)
    layer = DenseLayer(5, 3, ACTIVATIONS[name][0](), INITIALIZERS[initializer](), rng=rng, dtype=np.float64)
    layer.b = rng.normal(size=3)
    X, dA = rng.normal(size=(6, 5)), rng.normal(size=(6, 3))
    naive = ACTIVATIONS[name][1]

    def total(W, b, X):
        return anp.sum(dA * naive(anp.dot(X, W) + b))

    assert_close(layer.forward(X), naive(X @ layer.W + layer.b))
    dX = layer.backward(dA)
    (dW_sum, db_sum, dX_sum) = (value_and_grad(total, i)(layer.W, layer.b, X)[1] for i in range(3))
    assert_close(layer.dW, dW_sum / len(X), "dW")
    assert_close(layer.db, db_sum / len(X), "db")
    assert_close(dX, dX_sum, "dX")


@pytest.mark.parametrize(("kind", "variance"), [(He, lambda i, o: 2 / i), (LeCun, lambda i, o: 1 / i), (Xavier, lambda i, o: 2 / (i + o))])
@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (3, 7), (50, 20)])
def test_initializers_are_the_papers_scale_of_a_standard_draw(kind, variance, n_in, n_out):
    v = variance(n_in, n_out)
    assert_close(kind("normal")(n_in, n_out, 5, np.float64), math.sqrt(v) * np.random.default_rng(5).standard_normal((n_in, n_out)))
    assert_close(kind("uniform")(n_in, n_out, 5, np.float64), math.sqrt(3 * v) * (2 * np.random.default_rng(5).random((n_in, n_out)) - 1))


# ---- whole networks ----------------------------------------------------------------------------

NETWORKS = [(depth, hidden, end) for depth in range(1, 6) for hidden in (ACTIVATIONS if depth > 1 else ["none"]) for end in ENDS]


@pytest.mark.parametrize(("depth", "hidden", "end"), NETWORKS, ids=lambda value: "-".join(value) if isinstance(value, tuple) else str(value))
def test_networks(depth, hidden, end):
    """The output, the cost, ∇J by every parameter and by X, for every initialiser."""
    for seed, initializer in enumerate(INITIALIZERS):
        model, X, Y, cost = problem(depth, hidden, end, initializer, seed)
        theta = model.network.theta.copy()
        J, (dtheta, dX) = value_and_grad(lambda both, cost=cost: cost(*both))((theta, X))
        ours, gradient = model.cost_and_gradient(X, Y)
        assert ours == pytest.approx(J, rel=TOLERANCE)
        assert_close(gradient, dtheta, initializer)
        for name, view in model.network.grads.items():
            start = (view.__array_interface__["data"][0] - gradient.__array_interface__["data"][0]) // 8
            assert_close(view.ravel(), dtheta[start:start + view.size], f"{initializer}, {name}")
        assert_close(model.network.backward(model.loss.backward()) / len(X), dX, f"{initializer}, dX")


# ---- optimizers: 100 steps ---------------------------------------------------------------------


def sgd(lr=0.05, weight_decay=0.0):
    def step(theta, g, t, memory):
        rate = lr(t) if callable(lr) else lr
        return theta - rate * weight_decay * theta - rate * g
    return step


def momentum(lr=0.05, mu=0.9, nesterov=False, weight_decay=0.0):
    def step(theta, g, t, memory):
        memory["v"] = mu * memory.get("v", 0) + g
        return theta - lr * weight_decay * theta - lr * (g + mu * memory["v"] if nesterov else memory["v"])
    return step


def adam(lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    def step(theta, g, t, memory):  # Kingma and Ba, algorithm 1, line by line
        memory["m"] = beta1 * memory.get("m", 0) + (1 - beta1) * g
        memory["v"] = beta2 * memory.get("v", 0) + (1 - beta2) * g**2
        m_hat, v_hat = memory["m"] / (1 - beta1**t), memory["v"] / (1 - beta2**t)
        return theta - lr * weight_decay * theta - lr * m_hat / (np.sqrt(v_hat) + eps)
    return step


def halving(t):
    return 0.2 / math.sqrt(t)


# modest rates: with SGD(0.1) one deep network of SELUs magnifies a single rounding of θ by 10⁸ in 100 steps,
# where two right computations part as well
RULES = {
    "SGD": (lambda: SGD(0.05), sgd()),
    "SGD with decay": (lambda: SGD(0.05, weight_decay=0.1), sgd(weight_decay=0.1)),
    "SGD with a schedule": (lambda: SGD(halving, weight_decay=0.01), sgd(halving, 0.01)),
    "Momentum": (lambda: Momentum(0.05), momentum()),
    "Momentum 0": (lambda: Momentum(0.05, 0), momentum(mu=0)),
    "Nesterov with decay": (lambda: Momentum(0.05, 0.8, True, 0.05), momentum(mu=0.8, nesterov=True, weight_decay=0.05)),
    "Adam": (lambda: Adam(0.01), adam()),
    "Adam of other numbers": (lambda: Adam(0.01, 0.8, 0.97, 1e-3), adam(0.01, 0.8, 0.97, 1e-3)),
    "Adam without memory": (lambda: Adam(0.002, 0, 0), adam(0.002, 0, 0)),
    "AdamW": (lambda: Adam(0.01, weight_decay=0.1), adam(weight_decay=0.1)),
}


@pytest.mark.parametrize("rule", RULES)
def test_rules_on_given_gradients(rule):
    """Gradients of every size, those of exactly 0 too, on which nothing but the rule can differ."""
    make, naive = RULES[rule]
    rng = np.random.default_rng(6)
    scale = 10.0 ** rng.integers(-9, 6, 60)
    optimizer, memory = make(), {}
    theta = rng.normal(size=60)
    ours = theta.copy()
    for t in range(1, STEPS + 1):
        g = scale * rng.normal(size=60) * (rng.random(60) > 0.1)
        theta = naive(theta, g, t, memory)
        optimizer.step(ours, g)
        np.testing.assert_allclose(ours, theta, rtol=TOLERANCE, atol=1e-12)


# every network of above, with the rules and the initialisers taking turns; of 7 at a time, so that they don't keep step
_TURNS = list(zip(NETWORKS, itertools.cycle(RULES), itertools.cycle([*INITIALIZERS, "He-normal"])))


def test_every_rule_trains_at_every_depth_from_every_initialiser():
    assert {(rule, network[0]) for network, rule, _ in _TURNS} == set(itertools.product(RULES, range(1, 6)))
    assert {(rule, initializer) for _, rule, initializer in _TURNS} == set(itertools.product(RULES, INITIALIZERS))
    assert {(rule, network[2]) for network, rule, _ in _TURNS} == set(itertools.product(RULES, ENDS))
    assert {(initializer, network[2]) for network, _, initializer in _TURNS} == set(itertools.product(INITIALIZERS, ENDS))


@pytest.mark.parametrize(("rule", "depth", "hidden", "end", "initializer"),
                         [pytest.param(rule, *network, initializer, id="-".join(map(str, (rule, *network[:2], *network[2], initializer)))) for network, rule, initializer in _TURNS])
def test_training(rule, depth, hidden, end, initializer):
    """100 steps from the same θ: every step's cost and the parameters stay together."""
    make, naive = RULES[rule]
    model, X, Y, cost = problem(depth, hidden, end, initializer, seed=7)
    optimizer, memory = make(), {}
    theta = model.network.theta.copy()
    gradient = value_and_grad(cost)
    for t in range(1, STEPS + 1):
        J, g = gradient(theta, X)
        theta = naive(theta, g, t, memory)
        ours, grad = model.cost_and_gradient(X, Y)
        assert ours == pytest.approx(J, rel=TOLERANCE, abs=1e-14), f"cost at step {t}"
        optimizer.step(model.network.theta, grad)
        assert_close(model.network.theta, theta, f"step {t}")


@pytest.mark.parametrize("end", ENDS[:4] + ENDS[4:8:2], ids="-".join)
def test_fit_takes_the_same_steps(end):
    """What `fit` does between the steps (batches, their order, their last remainder) adds nothing."""
    model, X, Y, _ = problem(3, "Tanh", end, "Xavier-uniform", seed=8)
    widths, names, loss = [4, 6, 5, 3], ["Tanh", "Tanh", end[1]], LOSSES[end[0]][1]
    theta, memory, t = model.network.theta.copy(), {}, 0
    model.optimizer = Adam(0.01)
    history = model.fit(X, Y, epochs=25, batch_size=2, shuffle=False, progress=False)
    for epoch in range(25):
        total = 0.0
        for start in range(0, 7, 2):
            x, y = X[start:start + 2], Y[start:start + 2]
            J, g = value_and_grad(lambda theta, x=x, y=y: loss(outputs(theta, x, widths, names), y))(theta)
            t += 1
            theta = adam()(theta, g, t, memory)
            total += J * len(x)
        assert history["loss"][epoch] == pytest.approx(total / 7, rel=TOLERANCE)
    assert t == STEPS
    assert_close(model.network.theta, theta)


# ---- PyTorch -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: the second oracle is not asked")


def torch_parts(torch):
    F = torch.nn.functional
    activations = {"Identity": lambda z: z, "ReLU": F.relu, "LeakyReLU": lambda z: F.leaky_relu(z, 0.1), "SELU": F.selu,
                   "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Softmax": lambda z: torch.softmax(z, dim=-1)}
    losses = {"MSE": F.mse_loss, "BCE": F.binary_cross_entropy,
              "CE": lambda A, Y: -(Y * torch.log(A)).sum(dim=1).mean()}
    return activations, losses


@pytest.mark.parametrize(("depth", "hidden", "end"), NETWORKS[::5], ids=lambda value: "-".join(value) if isinstance(value, tuple) else str(value))
def test_networks_and_training_in_torch(torch, depth, hidden, end):
    activations, losses = torch_parts(torch)
    model, X, Y, _ = problem(depth, hidden, end, "Xavier-uniform", seed=9)
    parameters = [torch.tensor(P.copy(), requires_grad=True) for P in model.network.params.values()]
    x, y = torch.tensor(X), torch.tensor(Y)
    # AdamW's steps have one length for every gradient, so rounding grows with the rate: a modest one
    theirs = torch.optim.AdamW(parameters, lr=0.003, weight_decay=0.1)
    ours = Adam(0.003, weight_decay=0.1)
    names = [hidden] * (depth - 1) + [end[1]]
    for _ in range(STEPS):
        signal = x
        for W, b, name in zip(parameters[::2], parameters[1::2], names):
            signal = activations[name](signal @ W + b)
        cost = losses[end[0]](signal, y)
        theirs.zero_grad()
        cost.backward()
        J, grad = model.cost_and_gradient(X, Y)
        assert pytest.approx(cost.item(), rel=TOLERANCE, abs=1e-14) == J
        for parameter, dP in zip(parameters, model.network.grads.values()):
            assert_close(dP, parameter.grad.numpy())
        theirs.step()
        ours.step(model.network.theta, grad)
    for parameter, P in zip(parameters, model.network.params.values()):
        assert_close(P, parameter.detach().numpy())


# ---- metrics: scikit-learn, to the last digit --------------------------------------------------

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)
LABELS = st.integers(1, 25).flatmap(lambda m: st.sampled_from([1, 2, 3, 6]).flatmap(
    lambda K: st.tuples(*[st.lists(st.integers(0, K - 1), min_size=m, max_size=m)] * 2)))


def quietly(function, *arguments, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **more)


@EXAMPLES
@given(LABELS, st.sampled_from([lambda v: v, lambda v: [f"class {i}" for i in v], lambda v: [i - 3 for i in v], lambda v: np.array(v, np.uint8)]))
def test_metrics_of_any_labels(pair, spelling):
    true, pred = map(spelling, pair)
    assert accuracy(true, pred) == sklearn.metrics.accuracy_score(true, pred)
    for normalize in (None, "true", "pred", "all"):
        np.testing.assert_array_equal(quietly(confusion_matrix, true, pred, normalize=normalize),
                                      quietly(sklearn.metrics.confusion_matrix, true, pred, normalize=normalize))
    for ours, theirs in ((precision, sklearn.metrics.precision_score), (recall, sklearn.metrics.recall_score), (f1_score, sklearn.metrics.f1_score)):
        for average, zero_division in itertools.product((None, "micro", "macro", "weighted"), ("warn", 1.0)):
            np.testing.assert_array_equal(quietly(ours, true, pred, average=average, zero_division=zero_division),
                                          quietly(theirs, true, pred, average=average, zero_division=zero_division))


@EXAMPLES
@given(st.integers(2, 12).flatmap(lambda m: st.tuples(*[hnp.arrays(np.float64, m, elements=st.one_of(
    st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-100), st.sampled_from([0.0, 0.1, 1.0, 1e-6, 1e6])))] * 2)))
def test_r2_of_any_numbers(pair):
    assert r2_score(*pair) == quietly(sklearn.metrics.r2_score, *pair)
