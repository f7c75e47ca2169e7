"""What a user gets: wheel and sdist, the installed package, and what `import nnbook` costs."""

import configparser
import importlib
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import nnbook

ROOT = Path(__file__).resolve().parent.parent

# The user's first program, on a problem small enough for a test.
FIRST_PROGRAM = """
import numpy as np
from nnbook.core import DenseLayer, ReLU, Softmax, CrossEntropyLoss, Adam
from nnbook.network import Sequential, Model
from nnbook.utils import load_mnist
from nnbook.validation import gradient_check_layer

X_train, Y_train, X_test, Y_test = load_mnist()
network = Sequential(
    DenseLayer(784, 32, activation=ReLU(), rng=0),
    DenseLayer(32, 10, activation=Softmax(), rng=1),
)
model = Model(network, CrossEntropyLoss(), Adam(lr=0.001))
X_train, Y_train = X_train[:2000], Y_train[:2000]
history = model.fit(X_train, Y_train, epochs=2, batch_size=128, seed=0, progress=False)
assert history["loss"][1] < history["loss"][0]
rng = np.random.default_rng(0)
X, dY = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
errors = gradient_check_layer(DenseLayer(3, 2, rng=0), X, dY)
assert max(errors.values()) < 1e-7
import matplotlib.pyplot as plt
plt.style.use("nnbook.utils.book")
"""


def python(*args, **options):
    """Run this interpreter, and show what it wrote when it fails."""
    return run([sys.executable, *args], **options)


def run(command, **options):
    # the caller's PYTHONPATH would find this tree's package before the installed one
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=env, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def settings():
    config = configparser.ConfigParser(delimiters=["="])
    config.read(ROOT / "settings.ini", encoding="utf-8")
    return config["DEFAULT"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A wheel, built from an sdist, built from a copy of the sources: (wheel, sdist)."""
    root = tmp_path_factory.mktemp("build")
    unwanted = shutil.ignore_patterns(".*", "_build", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, root / "sources", ignore=unwanted)
    python("-m", "build", "--no-isolation", "--outdir", root / "dist", root / "sources")
    (wheel,), (sdist,) = (root / "dist").glob("*.whl"), (root / "dist").glob("*.tar.gz")
    return wheel, sdist


def test_wheel_holds_the_package_and_nothing_else(built):
    names = {name for name in zipfile.ZipFile(built[0]).namelist() if not name.endswith("/")}
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "nnbook").rglob("*.*")}
    here = {name for name in here if "__pycache__" not in name and "/." not in name}
    assert {name for name in names if ".dist-info/" not in name} == here


def test_sdist_holds_what_it_is_built_from(built):
    names = {name.partition("/")[2] for name in tarfile.open(built[1]).getnames()}
    assert {
        "settings.ini",
        "setup.py",
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "nnbook/core/layer.py",
    } <= names


def test_installed_wheel_works_in_an_empty_environment(built, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    pins = ["--constraint", ROOT / "requirements.txt"]
    run([scripts / "python", "-m", "pip", "install", "--quiet", *pins, built[0]])
    outside = tmp_path / "outside"
    outside.mkdir()
    run([scripts / "python", "-c", FIRST_PROGRAM], cwd=outside)
    where = run([scripts / "python", "-c", "import nnbook; print(nnbook.__file__)"], cwd=outside)
    assert str(tmp_path) in where
    assert settings()["version"] in run([scripts / "nnbook", "--version"], cwd=outside)
    assert settings()["version"] in run(
        [scripts / "python", "-m", "nnbook", "--version"], cwd=outside
    )


def test_version_is_the_one_in_settings():
    assert nnbook.__version__ == settings()["version"]


def test_import_is_silent_and_light(tmp_path):
    loaded = python(
        "-W", "error", "-c", "import sys, nnbook; print(*sys.modules)", cwd=tmp_path
    ).split()
    heavy = {"matplotlib", "tqdm", "pooch", "lark", "sklearn", "scipy"}
    assert not heavy & {name.partition(".")[0] for name in loaded}


@pytest.mark.parametrize("area", ["", ".core", ".network", ".utils", ".validation"])
def test_public_names_are_all_there(area):
    package = importlib.import_module(f"nnbook{area}")
    assert len(package.__all__) == len(set(package.__all__))
    for public in package.__all__:
        assert getattr(package, public).__doc__


PROMISED = {
    "core": "ReLU LeakyReLU Sigmoid Tanh Softmax SELU Identity He Xavier LeCun Layer DenseLayer "
    "CrossEntropyLoss MSELoss BinaryCrossEntropyLoss SGD Momentum Adam",
    "network": "Sequential Model History",
    "utils": "one_hot train_test_split shuffle batches load_mnist "
    "accuracy precision recall f1_score confusion_matrix plot_history plot_decision_boundary",
    "validation": "numerical_gradient relative_error gradient_check_layer gradient_check_model",
}


@pytest.mark.parametrize("area", PROMISED)
def test_promised_names_are_public_in_their_area_and_in_nnbook(area):
    package = importlib.import_module(f"nnbook.{area}")
    assert set(PROMISED[area].split()) <= set(package.__all__) <= set(nnbook.__all__)


def test_types_are_shipped():
    assert (ROOT / "nnbook" / "py.typed").exists()
