"""Wrong answers that people give to the exercises of chapters 0 to 8, and what they must be told."""

import math

import numpy as np

from nnbook import Activation, Layer, Loss, Optimizer, Sigmoid
from nnbook.core.conventions import as_batch, as_floats, check_finite


def sigmoid(z):
    return Sigmoid().forward(z)


# ---- preface -----------------------------------------------------------------------------------


def image_batch(X, shape=None, check=True, dtype=np.float32):
    X = as_floats("X", X, dtype, "as_image_batch")
    if X.ndim != 3 or 0 in X.shape:
        raise ValueError("shape")
    if check:
        check_finite("X", X)
    if X.min() < 0 or X.max() > 1:
        raise ValueError("range")
    return X.reshape(shape(X) if shape else (len(X), -1))


def image_batch_asserting(X):
    X = np.asarray(X, np.float32)
    assert X.ndim == 3
    return X.reshape(len(X), -1)


# ---- activations and layers --------------------------------------------------------------------


class SineBase(Activation):
    def forward(self, Z):
        self.Z, self.A = Z, np.sin(Z)
        return self.A


class SineFromOutput(SineBase):
    def backward(self, dA):
        return dA * np.sqrt(1 - self.A**2)


class SineAtOutput(SineBase):
    def backward(self, dA):
        return dA * np.cos(self.A)


class SineWithoutSignal(SineBase):
    def backward(self, dA):
        return np.cos(self.Z)


class SineInPlace(Activation):
    def forward(self, Z):
        self.Z = Z.copy()
        self.A = np.sin(Z, out=Z)
        return self.A

    def backward(self, dA):
        return dA * np.cos(self.Z)


class SineWithoutReturn(SineBase):
    def backward(self, dA):
        dA * np.cos(self.Z)


class ScaleBase(Layer):
    def __init__(self, n, dtype=np.float32):
        super().__init__(n, n, {"s": (1,)}, dtype)
        self.params["s"][:] = 1

    def forward(self, X):
        self.X = as_batch("X", X, self.n_in, self.dtype, "Scale")
        return self.params["s"] * self.X

    def ds(self, dY):
        return (dY * self.X).sum() / len(self.X)

    def backward(self, dY, *, want_dX=True):
        self.grads["s"][:] = self.ds(dY)
        return self.params["s"] * dY


class ScaleMean(ScaleBase):
    def ds(self, dY):
        return (dY * self.X).mean()


class ScaleSum(ScaleBase):
    def ds(self, dY):
        return (dY * self.X).sum()


class ScalePassing(ScaleBase):
    def backward(self, dY, *, want_dX=True):
        super().backward(dY)
        return dY


class ScaleNegative(ScaleBase):
    def ds(self, dY):
        return -super().ds(dY)


class ScaleColumns(ScaleBase):
    def ds(self, dY):
        return (dY * self.X).sum(axis=0) / len(self.X)


# ---- losses ------------------------------------------------------------------------------------


class HuberBase(Loss):
    def __init__(self, delta=1.0):
        self.delta = delta

    def per_example(self, A, Y, *, logits=False):
        E = A - Y
        self.signal = self.slope(E) / A.shape[1]
        inside = np.abs(E) <= self.delta
        outside = self.delta * (np.abs(E) - self.delta / 2)
        return np.where(inside, E**2 / 2, outside).mean(axis=1)

    def slope(self, E):
        return np.clip(E, -self.delta, self.delta)


class HuberSquare(HuberBase):
    def slope(self, E):
        return E


class HuberUnit(HuberBase):
    def slope(self, E):
        return np.where(np.abs(E) <= self.delta, E, np.sign(E))


class HuberReversed(HuberBase):
    def slope(self, E):
        return np.clip(-E, -self.delta, self.delta)


class HuberSummed(HuberBase):
    def per_example(self, A, Y, *, logits=False):
        return super().per_example(A, Y) * A.shape[1]


class HuberUnsized(HuberBase):
    def per_example(self, A, Y, *, logits=False):
        losses = super().per_example(A, Y)
        self.signal = np.clip(A - Y, -self.delta, self.delta)
        return losses


class HuberJumping(HuberBase):
    def per_example(self, A, Y, *, logits=False):
        super().per_example(A, Y)
        E = np.abs(A - Y)
        return np.where(self.delta >= E, E**2 / 2, self.delta * E).mean(axis=1)


class HuberSilent(HuberBase):
    def per_example(self, A, Y, *, logits=False):
        losses = super().per_example(A, Y)
        self.signal = None
        return losses


# ---- optimizers --------------------------------------------------------------------------------


class RMSPropBase(Optimizer):
    def __init__(self, lr=0.001, beta=0.99, eps=1e-8):
        super().__init__(lr)
        self.beta, self.eps = beta, eps

    def new_v(self, v, grad):
        return self.beta * v + (1 - self.beta) * grad**2

    def update(self, theta, grad, lr):
        v = self.memory("v", theta)
        v[:] = self.new_v(v, grad)
        theta -= lr * grad / (np.sqrt(v) + self.eps)


class RMSPropClimbing(RMSPropBase):
    def update(self, theta, grad, lr):
        super().update(theta, grad, -lr)


class RMSPropSwapped(RMSPropBase):
    def new_v(self, v, grad):
        return (1 - self.beta) * v + self.beta * grad**2


class RMSPropSum(RMSPropBase):
    def new_v(self, v, grad):
        return v + grad**2


class RMSPropRootless(RMSPropBase):
    def update(self, theta, grad, lr):
        v = self.memory("v", theta)
        v[:] = self.new_v(v, grad)
        theta -= lr * grad / (v + self.eps)


class RMSPropStill(RMSPropBase):
    def update(self, theta, grad, lr):
        v = self.memory("v", theta)
        v[:] = self.new_v(v, grad)
        theta = theta - lr * grad / (np.sqrt(v) + self.eps)


class RMSPropForgetful(RMSPropBase):
    def update(self, theta, grad, lr):
        v = self.memory("v", theta)
        v = self.new_v(v, grad)
        theta -= lr * grad / (np.sqrt(v) + self.eps)


# ---- networks ----------------------------------------------------------------------------------


def collapse_reversed(network):
    V, c = np.eye(network.n_in), np.zeros(network.n_in)
    for layer in network:
        V, c = layer.W @ V, c @ layer.W + layer.b
    return V, c


def collapse_summing(network):
    V, c = np.eye(network.n_in), 0
    for layer in network:
        V, c = V @ layer.W, c + layer.b
    return V, c


def collapse_last(network):
    V = np.eye(network.n_in)
    for layer in network:
        V = V @ layer.W
    return V, layer.b


def collapse_swapped(network):
    V, c = np.eye(network.n_in), np.zeros(network.n_in)
    for layer in network:
        V, c = V @ layer.W, c @ layer.W + layer.b
    return c, V


def ratios_by_draws(g, slope):
    z = np.random.default_rng(0).normal(size=2000)
    return np.mean(g(z) ** 2), np.mean(slope(z) ** 2)


def ratios(power=2, norm=True, low=-10):
    def answer(g, slope):
        z = np.linspace(low, 10, 4001)
        weight = np.exp(-(z**2) / 2)
        weight /= weight.sum() if norm else 1 / (z[1] - z[0])
        return np.sum(weight * g(z) ** power), np.sum(weight * slope(z) ** power)

    return answer


def five(weights, divisor):
    def answer(f, x, h):
        D = lambda h: (f(x + h) - f(x - h)) / (2 * h)
        return (weights[0] * D(h) + weights[1] * D(2 * h)) / divisor

    return answer


def in_place(dA, Z):
    Z -= Z.max()
    return dA / (1 + np.exp(-Z))


WRONG = {
    "image-batch": [
        (lambda X: image_batch(X, check=False), "it lets NaN"),
        (lambda X: image_batch(X, shape=lambda X: -1), "one long row"),
        (lambda X: image_batch(X, dtype=np.float64), "is of type float64"),
        (lambda X: image_batch(X, shape=lambda X: (-1, len(X))), "expected"),
        (image_batch_asserting, "it raises AssertionError on one image"),
        (lambda X: np.asarray(X, np.float32).reshape(len(X), -1), "it lets a single image"),
    ],
    "as-signal": [
        (lambda G: G, "this is ∂J/∂A as it came"),
        (lambda G: G / len(G), "divides once more"),
        (lambda G: G.size * G, "only the rows are averaged"),
        (lambda G: -len(G) * G, "wrong sign everywhere"),
        (lambda G: G.sum(axis=0), "has shape (7,) on a batch of three, and (3, 7) is expected"),
        (lambda G: 5 * G, "right on a batch of five, but your dA is "),
    ],
    "second-morning": [
        ((1.2616, 0.0624, -0.0275), "p (1 − p) is missing"),
        ((0.1469, 0.0312, -0.01375), "factor 2 from the square"),
        ((0.2938, 0.2644, -0.1763), "the slopes 1 − a²"),
        ((0.2938, 0.0624, 0.0275), "your dz2 has the wrong sign everywhere; right already: ds, dz1"),
        ((0.2938, 0.0333, -0.01435), "1 − a² , not 1 − a".replace(" ,", ",")),
        ((0.2938, 0.0624), "ds, dz1, dz2 are asked for, in this order; 2 things came back"),
        (0.2938, "one float came back"),
    ],
    "sine-activation": [
        (SineFromOutput, "the output does not tell which"),
        (SineAtOutput, "taken at the output A"),
        (SineWithoutSignal, "multiplies it with the signal"),
        (SineInPlace, "changes its argument Z in place"),
        (SineWithoutReturn, "your dZ is None"),
        (np.sin, "an object of type ufunc; leave the parentheses out"),
    ],
    "five-point": [
        (five((1, 0), 1), "D(h) alone"),
        (five((-1, 4), 3), "D(h) that has to count four times"),
        (five((4, -1), 1), "divide by 3"),
        (five((1, 1), 2), "does not cancel anything"),
        (lambda f, x, h: (4 * (f(x + h) - f(x)) - (f(x + 2 * h) - f(x))) / (3 * h), "is not right"),
        (lambda f, x: (f(x + 1e-3) - f(x - 1e-3)) / 2e-3, "takes f, x; it will be called with 3"),
    ],
    "complex-step": [
        (lambda f, x: (f(x + 1e-100) - f(x)) / 1e-100, "is lost in x"),
        (lambda f, x: f(x + 1e-100j).imag, "so divide it by h"),
        (lambda f, x: f(x + 1e-100j).real, "which is f(x)"),
        (lambda f, x: f(x + 1e-100j), "not real numbers"),
        (lambda f, x: (f(x + 1e-6) - f(x - 1e-6)) / 2e-6, "nearly, but not quite right"),
    ],
    "hat": [
        (lambda x: np.maximum(x + 1, 0) - np.maximum(x, 0) + np.maximum(x - 1, 0), "only becomes 0"),
        (lambda x: np.maximum(x + 1, 0) - 2 * np.maximum(x, 0), "a third unit has to stop it"),
        (lambda x: np.maximum(1 - x, 0), "where x < 0"),
        (lambda x: 1 - np.abs(x), "is not right"),
        (lambda x: 2 * np.maximum(1 - np.abs(x), 0), "is 2 times too large everywhere"),
    ],
    "softplus": [
        (lambda Z: np.log(1 + np.exp(Z)), "but e^z overflows for large z"),
        (lambda Z: np.where(Z > 30, Z, np.log(1 + np.exp(Z))), "at z = −40 you get 0"),
        (lambda Z: Z + np.log(1 + np.exp(-Z)), "e^−z overflows"),
        (lambda Z: np.maximum(Z, 0) + np.log(1 + np.exp(-np.abs(Z))), "np.log1p"),
        (lambda Z: np.maximum(Z, 0), "plain ReLU"),
        (lambda Z: 1 / (1 + np.exp(-Z)), "the derivative of softplus, the sigmoid"),
        (lambda Z: [np.logaddexp(0, z).sum() for z in Z], "has shape (5,)"),
    ],
    "softplus-backward": [
        (lambda dA, Z: sigmoid(Z), "this is the slope alone"),
        (lambda dA, Z: dA * sigmoid(Z) * (1 - sigmoid(Z)), "the derivative of the sigmoid"),
        (lambda dA, Z: dA * np.exp(Z) / (1 + np.exp(Z)), "∞/∞"),
        (lambda dA, Z: dA * sigmoid(Z) / len(Z), "your dZ is m times too small everywhere"),
        (lambda dA, Z: dA * sigmoid(np.logaddexp(0, Z)), "belongs at the scores Z"),
        (lambda dA, Z: np.where(Z < 0, 0, dA * sigmoid(Z)), "wrong where Z < 0 and right elsewhere"),
        (lambda dA, Z: (dA * sigmoid(Z)).T, "it is the transpose of the right one"),
        (lambda dA, Z: (dA * sigmoid(Z)).mean(axis=0), "has shape (3,)"),
        (lambda Z: sigmoid(Z), "takes Z; it will be called with 2 arguments, dA, Z"),
        (lambda dA, Z: sigmoid(np.ones(7)) * dA, "it raises ValueError on a batch of one"),
        (in_place, "changes its argument Z in place"),
        (lambda dA, Z: None, "is a `return` missing?"),
        (sigmoid(np.ones(3)), "a value of type ndarray; leave the call out"),
        (Sigmoid, "This is the class Sigmoid"),
    ],
    "he-uniform": [
        (lambda n_in, n_out, rng: rng.uniform(0, math.sqrt(6 / n_in), (n_in, n_out)), "half of the weights"),
        (lambda n_in, n_out, rng: rng.uniform(-1, 1, (n_in, n_out)) * math.sqrt(2 / n_in), "√3 times as large"),
        (lambda n_in, n_out, rng: math.sqrt(6 / (n_in + n_out)) * rng.uniform(-1, 1, (n_in, n_out)), "Xavier"),
        (lambda n_in, n_out, rng: math.sqrt(6 / n_in) * rng.uniform(-1, 1, (n_out, n_in)), "turned over"),
        (lambda n_in, n_out, rng: rng.normal(0, math.sqrt(2 / n_in), (n_in, n_out)), "n_in times the variance"),
        (lambda n_in, n_out, rng: math.sqrt(6 / n_in) * np.random.default_rng().uniform(-1, 1, (n_in, n_out)),
         "take the numbers from rng"),
    ],
    "ratios": [
        (ratios(power=1), "take the mean of its square"),
        (ratios(norm=False), "1/√(2π)"),
        (ratios(low=0), "your ρ is"),
        (ratios_by_draws, "is not right"),
        (lambda g, slope: ratios()(g, slope)[::-1], "right on the identity"),
        (lambda g, slope: ratios()(g, slope)[0], "one float64 came back"),
    ],
    "scale-layer": [
        (ScaleMean, "the columns are summed"),
        (ScaleSum, "parameter gradients are means"),
        (ScalePassing, "it is multiplied by s"),
        (ScaleNegative, "your ds has the wrong sign everywhere; right already: Y, dX"),
        (ScaleColumns, "it raises ValueError on a batch of one"),
    ],
    "tied-weights": [
        (lambda X, W, dY: X.T @ (dY @ W) / len(X), "at its first place"),
        (lambda X, W, dY: dY.T @ X @ W / len(X), "at its second place"),
        (lambda X, W, dY: X.T @ dY @ W + dY.T @ X @ W, "divide by m"),
        (lambda X, W, dY: (X.T @ dY @ W + dY.T @ X @ W) / X.size, "your dW is n_in times too small everywhere"),
        (lambda X, W, dY: (X.T @ dY @ W + dY.T @ X @ W).T / len(X), "it is the transpose of the right one"),
        (lambda X, W, dY: X.T @ dY / len(X), "has shape (4, 4)"),
    ],
    "huber": [
        (HuberSquare, "outside the threshold the slope is ±δ"),
        (HuberUnit, "not ±1"),
        (HuberReversed, "your dA has the wrong sign everywhere; right already: losses"),
        (HuberSummed, "summed over the outputs"),
        (HuberUnsized, "not divided by the number of outputs"),
        (HuberJumping, "jump at the threshold"),
        (HuberSilent, "it raises RuntimeError"),
        (HuberBase(), "an object of type HuberBase"),
    ],
    "label-smoothing": [
        (lambda labels, n_classes, epsilon: np.eye(n_classes)[labels], "epsilon is not used"),
        (lambda labels, n_classes, epsilon: np.eye(n_classes)[labels] * (1 - epsilon) + epsilon, "it is ε/K"),
        (lambda labels, n_classes, epsilon: np.where(np.eye(n_classes)[labels] == 1, 1 - epsilon,
                                                     epsilon / (n_classes - 1)), "the wrong classes only"),
        (lambda labels, n_classes, epsilon: np.where(np.eye(n_classes)[labels] == 1, 1 - epsilon,
                                                     epsilon / n_classes), "keeps its share"),
        (lambda labels, n_classes, epsilon: (1 - epsilon) * labels + epsilon / n_classes, "has shape (5,)"),
    ],
    "rmsprop": [
        (RMSPropClimbing, "this climbs"),
        (RMSPropSwapped, "have changed places"),
        (RMSPropSum, "never forgets"),
        (RMSPropRootless, "the root is missing"),
        (RMSPropStill, "θ does not move"),
        (RMSPropForgetful, "right already: θ after one step"),
    ],
    "warm-up": [
        (lambda t, lr, steps: lr * t / steps, "goes on rising"),
        (lambda t, lr, steps: lr * min(1, (t - 1) / steps), "counted from 1"),
        (lambda t, lr, steps: lr if t > steps else lr * t // steps, "is not right"),
        (lambda t, lr, steps: min(1, t / steps), "multiply it by lr"),
        (lambda t, lr, steps: lr, "from the first step on"),
    ],
    "count-parameters": [
        (lambda widths: sum(n * k for n, k in zip(widths, widths[1:])), "the biases are missing"),
        (lambda widths: sum(n * k + n for n, k in zip(widths, widths[1:])), "not its inputs"),
        (lambda widths: sum(widths), "number of units"),
        (lambda widths: math.prod(widths), "multiplies all of them"),
        (lambda widths: [n * k + k for n, k in zip(widths, widths[1:])], "its sum over axis 0 is right"),
    ],
    "collapse": [
        (collapse_reversed, "wrong order"),
        (collapse_summing, "sum of the biases"),
        (collapse_last, "last bias alone"),
        (collapse_swapped, "your V has shape (3,)"),
        (lambda network: collapse_reversed(network)[0], "one ndarray came back"),
    ],
}
