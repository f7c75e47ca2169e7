"""What every program of the benchmark is given: a network, its first weights, examples."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Task:
    """A network and how it is trained: ReLU or tanh inside, softmax or one sigmoid at the end."""

    name: str
    sizes: tuple[int, ...]
    hidden: str
    batch: int
    lr: float

    @property
    def classes(self) -> bool:
        """Whether the network ends in a softmax over classes; else in one sigmoid."""
        return self.sizes[-1] > 1


TASKS = {
    task.name: task
    for task in (
        Task("digits", (784, 256, 128, 10), "relu", 128, 0.001),
        Task("spiral", (2, 64, 64, 3), "relu", 32, 0.005),
        Task("xor", (2, 8, 1), "tanh", 32, 0.01),
    )
}


def start_weights(task: Task, seed: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pairs (W, b) that every program starts from, float32."""
    rng = np.random.default_rng(seed)
    gain = 2.0 if task.hidden == "relu" else 1.0
    return [
        (rng.normal(0, np.sqrt(gain / n), (n, k)).astype(np.float32), np.zeros(k, np.float32))
        for n, k in zip(task.sizes, task.sizes[1:])
    ]


def batch_order(m: int, seed: int) -> np.ndarray:
    """The order in which `Model.fit` goes through m examples when it is given `seed`."""
    return np.random.default_rng(seed).permutation(m)


def first_batches(m: int, batch: int, steps: int) -> list[np.ndarray]:
    """The rows of the batches over which the programs' losses are compared."""
    return [np.arange(s * batch, (s + 1) * batch) % m for s in range(steps)]


def digits(rows: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Images as float32 rows, labels, and where they are from.

    The full MNIST set where it lies in the cache or in ../shared/mnist; else the part of it that
    comes with nnbook, repeated. Nothing is downloaded.
    """
    from nnbook.utils import load_mnist

    if rows > 60_000:
        rng = np.random.default_rng(0)
        X = rng.random((rows, 784), dtype=np.float32)
        return X, rng.integers(10, size=rows), "synthetic"
    for cache in (os.environ.get("NNBOOK_CACHE"), ROOT.parent / "shared", None):
        try:
            data = load_mnist(full=True, cache=cache, mirrors=())
        except (OSError, ImportError):
            continue
        return data.X_train[:rows], data.Y_train[:rows], "MNIST"
    data = load_mnist()
    index = np.arange(rows) % len(data.X_train)
    return data.X_train[index], data.Y_train[index], "the embedded part of MNIST, repeated"


def points(task: Task, rows: int = 3_200) -> tuple[np.ndarray, np.ndarray]:
    """Noise around a class for each corner or arm: what matters here is the number of steps."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(rows, 2)).astype(np.float32)
    if task.classes:
        return X, rng.integers(task.sizes[-1], size=rows)
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.int64)
