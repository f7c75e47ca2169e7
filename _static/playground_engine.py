"""What the playground does: points in the plane, the package that learns them, and what it sees.

It runs in a worker of the reader's browser and, for the picture that a page shows before that, when
the book is built. A setting is a dict with the names of `CHOICES`, and "points", a list of
``[x, y, class]``, where the data are drawn by hand.
"""

import math

import numpy as np

from nnbook.core import (
    SELU,
    SGD,
    Adam,
    CrossEntropyLoss,
    DenseLayer,
    He,
    Identity,
    LeakyReLU,
    LeCun,
    Momentum,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
    Xavier,
)
from nnbook.examples.spiral import make_spiral
from nnbook.network import Model, Sequential

ACTIVATIONS = {
    "ReLU": ReLU,
    "LeakyReLU": LeakyReLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "SELU": SELU,
    "identity": Identity,
}
INITIALIZERS = {"He": He, "Xavier": Xavier, "LeCun": LeCun}
OPTIMIZERS = {"SGD": SGD, "Momentum": Momentum, "Adam": Adam}

CHOICES = {
    "data": ("spirals", "XOR", "circles", "moons", "drawn by hand"),
    "noise": ("0", "0.02", "0.05", "0.1", "0.2"),
    "layers": ("0", "1", "2", "3", "4"),
    "units": ("2", "4", "8", "16", "32"),
    "activation": tuple(ACTIVATIONS),
    "initialiser": ("to match", *INITIALIZERS),
    "optimizer": tuple(OPTIMIZERS),
    "learning rate": ("0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1", "3", "10"),
    "batch": ("1", "8", "32", "128", "all"),
}
START = {
    "data": "spirals",
    "noise": "0.02",
    "layers": "2",
    "units": "16",
    "activation": "tanh",
    "initialiser": "to match",
    "optimizer": "Adam",
    "learning rate": "0.01",
    "batch": "32",
}

EDGE = 1.3  # the plane that is shown reaches from −EDGE to EDGE
FIELD, UNIT = 64, 26  # squares along a side of the picture, and of a hidden unit's
SEED = 0

# ---- points -------------------------------------------------------------------------------------


def make_xor(m, noise, rng):
    X = rng.uniform(0.08, 1, size=(m, 2)) * rng.choice([-1, 1], size=(m, 2))
    return X + noise * rng.normal(size=X.shape), (X[:, 0] * X[:, 1] < 0).astype(int)


def make_circles(m, noise, rng):
    Y = np.arange(m) % 2
    angle = rng.uniform(0, 2 * math.pi, size=m)
    radius = np.where(Y == 0, 1.0, 0.45)
    X = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return X + noise * rng.normal(size=X.shape), Y


def make_moons(m, noise, rng):
    Y = np.arange(m) % 2
    angle = rng.uniform(0, math.pi, size=m)
    upper = np.column_stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25])
    X = np.where((Y == 0)[:, None], upper, -upper) * 0.8
    return X + noise * rng.normal(size=X.shape), Y


def make_points(setting, share, rng):
    """Points and classes; `share` of the 300 that the data set has."""
    noise, m = float(setting["noise"]), int(300 * share)
    if setting["data"] == "spirals":
        return make_spiral(m // 3, noise=noise, rng=rng)
    make = {"XOR": make_xor, "circles": make_circles, "moons": make_moons}[setting["data"]]
    return make(m, noise, rng)


def plane(side):
    """The middles of side × side squares, row by row from the top left, shape (side², 2)."""
    middles = EDGE * ((2 * np.arange(side) + 1) / side - 1)
    x, y = np.meshgrid(middles, -middles)
    return np.column_stack([x.ravel(), y.ravel()]).astype(np.float32)


# ---- training -----------------------------------------------------------------------------------


class Playground:
    """One setting: its data, its network, and how far it has come."""

    def __init__(self, setting):
        rng = np.random.default_rng(SEED)
        self.held_out = None
        if setting["data"] == "drawn by hand":
            points = np.array(setting["points"], dtype=float).reshape(-1, 3)
            self.X, self.Y = points[:, :2], points[:, 2].astype(int)
            if len(set(self.Y)) < 2:
                raise ValueError("Draw points of at least two colours first.")
        else:
            self.X, self.Y = make_points(setting, 1, rng)
            self.held_out = make_points(setting, 0.5, rng)
        n_classes = int(self.Y.max()) + 1
        self.model = Model(
            build_network(setting, n_classes, rng),
            CrossEntropyLoss(),
            OPTIMIZERS[setting["optimizer"]](lr=float(setting["learning rate"])),
        )
        self.batch = (
            len(self.X) if setting["batch"] == "all" else min(int(setting["batch"]), len(self.X))
        )
        self.rng = rng
        self.epoch = 0
        self.losses = []  # since the last frame: training, and held out where there is such
        self.measure()

    def measure(self):
        """Note the loss and the share of right answers, on both sets."""
        parts = [(self.X, self.Y)] + ([self.held_out] if self.held_out else [])
        found = [self.model.evaluate(X, Y) for X, Y in parts]
        self.losses.append([each["loss"] for each in found])
        self.right = [each["accuracy"] for each in found]

    def train(self, epochs=1):
        for _ in range(epochs):
            self.model.fit(
                self.X, self.Y, epochs=1, batch_size=self.batch, seed=self.rng, progress=False
            )
            self.epoch += 1
            self.measure()

    def points(self):
        """The points as float32 triples x, y, class; those held out after the others."""
        parts = [(self.X, self.Y)] + ([self.held_out] if self.held_out else [])
        triples = np.vstack([np.column_stack([X, Y]) for X, Y in parts]).astype(np.float32)
        return {"triples": triples.tobytes(), "trained": len(self.X)}

    def frame(self):
        """What there is to see: numbers, and pictures as bytes, row by row from the top."""
        network = self.model.network
        signal, pictures = plane(UNIT), []
        for layer in network.layers[:-1]:
            signal = layer.forward(signal)
            largest = np.maximum(np.abs(signal).max(axis=0), 1e-12)
            pictures.append((127.5 + 127.5 * signal / largest).T.astype(np.uint8).tobytes())
        chances = self.model.predict(plane(FIELD))
        losses, self.losses = self.losses, []
        return {
            "epoch": self.epoch,
            "losses": losses,
            "right": self.right,
            "classes": chances.shape[1],
            "field": (255 * chances).round().astype(np.uint8).tobytes(),
            "units": pictures,
            "parameters": network.n_params,
        }


def build_network(setting, n_classes, rng):
    """The hidden layers of the setting, and a softmax over the classes."""
    widths = [2] + int(setting["layers"]) * [int(setting["units"])]
    chosen = INITIALIZERS.get(setting["initialiser"])
    hidden = [
        DenseLayer(
            n_in,
            n_out,
            activation=ACTIVATIONS[setting["activation"]](),
            initializer=chosen and chosen(),
            rng=rng,
        )
        for n_in, n_out in zip(widths, widths[1:])
    ]
    return Sequential(*hidden, DenseLayer(widths[-1], n_classes, activation=Softmax(), rng=rng))
