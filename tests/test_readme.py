"""What the README promises runs as printed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from nnbook.core import DenseLayer, Tanh

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
TARGETS = re.findall(r"^([a-z]+):.*## (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_python_blocks_run(capsys):
    assert len(BLOCKS) >= 2
    rng = np.random.default_rng(0)
    names = {"X_train": rng.random((256, 784)), "Y_train": rng.integers(0, 10, 256),
             "dense_layer": DenseLayer(4, 3, activation=Tanh(), rng=0),
             "X": rng.normal(size=(5, 4)), "dY": rng.normal(size=(5, 3))}
    for block in BLOCKS:
        exec(block.replace("epochs=20", "epochs=2"), names)
    assert len(names["history"]["loss"]) == 2 and names["history"]["loss"][1] < names["history"]["loss"][0]
    assert set(names["errors"]) == {"W", "b", "X"} and max(names["errors"].values()) < 1e-7
    printed = capsys.readouterr().out.splitlines()
    for line, name in zip(printed, "WbX", strict=True):  # the README shows the first two of them
        assert re.fullmatch(rf"  {name}  rel_error = \d\.\d\de-\d\d  ✅", line)


def test_the_user_s_imports_by_sub_package_and_by_one_name():
    import nnbook as nn
    from nnbook.core import (  # noqa: F401
        SGD,
        Adam,
        BinaryCrossEntropyLoss,
        CrossEntropyLoss,
        DenseLayer,
        He,
        LeakyReLU,
        LeCun,
        Momentum,
        MSELoss,
        ReLU,
        Sigmoid,
        Softmax,
        Tanh,
        Xavier,
    )
    from nnbook.network import Model, Sequential  # noqa: F401
    from nnbook.utils import (  # noqa: F401
        accuracy,
        confusion_matrix,
        f1_score,
        load_mnist,
        one_hot,
        precision,
        recall,
    )
    from nnbook.validation import gradient_check_layer  # noqa: F401
    for name, value in list(locals().items()):
        if name != "nn":
            assert getattr(nn, name) is value


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)|src=\"([^\":]+)\"", README), ids=str)
def test_the_links_lead_somewhere(path):
    assert (ROOT / (path[0] or path[1])).exists()


def test_every_target_the_readme_names_exists_and_says_what_it_does():
    named = set(re.findall(r"make ([a-z]+)", README)) | {"xor", "spiral", "regression", "mnist"}
    assert named <= {name for name, _ in TARGETS}


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_is_the_default_and_has_a_line_a_target(tmp_path):
    shown = subprocess.run(["make", "-C", str(ROOT)], cwd=tmp_path, capture_output=True, text=True, check=True,
                           env={**os.environ, "MAKEFLAGS": ""}).stdout
    for name, what in TARGETS:
        assert re.search(rf"make {name} +{re.escape(what)}", shown), name
