"""The checker of equations: what it reads, what it refuses, what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnbook.validation.equations import (
    CHECKED,
    Each,
    EquationError,
    Samples,
    check_equation,
    check_latex,
    not_executed,
)
from nnbook.validation.equations.check import find_display, labelled_displays
from nnbook.validation.equations.grammar import latex_parser, notation
from nnbook.validation.equations.mutants import summary, try_mutants
from nnbook.validation.equations.names import binding_name
from nnbook.validation.equations.syntax import parse_display

rng = np.random.default_rng(7)
m, n_in, n_out = 5, 3, 4
X = rng.normal(size=(m, n_in))
W = rng.normal(size=(n_in, n_out))
b = rng.normal(size=n_out)
T = rng.normal(size=(m, n_out))
Z = X @ W + b
dZ = Z - T
z = np.array([-1.3, 0.4, 2.1, 0.7])
y = np.array([0.5, -0.2, 1.3, 3.0])
W2 = rng.normal(size=(n_out, 6))
z_many, z_others = np.random.default_rng(8).normal(size=(2, 20_000))
A1 = np.tanh(Z)


def cost(X, W, b):
    return np.mean(np.sum((X @ W + b - T) ** 2, axis=1)) / 2


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


def relu(z):
    return np.maximum(z, 0)


HOLDS = [
    ("products", r"Z = X W + b", dict(Z=Z, X=X, W=W, b=b)),
    ("elements", r"z_{ik} = \sum_{j=1}^{n} x_{ij} w_{jk} + b_k", dict(z=Z, x=X, w=W, b=b, n=n_in)),
    ("shapes", r"\underset{(m, n)}{Z} = \underset{m \times k}{X} W + \underbrace{b}_{\text{bias}}",
     dict(Z=Z, X=X, W=W, b=b, m=m, n=n_out, k=n_in)),
    ("space", r"X \in \mathbb{R}^{m \times 3}", dict(X=X, m=m)),
    ("named", r"J = c \underbrace{(X W + b)_{11}}_{z}", dict(J=2 * Z[0, 0], c=2, X=X, W=W, b=b, z=Z[0, 0])),
    ("gradient", r"\frac{\partial J}{\partial W} = \frac{1}{m} X^\top dZ",
     dict(J=lambda W: cost(X, W, b), W=W, X=X, dZ=dZ, m=m)),
    ("gradient sign", r"\nabla_W J = \frac{1}{m} X^\top dZ",
     dict(J=lambda W: cost(X, W, b), W=W, X=X, dZ=dZ, m=m)),
    ("element of a gradient", r"\frac{\partial J}{\partial w_{jk}} = \frac{1}{m} \sum_i x_{ij} \, dZ_{ik}",
     dict(J=lambda w: cost(X, w, b), w=W, x=X, dZ=dZ, m=m)),
    ("Jacobian", r"\frac{\partial \mathbf{a}}{\partial \mathbf{z}} = \operatorname{diag}(\mathbf{a}) - \mathbf{a}\mathbf{a}^\top",
     dict(a=lambda z: softmax(z), z=z)),
    ("Jacobian's elements", r"\frac{\partial a_k}{\partial z_j} = a_k (\delta_{kj} - a_j)", dict(a=lambda z: softmax(z), z=z)),
    ("chain", r"\frac{dL}{dw} = \frac{dL}{da} \frac{da}{dz} \frac{dz}{dw}",
     dict(L=lambda a: a**2, a=lambda z: np.tanh(z), z=lambda w: 3 * w, w=0.2)),
    ("second derivative", r"\frac{\partial^2 f}{\partial x \, \partial y} = 2x, \qquad \frac{d^2 f}{dx^2} = 2y",
     dict(f=lambda x, y: x**2 * y, x=0.7, y=1.3)),
    ("operator", r"\frac{d}{dx} (x^3 - x) = 3 x^2 - 1", dict(x=Each([0.3, -1.2]))),
    ("at a point", r"\left. \frac{\partial f}{\partial x} \right|_{x = 0} = a", dict(f=lambda x, a: np.sin(a * x), x=0.4, a=1.7)),
    ("cases", r"g(z) = \begin{cases} z, & \text{if } z > 0, \\ 0 & \text{otherwise} \end{cases} = \max(0, z)", dict(g=relu, z=z)),
    ("indicator", r"g'(z) = \mathbb{1}[z > 0] = [z > 0]", dict(g=relu, z=Each(z))),
    ("primes bound", r"g'(z) = 1 - g(z)^2", dict(g=np.tanh, g_prime=lambda z: 1 - np.tanh(z) ** 2, z=z)),
    ("high derivatives", r"f'''(x) = -\cos x, \qquad f^{(5)}(x) = \cos x", dict(f=np.sin, x=Each([0.3, 0.9]))),
    ("quantity as factor", r"\frac{da}{dz} = a(1 - a)", dict(a=lambda z: sigmoid(z), z=Each(z))),
    ("quantity applied", r"J(\theta + h) = J(\theta) + h^2 + 2 h \theta", dict(J=lambda theta: 3 + theta**2, theta=0.3, h=0.1)),
    ("gradient at a point", r"v = \nabla J(\theta - \eta u)",
     dict(v=2 * (z - 0.1 * b), J=lambda u: np.sum(u**2), theta=z, eta=0.1, u=b)),
    ("layers", r"A^{[l]} = g(A^{[l-1]} W^{[l]})", dict(A={0: X, 1: np.tanh(X @ W), 2: np.tanh(np.tanh(X @ W) @ W2)}, W=[W, W2], g=np.tanh)),
    ("layer by name", r"Z^{[1]} = A^{[0]} W^{[1]}", {"Z1": X @ W, "A0": X, "W1": W}),
    ("steps", r"v_t = \beta v_{t-1} + g_t", dict(v={1: z, 2: 0.9 * z + b}, g={2: b}, beta=0.9)),
    ("steps by name", r"v_t = \beta v_{t-1} + g_t", dict(v_t=0.9 * z + b, v_prev=z, g_t=b, beta=0.9)),
    ("steps summed", r"v_t = \sum_{k=0}^{t-1} \mu^k g_{t-k}",
     dict(v={1: z, 2: 0.8 * z + b, 3: 0.64 * z + 0.8 * b + 1}, g={1: z, 2: b, 3: np.ones(4)}, mu=0.8)),
    ("update", r"W \leftarrow W - \eta \, dW", dict(W=W, eta=0.1, dW=W**2, after={"W": W - 0.1 * W**2})),
    ("examples", r"a^{(i)}_j = x_{ij}", dict(a=X, x=X.copy())),
    ("norms", r"\|z\|_2^2 = z^\top z = \sum_i z_i^2, \qquad \|z\|_1 = \sum_i |z_i|, \qquad \|W\|_F^2 = \sum_{jk} W_{jk}^2", dict(z=z, W=W)),
    ("outer and inner", r"(z b^\top) z = (b^\top z) z", dict(z=z, b=b)),
    ("trace", r"\operatorname{tr}(W^\top W) = \|W\|_F^2", dict(W=W)),
    ("inverse", r"A^{-1} A = I_n", dict(A=rng.normal(size=(3, 3)), n=3)),
    ("ones", r"\mathbf{1}_m^\top X = s^\top", dict(m=m, X=X, s=X.sum(axis=0))),
    ("written matrix", r"W = \begin{bmatrix} 1 & 2 & 3 \\ 4 & 5 & 6 \end{bmatrix}, \qquad b = \begin{bmatrix} 7 & 8 & 9 \end{bmatrix}",
     dict(W=np.arange(1.0, 7).reshape(2, 3), b=np.array([7.0, 8, 9]))),
    ("arg max", r"c_i = \arg\max_k a_{ik}", dict(c=Z.argmax(axis=1) + 1, a=Z)),
    ("restricted sums", r"\sum_{j \ne k} z_j = \sum_{j} z_j - z_k", dict(z=z)),
    ("sums over a set", r"s = \sum_{i \in B} z_i", dict(s=z[0] + z[2], B={1, 3}, z=z)),
    ("sums with a condition", r"s = \sum_{i : z_i > 0} z_i", dict(s=z[z > 0].sum(), z=z)),
    ("products over an index", r"\log \prod_i p_i = \sum_i \log p_i", dict(p=softmax(z))),
    ("roots", r"\sqrt[3]{x} \, x^2 = x^{7/3}", dict(x=Each([0.4, 1.9]))),
    ("rounding", r"S = \left\lceil \frac{m}{B} \right\rceil", dict(S=8, m=1000, B=128)),
    ("inequality", r"0 < \sigma'(z) \le \frac{1}{4}", dict(sigma=sigmoid, z=Each([*z, 0.01]), approx=1e-3)),
    ("printed digits", r"\sigma(0.5) \approx 0.6225", dict(sigma=sigmoid)),
    ("zero", r"\sum_i (x_i - \mu) = 0", dict(x=z, mu=z.mean())),
    ("zero vector", r"v_0 = 0", dict(v_0=np.zeros(3))),
    ("expectation", r"\operatorname{Var}[w_j] = \frac{2}{n}, \qquad \mathbb{E}[w_j] = 0",
     dict(w=Samples(rng.normal(size=(40_000, 7)) * np.sqrt(2 / 7)), n=7)),
    ("remainder", r"\frac{f(x + h) - f(x - h)}{2h} = f'(x) + \frac{h^2}{6} f'''(x) + O(h^4)", dict(f=lambda t: np.exp(1.3 * t), x=Each([0.3, 0.8]), h=0.1)),
    ("long words", r"\mathrm{precision} = \frac{\mathrm{TP}}{\mathrm{TP} + \mathrm{FP}}", dict(precision=0.6, TP=3, fp=2)),
    ("thousands", r"P = 60\,000 + 10{,}000", dict(P=70000)),
    ("several", r"\begin{aligned} a &= b + c \\ &= c + b \\ &\quad + b - 3 \\ d &= a \end{aligned}", dict(a=5, b=3, c=2, d=5)),
    ("text between", r"a = b \quad\text{and}\quad b = a.", dict(a=2, b=2)),
    ("membership", r"s = \sum_{i} [i \in B] z_i", dict(s=z[0] + z[2], B={1, 3}, z=z)),
    ("largest of a vector", r"a = \max(z)", dict(a=z.max(), z=z)),
    ("a number to a vector", r"a = 2^{z}", dict(a=2.0**z, z=z)),
    ("elements to a power", r"A = W^{\odot 2}", dict(A=W**2, W=W)),
    ("indicator below", r"a = \mathbb{1}_{z > 0}", dict(a=np.array([0.0, 1]), z=np.array([-1.0, 1]))),
    ("printed matrix", r"W \approx \begin{bmatrix} 1.0 & 2.0 \end{bmatrix}", dict(W=np.array([[1.01, 2.02]]))),
    ("printed power of ten", r"a \approx 1.2 \cdot 10^{3}", dict(a=1210.0)),
    ("LaTeX names", r"\hat{m}_{t-1} = 2 q^{*}", {r"\hat{m}_{t-1}": 6, "q^*": 3}),
]

# These hold as well, but are too plain for every mutant of them to be wrong.
PLAIN = [
    ("elements times elements", r"A = W \odot V, \qquad a = z \odot y", dict(A=W * (W + 1), W=W, V=W + 1, a=z * y, z=z, y=y)),
    ("inner product with a dot", r"a = z \cdot y, \qquad A = 2 \cdot W", dict(a=z @ y, z=z, y=y, A=2 * W, W=W)),
    ("least of a vector", r"a = \min(z), \qquad c = \min_k z_k", dict(a=z.min(), c=z.min(), z=z)),
    ("least and largest of three", r"a = \min(y, z, 1), \qquad c = \max(y, z, 1)", dict(a=np.minimum(np.minimum(y, z), 1), c=np.maximum(np.maximum(y, z), 1), y=y, z=z)),
    ("square roots", r"a = \sqrt{p}", dict(a=np.sqrt([0.5, 2, 3]), p=np.array([0.5, 2, 3]))),
    ("a root of a bound degree", r"a = \sqrt[k]{x}", dict(a=2.0, k=3, x=8)),
    ("rounding down", r"S = \left\lfloor \frac{m}{B} \right\rfloor", dict(S=7, m=1000, B=128)),
    ("cases of rows", r"a^\top = \begin{cases} z^\top & z^\top > 0 \\ 0 & \text{otherwise} \end{cases}", dict(a=relu(z), z=z)),
    ("cases of numbers", r"g(x) = \begin{cases} x & x > 0 \\ 2 & x < 0 \end{cases}", dict(g=lambda x: np.where(x > 0, x, 2.0), x=Each([1.5, -1.5]))),
    ("three cases", r"s = \begin{cases} 1 & \text{if } z > 0 \\ -1 & \text{if } z < 0 \\ 0 & \text{otherwise} \end{cases}",
     dict(s=np.array([1.0, -1, 0, 1]), z=np.array([3.0, -2, 0, 1]))),
    ("operator before a product", r"b \frac{d}{dx} a \cdot x^2 = 2 a b x", dict(a=1.7, b=0.6, x=Each([0.3, -1.2]))),
    ("gradient between factors", r"u = \eta \nabla J(\theta) k", dict(u=0.6 * z, eta=0.1, k=3, J=lambda v: np.sum(v**2), theta=z)),
    ("gradient by a symbol", r"\nabla_\theta J = 2 \theta", dict(J=lambda theta: np.sum(theta**2), theta=z)),
    ("near", r"a \approx b", dict(a=np.array([1.0, -2]), b=np.array([1.0005, -2.001]), approx=1e-3)),
    ("near at the limit", r"a \approx b", dict(a=1.0, b=2.0, approx=0.5)),
    ("tight at the limit", r"a < b", dict(a=1.0, b=2.0, approx=0.5)),
    ("printed digits at the limit", r"a \approx 0.5, \qquad b \approx -1.3", dict(a=0.55, b=-1.26)),
    ("printed rows", r"W \approx \begin{bmatrix} 1.0 & 2.00 \\ 3.0 & 4.00 \end{bmatrix}", dict(W=np.array([[1.04, 2.004], [3.04, 4.004]]))),
    ("a variance nearly", r"\operatorname{Var}[w] \approx 1", dict(w=Samples(1.01 * rng.normal(size=100_000)), approx=0.05)),
    ("an expectation below", r"\mathbb{E}[w^2] < 1.5", dict(w=Samples(rng.normal(size=100_000)))),
    ("numbers and vectors of a space", r"a \in \mathbb{R}, \qquad z \in \mathbb{R}^n, \qquad y \in \mathbb{R}^{4}", dict(a=1.5, z=z, n=4, y=y)),
    ("bars with a direction", r"a = \lvert b \rvert \, \left| b \lvert c \rvert \right| + \lVert z \rVert_1", dict(a=12 + np.abs(z).sum(), b=-2, c=-3, z=z)),
    ("zero of a group", r"2 (a - b) = 0", dict(a=2.0, b=2.0)),
    ("pi and e", r"a = 2 \pi, \qquad c = e^{b}", dict(a=2 * np.pi, c=np.e**2, b=2.0)),
    ("a power named T", r"a = b^T", dict(a=8.0, b=2.0, T=3.0)),
    ("upright d", r"\frac{\mathrm{d} f}{\mathrm{d} x} = 2 x, \qquad \frac{d f}{d x} = \frac{df}{dx}", dict(f=lambda x: x**2, x=1.5)),
    ("shape of three axes", r"\underset{(m, n, k)}{T} = \underset{m \times n \times k}{T} + 0 \cdot T", dict(T=rng.normal(size=(2, 3, 4)), m=2, n=3, k=4)),
    ("a layer transposed", r"A = W^{[1] \top}", dict(A=W.T, W=[W])),
    ("at a bound point", r"\left. \frac{\partial f}{\partial x} \right|_{x = c} = 2 c", dict(f=lambda x: x**2, x=0.4, c=1.7)),
    ("transposed twice", r"z = (z^\top)^\top", dict(z=z)),
    ("two updates", r"t \leftarrow t + 1, \qquad b \leftarrow a^t", dict(t=2, a=3.0, b=1.0, after={"t": 3, "b": 9.0})),
    ("a sum up to a bound", r"\sum_{k=1}^{n} \frac{1}{k (k + 1)} = \frac{n}{n + 1}", dict(n=5)),
]


def split_names(bindings):
    """Keep LaTeX and Python names apart."""
    latex_names = {name: value for name, value in bindings.items() if not name.isidentifier()}
    return latex_names, {name: bindings[name] for name in bindings if name not in latex_names}


def run(latex, bindings):
    latex_names, rest = split_names(bindings)
    return check_latex(latex, latex_names, **rest)


@pytest.mark.parametrize(("latex", "bindings"), [case[1:] for case in HOLDS + PLAIN], ids=[case[0] for case in HOLDS + PLAIN])
def test_holds(latex, bindings):
    assert repr(run(latex, bindings)) == "equation ✓"


REFUSED = [
    ("unbound", r"a = b + c", dict(a=1, b=1), "c is not bound: pass c=…"),
    ("unbound with a script", r"a = n_{\mathrm{in}}", dict(a=1), "pass n_in=…"),
    ("unused", r"a = b", dict(a=1, b=1, c=2), "bound but not in the display: c"),
    ("unused after", r"a = b", dict(a=1, b=1, after={"a": 2}), "after=a"),
    ("no new value", r"a \leftarrow b", dict(a=1, b=1), 'after={"a": …}'),
    ("not equal", r"a = b", dict(a=1, b=2), "left = 1, right = 2"),
    ("zeros", r"a = b", dict(a=np.zeros(3), b=np.zeros(3)), "zero everywhere"),
    ("NaN", r"a = b", dict(a=np.array([1, np.nan]), b=np.array([1, np.nan])), "not finite"),
    ("infinite", r"a = \log b", dict(a=1, b=0), "not finite"),
    ("shapes", r"a = b", dict(a=np.ones(3), b=np.ones((1, 3))), r"shape \(3,\)"),
    ("columns and rows", r"a = b^\top", dict(a=z, b=z.copy()), "transposed"),
    ("sum of shapes", r"a = X + W", dict(a=1, X=X, W=W), "shapes do not fit"),
    ("product of shapes", r"Z = W X", dict(Z=Z, X=X, W=W), "4 is not 5"),
    ("two vectors", r"a = b c", dict(a=1, b=z, c=z), r"write x\^"),
    ("dot of matrices", r"Z = X \cdot W", dict(Z=Z, X=X, W=W), "side by side"),
    ("power of a matrix", r"Z = W^2", dict(Z=Z, W=W), r"\\odot 2"),
    ("mix", r"A = X W \odot Z", dict(A=Z, X=X, W=W, Z=Z), "parenthesise"),
    ("odot of numbers", r"a = b \odot c", dict(a=1, b=1, c=1), "joins arrays"),
    ("slash", r"a = 1 / 2 b", dict(a=1, b=1), r"\\frac"),
    ("reach of log", r"a = \log b c", dict(a=1, b=1, c=1), "parentheses around its argument"),
    ("function alone", r"a = f + 1", dict(a=1, f=lambda t: t), "must be applied"),
    ("two meanings", r"a_1 = a^{[1]}", dict(a1=1), "both read as a1"),
    ("fonts", r"x = \mathbf{x}", dict(x=1), "both read as x"),
    ("transposed T", r"A = B^T", dict(A=W, B=W.T), r"\^\\top"),
    ("bare frac", r"a = \frac12", dict(a=0.5), "braces around both arguments"),
    ("dots", r"a = 1 + \dots + n", dict(a=1, n=2), r"write the sum with \\sum"),
    ("unknown sign", r"a \propto b", dict(a=1, b=1), "not in the accepted notation"),
    ("trivial", r"a = b = b", dict(a=1, b=1), "written alike"),
    ("transpose in a norm", r"a = \|W^\top\|_F", dict(a=1, W=W), "leave it out"),
    ("no relation", r"a + b", dict(a=1, b=1), "a relation such as = is missing"),
    ("early end", r"a = ", dict(a=1), "ends too early"),
    ("left without right", r"a = \left( b )", dict(a=1, b=1), r"no \\right"),
    ("wrong bracket", r"a = (b]", dict(a=1, b=1), "is closed by"),
    ("one bound", r"a = \sum_{i=1} x_i", dict(a=1, x=z), "needs an upper one"),
    ("no index", r"a = \sum x", dict(a=1, x=z), "needs its index|cannot|upper"),
    ("bound index", r"a = \sum_i x_i", dict(a=1, x=z, i=2), "take another letter"),
    ("out of range", r"a = \sum_{i=1}^{5} x_i", dict(a=1, x=z), "outside 1 … 4"),
    ("axes differ", r"a = \sum_i x_i y_i", dict(a=1, x=z, y=np.ones(3)), "different lengths: 4, 3"),
    ("only shifted", r"a = \sum_i x_{i+1}", dict(a=1, x=z), "only occurs shifted"),
    ("layer missing", r"a = W^{[3]}", dict(a=1, W=[W, W2]), "not among 1, 2"),
    ("never taken", r"a = \begin{cases} z & z > 0 \\ 0 & z < 0 \end{cases}", dict(a=np.array([1.0, 2]), z=np.array([1.0, 2])), "no value bound here"),
    ("gap", r"a = \begin{cases} z & z > 1 \\ 0 & z < 0 \end{cases}", dict(a=z, z=z), "no row"),
    ("overlap", r"a = \begin{cases} z & z > 0 \\ 0 & z < 1 \end{cases}", dict(a=z, z=z), "overlap"),
    ("max never wins", r"a = \max(0, z)", dict(a=np.array([1.0, 2]), z=np.array([1.0, 2])), "never wins"),
    ("indicator constant", r"a = z [z > 0]", dict(a=2, z=2), "always the same"),
    ("no dependence", r"\frac{\partial J}{\partial W} = W", dict(J=3.0, W=W), "J=lambda W"),
    ("prime of a matrix function", r"f'(z) = z", dict(f=lambda v: v.sum(), z=z), "element by element"),
    ("approx", r"a \approx b", dict(a=1, b=1.001), "approx=1e-3"),
    ("wrong digits", r"a \approx 0.63", dict(a=0.6225), "not equal"),
    ("not tight", r"a < b", dict(a=1, b=2, approx=0.1), "not tight"),
    ("inequality", r"a < b", dict(a=2, b=1), "does not hold"),
    ("order", r"f(x + h) = f(x) + h f'(x) + O(h^3)", dict(f=np.exp, x=0.3, h=0.1), "halving the step"),
    ("samples outside", r"a = w_1", dict(a=1, w=Samples(rng.normal(size=(2000, 3)))), r"belongs inside"),
    ("few draws", r"\operatorname{Var}[w] = 1", dict(w=Samples(rng.normal(size=2000))), "too few draws"),
    ("wrong variance", r"\operatorname{Var}[w] = 2", dict(w=Samples(rng.normal(size=100_000))), "standard errors"),
    ("float32", r"a = b", dict(a=np.ones(3, dtype="f4"), b=1), "float64"),
    ("bound to text", r"a = b", dict(a="one", b=1), "no number|bind a number"),
    ("raises", r"a = f(b)", dict(a=1, f=lambda t: t @ t, b=2.0), "f applied to a number raises"),
    ("wrong shape below", r"\underset{(m, n)}{X} = X", dict(m=3, n=5, X=X), r"stated|written here is \(3, 5\)"),
    ("wrong name below", r"\underbrace{a + b}_{c} = c", dict(a=1, b=2, c=4), "underneath"),
    ("wrong space", r"X \in \mathbb{R}^{3 \times 5}", dict(X=X), "written here"),
    ("endless", r"c = \sum_{i=1}^{n} 1", dict(c=2e6, n=2_000_000), r"2,000,000 terms.*at most 100,000"),
    ("endless bound", r"c = \sum_{i=1}^{n} x_i", dict(c=1, x=z, n=float("inf")), "inf is no index"),
    ("too deep", "a = " + "(" * 3000 + "b" + ")" * 3000, dict(a=1, b=1), "nested too deeply"),
    ("no elements", r"a = b", dict(a=np.ones(0), b=np.ones(0)), "without elements"),
    ("each of nothing", r"a = b", dict(a=Each([]), b=1), "Each of nothing"),
    ("rows that differ", r"a = b", dict(a=[[1, 2], [3]], b=1), "rows of different lengths"),
    ("empty family", r"a_t = b_t", dict(a={}, b={}), "values of an index"),
    ("family of words", r"a_t = b_t", dict(a={"x": 1}, b={1: 1}), "values of an index"),
    ("product of three axes", r"a = T W", dict(a=1, T=np.ones((2, 3, 4)), W=W), "write it with indices"),
    ("exponent", r"a = W^{X}", dict(a=1, W=W, X=X), "an exponent of shape"),
    ("prime of a number", r"a = f'(b)", dict(a=1, f=2.0, b=3.0), "the prime of f needs a function"),
    ("prime of a group", r"a = (b)'", dict(a=1, b=2), "a prime belongs to a function"),
    ("nothing returned", r"a = f(b)", dict(a=1, f=lambda t: None, b=3.0), "f returns NoneType, not numbers"),
    ("several lengths", r"a = b", dict(a=Each([1, 2]), b=Each([1, 2, 3])), "the same number of values"),
    ("star", r"a = \theta^*", dict(a=1, theta=2), "a star is part of a name"),
    ("label as index", r"a = x_{\text{last}}", dict(a=1, x=z), "last is part of a name"),
    ("index too many", r"a = x_{\alpha\beta}", dict(a=1, x=z), "an index too many"),
    ("index of three digits", r"a = x_{123}", dict(a=1, x=X), "index 123 is outside"),
    ("two arguments", r"a = \exp(b, c)", dict(a=1, b=1, c=2), "a list of arguments"),
    ("two on a diagonal", r"a = \operatorname{diag}(b, c)", dict(a=1, b=1, c=1), "one argument"),
    ("trace of a vector", r"a = \operatorname{tr}(z)", dict(a=1, z=z), "tr of shape"),
    ("condition in parentheses", r"a = (z > 0)", dict(a=1, z=1), "stands in square brackets"),
    ("condition of near", r"a = [z \approx 0]", dict(a=1, z=z), "cannot stand in a condition"),
    ("point of a number", r"a = \left. f'(x) \right|_{x}", dict(a=1, f=np.exp, x=1.0), "the point is written as"),
    ("point of no symbol", r"a = \left. b \right|_{q = 0}", dict(a=1, b=1), "with a bound symbol"),
    ("index of a sum", r"a = \sum_{i + 1} x_i", dict(a=1, x=z), "an index is a single letter"),
    ("two conditions", r"a = \sum_{i \ne 1, i \ne 2} x_i", dict(a=1, x=z), "at most one condition"),
    ("mean of nothing", r"a = \mathbb{E}_q[w]", dict(a=1, w=Samples(rng.normal(size=2000))), "needs brackets"),
    ("mean of a number", r"\mathbb{E}[a] = 1", dict(a=1.0), "needs samples"),
    ("derivative of nothing", r"\frac{\partial}{\partial x} = 1", dict(x=1.0), "a derivative of what"),
    ("gradient of nothing", r"\nabla_x = 1", dict(x=1.0), "needs the quantity behind it"),
    ("gradient by nothing", r"\nabla J = 1", dict(J=lambda x: x), "a gradient by what"),
    ("transpose in a mean", r"a = \mathbb{E}[w w^\top]", dict(a=1, w=Samples(rng.normal(size=(2000, 3)))), "a transpose inside an expectation"),
    ("mean of vectors", r"a = \mathbb{E}[u w]", dict(a=1, u=Samples(rng.normal(size=2000)), w=Samples(rng.normal(size=(2000, 3)))), "a number per draw"),
    ("mean of vectors, turned", r"a = \mathbb{E}[w u]", dict(a=1, u=Samples(rng.normal(size=2000)), w=Samples(rng.normal(size=(2000, 3)))), "a number per draw"),
    ("another norm", r"a = \|z\|_3", dict(a=1, z=z), "the norms are"),
    ("words", r"a = \text{the rest}", dict(a=1), "cannot stand here"),
    ("a set of numbers", r"a \in \{1, 2\}", dict(a=1), "can be checked"),
    ("an object", r"a = b", dict(a=1, b=object()), "bound to object: bind a number"),
    ("a complex number", r"a = b", dict(a=1, b=1j), "is no number"),
    ("not finite", r"a = b", dict(a=np.nan, b=np.nan), "is not finite"),
    ("an empty range", r"a = \prod_{i=2}^{1} x_i", dict(a=1, x=z), "takes no value"),
    ("half an index", r"a = x_k", dict(a=1, x=z, k=1.5), "1.5 is no index"),
    ("half a bound", r"a = \sum_{i=1}^{n} x_i", dict(a=1, x=z, n=2.5), "2.5 is no index"),
    ("two digits below", r"a = x_12", dict(a=1, x=z), "braces around a script of two digits"),
    ("uneven rows", r"W = \begin{bmatrix} 1 & 2 \\ 3 \end{bmatrix}", dict(W=np.ones((2, 2))), "differ in length"),
    ("a matrix closed by another", r"W = \begin{bmatrix} 1 & 2 \end{pmatrix}", dict(W=np.ones((1, 2))), "pmatrix"),
    ("transpose of nothing", r"a = \top", dict(a=1), "is a superscript"),
    ("right without left", r"a = b \right)", dict(a=1, b=1), r"this \\right has no \\left"),
    ("a tie", r"c = \arg\max_k x_k", dict(c=1, x=np.ones(2)), "a tie"),
    ("norm of a transpose", r"a = \|z^\top\|", dict(a=1, z=z), "does not see a transpose"),
    ("norm of a number", r"a = \|b\|", dict(a=1, b=1), "a norm of a number"),
    ("norm of a matrix", r"a = \|W\|_2", dict(a=1, W=W), "a matrix takes"),
    ("vectors as cells", r"W = \begin{bmatrix} z & 2 \end{bmatrix}", dict(W=np.ones((1, 2)), z=z), "must be numbers"),
    ("gradient at a row", r"v = \nabla J(z^\top)", dict(v=z, J=lambda u: np.sum(u**2), z=z), "at a transposed vector"),
    ("element of a number", r"\frac{\partial J}{\partial w_1} = 1", dict(J=lambda w: w, w=1.0), "an index too many"),
    ("order in two", r"f(x) = O(h k)", dict(f=np.exp, x=1.0, h=0.1, k=0.1), "a power of one bound number"),
    ("order of nothing", r"x = x + O(h)", dict(x=1.0, h=0.1), "drowns in rounding"),
    ("variance too large", r"\operatorname{Var}[w] < 0.5", dict(w=Samples(rng.normal(size=100_000))), "does not hold"),
    ("bound twice", r"x_1 = 1", {"x_1": 1, "x1": 1}, "bound twice|not in the display"),
    ("nothing bound", r"a = b", {}, "nothing"),
    ("order of a vector", r"f(x + h) = f(x) + h f'(x) + O(h^3)", dict(f=np.exp, x=z, h=0.1), "halving"),
    ("inequality of vectors", r"a < b", dict(a=np.array([1.0, 3]), b=np.array([2.0, 2])), "does not hold"),
    ("correlated means differ", r"\mathbb{E}[w] = \mathbb{E}[u]", dict(w=Samples(5 + z_many), u=Samples(5.003 + z_many + 1e-3 * z_others)), "standard errors"),
    ("vectors in a mean", r"a = \mathbb{E}[z^\top w]", dict(a=1, z=z, w=Samples(rng.normal(size=(2000, 4)))), "inside an expectation"),
    ("vectors of two lengths", r"a = v^\top z", dict(a=1, v=np.ones(3), z=z), "the inner product of"),
    ("transpose of three axes", r"a = T^\top", dict(a=1, T=np.ones((2, 3, 4))), "the transpose of"),
    ("transpose of a function", r"a = f^\top", dict(a=1, f=lambda t: t), "must be applied"),
    ("power of a function", r"a = f^2", dict(a=1, f=lambda t: t), "must be applied"),
    ("one over zero", r"a = x^{-1}", dict(a=1, x=0.0), "not finite"),
    ("half power of a negative number", r"a = x^{1/2}", dict(a=1, x=-1.0), "not finite"),
    ("root of a negative number", r"a = \sqrt{x}", dict(a=1, x=-1.0), "not finite"),
    ("logarithm of a negative number", r"a = \log x", dict(a=1, x=-1.0), "not finite"),
    ("odot of a number and a matrix", r"A = c \odot W", dict(A=W, c=2.0, W=W), "joins arrays"),
    ("a function that raises in its gradient", r"v = \nabla J(z)", dict(v=z, J=lambda u: u @ np.ones(3), z=z), "J applied to shape"),
    ("T that is another letter", r"a = b^t", dict(a=8.0, b=2.0), "t is not bound"),
    ("a name beside numbers", r"a = b", {r"\hat{q}": 1, "a": 1, "b": 1}, "not in the display: q_hat"),
    ("ones of no length", r"a = \mathbf{1}", dict(a=1), "a vector of ones"),
    ("ones of half a length", r"a = \mathbf{1}_k", dict(a=1, k=1.5), "1.5 is no index"),
    ("identity of half a size", r"a = I_k", dict(a=1, k=1.5), "1.5 is no index"),
    ("half a length of a space", r"z \in \mathbb{R}^k", dict(z=z, k=1.5), "1.5 is no index"),
    ("partial alone", r"a = \partial", dict(a=1), "stands in"),
    ("reals alone", r"a = \mathbb{R} + 1", dict(a=1), r"stands behind \\in"),
    ("cases of two shapes", r"a = \begin{cases} z & z > 0 \\ v & \text{otherwise} \end{cases}", dict(a=z, z=z, v=np.ones(3)), "different shapes"),
    ("diag of a row", r"A = \operatorname{diag}(z^\top)", dict(A=W, z=z), "diag of a transposed"),
    ("diag of a number", r"A = \operatorname{diag}(b)", dict(A=W, b=2.0), "diag of a number"),
    ("odot of shapes", r"A = W \odot X", dict(A=W, W=W, X=X), "shapes do not fit"),
    ("max of shapes", r"a = \max(z, v)", dict(a=z, z=z, v=np.ones(3)), "shapes do not fit"),
    ("zeros that add up", r"\sum_i x_i = 0", dict(x=np.zeros(3)), "proves nothing"),
    ("no condition", r"a = \mathbb{1}[z]", dict(a=1, z=z), "a condition"),
    ("two conditions in brackets", r"a = \mathbb{1}[z > 0, z < 1]", dict(a=1, z=z), "a condition"),
    ("power of a gradient", r"\nabla_\theta^2 J = 1", dict(J=lambda theta: theta**2, theta=2.0), "parentheses around a gradient"),
    ("gradient of nothing at the end", r"a = b \nabla_\theta", dict(a=1, b=1, theta=2.0), "a gradient of what"),
    ("operator at the end", r"a = b \frac{d}{dx}", dict(a=1, b=1, x=2.0), "a derivative of what"),
    ("mean compared with a vector", r"\mathbb{E}[w] = z", dict(w=Samples(rng.normal(size=20_000)), z=z), "compares numbers"),
    ("very few draws", r"\mathbb{E}[w] = 0", dict(w=Samples(rng.normal(size=100))), "at least"),
    ("text in an equation", r"a = (\text{b} c)", dict(a=1, c=1), r"\\text belongs"),
    ("one pair of braces", r"a = \frac{1}2", dict(a=0.5), "braces around both arguments"),
    ("no braces with a letter", r"a = \frac b2", dict(a=0.5, b=1), "braces around both arguments"),
    ("a sign of no language", r"a = b # c", dict(a=1, b=1, c=1), "# is not in the accepted notation"),
    ("a letter from outside", r"a = é", dict(a=1), "é is not in the accepted notation"),
    ("root of a function", r"a = \sqrt{f}", dict(a=1, f=lambda t: t), "must be applied"),
    ("norm of a function", r"a = \|f\|", dict(a=1, f=lambda t: t), "must be applied"),
    ("a matrix that is printed in part", r"W \approx \begin{bmatrix} 1.0 & b \end{bmatrix}", dict(W=np.array([[1.0, 2]]), b=2.0), "approx=1e-3"),
    ("a product that is printed in part", r"a \approx b \cdot 10^{3}", dict(a=2000.0, b=2.0), "approx=1e-3"),
    ("too much is said of a space", r"X \in \mathbb{R}^{m} \in \mathbb{R}", dict(X=X, m=m), "can be checked"),
    ("a name that is a number", r"a = b", {"2": 1, "a": 1, "b": 1}, "is no symbol"),
    ("a name that is a sum", r"a = b", {"x + y": 1, "a": 1, "b": 1}, "is no symbol"),
    ("a name with a fraction", r"a = b", {r"x_{\frac{1}{2}}": 1, "a": 1, "b": 1}, "cannot be part of a name"),
]  # fmt: skip


@pytest.mark.parametrize(("latex", "bindings", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(latex, bindings, says):
    with pytest.raises(EquationError, match=says):
        run(latex, bindings)


@pytest.mark.parametrize(
    ("latex", "bindings", "marked"),
    [
        (r"a = b + \circ c", dict(a=1, b=1, c=1), r"\circ"),
        (r"a = b + c", dict(a=1, b=1), "c"),
        ("a = b \\\\\nd = X + W", dict(a=1, b=1, d=1, X=X, W=W), "X + W"),
        (r"a = x_{5}", dict(a=1, x=z), "5"),
    ],
)
def test_carets_stand_under_the_place(latex, bindings, marked):
    with pytest.raises(EquationError) as caught:
        run(latex, bindings)
    lines = caught.value.message.split("\n")
    at = next(number for number, line in enumerate(lines) if line.strip() and set(line.strip()) == {"^"})
    start = lines[at].index("^")
    assert lines[at - 1][start : len(lines[at])] == marked


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Z * 2, "factor 2"),
        (-Z, "a sign"),
        (Z / m, "1/m"),
        (Z * 1.7, "constant factor"),
        (Z + 3.0, "constant term"),
    ],
)
def test_hints(wrong, says):
    with pytest.raises(EquationError, match=says):
        check_latex(r"Z + 0 \cdot m = X W + b", Z=wrong, X=X, W=W, b=b, m=m)


@pytest.mark.parametrize("power, says", [(-1, "a factor 1/5, and 5 is a length of X"), (1, "a factor 5, a length of X")])
def test_hint_of_a_forgotten_mean(power, says):
    """Who forgets 1/m has no m in the display, nor bound: the number of rows gives it away."""
    left = X.T @ dZ * float(m) ** power
    with pytest.raises(EquationError, match=says):
        check_latex(r"dW = X^\top dZ", dW=left, X=X, dZ=dZ)
    with pytest.raises(EquationError, match=r"1/6, and 6 is a length of v"):
        check_latex(r"J = \sum_i v_i", J=W2[0].mean(), v=W2[0])


def test_hint_of_a_transpose_and_of_a_shift():
    S = rng.normal(size=(4, 4))
    with pytest.raises(EquationError, match="a transpose"):
        check_latex("A = S", A=S.T, S=S)
    with pytest.raises(EquationError, match="off by one"):
        check_latex("a_i = b_i", a=np.arange(2.0, 8), b=np.arange(1.0, 7) ** 1)


def test_message_shows_display_bindings_and_worst_element():
    wrong = Z.copy()
    wrong[2, 1] += 1
    with pytest.raises(EquationError) as caught:
        check_latex(r"z_{ik} = \sum_j x_{ij} w_{jk} + b_k", z=wrong, x=X, w=W, b=b)
    text = str(caught.value)
    assert "i = 3, k = 2" in text
    assert r"\sum_j" in text
    assert "x: shape (5, 3)" in text


def test_every_rule_of_the_notation_has_an_example_that_parses():
    pairs = notation()
    assert len(pairs) > 15
    for title, example in pairs:
        assert title
        parse_display(example)


def test_parser_has_no_conflict_but_the_reach_of_a_sum():
    latex_parser()  # LALR: a reduce/reduce conflict would raise


@pytest.mark.parametrize(
    ("latex", "name"),
    [
        (r"\hat{y}", "y_hat"),
        (r"\beta_1", "beta1"),
        (r"n_{\mathrm{in}}", "n_in"),
        (r"W^{[2]}", "W2"),
        (r"\tilde{x}_{t+1}", "x_tilde_next"),
        (r"\theta^*", "theta_star"),
        (r"\lambda", "lambda_"),
        (r"d\theta", "dtheta"),
        (r"\Delta W", "Delta_W"),
        (r"x_{t-2}", "x_t_minus_2"),
        (r"x_{k+3}", "x_k_plus_3"),
        (r"g'", "g_prime"),
        (r"f''_t", "f_t_prime_prime"),
    ],
)
def test_binding_names(latex, name):
    assert binding_name(latex) == name


# --- the notebook -------------------------------------------------------------------------------


def notebook(path: Path, *texts: str) -> Path:
    cells = [{"cell_type": "markdown", "metadata": {}, "id": f"c{i}", "source": text} for i, text in enumerate(texts)]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.delenv("NNBOOK_LEDGER", raising=False)
    return tmp_path


SUM = "Text.\n\n$$\nc = a + b\n$$ (eq-sum)\n\nMore."


def test_label_in_the_directory(book):
    notebook(book / "05_x.ipynb", SUM)
    assert repr(check_equation("eq-sum", a=1, b=2, c=3)) == "eq-sum ✓"
    assert CHECKED[-1].notebook == "05_x.ipynb"
    with pytest.raises(EquationError, match="eq-sum: the two sides"):
        check_equation("eq-sum", a=1, b=2, c=4)


def test_label_from_the_root_of_the_book(book):
    (book / "nbs").mkdir()
    notebook(book / "nbs" / "05_x.ipynb", SUM)
    assert find_display("eq-sum")[0] == "c = a + b"


def test_what_a_check_is_given_is_handed_on(book, monkeypatch):
    """To the check itself, and to who watches it."""
    notebook(book / "05_x.ipynb", "$$\n\\hat{a} \\leftarrow b, \\qquad b \\approx c\n$$ (eq-all)")
    seen = []
    monkeypatch.setattr("nnbook.validation.equations.check.OBSERVERS", [lambda *given, **named: seen.append((given, named)) or {"tried": 1}])
    monkeypatch.setattr("time.process_time", iter([1.0, 1.23456789]).__next__)
    checked = check_equation("eq-all", {r"\hat{a}": 1.0}, after={r"\hat{a}": 2.0}, approx=0.5, b=2.0, c=3.0)
    (latex, names), named = seen.pop()
    assert latex == r"\hat{a} \leftarrow b, \qquad b \approx c" and names == {r"\hat{a}": 1.0}
    assert named == {"after": {r"\hat{a}": 2.0}, "approx": 0.5, "b": 2.0, "c": 3.0}
    assert checked == CHECKED[-1] and vars(checked) == {
        "label": "eq-all", "latex": latex, "equations": 2, "bindings": {"a_hat": "a number", "b": "a number", "c": "a number"},
        "notebook": "05_x.ipynb", "exception": "", "seconds": 0.234568, "mutants": {"tried": 1}}  # fmt: skip


def test_the_place_of_an_error_is_kept(book):
    notebook(book / "05_x.ipynb", SUM)
    with pytest.raises(EquationError) as caught:
        check_equation("eq-sum", a=1, b=2, c=np.ones(3))
    assert caught.value.span == (0, 9)


def test_a_source_may_be_one_text_and_the_lines_of_a_quotation_are_unquoted(book):
    text = "> $$\n> c &= a \\\\\n> &\\quad + b\n> $$ (eq-quoted)\n"
    cells = [{"cell_type": "markdown", "source": text}, {"cell_type": "markdown", "source": ["$$c = a\n", "+ b$$ (eq-lines)"]}]
    (book / "05_x.ipynb").write_text(json.dumps({"cells": cells}))
    assert find_display("eq-quoted")[0] == "c &= a \\\\\n&\\quad + b"
    assert find_display("eq-lines")[0] == "c = a\n+ b"


def test_changed_display_is_read_again(book):
    path = notebook(book / "05_x.ipynb", SUM)
    check_equation("eq-sum", a=1, b=2, c=3)
    notebook(path, SUM.replace("+", "- 4 +"))
    with pytest.raises(EquationError):
        check_equation("eq-sum", a=1, b=2, c=3)


def test_copy_beside_the_notebook(book, monkeypatch):
    notebook(book / "05_x.ipynb", SUM)
    notebook(book / "copy.ipynb", SUM)
    check_equation("eq-sum", a=1, b=2, c=3)
    other = notebook(book / "mine.ipynb", SUM.replace("+", "-"))
    with pytest.raises(EquationError, match="different displays"):
        check_equation("eq-sum", a=1, b=2, c=3)
    check_equation("eq-sum", a=1, b=2, c=-1, notebook=other)
    monkeypatch.setenv("JPY_SESSION_NAME", str(other))
    check_equation("eq-sum", a=1, b=2, c=-1)


def test_the_notebook_that_is_open_is_read(book, monkeypatch):
    """Jupyter tells its kernels the notebook's path, VS Code does in its own way; a stale one is no harm."""
    (book / "elsewhere").mkdir()
    notebook(book / "05_x.ipynb", SUM)
    copy = notebook(book / "elsewhere" / "copy.ipynb", SUM.replace("+", "-"))
    monkeypatch.setattr("__main__.__vsc_ipynb_file__", str(copy), raising=False)
    check_equation("eq-sum", a=1, b=2, c=-1)
    monkeypatch.setenv("JPY_SESSION_NAME", str(book / "05_x.ipynb"))
    check_equation("eq-sum", a=1, b=2, c=3)
    for stale in (str(book / "renamed.ipynb"), "folder/05_x.ipynb", "console-1"):
        monkeypatch.setenv("JPY_SESSION_NAME", stale)
        monkeypatch.delattr("__main__.__vsc_ipynb_file__", raising=False)
        check_equation("eq-sum", a=1, b=2, c=3)


def test_label_that_is_missing_or_there_twice(book):
    with pytest.raises(EquationError, match="no display is labelled eq-none"):
        check_equation("eq-none", a=1)
    notebook(book / "05_x.ipynb", SUM, SUM)
    with pytest.raises(EquationError, match="two displays labelled eq-sum"):
        check_equation("eq-sum", a=1, b=2, c=3)
    for label in (5, None, ["eq-sum"]):
        with pytest.raises(EquationError, match="a label is text"):
            check_equation(label, a=1, b=2, c=3)


def test_displays_that_say_the_same_twice_are_named_where_they_stand(book):
    notebook(book / "05_x.ipynb", SUM)
    notebook(book / "06_y.ipynb", SUM.replace("+", "-"))
    with pytest.raises(EquationError, match=r"05_x\.ipynb, 06_y\.ipynb"):
        check_equation("eq-sum", a=1, b=2, c=3)


def test_a_notebook_is_read_again_only_when_it_changes(book, monkeypatch):
    notebook(book / "05_x.ipynb", SUM)
    read, texts = Path.read_text, []
    monkeypatch.setattr(Path, "read_text", lambda path, *given, **named: texts.append(path.name) or read(path, *given, **named))
    for _ in range(3):
        check_equation("eq-sum", a=1, b=2, c=3)
    assert texts == ["05_x.ipynb"]


def test_not_executed_looks_where_it_is_told(book):
    notebook(book / "05_x.ipynb", SUM)
    other = notebook(book / "06_y.ipynb", SUM.replace("+", "-"))
    assert not_executed("eq-sum", "it defines a sign", notebook=other).latex == "c = a - b"


def test_what_lies_beside_the_notebook_raises_nothing_bare(book):
    notebook(book / "05_x.ipynb", SUM)
    (book / "a_folder.ipynb").mkdir()
    (book / "00_empty.ipynb").write_text("")
    check_equation("eq-sum", a=1, b=2, c=3)
    for text in ("{ eq-sum", '["eq-sum"]', '{"eq-sum": 1}'):
        (book / "00_torn.ipynb").write_text(text)
        with pytest.raises(EquationError, match=r"00_torn\.ipynb is no whole notebook"):
            check_equation("eq-sum", a=1, b=2, c=3)
    (book / "00_torn.ipynb").write_bytes(b"\xff eq-sum")
    with pytest.raises(EquationError, match=r"00_torn\.ipynb cannot be read"):
        check_equation("eq-sum", a=1, b=2, c=3)
    with pytest.raises(EquationError, match=r"there is no notebook none\.ipynb"):
        check_equation("eq-sum", a=1, b=2, c=3, notebook="none.ipynb")


def test_displays_in_all_their_places():
    found = dict(
        labelled_displays(
            ":::{note}\n$$\nx = 1\n$$ (eq-a)\n:::\n\n"
            "````{prf:theorem} T\n:label: thm\n```{math}\n:label: eq-b\n\na = b\n```\n````\n\n"
            "```{code-cell}\n$$ x $$ (eq-cell)\n```\n\n```{math}\nu = v\n```\n\n"
            "```python\n$$ x $$ (eq-code)\n```\n\n> $$\n> y = 1\n> $$ (eq-q)\n\n$$z = 1$$ (eq-z)\n\n$$ no $$\n"
        )
    )
    assert found == {"eq-a": "x = 1", "eq-b": "a = b", "eq-q": "y = 1", "eq-z": "z = 1"}


def test_ledger(book, monkeypatch):
    notebook(book / "05_x.ipynb", SUM)
    monkeypatch.setenv("NNBOOK_LEDGER", str(book / "deep" / "ledger"))
    monkeypatch.setattr("nnbook.validation.equations.check.OBSERVERS", [summary])
    check_equation("eq-sum", a=1, b=2, c=3)
    assert "not executed: it" in repr(not_executed("eq-sum", "it defines a sign, é", notebook="05_x.ipynb"))
    (file,) = (book / "deep" / "ledger").glob("*.jsonl")
    lines = file.read_text(encoding="utf-8").splitlines()
    assert "é" in lines[1] and all(list(json.loads(line)) == sorted(json.loads(line)) for line in lines)
    first, second = map(json.loads, lines)
    assert (first["label"], first["notebook"], first["equations"]) == ("eq-sum", "05_x.ipynb", 1)
    assert first["mutants"]["tried"] == first["mutants"]["caught"] > 5
    assert second == {"label": "eq-sum", "latex": "c = a + b", "equations": 0, "bindings": {}, "notebook": "05_x.ipynb",
                      "exception": "it defines a sign, é", "seconds": 0.0, "mutants": None}
    with pytest.raises(EquationError, match="reason"):
        not_executed("eq-sum", " ")


# ---- nothing but an EquationError, whatever the page says -----------------------------------------

SIGNS = r"""\frac \sqrt \sum \prod \left \right ( ) [ ] { } | \| _ ^ \top & \\ \begin{cases} \end{cases} \partial \nabla
\mathbb{E} \mathbf{1} \hat d \odot \cdot / + - = < \le \in , : . 0 12 1.5 x W ij \max \arg\max \log \text{if} \underset
\underbrace \left. \right| \lceil \infty \to é \leftarrow \approx O(h^2) \delta % ~ ' ² 𝐱""".split()
DISPLAYS = [case[1] for case in HOLDS] + [example for _, example in notation()]


def garbled(latex, dice):
    """Cut, insert and replace at one to three places."""
    for _ in range(dice.integers(1, 4)):
        start = int(dice.integers(len(latex) + 1))
        end = min(len(latex), start + int(dice.integers(1, 8)))
        sign, what = SIGNS[dice.integers(len(SIGNS))], dice.integers(4)
        middle = ("", sign, sign + latex[start:end], latex[start:end] * 2)[what]
        latex = latex[:start] + middle + latex[end:]
    return latex


def test_garbled_displays_raise_nothing_but_equation_errors():
    dice, refused = np.random.default_rng(3), 0
    for number in range(2000):
        latex = garbled(DISPLAYS[number % len(DISPLAYS)], dice)
        try:
            parse_display(latex)
        except EquationError as error:
            assert error.message, latex
            refused += 1
    assert 500 < refused < 2000


@pytest.mark.parametrize(("latex", "bindings"), [case[1:] for case in HOLDS], ids=[case[0] for case in HOLDS])
def test_garbled_checks_say_what_is_wrong(latex, bindings):
    dice = np.random.default_rng(4)
    for _ in range(10):
        wrong = garbled(latex, dice)
        try:
            with np.errstate(all="ignore"):
                run(wrong, bindings)
        except EquationError as error:
            assert "this display cannot be executed" not in error.message, wrong


def test_import_does_not_load_the_parser():
    code = "import sys, nnbook, nnbook.validation.equations; assert 'lark' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


def test_without_the_parser_it_says_what_to_install():
    code = (
        "import sys; sys.modules['lark'] = None\n"
        "from nnbook.validation.equations import check_latex\n"
        "try: check_latex('a = b', a=1, b=1)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent,
                           capture_output=True, text=True).stdout
    assert shown.startswith("EquationError LaTeX is read by lark") and 'pip install "nnbook[equations]"' in shown


# --- mutants --------------------------------------------------------------------------------------

EQUIVALENT = {
    r"W_{k,j}^2",  # renaming both indices of a sum over both changes nothing
    r"\operatorname{tr}(W W^\top)",  # a trace does not see a cyclic change of order
    r"g'(2 (z)) = \mathbb{1}",  # nor a step a positive factor
    # functions that are even
    r"g'(-z) = 1", r"g(-z)^2", r"f'''(-x) = -\cos", r"f^{(5)}(-x)", r"J(-\theta)", r"\sigma'(-z)",
    r"\sigma'(2 (z)) \le",  # any point has this bound
}  # fmt: skip


@pytest.mark.parametrize(("latex", "bindings"), [case[1:] for case in HOLDS], ids=[case[0] for case in HOLDS])
def test_mutants_are_caught(latex, bindings):
    latex_names, rest = split_names(bindings)
    missed = [mutant for mutant in try_mutants(latex, latex_names, **rest) if not mutant.caught]
    missed = [mutant for mutant in missed if not any(same in mutant.latex for same in EQUIVALENT)]
    assert not missed, [(mutant.kind, mutant.latex) for mutant in missed]


def test_a_weak_check_is_found_out():
    missed = [mutant.kind for mutant in try_mutants(r"c = a^2", a=1, c=1) if not mutant.caught]
    assert "dropped factor" in missed
