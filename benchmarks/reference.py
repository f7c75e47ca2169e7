"""The benchmark's network in plain NumPy: what every program must agree with.

Nothing here is fast or imported from the book. `train` is how a textbook writes it, a line for
each equation; with dtype=float32 and float64 it takes part in the benchmark as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Weights = list[tuple[np.ndarray, np.ndarray]]


class PlainNumPy:
    """A network of dense layers that Adam trains, one new array for each operation."""

    def __init__(self, start: Weights, *, hidden: str = "relu", lr: float = 0.001,
                 dtype: Any = np.float32, eps_hat: bool = False) -> None:
        self.W = [W.astype(dtype) for W, _ in start]
        self.b = [b.astype(dtype) for _, b in start]
        self.hidden, self.lr, self.dtype, self.eps_hat = hidden, lr, dtype, eps_hat
        self.t = 0
        self.m = [np.zeros_like(p) for p in (*self.W, *self.b)]
        self.v = [np.zeros_like(p) for p in (*self.W, *self.b)]

    def forward(self, X: np.ndarray) -> list[np.ndarray]:
        """The activations of every layer, X first; the last are logits."""
        A = [X]
        for l, (W, b) in enumerate(zip(self.W, self.b), 1):
            Z = A[-1] @ W + b
            if l < len(self.W):
                Z = np.maximum(Z, 0) if self.hidden == "relu" else np.tanh(Z)
            A.append(Z)
        return A

    def step(self, X: np.ndarray, labels: np.ndarray) -> float:
        """One step of Adam; returns the mean loss before it."""
        A, m = self.forward(X), len(X)
        Z = A[-1]
        if Z.shape[1] > 1:  # softmax and cross-entropy
            Y = np.eye(Z.shape[1], dtype=self.dtype)[labels]
            Z = Z - Z.max(axis=1, keepdims=True)
            P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
            loss = float(-(Y * np.log(P)).sum(axis=1).mean())
        else:  # a sigmoid and binary cross-entropy
            Y = labels[:, None].astype(self.dtype)
            P = 1 / (1 + np.exp(-Z))
            loss = float(-(Y * np.log(P) + (1 - Y) * np.log(1 - P)).mean())
        dZ = P - Y
        dW, db = [], []
        for l in reversed(range(len(self.W))):
            dW.insert(0, A[l].T @ dZ / m)
            db.insert(0, dZ.sum(axis=0) / m)
            if l:
                dA = dZ @ self.W[l].T
                dZ = dA * (A[l] > 0 if self.hidden == "relu" else 1 - A[l] ** 2)
        self.adam([*dW, *db])
        return loss

    def adam(self, gradients: list[np.ndarray], beta1: float = 0.9, beta2: float = 0.999,
             eps: float = 1e-8) -> None:
        """Adam as its paper prints it.

        With `eps_hat` ε is added to √v before the correction of v, not after it: the form at the
        end of the paper's section 2, which Keras and scikit-learn take.
        """
        self.t += 1
        if self.eps_hat:
            eps /= np.sqrt(1 - beta2**self.t)
        for k, (p, g) in enumerate(zip([*self.W, *self.b], gradients)):
            self.m[k] = beta1 * self.m[k] + (1 - beta1) * g
            self.v[k] = beta2 * self.v[k] + (1 - beta2) * g * g
            m_hat = self.m[k] / (1 - beta1**self.t)
            v_hat = self.v[k] / (1 - beta2**self.t)
            p -= self.lr * m_hat / (np.sqrt(v_hat) + eps)
