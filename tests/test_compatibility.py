"""The wheel beside the oldest and the newest NumPy, and beside Pyodide's.

Here it is the Python that runs the tests; `make compat` does the same on every Python found.
"""

import json
import shutil
import sys
from pathlib import Path

import pytest

import run_compat

# Prints what a small training comes to. It needs nothing but NumPy, and tells what else it loaded.
PROGRAM = """
import json, os, sys, tempfile
import numpy as np
import nnbook as nn
from nnbook.examples.xor import make_xor

X, Y = make_xor()
network = nn.Sequential(
    nn.DenseLayer(2, 8, activation=nn.Tanh(), rng=1, dtype=np.float64),
    nn.DenseLayer(8, 1, activation=nn.Sigmoid(), rng=2, dtype=np.float64),
)
model = nn.Model(network, nn.BinaryCrossEntropyLoss(), nn.Adam(lr=0.05))
model.fit(X, Y, epochs=1, batch_size=4, seed=3, progress=False)
after_one_step = network.theta.tolist()
history = model.fit(X, Y, epochs=200, batch_size=2, seed=4, progress=False)
with tempfile.TemporaryDirectory() as folder:
    model.save(os.path.join(folder, "xor.npz"))
    loaded = nn.Model.load(os.path.join(folder, "xor.npz"))
rng = np.random.default_rng(5)
errors = nn.gradient_check_layer(nn.DenseLayer(3, 2, activation=nn.Tanh(), rng=6),
                                 rng.normal(size=(4, 3)), rng.normal(size=(4, 2)))
loaded_modules = {name.partition(".")[0] for name in sys.modules}
print(json.dumps({
    "numpy": np.__version__,
    "platform": sys.platform,
    "after one step": after_one_step,
    "losses": history["loss"],
    "right": int((loaded.predict_classes(X).ravel() == Y).sum()),
    "same": bool(np.array_equal(loaded.network.theta, network.theta)),
    "error": max(errors.values()),
    "also loaded": sorted({"matplotlib", "tqdm", "pooch", "lark", "scipy"} & loaded_modules),
}))
"""


def check(result: dict) -> None:
    assert result["right"] == 4 and result["same"]
    assert result["losses"][-1] < 0.05 < result["losses"][0]
    assert result["error"] < 1e-7
    assert result["also loaded"] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return run_compat.build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.mark.parametrize("end", run_compat.ENDS)
def test_numpy_alone(wheel, tmp_path, record_property, end):
    (numpy,) = (one for one in run_compat.requirements("requirements") if one.name == "numpy")
    try:
        pin = run_compat.pinned(numpy, end)
    except run_compat.Unavailable as missing:
        pytest.skip(f"pip can't install the {end} NumPy: {missing}")
    inside = run_compat.environment(tmp_path / "env", sys.executable, pin)
    run_compat.run(run_compat.pip(inside, "install", "--quiet", "--no-deps", wheel))
    result = json.loads(run_compat.run([inside, "-W", "error", "-c", PROGRAM], cwd=tmp_path))
    assert f"numpy=={result['numpy']}" == pin
    check(result)
    said = run_compat.run_tests(inside, tmp_path / "run", run_compat.QUICK)
    record_property("compatible", f"{pin}: {said}")
    assert " passed" in said and "failed" not in said


def test_pyodide_computes_what_this_python_computes(wheel, pyodide, tmp_path, record_property):
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed, so nothing is computed in Pyodide outside a browser")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    script = Path(__file__).with_name("run_in_pyodide.mjs")
    there = json.loads(run_compat.run([node, script, pyodide, wheel, program]))
    here = json.loads(run_compat.run([sys.executable, "-W", "error", program]))
    lock = json.loads((pyodide / "pyodide-lock.json").read_text(encoding="utf-8"))
    assert there["platform"] == "emscripten"
    assert there["numpy"] == lock["packages"]["numpy"]["version"]
    record_property("compatible", f"Pyodide with numpy=={there['numpy']}")
    check(there)
    for what in ("after one step", "losses"):
        assert there[what] == pytest.approx(here[what], rel=1e-6)
