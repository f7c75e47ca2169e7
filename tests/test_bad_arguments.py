"""Every public callable, with every kind of argument that it can't take.

Each case must end in a `TypeError` or `ValueError` that names the argument and says what came, must
leave the object as it was, and must not be a message from inside NumPy or Python.

Left out are the hooks that a subclass implements and the package calls with values it has checked:
`per_example`, `classes`, `variance`, `update`, `memory`, `bind`.
"""

import contextlib
import copy
import importlib
import inspect
import io
import pkgutil
import re
from collections.abc import Mapping

import numpy as np
import pytest

import nnbook
from nnbook import (
    SGD,
    Adam,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    DenseLayer,
    EarlyStopping,
    He,
    LeakyReLU,
    LeCun,
    Model,
    Momentum,
    MSELoss,
    ReLU,
    SaveBest,
    Sequential,
    Softmax,
    Standardizer,
    Tanh,
    Xavier,
    accuracy,
    batches,
    confusion_matrix,
    default_initializer,
    f1_score,
    gradient_check_layer,
    gradient_check_model,
    load_mnist,
    numerical_gradient,
    one_hot,
    precision,
    r2_score,
    recall,
    relative_error,
    shuffle,
    train_test_split,
)
from nnbook.core import activations
from nnbook.core.conventions import (
    Component,
    aligned_zeros,
    as_batch,
    as_dtype,
    as_floats,
    as_generator,
    check_finite,
    check_flag,
    check_instance,
    check_integer,
    check_number,
)
from nnbook.examples import mnist, regression, spiral, xor
from nnbook.examples.mnist import CoolDown, choose_data, shift_images
from nnbook.examples.regression import broken_line, make_sine
from nnbook.examples.spiral import make_spiral, spiral_curve
from nnbook.examples.xor import check_outputs, optimizer_named, train
from nnbook.exercises import check, hint
from nnbook.utils.data_utils import MNIST_FILES, evenly_spread, parse_idx, quotas
from nnbook.utils.visualization import (
    bin_count,
    contrast_ratio,
    decision_grid,
    density,
    exponential_average,
    plot_activations,
    plot_confusion_matrix,
    plot_decision_boundary,
    plot_digits,
    plot_gradients,
    plot_history,
    plot_network,
    plot_weights,
    relative_luminance,
    save_history,
)

nan, inf = float("nan"), float("inf")

# ---- kinds of wrong values ---------------------------------------------------------------------

NO_NUMBERS = {
    "text": np.full((2, 3), "a"), "numbers as text": [["1", "2", "3"]] * 2, "objects": np.full((2, 3), None),
    "mixed objects": np.array([[1, 2, "3"], [4, 5, None]], object), "complex": np.ones((2, 3), complex),
    "dates": np.zeros((2, 3), "datetime64[s]"), "durations": np.zeros((2, 3), "timedelta64[s]"),
    "records": np.zeros(2, [("a", float)]), "ragged": [[1.0, 2.0, 3.0], [1.0]], "None": None,
    "a string": "abc", "bytes": b"abc", "a dict": {}, "a set": {1, 2}, "a function": len, "a generator": iter(()),
}
NOT_FINITE = {"NaN": [[1.0, nan, 0.0], [0.0, 0.0, 0.0]], "inf": [[1.0, inf, 0.0], [0.0, 0.0, 0.0]],
              "-inf": np.array([[1.0, -inf, 0.0], [0.0, 0.0, 0.0]], np.float32)}
NO_BATCH = {**NO_NUMBERS, "one axis": np.ones(3), "three axes": np.ones((2, 3, 1)), "one column more": np.ones((2, 4)),
            "one column": np.ones((2, 1)), "transposed": np.ones((3, 2)), "no rows": np.ones((0, 3)),
            "no columns": np.ones((2, 0)), "empty": [], "a number": 1.0}
NO_NUMBER = {"text": "0.1", "None": None, "a list": [0.1], "an array": np.array([0.1]), "complex": 0.1j, "bool": True,
             "NaN": nan, "numpy NaN": np.float32("nan"), "inf": inf, "-inf": -inf, "negative": -0.1,
             "a huge integer": 10**400, "a dict": {}}
NO_INTEGER = {"float": 1.5, "whole float": 2.0, "text": "3", "None": None, "bool": True, "numpy bool": np.True_,
              "a list": [3], "an array": np.array([3]), "NaN": nan, "inf": inf, "zero": 0, "negative": -1,
              "negative numpy": np.int8(-1)}
NO_FLAG = {"text": "no", "a list": [False], "None": None}
NO_RNG = {"text": "0", "float": 1.0, "bool": True, "negative": -1, "a list": [1], "the old generator": np.random.RandomState(0),
          "a module": np.random}
NO_DTYPE = {"int": int, "float16": np.float16, "text": "single precision", "None": None, "complex": complex, "a list": [1]}
NO_INSTANCE = {"text": "adam", "a number": 3, "a list": [], "another class": dict}
NO_PATH = {"a number": 3, "None": None, "a list": ["a"]}


def without(kinds, *names):
    return {name: value for name, value in kinds.items() if name not in names}


# ---- the objects -------------------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(6, 3))
Y = np.array([0, 1, 1, 0, 1, 0])


def dense(activation=None):
    return DenseLayer(3, 2, activation, rng=0, dtype=np.float64)


def network():
    rng = np.random.default_rng(0)
    return Sequential(DenseLayer(3, 4, Tanh(), rng=rng), DenseLayer(4, 2, Softmax(), rng=rng))


def model(optimizer=None):
    made = Model(network(), CrossEntropyLoss(), optimizer or Adam(0.01))
    made.fit(X, Y, epochs=1, batch_size=4, seed=0, progress=False)
    return made


def after_forward(thing, given=X):
    thing.forward(given)
    return thing


def fit(**changed):
    defaults = {"X": X, "Y": Y, "epochs": 1, "batch_size": 4, "progress": False}
    return lambda made, **bad: made.fit(**{**defaults, **changed, **bad})


def stepped(optimizer):
    optimizer.step(np.ones(3), np.ones(3))
    return optimizer


def assign(name):
    return lambda thing, bad: setattr(thing, name, bad)


def fitted():
    return Standardizer().fit(X)


# ---- the table: what it is called, what the message must name, the object, the call, the values ----

ROWS = []


def row(label, names, make, call, kinds):
    for kind, value in kinds.items():
        ROWS.append((f"{label}: {kind}", names, make, call, value))


def plain(label, function, names, kinds, *before, **after):
    """A function: the bad value goes in under the name `names`, or between the positional ones."""
    row(label, names, lambda: None, lambda _, bad: function(*before, bad, **after), kinds)


def keyword(label, function, name, kinds, *arguments, **more):
    row(f"{label}({name})", name, lambda: None, lambda _, bad: function(*arguments, **{**more, name: bad}), kinds)


ACTIVATIONS = [name for name in activations.__all__ if name != "Activation"]
for _name in ACTIVATIONS:
    _activation = getattr(activations, _name)
    row(f"{_name}.forward", "Z", lambda _a=_activation: after_forward(_a()), lambda a, bad: a.forward(bad), NO_NUMBERS)
    row(f"{_name}.backward", "dA", lambda _a=_activation: after_forward(_a()), lambda a, bad: a.backward(bad),
        {**NO_BATCH, "fewer rows": np.ones((5, 3)), "one row, to be broadcast": np.ones((1, 3)),
         "a column, to be broadcast": np.ones((6, 1))})
row("Softmax.forward", "Z", Softmax, lambda a, bad: a.forward(bad), {"a number": 1.0, "no scores": np.ones((2, 0))})
keyword("LeakyReLU", LeakyReLU, "alpha", {**NO_NUMBER, "one": 1})
keyword("He", He, "alpha", {**NO_NUMBER, "one": 1})
for _initializer in (He, Xavier, LeCun):
    _name = _initializer.__name__
    keyword(_name, _initializer, "distribution",
            {"another": "cauchy", "None": None, "a number": 3, "a list": ["normal"], "an array": np.array(["normal", "uniform"])})
    for _argument, _kinds in (("n_in", NO_INTEGER), ("n_out", NO_INTEGER), ("rng", without(NO_RNG)), ("dtype", NO_DTYPE)):
        keyword(_name + "()", lambda _i=_initializer, **given: _i()(**{"n_in": 3, "n_out": 2, **given}), _argument, _kinds)
plain("default_initializer", default_initializer, "activation", {**NO_INSTANCE, "the class": ReLU, "None": None})

for _argument in ("n_in", "n_out"):
    keyword("DenseLayer", lambda **given: DenseLayer(**{"n_in": 3, "n_out": 2, **given}), _argument,
            {**NO_INTEGER, "beyond any memory": 10**30, "beyond the address space": 2**62})
keyword("DenseLayer", DenseLayer, "activation", {**NO_INSTANCE, "the class": ReLU, "a function": np.tanh}, 3, 2)
keyword("DenseLayer", DenseLayer, "initializer", {**NO_INSTANCE, "the class": He, "weights": np.ones((3, 2))}, 3, 2)
keyword("DenseLayer", DenseLayer, "rng", NO_RNG, 3, 2)
keyword("DenseLayer", DenseLayer, "dtype", NO_DTYPE, 3, 2)
row("DenseLayer.forward", "X", lambda: after_forward(dense(Tanh())), lambda l, bad: l.forward(bad), NO_BATCH)
row("DenseLayer.backward", "dY", lambda: after_forward(dense(Tanh())), lambda l, bad: l.backward(bad),
    {**without(NO_BATCH, "transposed"), "fewer rows": np.ones((5, 2)), "one row, to be broadcast": np.ones((1, 2))})
row("DenseLayer.astype", "dtype", dense, lambda l, bad: l.astype(bad), NO_DTYPE)
for _attribute, _shape in (("W", (3, 2)), ("b", (2,)), ("dW", (3, 2)), ("db", (2,))):
    row(f"DenseLayer.{_attribute} =", _attribute, dense, assign(_attribute),
        {**NO_NUMBERS, "a number, to be broadcast": 0.0, "transposed": np.ones(_shape[::-1] + (1,)),
         "one row, to be broadcast": np.ones(_shape[:-1] + (1,)), "NaN": np.full(_shape, nan), "inf": np.full(_shape, inf)})
row("DenseLayer.theta =", "theta", dense, assign("theta"),
    {"a number, to be broadcast": 0.0, "shorter": np.ones(3), "text": "abc", "None": None, "NaN": np.full(8, nan)})

for _loss, _A in ((MSELoss, np.ones((2, 3))), (CrossEntropyLoss, np.full((2, 3), 1 / 3)), (BinaryCrossEntropyLoss, np.full((2, 3), 0.5))):
    _name, _Y = _loss.__name__, np.eye(3)[:2]
    row(f"{_name}.forward(A)", "(A|expects probabilities)", _loss, lambda l, bad, _Y=_Y: l.forward(bad, _Y),
        {**without(NO_BATCH, "one column more", "one column", "transposed"), "fewer rows": np.full((1, 3), 1 / 3),
         **(without(NOT_FINITE) if _loss is not MSELoss else {})})
    row(f"{_name}.forward(A) of another width", "Y", _loss, lambda l, bad, _Y=_Y: l.forward(bad, _Y),
        {"one column more": np.full((2, 4), 0.25), "one column less": np.full((2, 2), 0.5)})
    row(f"{_name}.forward(Y)", f"(Y|targets|classes|{_name})", _loss, lambda l, bad, _A=_A: l.forward(_A, bad),
        {**without(NO_BATCH, *(["one axis"] if _loss is CrossEntropyLoss else [])), **NOT_FINITE, "fewer rows": _Y[:1]})
    row(f"{_name}.targets", f"(Y|targets|classes|{_name})", _loss, lambda l, bad: l.targets(bad, 3, np.dtype("float32")),
        {**without(NO_BATCH, *(["one axis"] if _loss is CrossEntropyLoss else [])), **NOT_FINITE})
row("MSELoss.forward(logits)", "logits", MSELoss, lambda l, bad: l.forward(np.ones((2, 3)), np.ones((2, 3)), logits=bad), {"True": True})
row("CrossEntropyLoss.forward(A)", "A|probabilities", CrossEntropyLoss, lambda l, bad: l.forward(bad, [0, 1]),
    {"above one": np.full((2, 3), 1.5), "negative": np.full((2, 3), -0.5)})
row("CrossEntropyLoss.forward(Y)", "Y|classes", CrossEntropyLoss, lambda l, bad: l.forward(np.full((2, 3), 1 / 3), bad),
    {"too large a class": [0, 3], "negative class": [0, -1], "fraction": [0.5, 1], "NaN class": [nan, 1], "infinite class": [inf, 1],
     "rows that sum to two": [[1, 1, 0], [1, 0, 0]], "negative entry": [[2, -1, 0], [1, 0, 0]], "text classes": ["a", "b"], "huge class": [2**70, 0]})
row("BinaryCrossEntropyLoss.forward(Y)", "targets", BinaryCrossEntropyLoss, lambda l, bad: l.forward([[0.5], [0.5]], bad),
    {"above one": [0, 2], "negative": [0, -1], "minus one and one": [-1, 1]})

for _optimizer, _arguments in ((SGD, ()), (Momentum, ("momentum",)), (Adam, ("beta1", "beta2", "eps"))):
    _name = _optimizer.__name__
    keyword(_name, _optimizer, "lr", {**NO_NUMBER, "zero": 0})
    keyword(_name, _optimizer, "weight_decay", NO_NUMBER)
    for _argument in _arguments:
        keyword(_name, _optimizer, _argument, {**NO_NUMBER, **({"zero": 0} if _argument == "eps" else {"one": 1})})
    _vectors = {"a list": [1.0, 1.0, 1.0], "integers": np.ones(3, int), "text": np.full(3, "a"), "objects": np.full(3, None), "None": None,
                "a number": 1.0, "complex": np.ones(3, complex), "longer": np.ones(4), "one, to be broadcast": np.ones(1),
                "two axes": np.ones((3, 1)), "float32": np.ones(3, np.float32)}
    row(f"{_name}.step(grad)", "grad", lambda _o=_optimizer: stepped(_o()), lambda o, bad: o.step(np.ones(3), bad), _vectors)
    row(f"{_name}.step(theta)", "theta", lambda _o=_optimizer: stepped(_o()), lambda o, bad: o.step(bad, np.ones(3)), _vectors)
    _frozen = np.ones(3)
    _frozen.flags.writeable = False
    row(f"{_name}.step(theta)", "theta", lambda _o=_optimizer: stepped(_o()), lambda o, bad: o.step(bad, np.ones(3)), {"read-only": _frozen})
    row(f"{_name}.step with a schedule", "lr", lambda _o=_optimizer: _o(lr=lambda t: "0.1"), lambda o, bad: o.step(np.ones(3), np.ones(3)), {"of text": 0})
    row(f"{_name}.step with a schedule", "lr", lambda _o=_optimizer: _o(lr=lambda t: nan), lambda o, bad: o.step(np.ones(3), np.ones(3)), {"of NaN": 0})
keyword("Momentum", Momentum, "nesterov", NO_FLAG)

plain("Sequential", Sequential, "layer|layers", {**NO_INSTANCE, "None": None, "the class": DenseLayer, "an activation": ReLU(), "a tuple": (1, 2)})
row("Sequential with a neighbour", "layers?", lambda: DenseLayer(2, 3, rng=0), lambda l, bad: Sequential(l, bad()),
    {"that doesn't fit": lambda: DenseLayer(2, 3, rng=0), "of another dtype": lambda: DenseLayer(3, 3, rng=0, dtype=np.float64)})
row("Sequential twice", "layer 2", lambda: DenseLayer(3, 3, rng=0), lambda l, bad: Sequential(l, l), {"the same layer": 0})
row("Sequential.forward", "X", lambda: after_forward(network()), lambda n, bad: n.forward(bad), NO_BATCH)
row("Sequential.backward", "dY", lambda: after_forward(network()), lambda n, bad: n.backward(bad),
    {**without(NO_BATCH, "transposed"), "fewer rows": np.ones((5, 2)), "one row, to be broadcast": np.ones((1, 2))})
row("Sequential.theta =", "theta", network, assign("theta"),
    {"a number, to be broadcast": 0.0, "shorter": np.ones(3), "text": "abc", "None": None, "two axes": np.ones((26, 1)), "NaN": np.full(26, nan),
     "inf": np.full(26, inf), "beyond float32": np.full(26, 1e300)})
row("Sequential.astype", "dtype", network, lambda n, bad: n.astype(bad), NO_DTYPE)
plain("Sequential.from_config(config)", Sequential.from_config, "network|Layer|description", {"None": None, "text": "a", "a list": [], "empty": {}, "layers of text": {"layers": "ab"},
      "layers of numbers": {"layers": [1, 2]}, "unknown kind": {"layers": [{"kind": "x"}]}, "too many arguments": {"layers": [{"kind": "DenseLayer", "n_in": 3, "n_out": 2, "x": 1}]}})

keyword("Model", lambda **given: Model(**{"network": network(), "loss": CrossEntropyLoss(), **given}), "network", {**NO_INSTANCE, "None": None, "a layer": dense(), "the class": Sequential})
keyword("Model", lambda **given: Model(**{"network": network(), "loss": CrossEntropyLoss(), **given}), "loss", {**NO_INSTANCE, "None": None, "the class": MSELoss})
keyword("Model", lambda **given: Model(**{"network": network(), "loss": CrossEntropyLoss(), **given}), "optimizer", {**NO_INSTANCE, "the class": Adam})
for _argument, _kinds in {
    "X": {**NO_BATCH, **NOT_FINITE, "beyond float32": np.full((6, 3), 1e300), "fewer rows": X[:5]},
    "Y": {**without(NO_NUMBERS), "NaN": [nan] * 6, "fewer": Y[:5], "too large": Y + 1, "negative": Y - 1, "empty": [], "three axes": np.ones((6, 2, 1)), "a number": 1},
    "epochs": NO_INTEGER, "batch_size": NO_INTEGER,
    "validation_split": {**NO_NUMBER, "one": 1, "too small for one example": 1e-9, "too large": 0.99},
    "seed": NO_RNG, "shuffle": NO_FLAG, "progress": NO_FLAG,
    "callbacks": {"None": None, "a single one": EarlyStopping("loss"), "text": "ab", "a number": 3, "the class": [EarlyStopping], "functions": [print]},
    "validation_data": {"text": "ab", "one array": X, "a triple": (X, Y, Y), "a dict": {}, "a number": 3},
}.items():
    _names = {"Y": "Y|classes|CrossEntropyLoss", "callbacks": "callbacks?"}.get(_argument, _argument)
    row(f"Model.fit({_argument})", _names, model, lambda m, bad, _a=_argument: fit()(m, **{_a: bad}), _kinds)
row("Model.fit(validation_data)", "validation|classes", model, lambda m, bad: fit(validation_data=bad)(m),
    {"X too wide": (np.ones((2, 4)), [0, 1]), "X of NaN": (X * nan, Y), "Y too short": (X, Y[:3]), "classes too large": (X, Y + 5), "X of text": (X.astype(str), Y)})
row("Model.fit(validation_data)", "validation_data", model, lambda m, bad: fit(validation_data=(X, Y), validation_split=0.5)(m), {"and a split": 0})
row("Model.fit", "optimizer", lambda: Model(network(), CrossEntropyLoss()), lambda m, bad: fit()(m), {"without an optimizer": 0})
row("Model.fit", "monitor", model, lambda m, bad: fit(callbacks=[bad])(m), {"early stopping without validation": EarlyStopping(), "saving without validation": SaveBest("nowhere")})
for _method in ("evaluate", "cost", "cost_and_gradient"):
    _finite = {} if _method != "evaluate" else NOT_FINITE
    row(f"Model.{_method}(X)", "X", model, lambda m, bad, _m=_method: getattr(m, _m)(bad, Y), {**NO_BATCH, **_finite})
    row(f"Model.{_method}(Y)", "Y|classes|CrossEntropyLoss", model, lambda m, bad, _m=_method: getattr(m, _m)(X, bad),
        {**NO_NUMBERS, "NaN": [nan] * 6, "fewer": Y[:5], "too large": Y + 1, "empty": [], "a number": 1})
for _method in ("predict", "predict_classes"):
    row(f"Model.{_method}(X)", "X", model, lambda m, bad, _m=_method: getattr(m, _m)(bad), {**NO_BATCH, **NOT_FINITE})
    row(f"Model.{_method}(batch_size)", "batch_size", model, lambda m, bad, _m=_method: getattr(m, _m)(X, batch_size=bad), NO_INTEGER)
row("Model.evaluate(batch_size)", "batch_size", model, lambda m, bad: m.evaluate(X, Y, batch_size=bad), NO_INTEGER)
row("Model.astype", "dtype", model, lambda m, bad: m.astype(bad), NO_DTYPE)
row("Model.save", "path", model, lambda m, bad: m.save(bad), NO_PATH)
row("Model.load", "path", model, lambda m, bad: Model.load(bad), NO_PATH)
row("Model.load_parameters", "path", model, lambda m, bad: m.load_parameters(bad), NO_PATH)

keyword("EarlyStopping", EarlyStopping, "monitor", {"a number": 3, "None": None, "a list": ["loss"]})
keyword("EarlyStopping", EarlyStopping, "patience", NO_INTEGER)
keyword("EarlyStopping", EarlyStopping, "min_delta", NO_NUMBER)
keyword("EarlyStopping", EarlyStopping, "restore_best", NO_FLAG)
keyword("SaveBest", SaveBest, "path", NO_PATH)
keyword("SaveBest", SaveBest, "monitor", {"a number": 3, "None": None}, "model.npz")

_ROWS_OF_ANYTHING = {"None": None, "a number": 3, "ragged": [[1, 2], [3]], "objects": np.full(3, None), "a dict": {}, "empty": [], "a generator": iter(())}
plain("shuffle(arrays)", shuffle, "shuffle", {**_ROWS_OF_ANYTHING, "of another length": np.ones(4)}, [1, 2, 3])
plain("shuffle(nothing)", lambda bad: shuffle(), "shuffle", {"no array": 0})
keyword("shuffle", shuffle, "rng", NO_RNG, [1, 2, 3])
for _function in (batches, train_test_split):
    _name, _more = _function.__name__, {"batch_size": 2} if _function is batches else {}
    plain(f"{_name}(X)", lambda bad, _f=_function, _k=_more: _f(bad, Y, **_k), _name, {**_ROWS_OF_ANYTHING, "longer": np.ones((7, 3))})
    plain(f"{_name}(Y)", lambda bad, _f=_function, _k=_more: _f(X, bad, **_k), _name, {**_ROWS_OF_ANYTHING, "longer": np.ones(7)})
keyword("batches", batches, "batch_size", NO_INTEGER, X, Y)
keyword("batches", batches, "rng", NO_RNG, X, Y, 2)
keyword("batches", batches, "drop_last", NO_FLAG, X, Y, 2)
keyword("train_test_split", train_test_split, "test_size",
        {**NO_NUMBER, "zero": 0, "zero share": 0.0, "all": 6, "the share of all": 1.0, "more than all": 7, "too small": 1e-9, "negative number": -2}, X, Y)
keyword("train_test_split", train_test_split, "rng", NO_RNG, X, Y)
keyword("train_test_split", train_test_split, "stratify", {**NO_FLAG, "the classes": Y}, X, Y)
plain("train_test_split(Y, stratify)", lambda bad: train_test_split(X, bad, stratify=True, rng=0), "Y",
      {"three axes": np.ones((6, 2, 1)), "NaN": [nan, nan, nan, 0, 1, 1], "fractions": np.linspace(0, 1, 6), "rows that are not one-hot": X})
_NO_LABELS = {**without(NO_NUMBERS, "a generator"), "floats": [0.0, 1.0], "bools": [True, False], "NaN": [nan, 1], "two axes": np.ones((2, 2), int), "a number": 3, "empty": []}
plain("one_hot", one_hot, "labels", {**_NO_LABELS, "negative": [0, -1]})
plain("one_hot", lambda bad: one_hot(bad, 3), "labels", {"too large": [0, 3]})
plain("one_hot without n_classes", one_hot, "labels|n_classes", {"beyond any memory": [2**62], "beyond any integer": np.array([2**64 - 1], np.uint64)})
keyword("one_hot", one_hot, "n_classes", without(NO_INTEGER, "None"), [0, 0])
keyword("one_hot", one_hot, "dtype", NO_DTYPE, [0, 1])
plain("quotas(counts)", lambda bad: quotas(bad, 1), "counts", {**_NO_LABELS, "fractions": [1.5, 2.5], "negative": [-1, 3], "all zero": [0, 0]})
plain("quotas(n)", lambda bad: quotas([2, 3], bad), "n", {**without(NO_INTEGER, "zero"), "more than there are": 6})
plain("evenly_spread(labels)", lambda bad: evenly_spread(bad, 1), "labels|evenly_spread", _NO_LABELS)
plain("evenly_spread(n)", lambda bad: evenly_spread([0, 1, 1], bad), "n", {**NO_INTEGER, "more than there are": 4})
row("Standardizer.fit", "X", fitted, lambda s, bad: s.fit(bad), {**without(NO_BATCH, "one column", "one column more", "transposed"), **NOT_FINITE})
row("Standardizer.transform", "X", fitted, lambda s, bad: s.transform(bad), {**NO_BATCH, **NOT_FINITE})
row("Standardizer.inverse_transform", "X", fitted, lambda s, bad: s.inverse_transform(bad), {**NO_BATCH, **NOT_FINITE})
plain("parse_idx", parse_idx, "data|the file", {"text": "abc", "None": None, "a number": 3, "a list": [0, 0, 8, 1], "an array": np.zeros(8, np.uint8), "empty": b"", "another magic": b"\1\0\x08\1" + bytes(4),
      "no axes": bytes([0, 0, 8, 0]), "cut header": bytes([0, 0, 8, 2, 0, 0]), "cut body": bytes([0, 0, 8, 1, 0, 0, 0, 3, 7]), "too long": bytes([0, 0, 8, 1, 0, 0, 0, 1, 7, 7]),
      "a hundred axes": bytes([0, 0, 8, 101]) + bytes(404), "terabytes": bytes([0, 0, 8, 4]) + b"\xff" * 16})
keyword("load_mnist", load_mnist, "full", {"text": "yes", "a number": 1, "None": None})
keyword("load_mnist", load_mnist, "mirrors", {"one address": "http://localhost/", "a number": 3, "numbers": [3]}, True, cache="/nonexistent", files=MNIST_FILES)
keyword("load_mnist", load_mnist, "files", {"a number": 3, "too few": MNIST_FILES[:2], "names": ["a", "b", "c", "d"]}, True, cache="/nonexistent", mirrors=[])
keyword("load_mnist", load_mnist, "cache", {"a number": 3, "a list": []}, True, mirrors=[])
keyword("load_mnist", load_mnist, "timeout", {**NO_NUMBER, "zero": 0}, True, mirrors=[], cache="/nonexistent")

_NO_CLASSES = {**without(NO_NUMBERS, "text", "numbers as text", "a string", "bytes", "mixed objects"), "fractions": [0.5, 1.0, 0.0], "NaN": [nan, 1, 0], "inf": [inf, 1, 0], "empty": [],
               "a number": 1, "three axes": np.ones((3, 2, 1)), "rows that don't sum to one": np.ones((3, 2)), "text in rows": np.full((3, 2), "a"), "mixed objects": np.array([1, "a", None], object)}
for _metric in (accuracy, confusion_matrix, precision, recall, f1_score):
    _name = _metric.__name__
    plain(f"{_name}(y_true)", lambda bad, _f=_metric: _f(bad, [0, 1, 1]), "y_true", {**_NO_CLASSES, "fewer": [0, 1], "text": ["a", "b", "c"]})
    plain(f"{_name}(y_pred)", lambda bad, _f=_metric: _f([0, 1, 1], bad), "y_pred", {**_NO_CLASSES, "fewer": [0, 1], "text": ["a", "b", "c"]})
for _metric in (confusion_matrix, precision, recall, f1_score):
    _more = {} if _metric is confusion_matrix else {"average": "macro"}
    keyword(_metric.__name__, _metric, "labels", {"ragged": [[0], [1, 2]], "empty": [], "text": ["a"], "twice": [0, 0], "NaN": [nan], "fractions": [0.5], "a dict": {}, "objects": [None, 1]}, [0, 1, 1], [0, 1, 0], **_more)
keyword("confusion_matrix", confusion_matrix, "normalize", {"another": "rows", "a number": 3, "True": True, "an array": np.array([1, 2])}, [0, 1], [0, 1])
for _metric in (precision, recall, f1_score):
    _name = _metric.__name__
    keyword(_name, _metric, "average", {"another": "mean", "a number": 3, "a list": ["macro"], "an array": np.array([1, 2])}, [0, 1], [0, 1])
    keyword(_name, _metric, "zero_division", {"another": "ignore", "a number": 2, "None": None, "bool": True, "a list": [0], "an array": np.array([1, 0])}, [0, 1], [0, 1])
    keyword(_name, _metric, "pos_label", {"unknown": 2, "text": "a", "a list": [0], "an array": np.array([0, 1]), "None": None, "NaN": nan}, [0, 1], [0, 1])
for _i, _name in enumerate(("y_true", "y_pred")):
    _kinds = {**NO_NUMBERS, "NaN": [nan, 1, 2], "inf": [inf, 1, 2], "empty": [], "a number": 1.0, "three axes": np.ones((3, 1, 1)), "fewer": [1, 2], "two columns": np.ones((3, 2))}
    plain(f"r2_score({_name})", lambda bad, _i=_i: r2_score(*((bad, [1, 2, 3]) if _i == 0 else ([1, 2, 3], bad))), _name, _kinds)

plain("relative_error(a)", lambda bad: relative_error(bad, [1, 2, 3]), "a|relative_error", {**NO_NUMBERS, "shorter": [1, 2], "one, to be broadcast": [1], "a number": 1, "two axes": np.ones((1, 3))})
plain("relative_error(b)", lambda bad: relative_error([1, 2, 3], bad), "b|relative_error", {**NO_NUMBERS, "shorter": [1, 2], "one, to be broadcast": [1], "a number": 1})
plain("relative_error", lambda bad: relative_error([], []), "relative_error", {"nothing": 0})
plain("numerical_gradient(f)", lambda bad: numerical_gradient(bad, [1.0, 2.0]), "f", {"a number": 3, "None": None, "text": "x", "one that gives an array": lambda x: x, "one that gives None": lambda x: None, "one that gives text": lambda x: "a"})
plain("numerical_gradient(x)", lambda bad: numerical_gradient(lambda x: 0.0, bad), "x", {**NO_NUMBERS, **NOT_FINITE})
plain("numerical_gradient(h)", lambda bad: numerical_gradient(np.sum, [1.0], h=bad), "h", {**without(NO_NUMBER, "None"), "zero": 0})
plain("numerical_gradient(h)", lambda bad: numerical_gradient(np.sum, [1e20], h=bad), "h", {"lost in rounding": 1e-10})
plain("numerical_gradient(coordinates)", lambda bad: numerical_gradient(np.sum, [1.0, 2.0], coordinates=bad), "coordinates", {"outside": [2], "negative": [-1], "fractions": [0.5], "text": "ab", "a number": 1})
for _check, _subject in ((gradient_check_layer, "layer"), (gradient_check_model, "model")):
    plain(f"{_check.__name__}({_subject})", lambda bad, _f=_check: _f(bad, X, Y), _subject, {**NO_INSTANCE, "None": None, "the class": DenseLayer, "an activation": ReLU()})
plain("gradient_check_layer(X)", lambda bad: gradient_check_layer(dense(), bad, np.ones((2, 2))), "X", {**NO_BATCH, **NOT_FINITE})
plain("gradient_check_layer(dY)", lambda bad: gradient_check_layer(dense(), X, bad), "dY", {**NO_BATCH, "fewer rows": np.ones((5, 2)), "one row, to be broadcast": np.ones((1, 2)), "NaN": np.full((6, 2), nan)})
keyword("gradient_check_layer", gradient_check_layer, "tolerance", NO_NUMBER, dense(), X, np.ones((6, 2)), verbose=True)
plain("gradient_check_model(X)", lambda bad: gradient_check_model(model(), bad, [0, 1]), "X", {**NO_BATCH, **NOT_FINITE})
plain("gradient_check_model(Y)", lambda bad: gradient_check_model(model(), X, bad), "Y|classes|CrossEntropyLoss", {"fewer": Y[:5], "too large": Y + 1, "NaN": [nan] * 6, "text": ["a"] * 6})
keyword("gradient_check_model", gradient_check_model, "per_parameter", without(NO_INTEGER, "None"), model(), X, Y)
keyword("gradient_check_model", gradient_check_model, "rng", NO_RNG, model(), X, Y)
keyword("gradient_check_model", gradient_check_model, "tolerance", NO_NUMBER, model(), X, Y, verbose=True, per_parameter=1)

plain("as_dtype", as_dtype, "dtype", NO_DTYPE)
plain("as_floats", lambda bad: as_floats("X", bad), "X", NO_NUMBERS)
plain("as_floats", lambda bad: as_floats("X", bad), "X", {"masked": np.ma.array([1.0, 2.0], mask=[False, True])})
plain("as_batch", lambda bad: as_batch("X", bad, 3), "X", NO_BATCH)
plain("as_generator", as_generator, "rng", NO_RNG)
plain("check_integer(value)", lambda bad: check_integer("epochs", bad), "epochs", NO_INTEGER)
plain("check_number(value)", lambda bad: check_number("lr", bad, 0), "lr", NO_NUMBER)

_NO_VECTOR = {**NO_NUMBERS, "two axes": np.ones((2, 3)), "a number": 1.0}
plain("exponential_average(values)", lambda bad: exponential_average(bad, 0.5), "values", _NO_VECTOR)
plain("exponential_average(beta)", lambda bad: exponential_average([1.0], bad), "beta", {**NO_NUMBER, "one": 1})
plain("decision_grid(X)", decision_grid, "X", {**without(NO_BATCH, "transposed"), **NOT_FINITE})
keyword("decision_grid", decision_grid, "resolution", {**NO_INTEGER, "one": 1}, np.eye(2))
keyword("decision_grid", decision_grid, "margin", NO_NUMBER, np.eye(2))
plain("relative_luminance", relative_luminance, "colour|red, green and blue", {**NO_NUMBERS, "two numbers": [0.1, 0.2], "a number": 0.5, "above one": [0, 0, 2], "NaN": [nan, 0, 0]})
plain("bin_count", bin_count, "values?", {**NO_NUMBERS, **NOT_FINITE, "empty": []})
plain("density(values)", density, "values?", {**NO_NUMBERS, **NOT_FINITE, "empty": []})
keyword("density", density, "bins", without(NO_INTEGER, "None"), [1.0, 2.0])
keyword("density", density, "total", without(NO_INTEGER, "None"), [1.0, 2.0])
plain("plot_history", plot_history, "history", {"None": None, "text": "a", "a list": [1.0], "a number": 3, "empty": {}, "of text": {"loss": ["a"]}, "of tables": {"loss": np.ones((2, 2))}, "of nothing": {"loss": []}})
plain("plot_weights", plot_weights, "W", {**NO_NUMBERS, "one axis": np.ones(3), "empty": np.ones((0, 3))})

for _argument, _kinds in (("n", NO_INTEGER), ("noise", NO_NUMBER), ("low", without(NO_NUMBER, "negative")), ("high", without(NO_NUMBER, "negative")), ("rng", NO_RNG)):
    keyword("make_sine", make_sine, _argument, _kinds)
keyword("make_sine", make_sine, "low", {"above high": 10.0})
for _argument, _kinds in (("n_per_arm", NO_INTEGER), ("arms", NO_INTEGER), ("noise", NO_NUMBER), ("rng", NO_RNG)):
    keyword("make_spiral", make_spiral, _argument, _kinds)
plain("broken_line(t)", lambda bad: broken_line(bad, [1.0, 2.0]), "t", {**NO_NUMBERS, "decreasing": [2, 1], "one": [1], "longer": [1, 2, 3], "NaN": [1, nan]})
plain("shift_images(X)", shift_images, "X", {**NO_NUMBERS, "one column more": np.ones((1, 785)), "no rows": np.ones((0, 784))})
for _argument in ("down", "right"):
    keyword("shift_images", shift_images, _argument, {**without(NO_INTEGER, "zero", "negative", "negative numpy"), "far": -29}, np.ones((1, 784)))

# ---- flags, pictures, experiments, and what serves the rest -------------------------------------

for _flag in ("logits", "want_dX"):
    _given = X if _flag == "logits" else np.ones((6, 2))
    _method = "forward" if _flag == "logits" else "backward"
    for _name, _make in (("DenseLayer", lambda: after_forward(dense(Tanh()))), ("Sequential", lambda: after_forward(network()))):
        row(f"{_name}.{_method}({_flag})", _flag, _make, lambda thing, bad, _m=_method, _f=_flag, _g=_given: getattr(thing, _m)(_g, **{_f: bad}), NO_FLAG)
for _loss in (CrossEntropyLoss, BinaryCrossEntropyLoss, MSELoss):
    row(f"{_loss.__name__}.forward(logits)", "logits", _loss, lambda l, bad: l.forward([[0.5, 0.5]], [[0, 1]], logits=bad), NO_FLAG)
    row(f"{_loss.__name__}.targets(n_out)", "n_out", _loss, lambda l, bad: l.targets([[0, 1]], bad, np.float32), NO_INTEGER)
    row(f"{_loss.__name__}.targets(dtype)", "dtype", _loss, lambda l, bad: l.targets([[0, 1]], 2, bad), NO_DTYPE)
keyword("gradient_check_layer", gradient_check_layer, "verbose", NO_FLAG, dense(), X, np.ones((6, 2)))
keyword("gradient_check_model", gradient_check_model, "verbose", NO_FLAG, model(), X, Y)
row("Model.fit(checkpoint)", "path|checkpoint", model, lambda m, bad: fit(checkpoint=bad)(m), without(NO_PATH, "None"))
row("Model.fit(checkpoint_every)", "checkpoint_every", model, lambda m, bad: fit(checkpoint="nowhere/run.npz", checkpoint_every=bad)(m), NO_INTEGER)
row("Model.fit(resume)", "resume", model, lambda m, bad: fit(checkpoint="nowhere/run.npz", resume=bad)(m), NO_FLAG)
row("Model.fit(resume)", "checkpoint", model, lambda m, bad: fit(resume=bad)(m), {"without a file": True})
keyword("load_mnist", load_mnist, "progress", NO_FLAG, True, mirrors=[], cache="/nonexistent")
plain("broken_line(values)", lambda bad: broken_line([1.0, 2.0], bad), "values", {**NO_NUMBERS, "one": [1], "longer": [1, 2, 3], "NaN": [1, nan], "inf": [1, inf]})

plain("check_finite", lambda bad: check_finite("X", np.array(bad)), "X", NOT_FINITE)
plain("check_flag(value)", lambda bad: check_flag("shuffle", bad), "shuffle", NO_FLAG)
plain("check_instance(value)", lambda bad: check_instance("loss", bad, MSELoss), "loss", {**NO_INSTANCE, "the class": MSELoss, "None": None})
keyword("aligned_zeros", lambda **given: aligned_zeros(**{"size": 3, "dtype": np.float32, **given}), "size", without(NO_INTEGER, "zero"))
plain("Component.build(config)", Component.build, "Component|known|description", {"None": None, "text": "a", "a list": [], "empty": {}, "unknown kind": {"kind": "os.system"}, "a number": {"kind": 3},
      "an argument too many": {"kind": "ReLU", "x": 1}, "an argument too few": {"kind": "DenseLayer", "n_in": 3}})

keyword("plot_history", plot_history, "metrics", {"unknown": ["accuracy"], "an unknown name": "accuracy", "a number": 3, "numbers": [3], "empty": []}, {"loss": [1.0]})
keyword("plot_history", plot_history, "smoothing", {**NO_NUMBER, "one": 1}, {"loss": [1.0]})
plain("save_history(history)", lambda bad: save_history(bad, "nowhere/curves.png"), "history", {"None": None, "text": "a", "a list": [1.0], "empty": {}, "of text": {"loss": ["a"]}})
plain("save_history(path)", lambda bad: save_history({"loss": [1.0]}, bad), "path", {**NO_PATH, "an unknown ending": "curves.npz", "no ending": "curves"})
plain("plot_decision_boundary(model)", lambda bad: plot_decision_boundary(bad, np.eye(2), [0, 1]), "model",
      {**NO_INSTANCE, "None": None, "one that gives too few": lambda X: [0], "one that gives text": lambda X: ["a"] * len(X), "one that gives NaN": lambda X: np.full(len(X), nan), "one that gives None": lambda X: None})
plain("plot_decision_boundary(X)", lambda bad: plot_decision_boundary(lambda X: np.zeros(len(X), int), bad, [0, 1]), "X", {**without(NO_BATCH, "one column more"), **NOT_FINITE})
plain("plot_decision_boundary(Y)", lambda bad: plot_decision_boundary(lambda X: np.zeros(len(X), int), np.eye(2), bad), "Y", {"fewer": [0], "NaN": [nan, 1], "fractions": [0.5, 1], "None": None, "ragged": [[0], [0, 1]], "empty": []})
for _argument, _kinds in (("resolution", {**NO_INTEGER, "one": 1}), ("margin", NO_NUMBER), ("ax", {"text": "a", "a number": 3, "the class": dict})):
    keyword("plot_decision_boundary", plot_decision_boundary, _argument, _kinds, lambda X: np.zeros(len(X), int), np.eye(2), [0, 1])
plain("contrast_ratio(a)", lambda bad: contrast_ratio(bad, [0, 0, 0]), "colour|red, green and blue", {**NO_NUMBERS, "two numbers": [0.1, 0.2], "above one": [0, 0, 2], "NaN": [nan, 0, 0]})
plain("contrast_ratio(b)", lambda bad: contrast_ratio([0, 0, 0], bad), "colour|red, green and blue", {**NO_NUMBERS, "two numbers": [0.1, 0.2], "above one": [0, 0, 2], "NaN": [nan, 0, 0]})
for _i, _name in enumerate(("y_true", "y_pred")):
    plain(f"plot_confusion_matrix({_name})", lambda bad, _i=_i: plot_confusion_matrix(*((bad, [0, 1, 1]) if _i == 0 else ([0, 1, 1], bad))), _name, {**_NO_CLASSES, "fewer": [0, 1], "text": ["a", "b", "c"]})
for _argument, _kinds in (("labels", {"ragged": [[0], [1, 2]], "empty": [], "text": ["a"], "twice": [0, 0], "NaN": [nan], "objects": [None, 1]}), ("normalize", {"another": "rows", "a number": 3}),
                          ("names", {"too few": ["a"], "a number": 3, "text": "ab"}), ("ax", {"text": "a", "a number": 3})):
    keyword("plot_confusion_matrix", plot_confusion_matrix, _argument, _kinds, [0, 1, 1], [0, 1, 0])
plain("plot_digits(images)", plot_digits, "images", {**NO_NUMBERS, "one axis": np.ones(4), "no square": np.ones((2, 5)), "none": np.ones((0, 4)), "four axes": np.ones((1, 2, 2, 1)), "NaN": np.full((1, 4), nan), "too many": np.ones((401, 4))})
for _argument in ("labels", "predictions"):
    keyword("plot_digits", plot_digits, _argument, {"fewer": [1], "NaN": [nan, 1], "fractions": [0.5, 1], "objects": [None, 1], "a number": 3}, np.ones((2, 4)))
_NO_SHAPE = {"a number": 4, "text": "22", "a triple": (2, 2, 1), "fractions": (2.0, 2.0), "zero": (0, 4), "of another size": (2, 3)}
for _function in (plot_digits, plot_weights):
    keyword(_function.__name__, _function, "shape", _NO_SHAPE, np.ones((2, 4)) if _function is plot_digits else np.ones((4, 2)))
    keyword(_function.__name__, _function, "columns", NO_INTEGER, np.ones((4, 4)))
keyword("plot_weights", plot_weights, "limit", {**without(NO_NUMBER, "None"), "zero": 0}, np.ones((4, 4)))
for _function in (plot_activations, plot_gradients, plot_network):
    plain(f"{_function.__name__}(network)", lambda bad, _f=_function: _f(bad, X) if _f is plot_activations else _f(bad), "network", {**NO_INSTANCE, "None": None, "the class": Sequential, "a layer": dense()})
plain("plot_activations(X)", lambda bad: plot_activations(network(), bad), "X", {**NO_BATCH, **NOT_FINITE})
plain("plot_gradients(network)", plot_gradients, "network", {"before backward": network()})
keyword("plot_network", plot_network, "max_units", {**NO_INTEGER, "one": 1}, network())
keyword("plot_network", plot_network, "ax", {"text": "a", "a number": 3}, network())

plain("spiral_curve(t)", lambda bad: spiral_curve(bad, 0), "t", {**NO_NUMBERS, "NaN": [nan], "inf": [inf]})
plain("spiral_curve(k)", lambda bad: spiral_curve([0.0, 0.5], bad), "k", {**NO_NUMBERS, "fractions": [0.5, 1], "three arms for two points": [0, 1, 2], "NaN": [nan, 0]})
keyword("spiral_curve", spiral_curve, "arms", NO_INTEGER, [0.0], 0)
plain("optimizer_named(name)", lambda bad: optimizer_named(bad, 0.1), "optimizer", {"unknown": "rmsprop", "None": None, "a number": 3, "a list": ["sgd"], "the class": SGD})
plain("optimizer_named(lr)", lambda bad: optimizer_named("sgd", bad), "lr", {**NO_NUMBER, "zero": 0})
keyword("check_outputs", check_outputs, "save", without(NO_PATH, "None"))
keyword("check_outputs", check_outputs, "plot", {**without(NO_PATH, "None"), "another ending": "curves.gif", "no ending": "curves"})
keyword("CoolDown", CoolDown, "epochs", NO_INTEGER)
row("CoolDown.on_train_begin", "learning rate", lambda: CoolDown(2), lambda c, bad: c.on_train_begin(bad), {"of a schedule": model(SGD(lambda t: 0.1))})
for _module in (xor, spiral, regression, mnist):
    _name = _module.__name__.rpartition(".")[2]
    keyword(f"{_name}.build_network", _module.build_network, "rng", NO_RNG)
    for _argument in inspect.signature(_module.build_network).parameters:
        if _argument in ("n_hidden", "arms"):
            keyword(f"{_name}.build_network", _module.build_network, _argument, NO_INTEGER)
    # what is not wrong here would train: every value below is refused before that
    for _argument, _kinds in {"epochs": NO_INTEGER, "batch_size": NO_INTEGER, "lr": {**NO_NUMBER, "zero": 0}, "optimizer": {"unknown": "rmsprop", "None": None, "a list": ["sgd"]},
                              "seed": NO_RNG, "save": without(NO_PATH, "None"), "plot": {**without(NO_PATH, "None"), "another ending": "curves.gif"}, "progress": NO_FLAG}.items():
        keyword(f"{_name}.run", _module.run, _argument, _kinds, **({"full": False} if _module is mnist else {}))
keyword("regression.build_network", regression.build_network, "activation", {**NO_INSTANCE, "the class": ReLU})
keyword("mnist.run", mnist.run, "full", {"text": "yes", "a number": 1})
keyword("mnist.run", mnist.run, "note", {"text": "yes", "a number": 1}, full=False)
keyword("choose_data", choose_data, "full", {"text": "yes", "a number": 1})
keyword("choose_data", choose_data, "note", {"text": "yes", "a number": 1}, False)
keyword("choose_data", choose_data, "progress", NO_FLAG, False)
for _argument, _kinds in {"model": {**NO_INSTANCE, "None": None, "the class": Model}, "epochs": NO_INTEGER, "batch_size": NO_INTEGER, "seed": NO_RNG, "monitor": {"a number": 3, "unknown": "val_loss"},
                          "callbacks": {"None": None, "a single one": EarlyStopping("loss"), "a number": 3}, "validation_data": {"one array": X, "text": "ab"},
                          "save": without(NO_PATH, "None"), "plot": {**without(NO_PATH, "None"), "another ending": "curves.gif"}, "progress": NO_FLAG,
                          "X": {**NO_BATCH, **NOT_FINITE}, "Y": {"NaN": [nan] * 6, "fewer": Y[:5], "text": list("abcdef")}}.items():
    _names = {"Y": "Y|classes|CrossEntropyLoss", "callbacks": "callbacks?"}.get(_argument, _argument)
    row(f"train({_argument})", _names, model, lambda m, bad, _a=_argument: train(**{"model": m, "X": X, "Y": Y, "epochs": 1, "batch_size": 4, "progress": False, _a: bad}), _kinds)
for _function in (check, hint):
    _more = (None,) if _function is check else ()
    plain(f"{_function.__name__}(name)", lambda bad, _f=_function, _m=_more: _f(bad, *_m), "exercise", {"unknown": "no such", "None": None, "a number": 3, "a list": ["warm-up"], "a dict": {}})


# ---- the check ---------------------------------------------------------------------------------

INSIDE = re.compile(  # how NumPy and Python speak of what they were not meant to see
    r"inhomogeneous|broadcast (input|together)|could not broadcast|truth value|could not convert|object is not|has no attribute|"
    r"not supported between|invalid literal|out of bounds|Maximum allowed|array is too big|only 0-dimensional|cannot convert|"
    r"int too large|data type .* not understood|unsupported operand|required positional|ufunc '|read-only$|has no len|not subscriptable|"
    r"expected str, bytes|missing \d|maximum supported dimension|invalid value encountered|divide by zero|must be a string or a real|"
    r"argument must be|takes no arguments|unhashable|not callable$")


def state(thing):
    """All that an object holds, in a form that can be compared."""
    if isinstance(thing, np.ndarray):
        return thing.dtype.str, thing.shape, thing.tobytes()
    if isinstance(thing, Mapping):
        return {key: state(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [state(value) for value in thing]
    if hasattr(thing, "__dict__") and type(thing).__module__.startswith("nnbook"):
        return type(thing).__name__, {key: state(value) for key, value in vars(thing).items()}
    return thing


@pytest.mark.parametrize(("names", "make", "call", "bad"), [pytest.param(*case[1:], id=case[0]) for case in ROWS])
def test_a_wrong_argument_is_named_and_changes_nothing(names, make, call, bad):
    thing = make()
    before = copy.deepcopy(state(thing))
    with pytest.raises((TypeError, ValueError)) as caught, contextlib.redirect_stdout(io.StringIO()):
        call(thing, bad)
    message = str(caught.value)
    assert re.search(rf"(?<![A-Za-z_])({names})(?![A-Za-z_])", message), f"the message doesn't name {names}: {message}"
    assert not INSIDE.search(message), f"a message from inside: {message}"
    assert len(message) < 1000
    assert state(thing) == before, "the object was changed"


def test_the_table_names_no_case_twice():
    labels = [case[0] for case in ROWS]
    assert len(set(labels)) == len(labels)


# what has no rows, and why: (the callable, its parameter) in a pattern
EXCEPTIONS = {
    r"(Activation|Initializer|Layer|Loss|Optimizer)(\.\w+)? \w+": "the base class, whose subclasses are in the table",
    r"\w+\.(per_example|classes|variance|update|memory|bind|learning_rate) \w+": "a hook of a subclass, called with what the package has checked",
    r"\w+\.(on_train_begin|on_epoch_end|on_train_end|restore|record) \w+": "a hook of a callback, called by fit",
    r"ParameterView \w+": "the descriptor behind layer.W",
    r"(as_(floats|batch|generator)|check_(finite|flag|instance|integer|number)) (name|owner|kind|n|dtype|at_least|low|high|open_low|open_high)":
        "the words and limits of a check, written by its caller",
    r"aligned_zeros dtype": "anything that NumPy has a type for",
    r"parse_idx name": "a word of the message",
    r"(History|Archive|MNIST|MnistResult|RegressionResult|SpiralResult|XorResult) \w+": "a record of results, which holds what it is given",
    r"(TrainingDiverged|ModelFileError|DataFileError|DownloadError|UndefinedMetricWarning) \w+": "an error or a warning",
    r"(?!Component)\w+\.build config": "the inherited Component.build",
    r"check answer": "an answer of the reader, about which every error is a sentence: tests/test_exercises.py",
    r"Differentiable(\.\w+)? \w+": "a protocol",
}  # fmt: skip
# what no public name leads to: the machinery behind `check_equation`, the exercises' own, the program's
LEFT_OUT = ("nnbook._modidx", "nnbook.__main__", "nnbook.cli", "nnbook.validation.equations", "nnbook.exercises.mathematics", "nnbook.exercises.tutor")


def public_parameters():
    """All that can be called in the package, as `function parameter` and `Class.method parameter`."""
    for found in pkgutil.walk_packages(nnbook.__path__, "nnbook."):
        if found.name.startswith(LEFT_OUT):
            continue
        module = importlib.import_module(found.name)
        examples = found.name.rpartition(".")[2] + "." if found.name.startswith("nnbook.examples.") else ""
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if not callable(thing) or getattr(thing, "__module__", None) != found.name:
                continue
            called = {examples * (name in ("run", "build_network")) + name: thing}
            if inspect.isclass(thing):
                called.update({f"{name}.{method}": value for method, value in inspect.getmembers(thing, callable)
                               if not method.startswith("_") and str(getattr(value, "__module__", "")).startswith("nnbook")})  # fmt: skip
            for label, function in called.items():
                with contextlib.suppress(ValueError):  # a signature that Python doesn't know is that of an exception
                    for parameter in inspect.signature(function).parameters:
                        if parameter not in ("self", "cls"):
                            yield f"{label} {parameter}"


def test_every_parameter_of_every_public_callable_has_rows():
    covered: dict[str, set[str]] = {}
    for label, names, *_ in ROWS:
        callable_, argument = re.match(r"([\w.]+)(?:\(\)|[ =]+)?(?:\((\w+)\))?", label).groups()
        covered.setdefault(callable_, set()).update({argument, *re.findall(r"\w+", names)})
    for function in (check, hint):  # of the modules that are left out, these are public
        covered.setdefault(function.__name__, set())
    wanted = {*public_parameters(), "check name", "hint name"}
    missing = {what for what in wanted if not any(re.fullmatch(pattern, what) for pattern in EXCEPTIONS)
               and not covered.get(what.split()[0], set()) & {what.split()[1], what.split()[1].rstrip("s")}}  # fmt: skip
    assert len(wanted) > 300 and sorted(missing) == []
    assert [pattern for pattern in EXCEPTIONS if not any(re.fullmatch(pattern, what) for what in wanted | {"check answer"})] == []


# ---- what is accepted, and means the same ------------------------------------------------------

WHOLE = np.array([[1, 0, 2], [0, 1, 3], [2, 2, 0], [1, 1, 1], [0, 3, 0], [1, 2, 2]])
SAME = {"a list": WHOLE.tolist(), "a tuple": tuple(map(tuple, WHOLE)), "integers": WHOLE, "unsigned bytes": WHOLE.astype(np.uint8), "float16": WHOLE.astype(np.float16),
        "float32": WHOLE.astype(np.float32), "long double": WHOLE.astype(np.longdouble), "another byte order": WHOLE.astype(">f8"),
        "Fortran order": np.asfortranarray(WHOLE.astype(float)), "every other row": np.repeat(WHOLE, 2, axis=0)[::2].astype(float), "backwards": WHOLE[::-1].astype(float)[::-1]}
with contextlib.suppress(ImportError):
    import pandas

    SAME["a pandas frame"] = pandas.DataFrame(WHOLE, columns=["a", "b", "c"], index=list("uvwxyz"))
    SAME["a pandas frame of mixed numbers"] = pandas.DataFrame(WHOLE).astype({0: "int8", 1: "float32"})


@pytest.mark.parametrize("given", SAME.values(), ids=SAME.keys())
def test_other_spellings_of_the_same_numbers_give_the_same_answer(given):
    exact = WHOLE.astype(float)
    layer, twin = dense(Tanh()), dense(Tanh())
    np.testing.assert_array_equal(layer.forward(given), twin.forward(exact))
    np.testing.assert_array_equal(layer.backward(layer.forward(given)), twin.backward(twin.forward(exact)))
    one, other = model(), model()
    assert one.evaluate(given, Y.tolist()) == other.evaluate(exact, Y)
    np.testing.assert_array_equal(one.predict(given), other.predict(exact))
    assert one.fit(given, tuple(Y), epochs=2, batch_size=4, seed=0, progress=False) == other.fit(exact, Y, epochs=2, batch_size=4, seed=0, progress=False)
    np.testing.assert_array_equal(one.network.theta, other.network.theta)
    np.testing.assert_allclose(Standardizer().fit(given).transform(given), Standardizer().fit(exact).transform(exact), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(shuffle(given, rng=0)[0], shuffle(exact, rng=0)[0])
    assert MSELoss().forward(given, given) == 0
    assert relative_error(given, exact) == 0
    for name in ACTIVATIONS:
        activation = getattr(activations, name)
        np.testing.assert_allclose(activation().forward(given), activation().forward(exact), rtol=1e-6)


def test_pandas_series_are_targets():
    pandas = pytest.importorskip("pandas")
    one, other = model(), model()
    labels = pandas.Series(Y, index=list("uvwxyz"))
    assert one.evaluate(pandas.DataFrame(X), labels) == other.evaluate(X, Y)
    assert accuracy(labels, Y) == 1
    np.testing.assert_array_equal(one_hot(labels), one_hot(Y))
    with pytest.raises(TypeError, match="X"):
        one.predict(pandas.DataFrame({"a": ["x"] * 6, "b": 1, "c": 2.0}))
    with pytest.raises((TypeError, ValueError), match="X"):
        one.predict(pandas.DataFrame({"a": [1.0, None, 2.0], "b": 1.0, "c": 2.0}))
