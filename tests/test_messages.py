"""What the package says, word for word, as it was last agreed on in tests/messages.json.

That a message names what is wrong is tested beside what it belongs to; here no letter changes
unnoticed, of any error for a wrong argument, and of much else that is read by people or by programs.
After a change on purpose

    .venv/bin/python tests/test_messages.py

writes the file anew, and its diff shows every text that changed.
"""

import contextlib
import io
import json
import os
import re
import sys
import tempfile
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from test_bad_arguments import ROWS, dense, model, network
from test_equations import HOLDS, PLAIN, REFUSED, garbled, run, split_names
from test_network import Pass

import nnbook
from nnbook import (
    SGD,
    Adam,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    DenseLayer,
    EarlyStopping,
    He,
    History,
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
    confusion_matrix,
    f1_score,
    load_mnist,
    precision,
    r2_score,
    recall,
)
from nnbook.core.conventions import Component, check_number
from nnbook.core.layer import Layer, ParameterView
from nnbook.network import model as model_module
from nnbook.utils import data_utils
from nnbook.validation.equations import Each, Samples
from nnbook.validation.equations.check import labelled_displays, quantities_of
from nnbook.validation.equations.mutants import mutants, summary, try_mutants
from nnbook.validation.equations.syntax import parse_display
from nnbook.validation.gradient_check import _print_errors

FILE = Path(__file__).parent / "messages.json"
BOOK = FILE.parent.parent / "nbs"
nan, inf = float("nan"), float("inf")


def said(call):
    """What a call returns, prints or warns of, or its error; without what differs between runs."""
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            value = call()
            text = value if isinstance(value, str) else "" if value is None else repr(value)
        except NameError:  # this file's own fault, and no word of the package
            raise
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
    text += printed.getvalue() + "".join(f"{w.category.__name__}: {w.message}" for w in warned)
    text = re.sub(r" at 0x[0-9a-f]+", " at …", text)
    text = re.sub(r"( raises \w+): [^\n]+", r"\1: …", text)  # these words are NumPy's or Python's
    return re.sub(r"np\.\w+\(([^()]*)\)", r"\1", text)  # older releases of NumPy print a bare number


# ---- wrong arguments: the rows of tests/test_bad_arguments.py ------------------------------------

# pictures and experiments are not read here: they take long, and their words are no more than these
OTHERS = re.compile(r"plot_|save_history|train\(|(xor|spiral|regression|mnist)\.|check\(|hint\(|check_outputs|choose_data")


def of_rows():
    """The rows, gathered by what is called."""
    gathered = {}
    for label, _, make, call, bad in ROWS:
        if not OTHERS.match(label):
            group = re.match(r"[\w.]+", label)[0]
            gathered.setdefault(group, {})[label] = lambda make=make, call=call, bad=bad: call(make(), bad)
    return gathered


# ---- everything else: functions of a folder that may be written to -------------------------------


def small():
    return Sequential(DenseLayer(3, 12, LeakyReLU(0.1), rng=0), Pass(12, 12), DenseLayer(12, 2, Softmax(), rng=0))


def plain_attributes(thing):
    return {name: value for name, value in vars(thing).items() if isinstance(value, (bool, int, float, str, tuple, type(None)))}


def components(folder):
    """What a component holds with its defaults, and how it is written down."""
    kinds = [kind for name, kind in sorted(Component.kinds.items()) if kind.__module__.startswith("nnbook.")]
    for kind in kinds:
        with contextlib.suppress(TypeError, ValueError):
            thing = kind()
            yield f"{kind.__name__}()", lambda t=thing: f"{t!r} {t} {json.dumps(t.config())} {plain_attributes(t)}"
    for thing in (DenseLayer(3, 2, rng=0), DenseLayer(3, 2, Tanh(), LeCun("uniform"), 0, "float64"), Momentum(0.1, 0.5, True, 0.25),
                  Adam(0.1, 0.5, 0.25, 1e-3, 0.125), SGD(0.1, 0.5), He("uniform", 0.5), Xavier("normal"), LeakyReLU(0.5), Sequential(DenseLayer(3, 2, rng=0))):
        yield repr(thing), lambda t=thing: f"{t} {json.dumps(t.config())} {plain_attributes(t)}"
    yield "EarlyStopping()", lambda: str(plain_attributes(EarlyStopping()))
    yield "SaveBest", lambda: str(plain_attributes(SaveBest("model.npz")))
    yield "Model", lambda: str(plain_attributes(model()))
    yield "Model before fit", lambda: f"{plain_attributes(linear())} {linear().history!r}"
    yield "Layer(n_in)", lambda: Layer("3", 2, {})
    yield "Layer(n_out)", lambda: Layer(3, 2.0, {})
    yield "classes of one output", lambda: CrossEntropyLoss().targets([[1.0]], 1, "float32")
    yield "check_number", lambda: f"{check_number('x', 1, 0, 1)} {check_number('x', 1.5)}"
    yield "check_number out of a closed interval", lambda: check_number("x", 2, 0, 1)
    yield "summary", lambda: small().summary()
    yield "repr of a network", lambda: repr(small())
    yield "DenseLayer.W", lambda: f"{isinstance(DenseLayer.W, ParameterView)} {DenseLayer.W.where} {DenseLayer.db.name}"
    for name in ("W", "b", "dW", "db"):
        yield f"DenseLayer.{name} = nan", lambda n=name: setattr(dense(), n, np.full(getattr(dense(), n).shape, nan))


def too_early(folder):
    """What needs another call before it."""
    for thing in (ReLU(), Softmax(), dense()):
        yield f"{thing}.backward", lambda t=thing: t.backward([[1.0, 2.0]])
    for loss in (MSELoss(), CrossEntropyLoss(), BinaryCrossEntropyLoss()):
        yield f"{loss}.backward", lambda t=loss: t.backward()
    for logits in (True, False):
        yield f"forward of one axis, logits {logits}", lambda k=logits: CrossEntropyLoss().forward([1.0], [0], logits=k)
    yield "MSELoss.classes", lambda: MSELoss().classes(np.ones((2, 2)))
    yield "Standardizer.transform", lambda: Standardizer().transform([[1.0]])
    yield "Standardizer.inverse_transform", lambda: Standardizer().inverse_transform([[1.0]])
    yield "History", lambda: History()["loss"]
    yield "History of two", lambda: History({"loss": [1.0], "accuracy": [0.5]})["val_loss"]
    yield "a monitor that a callback could have added", lambda: linear(SGD(0.01)).fit(X, Y, epochs=1, batch_size=4, progress=False, validation_data=(X, Y), callbacks=[nnbook.Callback(), EarlyStopping("f1")])
    yield "a monitor that is no text", lambda: model_module._Best(3)
    yield "a step in another network", lambda: second_network(Momentum())
    yield "a bad schedule", lambda: SGD(lambda t: -t).step(np.ones(2), np.ones(2))
    for last, loss in ((ReLU(), CrossEntropyLoss()), (Tanh(), BinaryCrossEntropyLoss())):
        yield f"{last} before {loss}", lambda a=last, b=loss: Model(Sequential(DenseLayer(3, 2, a, rng=0)), b)


def second_network(optimizer):
    optimizer.step(np.ones(3), np.ones(3))
    optimizer.step(np.ones(4), np.ones(4))


X = np.random.default_rng(0).normal(size=(10, 3))
Y = X[:, :2]


def linear(optimizer=None, widths=(3, 4, 2)):
    layers = [DenseLayer(n, k, rng=n) for n, k in zip(widths, widths[1:], strict=False)]
    return Model(Sequential(*layers), MSELoss(), optimizer)


class Bomb(SGD):
    """Its third step makes what it touches infinite."""

    def __init__(self, where="theta"):
        super().__init__(0.01)
        self.where = where

    def update(self, theta, grad, lr):
        remembered = self.memory("v", theta)
        if self.t == 3:
            (theta if self.where == "theta" else remembered)[1] = inf


def diverged(folder):
    """Trainings that break, and predictions that overflow."""
    fit = {"epochs": 9, "batch_size": 4, "shuffle": False, "progress": False}

    def ended(made, **more):
        try:
            made.fit(X, Y, **{**fit, **more})
        finally:
            warnings.warn(f" {made.history.epochs} epochs, t = {made.optimizer.t}, {list(made.optimizer.state)}, stop {made.stop_training}", UserWarning, stacklevel=2)

    yield "loss", lambda: ended(linear(SGD(1e30)))
    yield "parameters", lambda: ended(linear(Bomb()))
    yield "memory", lambda: ended(linear(Bomb("v")))
    yield "validation", lambda: ended(linear(SGD(0.01)), validation_data=(np.full((2, 3), 1e30), Y[:2]))
    huge = np.full((2, 3), 3e38)
    yield "predict", lambda: linear().predict(huge)
    yield "evaluate", lambda: linear().evaluate(huge, Y[:2])
    yield "cost", lambda: linear().cost(huge, Y[:2])


def described(path):
    """The structure of a model file: its text as it is, of numbers only what they are."""

    def kinds(value):
        if isinstance(value, dict):
            return {name: kinds(item) for name, item in value.items()}
        if isinstance(value, list):
            return [kinds(item) for item in value][:3]
        return "float" if isinstance(value, float) and value != round(value, 4) else "long" if isinstance(value, int) and value > 2**32 else value

    with np.load(path) as archive:
        arrays = {name: f"{archive[name].dtype} {archive[name].shape}" for name in archive.files if name != "config"}
        return json.dumps([kinds(json.loads(archive["config"].tobytes())), arrays])


def changed(path, change):
    """The model file at `path` with its description and arrays changed."""
    with np.load(path) as archive:
        arrays = dict(archive)
    config = json.loads(arrays["config"].tobytes())
    change(config, arrays)
    arrays["config"] = np.frombuffer(json.dumps(config).encode(), np.uint8)
    np.savez(path, **arrays)


CHANGES = {
    "another format": lambda c, a: c.update(format="else"), "a later version": lambda c, a: c.update(version=2), "no network": lambda c, a: c.pop("network"),
    "no theta": lambda c, a: a.pop("theta"), "a short theta": lambda c, a: a.update(theta=a["theta"][:5]), "theta of NaN": lambda c, a: a.update(theta=a["theta"] * np.float32(nan)),
    "theta in float64": lambda c, a: a.update(theta=a["theta"].astype(np.float64)), "an unknown layer": lambda c, a: c["network"]["layers"][0].update(kind="Gadget"),
    "a wide layer": lambda c, a: c["network"]["layers"][0].update(n_out=10**6), "a network of nothing": lambda c, a: c["network"].update(layers=[]), "a network that is a number": lambda c, a: c.update(network=3),
    "a loss that is none": lambda c, a: c["loss"].update(kind="Adam"), "a negative rate": lambda c, a: c["optimizer"].update(lr=-1), "no t": lambda c, a: c["optimizer"].pop("t"),
    "a negative t": lambda c, a: c["optimizer"].update(t=-1), "a state of NaN": lambda c, a: a.update({"optimizer.M": a["theta"] * np.float32(nan)}),
    "a layer as large as theta": lambda c, a: c["network"]["layers"][0].update(n_in=2, n_out=13),
    "no training": lambda c, a: c.pop("training"), "a training without its first state": lambda c, a: c["training"].pop("first"), "an unknown generator": lambda c, a: c["training"]["first"].update(bit_generator="dice"),
    "a training without its terms": lambda c, a: c["training"].pop("terms"), "another batch size": lambda c, a: c["training"]["terms"].update(batch_size=5),
    "no epoch": lambda c, a: c["training"].pop("epoch"), "a negative epoch": lambda c, a: c["training"].update(epoch=-1), "a rate of text": lambda c, a: c["training"].update(lr="fast"),
    "a negative rate of the training": lambda c, a: c["training"].update(lr=-1), "a negative t of the training": lambda c, a: c["training"].update(t=-1), "no callbacks": lambda c, a: c["training"].update(callbacks=[]),
    "another best epoch": lambda c, a: c["training"]["callbacks"][0].update(best_epoch=-1), "the best theta of another model": lambda c, a: a.update({"callback0.theta": np.ones(3)}),
    "a best theta of another length": lambda c, a: a.update({"callback0.theta": a["theta"][:3]}), "a best theta in float64": lambda c, a: a.update({"callback0.theta": a["theta"].astype(float)}),
    "a best theta of NaN": lambda c, a: a.update({"callback0.theta": a["theta"] * np.float32(nan)}), "no history": lambda c, a: c["training"].pop("history"),
}  # fmt: skip


def files(folder):
    """Files of models: what they say, and what is said of those that are none."""
    path = folder / "run.npz"
    fit = {"X": X, "Y": Y, "batch_size": 4, "seed": 0, "progress": False, "checkpoint": path}

    def trained(epochs=2, **more):
        made = linear(Adam(0.01))
        made.fit(**{**fit, "epochs": epochs, "callbacks": [EarlyStopping("loss"), SaveBest(folder / "best.npz", "loss")], **more})
        return made

    def at_once(work):
        """The texts are made when they are asked for, all from one folder."""
        text = said(work).replace(str(folder), "…")
        return lambda: text

    def saved(optimizer):
        linear(optimizer).save(path)
        return described(path)

    yield "checkpoint", at_once(lambda: trained() and described(path))
    yield "best", at_once(lambda: described(folder / "best.npz"))
    yield "saved", at_once(lambda: saved(Momentum(0.5)))
    yield "without optimizer", at_once(lambda: saved(None))
    yield "with a schedule", at_once(lambda: saved(SGD(lambda t: 0.1)))
    yield "resumed without training", at_once(lambda: trained(resume=True))
    trained()
    good = path.read_bytes()
    for name, change in CHANGES.items():
        for what, work in (("load", lambda: Model.load(path) and None), ("resume", lambda: trained(4, resume=True) and None)):
            path.write_bytes(good)
            changed(path, change)
            yield f"{what}: {name}", at_once(work)
    for name, data in {"empty": b"", "cut": good[:300], "text": b"hello" * 99}.items():
        path.write_bytes(data)
        yield f"load: {name}", at_once(lambda: Model.load(path))
    path.write_bytes(good)
    yield "resumed with another rule", at_once(lambda: linear(SGD(0.1)).fit(**fit, epochs=2, resume=True))
    yield "resumed with other data", at_once(lambda: linear(Adam(0.01)).fit(**{**fit, "X": X + 1}, epochs=2, resume=True, callbacks=[EarlyStopping("loss"), SaveBest(folder / "best.npz", "loss")]))
    yield "resumed in another network", at_once(lambda: linear(Adam(0.01), (3, 5, 2)).fit(**fit, epochs=2, resume=True))
    yield "parameters of another network", at_once(lambda: linear(None, (3, 5, 2)).load_parameters(path))
    yield "no file", at_once(lambda: linear().save(folder))
    yield "no folder", at_once(lambda: linear().save(folder / "missing" / "model.npz"))
    yield "a folder for a checkpoint", at_once(lambda: trained(checkpoint=folder))
    yield "a folder for the best", at_once(lambda: linear(SGD()).fit(X, Y, epochs=1, batch_size=4, callbacks=[SaveBest(folder, "loss")]))
    yield "nothing to load", at_once(lambda: Model.load(folder / "nothing.npz"))
    yield "a file of something else", at_once(lambda: (np.savez(path, weights=np.ones(3)), Model.load(path)))
    yield "a file that is compressed", at_once(lambda: (np.savez_compressed(path, weights=np.ones(3)), Model.load(path)))
    yield "JSON", at_once(lambda: json.dumps([np.float32(0.5), np.arange(2)], default=model_module._json_value))
    yield "no JSON", at_once(lambda: json.dumps({1: {2}}, default=model_module._json_value))


def npy(values, version=(1, 0), header=None):
    """The bytes of a file with an array, or with another header before the same numbers."""
    file = io.BytesIO()
    if header is None:
        np.lib.format.write_array(file, values, version, allow_pickle=False)
        return file.getvalue()
    text = (str(header) + "\n").encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + values.tobytes()


def arrays(folder):
    """Arrays in the members of a file: shapes of every kind, and headers that lie."""
    six = np.arange(6, dtype=np.int16)
    for name, values in {"a number": np.float32(0.5), "empty": six[:0], "none a row": six.reshape(6, 1)[:, :0], "rows": six.reshape(2, 3), "columns": np.asfortranarray(six.reshape(2, 3))}.items():
        yield name, lambda v=values: model_module._array_of(npy(np.asarray(v)))
    yield "writable", lambda: str(model_module._array_of(npy(six)).flags.writeable)
    yield "version 2", lambda: model_module._array_of(npy(six, (2, 0)))
    for shape in ((-2, -3), (7,), (5,), (2, 2), (-1,)):
        yield f"{shape}", lambda s=shape: model_module._array_of(npy(six, header={"descr": "<i2", "fortran_order": False, "shape": s}))
    for kind in ("|O", "<i4"):
        yield f"of {kind}", lambda k=kind: model_module._array_of(npy(six, header={"descr": k, "fortran_order": False, "shape": (12 // np.dtype(k).itemsize,)}))
    yield "objects in plenty", lambda: model_module._array_of(npy(np.arange(4), header={"descr": "|O", "fortran_order": False, "shape": (4,)}))


def metrics(folder):
    """What is not defined, and what is ignored."""
    for metric in (precision, recall, f1_score):
        name = metric.__name__
        yield f"{name} undefined", lambda f=metric: f([0, 0], [0, 0])
        yield f"{name} with a positive class that is not used", lambda f=metric: f([0, 1, 2], [0, 1, 1], average="macro", pos_label=2)
        yield f"{name} of three classes", lambda f=metric: f([0, 1, 2], [0, 1, 1])
    yield "confusion_matrix of one class", lambda: confusion_matrix([3], [3])
    yield "confusion_matrix of other classes", lambda: confusion_matrix([0, 1], [2, 1], labels=[2, 3])
    yield "rows of probabilities, the second of them below 0", lambda: accuracy([0, 1], [[0.5, 0.5], [-0.5, 1.5]])
    yield "r2_score of one example", lambda: r2_score([1.0], [2.0])


class Answer(Exception):
    """An error with what a server answered."""

    def __init__(self, status=None, reason=None, text=""):
        super().__init__(text)
        if status is not None:
            self.response = type("Response", (), {"status_code": status, "reason": reason})


def downloads(folder):
    """Why a download failed, and what to do."""
    errors = {
        "404": Answer(404, "Not Found"), "500": Answer(500, "Broken"), "429": Answer(429, "Too Many Requests"), "430": Answer(430, "?"), "499": Answer(499, "?"),
        "redirects": type("TooManyRedirects", (Answer,), {})(302, "Found"), "silence": Answer(text="Read Timed Out."), "no connection": OSError("nothing"), "wrong": ValueError("hash"),
        "damaged": data_utils.DataFileError("too short"), "broke off": type("ChunkedEncodingError", (OSError,), {})("…"),
    }  # fmt: skip
    for name, error in errors.items():
        yield f"reason: {name}", lambda e=error: f"{data_utils._reason(e)} {data_utils._status(e)} {data_utils._may_pass(e)}"
    yield "no mirror", lambda: said(lambda: load_mnist(True, cache=folder, mirrors=[])).replace(str(folder), "…")
    yield "no array of unsigned bytes", lambda: data_utils.parse_idx(b"\0\0\x09\1" + bytes(4), "digits")
    yield "a wrong sum", lambda: data_utils._check_sha256("digits", bytes(12345), "0123456789abcdef")
    yield "MNIST", lambda: " ".join(f"{a.dtype} {a.shape} {float(a.min())} {float(a.max())}" for a in load_mnist())


def gradient_checks(folder):
    yield "printed", lambda: _print_errors({"W": 1e-7, "a long name": 1.1e-7, "b": nan}, 1e-7)
    yield "of a network and its layer", lambda: sorted(nnbook.gradient_check_layer(network(), X[:2], np.ones((2, 2))))


def spoiled(value):
    """The value of a symbol, made wrong in some ways that keep its shape, and in some that don't."""
    if callable(value):
        yield "times 1.01", lambda *arguments: 1.01 * value(*arguments)
    elif isinstance(value, (Each, Samples)):
        yield "times 1.5", 1.5 * value
    elif isinstance(value, set):
        yield "with another number", value | {2}
    elif isinstance(value, dict):
        last = max(value)
        yield "the last one", {**value, last: value[last] + 1}
        yield "without the last one", {key: one for key, one in value.items() if key != last}
    elif isinstance(value, list):
        yield "the last one", [*value[:-1], 2 * value[-1]]
    else:
        array = np.asarray(value, np.float64)
        yield "doubled", 2 * array
        if array.size > 1:
            one = array.copy()
            one.flat[-2] += 1
            yield "with one element changed", one
            yield "without its last row", array[:-1]
            yield "turned", array.T if array.ndim > 1 else array[:, None]
    yield "nothing", None


def wrong_checks(latex, bindings):
    """What is said of a display that holds, when one of its symbols is something else."""
    for name, value in bindings.items():
        for how, wrong in spoiled(value):
            yield f"{name} {how}", lambda n=name, w=wrong: run(latex, {**bindings, n: w})
    names, rest = split_names(bindings)
    if names or "after" in rest or "approx" in rest or set(rest) == {"Z", "X", "W", "b"}:
        yield "mutants that were tried", lambda: f"{summary(latex, names, **rest)} " + "\n".join(map(str, try_mutants(latex, names, **rest)))
    others = {name: value for name, value in rest.items() if name not in ("after", "approx")}
    after = rest.get("after")
    yield "mutants", lambda: "\n".join(f"{one.kind}: {one.latex}" for one in mutants(latex, quantities_of(names, after, others)))


def garbled_checks(latex, bindings):
    """What is said when signs of a display are cut, doubled, or replaced by others."""
    dice = np.random.default_rng(5)
    for _ in range(12):
        wrong = garbled(latex, dice)
        yield wrong, lambda w=wrong: run(w, bindings)


def trees(folder):
    """The trees that the book's displays are read as, each by its digest."""
    for notebook in sorted(BOOK.glob("*.ipynb")):
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                for label, latex in labelled_displays("".join(cell["source"])):
                    yield label, lambda text=latex: sha256(repr(parse_display(text)).encode()).hexdigest()[:16]


GROUPS = {
    **{f"display: {name}": lambda folder, case=case: wrong_checks(*case) for name, *case in HOLDS + PLAIN},
    **{f"garbled: {name}": lambda folder, case=case: garbled_checks(*case) for name, *case in HOLDS + PLAIN},
    **{f"refused: {name}": lambda folder, case=case: {"": lambda: run(*case[:2])}.items() for name, *case in REFUSED},
    **{name: lambda folder, calls=calls: calls.items() for name, calls in of_rows().items()},
    **{function.__name__: function for function in (components, too_early, diverged, files, arrays, metrics, downloads, gradient_checks, trees)},
}  # fmt: skip
KNOWN = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def texts_of(group, folder):
    return {name: said(call) for name, call in GROUPS[group](Path(folder))}


@pytest.mark.parametrize("group", GROUPS)
def test_every_word_is_the_one_agreed_on(group, tmp_path, monkeypatch):
    monkeypatch.delenv("NNBOOK_CACHE", raising=False)
    known, found = KNOWN.get(group, {}), texts_of(group, tmp_path)
    different = [f"{name}\n  agreed: {known.get(name)}\n  said:   {found.get(name)}" for name in {**known, **found} if known.get(name) != found.get(name)]
    # a few say what is wrong; the file itself shows all
    assert not different, "\n".join([f"{len(different)} texts differ: see the first lines of {Path(__file__).name}", *different[:3]])


def test_no_text_is_left_over():
    assert KNOWN.keys() == GROUPS.keys()


if __name__ == "__main__":
    os.environ.pop("NNBOOK_CACHE", None)
    known = {}
    for name in GROUPS:
        with tempfile.TemporaryDirectory() as place:
            known[name] = texts_of(name, place)
    FILE.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stderr.write(f"{sum(map(len, known.values()))} texts in {FILE.name}\n")
