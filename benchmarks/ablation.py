"""What each habit is worth: nnbook's arithmetic without its classes, and one habit dropped at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from programs import Program
from tasks import batch_order

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
PIECE, FADED = 2**16, 2**20  # as in nnbook.core.optimizers


class Lean(Program):
    """float32, one flat θ, Adam in ten operations in place and in pieces, W stored (n_in, n_out)."""

    dtype: Any = np.float32
    transposed = False     # W stored (n_out, n_in)
    divide_late = False    # dW = (XᵀdZ)/m instead of Xᵀ(dZ/m)
    keep = False           # buffers kept from step to step
    assign = False         # ReLU's derivative by boolean assignment
    forget = True          # what has faded becomes zero

    def build(self) -> None:
        self.X = self.X.astype(self.dtype)
        self.Y = self.one_hot().astype(self.dtype)
        size = sum(W.size + b.size for W, b in self.start)
        self.theta, self.grad = np.zeros(size, self.dtype), np.zeros(size, self.dtype)
        self.M, self.V, self.s, self.s2 = (np.zeros(size, self.dtype) for _ in range(4))
        self.W, self.b, self.dW, self.db = [], [], [], []
        self.slices, at, self.t = [], 0, 0
        for W, b in self.start:
            W = W.T if self.transposed else W
            for values, views, gradients in ((W, self.W, self.dW), (b, self.b, self.db)):
                here = slice(at, at := at + values.size)
                self.slices.append(here)
                self.theta[here] = values.ravel()
                views.append(self.theta[here].reshape(values.shape))
                gradients.append(self.grad[here].reshape(values.shape))
        self.kept: dict[Any, np.ndarray] = {}

    def out(self, name: Any, shape: tuple[int, int]) -> np.ndarray | None:
        """A buffer to write to, or None for a new array."""
        if not self.keep:
            return None
        if (name, shape) not in self.kept:
            self.kept[name, shape] = np.empty(shape, self.dtype)
        return self.kept[name, shape]

    def step(self, X: np.ndarray, Y: np.ndarray) -> float:
        A, m, last = [X], len(X), len(self.W) - 1
        for l, (W, b) in enumerate(zip(self.W, self.b)):
            W = W.T if self.transposed else W
            Z = np.matmul(A[l], W, out=self.out(("Z", l), (m, W.shape[1])))
            Z += b
            A.append(Z if l == last else np.maximum(Z, 0, out=self.out(("A", l), Z.shape)))
        Z = A.pop()
        Z = Z - Z.max(axis=1, keepdims=True)
        E = np.exp(Z)
        total = E.sum(axis=1, keepdims=True)
        dZ = E / total - Y
        loss = float((np.log(total[:, 0]) - (Y * Z).sum(axis=1)).sum()) / m
        for l in range(last, -1, -1):
            D = dZ if self.divide_late else np.divide(dZ, m, out=self.out(("D", l), dZ.shape))
            if self.transposed:
                np.matmul(D.T, A[l], out=self.dW[l])
            else:
                np.matmul(A[l].T, D, out=self.dW[l])
            D.sum(axis=0, out=self.db[l])
            if self.divide_late:
                self.dW[l] /= m
                self.db[l] /= m
            if l:
                W = self.W[l] if self.transposed else self.W[l].T
                dA = np.matmul(dZ, W, out=self.out(("dA", l), A[l].shape))
                if self.assign:
                    dA[A[l] <= 0] = 0
                    dZ = dA
                else:
                    dZ = np.multiply(dA, A[l] > 0, out=self.out(("dZ", l), dA.shape))
        self.t += 1
        for here in self.pieces():
            theta = self.theta[here]
            self.adam(theta, self.grad[here], self.M[here], self.V[here], self.s[:theta.size])
        if self.forget and self.t % 64 == 0:
            for vector in (self.M, self.V):
                vector[np.abs(vector) < FADED * np.finfo(self.dtype).tiny] = 0
        return loss

    def pieces(self) -> list[slice]:
        """The parts of θ that Adam goes through one after the other."""
        return [slice(start, start + PIECE) for start in range(0, self.theta.size, PIECE)]

    def adam(self, theta: np.ndarray, g: np.ndarray, M: np.ndarray, V: np.ndarray,
             s: np.ndarray) -> None:
        k = math.sqrt((1 - BETA2**self.t) / (1 - BETA2))
        M *= BETA1
        M += g
        V *= BETA2
        np.multiply(g, g, out=s)
        V += s
        np.sqrt(V, out=s)
        s += EPS * k
        np.divide(M, s, out=s)
        s *= self.task.lr * k * (1 - BETA1) / (1 - BETA1**self.t)
        theta -= s

    def losses(self, batches: Iterable[np.ndarray]) -> list[float]:
        return [self.step(self.X[i], self.Y[i]) for i in batches]

    def epoch(self, seed: int) -> None:
        order = batch_order(len(self.X), seed)
        for s in self.starts:
            i = order[s:s + self.task.batch]
            self.step(self.X.take(i, axis=0), self.Y.take(i, axis=0))


class KeptBuffers(Lean):
    keep = True


class DividedLate(Lean):
    divide_late = True


class Transposed(Lean):
    transposed = True


class Assigned(Lean):
    assign = True


class Float64(Lean):
    dtype = np.float64


class FadedKept(Lean):
    forget = False


class AdamInOnePiece(Lean):
    def pieces(self) -> list[slice]:
        return [slice(None)]


class AdamByMatrix(Lean):
    def pieces(self) -> list[slice]:
        return self.slices


class AdamAsPrinted(Lean):
    """The paper's form in place: fourteen operations."""

    def adam(self, theta: np.ndarray, g: np.ndarray, M: np.ndarray, V: np.ndarray,
             s: np.ndarray) -> None:
        s2 = self.s2[:s.size]
        M *= BETA1
        np.multiply(g, 1 - BETA1, out=s)
        M += s
        V *= BETA2
        np.multiply(g, g, out=s)
        s *= 1 - BETA2
        V += s
        np.divide(V, 1 - BETA2**self.t, out=s)
        np.sqrt(s, out=s)
        s += EPS
        np.divide(M, 1 - BETA1**self.t, out=s2)
        s2 /= s
        s2 *= self.task.lr
        theta -= s2


class AdamWithNewArrays(Lean):
    def adam(self, theta: np.ndarray, g: np.ndarray, M: np.ndarray, V: np.ndarray,
             s: np.ndarray) -> None:
        M[:] = BETA1 * M + (1 - BETA1) * g
        V[:] = BETA2 * V + (1 - BETA2) * g * g
        M_hat, V_hat = M / (1 - BETA1**self.t), V / (1 - BETA2**self.t)
        theta -= self.task.lr * M_hat / (np.sqrt(V_hat) + EPS)


#: By the name in the figure; the first is what the others are compared with.
VARIANTS: dict[str, type[Program]] = {
    "nnbook's arithmetic alone": Lean,
    "with buffers kept": KeptBuffers,
    "Adam matrix by matrix": AdamByMatrix,
    "Adam in one piece": AdamInOnePiece,
    "what has faded is kept": FadedKept,
    "dW divided by m, not dZ": DividedLate,
    "W stored (n_out, n_in)": Transposed,
    "ReLU's mask by assignment": Assigned,
    "Adam in 14 operations": AdamAsPrinted,
    "Adam with new arrays": AdamWithNewArrays,
    "float64 throughout": Float64,
}
