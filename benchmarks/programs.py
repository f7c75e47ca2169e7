"""The programs that are compared. Each trains the network of a `Task` its own library's way.

A program imports its library when it is built, so that one that is not installed costs only its
own worker. `losses` makes one step a batch and returns each batch's mean loss before the step;
`epoch` goes once through all examples in a new random order, as fast as the library can.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from reference import PlainNumPy
from tasks import Task, batch_order

Weights = list[tuple[np.ndarray, np.ndarray]]


class Program:
    """A network with its first weights, its training examples, and a way to train."""

    packages: tuple[str, ...] = ("numpy",)
    eps_hat = False  # where its Adam adds ε, see reference.py

    def __init__(self, task: Task, start: Weights, X: np.ndarray, labels: np.ndarray) -> None:
        self.task, self.start, self.X, self.labels = task, start, X, labels
        self.starts = range(0, len(X), task.batch)
        self.build()

    def build(self) -> None:
        """Set up the network and the optimizer."""

    def losses(self, batches: Iterable[np.ndarray]) -> list[float] | None:
        """The loss of each batch, with a step after it; None if the program computes none."""
        return None

    def epoch(self, seed: int) -> None:
        raise NotImplementedError

    def predict(self, X: np.ndarray) -> Any:
        raise NotImplementedError

    def one_hot(self) -> np.ndarray:
        """The targets as rows."""
        if self.task.classes:
            return np.eye(self.task.sizes[-1], dtype=np.float32)[self.labels]
        return self.labels[:, None].astype(np.float32)


class Floor(Program):
    """Matrix products alone: 3 forward, 3 for the weights' gradients, 2 for the signals."""

    def build(self) -> None:
        m, sizes = self.task.batch, self.task.sizes
        self.W = [W for W, _ in self.start]
        self.A = [np.ascontiguousarray(self.X[:m])] + [np.ones((m, n), np.float32) for n in sizes[1:]]
        self.dZ = [np.ones((m, n), np.float32) for n in sizes]
        self.dX = [np.empty_like(dZ) for dZ in self.dZ]
        self.dW = [np.empty_like(W) for W in self.W]

    def epoch(self, seed: int) -> None:
        A, W, dZ, dX, dW = self.A, self.W, self.dZ, self.dX, self.dW
        for _ in self.starts:
            for l in range(len(W)):
                np.matmul(A[l], W[l], out=A[l + 1])
            for l in reversed(range(len(W))):
                np.matmul(A[l].T, dZ[l + 1], out=dW[l])
                if l:
                    np.matmul(dZ[l + 1], W[l].T, out=dX[l])


class NNBook(Program):
    """The package, through its public face: `Model.fit`, with history and progress."""

    packages = ("nnbook", "numpy")

    def build(self) -> None:
        import nnbook as nn

        hidden = {"relu": nn.ReLU, "tanh": nn.Tanh}[self.task.hidden]
        last, loss = ((nn.Softmax, nn.CrossEntropyLoss) if self.task.classes
                      else (nn.Sigmoid, nn.BinaryCrossEntropyLoss))
        layers = [nn.DenseLayer(*W.shape, activation=hidden()) for W, _ in self.start[:-1]]
        layers.append(nn.DenseLayer(*self.start[-1][0].shape, activation=last()))
        for layer, (W, b) in zip(layers, self.start):
            layer.W, layer.b = W, b
        self.model = nn.Model(nn.Sequential(*layers), loss(), nn.Adam(lr=self.task.lr))

    def losses(self, batches: Iterable[np.ndarray]) -> list[float]:
        return [self.model.fit(self.X[i], self.labels[i], epochs=1, batch_size=len(i),
                               shuffle=False, progress=False)["loss"][0] for i in batches]

    def epoch(self, seed: int) -> None:
        self.model.fit(self.X, self.labels, epochs=1, batch_size=self.task.batch, seed=seed)

    def predict(self, X: np.ndarray) -> Any:
        return self.model.predict(X)


class Textbook(Program):
    """NumPy as a textbook writes it, see reference.py."""

    dtype: Any = np.float32

    def build(self) -> None:
        self.X = self.X.astype(self.dtype)
        self.net = PlainNumPy(self.start, hidden=self.task.hidden, lr=self.task.lr, dtype=self.dtype)

    def losses(self, batches: Iterable[np.ndarray]) -> list[float]:
        return [self.net.step(self.X[i], self.labels[i]) for i in batches]

    def epoch(self, seed: int) -> None:
        order = batch_order(len(self.X), seed)
        for s in self.starts:
            i = order[s:s + self.task.batch]
            self.net.step(self.X[i], self.labels[i])


class Textbook64(Textbook):
    """The same in float64, which NumPy takes when nobody says otherwise."""

    dtype = np.float64


class Torch(Program):
    """PyTorch eager with its default Adam; a batch is gathered by its indices."""

    packages = ("torch",)
    fused = False

    def build(self) -> None:
        import torch
        from torch import nn

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.torch = torch
        hidden = {"relu": nn.ReLU, "tanh": nn.Tanh}[self.task.hidden]
        layers: list[Any] = []
        for W, b in self.start:
            linear = nn.Linear(*W.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(W.T.copy()))
                linear.bias.copy_(torch.from_numpy(b))
            layers += [linear, hidden()]
        self.net = nn.Sequential(*layers[:-1])
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=self.task.lr,
                                          fused=self.fused or None)
        self.criterion = nn.CrossEntropyLoss() if self.task.classes else nn.BCEWithLogitsLoss()
        self.X = torch.from_numpy(self.X)
        self.Y = torch.from_numpy(self.labels if self.task.classes else self.one_hot())

    def cost(self, X: Any, Y: Any) -> Any:
        return self.criterion(self.net(X), Y)

    def step(self, X: Any, Y: Any) -> Any:
        self.optimizer.zero_grad()
        loss = self.cost(X, Y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def losses(self, batches: Iterable[np.ndarray]) -> list[float]:
        return [self.step(self.X[i], self.Y[i]).item() for i in batches]

    def epoch(self, seed: int) -> None:
        total, order = 0.0, self.torch.randperm(len(self.X))
        for s in self.starts:
            i = order[s:s + self.task.batch]
            total += self.step(self.X[i], self.Y[i]) * len(i)
        float(total)

    def predict(self, X: np.ndarray) -> Any:
        with self.torch.no_grad():
            return self.torch.softmax(self.net(self.torch.from_numpy(X)), 1)


class TorchFused(Torch):
    """PyTorch eager at its best: the fused Adam."""

    fused = True


class TorchCompiled(TorchFused):
    """PyTorch with network and loss compiled, and the fused Adam."""

    def build(self) -> None:
        super().build()
        self.compiled = self.torch.compile(super().cost, dynamic=False)

    def cost(self, X: Any, Y: Any) -> Any:
        return self.compiled(X, Y)


class TorchLoader(Torch):
    """PyTorch as its tutorial writes it: a DataLoader hands out the batches."""

    def build(self) -> None:
        super().build()
        data = self.torch.utils.data
        self.loader = data.DataLoader(data.TensorDataset(self.X, self.Y),
                                      batch_size=self.task.batch, shuffle=True)

    def epoch(self, seed: int) -> None:
        total = 0.0
        for X, Y in self.loader:
            total += self.step(X, Y) * len(X)
        float(total)


class Jax(Program):
    """JAX: a jitted step, its batch gathered by NumPy."""

    packages = ("jax", "jaxlib")

    def build(self) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp = jax, jnp
        self.Y = self.one_hot()
        params = [(jnp.asarray(W), jnp.asarray(b)) for W, b in self.start]
        zeros = jax.tree.map(jnp.zeros_like, params)
        self.state = (params, zeros, jax.tree.map(jnp.zeros_like, params), jnp.zeros((), jnp.int32))
        lr, beta1, beta2, eps = self.task.lr, 0.9, 0.999, 1e-8

        def logits(params: Any, X: Any) -> Any:
            for W, b in params[:-1]:
                X = jax.nn.relu(X @ W + b)
            return X @ params[-1][0] + params[-1][1]

        def cost(params: Any, X: Any, Y: Any) -> Any:
            return -(Y * jax.nn.log_softmax(logits(params, X))).sum(axis=1).mean()

        def step(state: Any, X: Any, Y: Any) -> Any:
            params, m, v, t = state
            loss, g = jax.value_and_grad(cost)(params, X, Y)
            t = t + 1
            m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, g)
            v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, g)
            c, d = 1 - beta1**t, 1 - beta2**t
            params = jax.tree.map(lambda p, m, v: p - lr * (m / c) / (jnp.sqrt(v / d) + eps), params, m, v)
            return (params, m, v, t), loss

        self.plain_step = step
        self.step = jax.jit(step, donate_argnums=0)
        self.probabilities = jax.jit(lambda params, X: jax.nn.softmax(logits(params, X)))

    def losses(self, batches: Iterable[np.ndarray]) -> list[float]:
        found = []
        for i in batches:
            self.state, loss = self.step(self.state, self.X[i], self.Y[i])
            found.append(float(loss))
        return found

    def epoch(self, seed: int) -> None:
        order, found = batch_order(len(self.X), seed), []
        for s in self.starts:
            i = order[s:s + self.task.batch]
            self.state, loss = self.step(self.state, self.X[i], self.Y[i])
            found.append(loss)
        float(sum(found))

    def predict(self, X: np.ndarray) -> Any:
        return np.asarray(self.probabilities(self.state[0], X))


class JaxScan(Jax):
    """JAX: a whole epoch is one compiled `lax.scan`; a last, smaller batch is a step of its own."""

    def build(self) -> None:
        super().build()
        jax, jnp, step = self.jax, self.jnp, self.plain_step
        self.device_X, self.device_Y = jnp.asarray(self.X), jnp.asarray(self.Y)

        def scan(state: Any, X: Any, Y: Any, order: Any) -> Any:
            return jax.lax.scan(lambda state, i: step(state, X[i], Y[i]), state, order)

        self.scan = jax.jit(scan, donate_argnums=0)

    def epoch(self, seed: int) -> None:
        batch, order = self.task.batch, batch_order(len(self.X), seed)
        whole = len(order) // batch * batch
        self.state, found = self.scan(self.state, self.device_X, self.device_Y,
                                      order[:whole].reshape(-1, batch))
        if whole < len(order):
            i = order[whole:]
            self.state, loss = self.step(self.state, self.X[i], self.Y[i])
            float(loss)
        float(found.sum())


class Keras(Program):
    """Keras on JAX: `model.fit`."""

    packages = ("keras", "jax")
    eps_hat = True

    def build(self) -> None:
        os.environ["KERAS_BACKEND"] = "jax"
        import keras

        layers = [keras.layers.Dense(W.shape[1], activation=self.task.hidden) for W, _ in self.start[:-1]]
        self.model = keras.Sequential([keras.Input(self.task.sizes[:1]), *layers,
                                       keras.layers.Dense(self.task.sizes[-1])])
        self.model.compile(optimizer=keras.optimizers.Adam(self.task.lr, epsilon=1e-8),
                           loss=keras.losses.CategoricalCrossentropy(from_logits=True))
        self.model.set_weights([p for pair in self.start for p in pair])
        self.Y = self.one_hot()

    def losses(self, batches: Iterable[np.ndarray]) -> list[float]:
        return [float(np.ravel(self.model.train_on_batch(self.X[i], self.Y[i]))[0]) for i in batches]

    def epoch(self, seed: int) -> None:
        self.model.fit(self.X, self.Y, batch_size=self.task.batch, epochs=1, verbose=0)


class ScikitLearn(Program):
    """scikit-learn's MLPClassifier: `partial_fit`, one pass a call, with its Adam kept."""

    packages = ("scikit-learn", "numpy")
    eps_hat = True

    def build(self) -> None:
        from sklearn.neural_network import MLPClassifier

        self.model = MLPClassifier(self.task.sizes[1:-1], activation=self.task.hidden, alpha=0.0,
                                   batch_size=self.task.batch, learning_rate_init=self.task.lr,
                                   shuffle=True, random_state=0)
        self.classes = np.arange(self.task.sizes[-1])
        # the network comes into being with its first step: let it, then put in ours
        self.model.partial_fit(self.X[:self.task.batch], self.labels[:self.task.batch], classes=self.classes)
        self.model.coefs_ = [W.copy() for W, _ in self.start]
        self.model.intercepts_ = [b.copy() for _, b in self.start]
        del self.model._optimizer

    def losses(self, batches: Iterable[np.ndarray]) -> list[float]:
        found = []
        for i in batches:
            self.model.partial_fit(self.X[i], self.labels[i], classes=self.classes)
            found.append(float(self.model.loss_))
        return found

    def epoch(self, seed: int) -> None:
        self.model.partial_fit(self.X, self.labels, classes=self.classes)

    def predict(self, X: np.ndarray) -> Any:
        return self.model.predict_proba(X)


#: By the name in the table. The order is that of the table.
PROGRAMS: dict[str, type[Program]] = {
    "products alone": Floor,
    "nnbook": NNBook,
    "PyTorch": Torch,
    "PyTorch, fused Adam": TorchFused,
    "PyTorch, compiled": TorchCompiled,
    "PyTorch, DataLoader": TorchLoader,
    "JAX, jitted step": Jax,
    "JAX, scanned epoch": JaxScan,
    "Keras on JAX": Keras,
    "scikit-learn": ScikitLearn,
    "NumPy, as a textbook": Textbook,
    "NumPy, as a textbook, float64": Textbook64,
}
