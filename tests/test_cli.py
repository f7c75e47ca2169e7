"""The program `nnbook`, as a process of its own: what it prints, what it writes, how it ends."""

import functools
import importlib
import os
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import nnbook
from nnbook import cli
from nnbook.core import Adam
from nnbook.network import Model

SMALL = {
    "xor": ["--epochs", "5"],
    "spiral": ["--epochs", "2"],
    "regression": ["--epochs", "2"],
    "mnist": ["--epochs", "1", "--subset"],
}
NUMBERS = {
    "xor": {"loss", "accuracy"},
    "spiral": {"train loss", "train accuracy", "test loss", "test accuracy"},
    "regression": {"train loss", "test loss", "test r2"},
    "mnist": {"test loss", "test accuracy"},
}
posix = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """Give SIGINT Python's meaning: a shell starts what runs in the background with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def nnbook_process(*arguments, cwd=None, **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "nnbook", *arguments],
        cwd=cwd,
        text=True,
        capture_output=True,
        timeout=120,
        **kwargs,
    )


def replace_run(monkeypatch, name, action):
    """Let the experiment's `run` be `action`, with the signature that it has."""
    module = importlib.import_module(f"nnbook.examples.{name}")
    monkeypatch.setattr(module, "run", functools.wraps(module.run)(lambda **_: action()))


def table(text):
    """The lines `name   value` of a report."""
    return dict(re.findall(r"^([a-z0-9 ]+?) {2,}(\S.*)$", text, re.M))


# help and version


def test_version():
    done = nnbook_process("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"nnbook {nnbook.__version__}\n", "")


def test_help_lists_the_experiments():
    done = nnbook_process("--help")
    assert done.returncode == 0 and done.stderr == ""
    assert all(name in done.stdout for name in cli.EXPERIMENTS)


@pytest.mark.parametrize("name", cli.EXPERIMENTS)
def test_help_shows_the_defaults_of_run(name):
    done = nnbook_process(name, "--help", env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == 0
    for parameter in ("epochs", "lr", "batch_size", "optimizer", "seed"):
        option = "--" + parameter.replace("_", "-")
        described = next(
            text for text in re.split(r"\n  (?=--)", done.stdout) if text.startswith(option + " ")
        )
        assert f"(default: {cli.defaults_of(name)[parameter]})" in " ".join(described.split())
    assert "{sgd,momentum,adam}" in done.stdout and "None" not in done.stdout


def test_the_example_in_the_readme_is_the_default():
    defaults = cli.defaults_of("mnist")
    assert (defaults["epochs"], defaults["lr"], defaults["batch_size"]) == (20, 0.001, 128)


# what it does


@pytest.mark.parametrize("name", cli.EXPERIMENTS)
def test_an_experiment_trains_saves_and_draws(name, tmp_path):
    done = nnbook_process(
        name, *SMALL[name], "--save", "my model.npz", "--plot", "curves.png", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    found = table(done.stdout)
    assert NUMBERS[name] <= found.keys() and all(
        np.isfinite(float(found[key])) for key in NUMBERS[name]
    )
    assert found["model"] == "my model.npz" and found["curves"] == "curves.png"
    assert found["epochs"] == SMALL[name][1]
    assert "step" in done.stderr and "error" not in done.stderr  # the progress bar
    model = Model.load(tmp_path / "my model.npz")
    assert model.predict(np.zeros((3, model.network.n_in))).shape == (3, model.network.n_out)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "my model.npz"]


def test_mnist_says_which_data_it_uses():
    done = nnbook_process("mnist", *SMALL["mnist"], "--quiet")
    assert done.returncode == 0, done.stderr
    assert "10,000 training" in done.stdout.splitlines()[0]


def test_quiet_leaves_the_error_stream_empty():
    done = nnbook_process("xor", *SMALL["xor"], "--quiet")
    assert done.returncode == 0 and done.stderr == ""


def test_the_same_seed_gives_the_same_numbers():
    first, second, other = (
        nnbook_process("spiral", "--epochs", "1", "--quiet", "--seed", seed).stdout
        for seed in "556"
    )
    assert first == second != other


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_the_optimizer_is_the_one_named(optimizer, tmp_path):
    place = tmp_path / "model.npz"
    assert (
        cli.main(
            [
                "xor",
                "--epochs",
                "2",
                "--lr",
                "0.25",
                "--optimizer",
                optimizer,
                "--quiet",
                "--save",
                str(place),
            ]
        )
        == 0
    )
    found = Model.load(place).optimizer
    assert type(found).__name__.lower() == optimizer and found.lr == 0.25


# what it refuses


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "EXPERIMENT"),
        (["parity"], "parity"),
        (["xor", "--epochs", "0"], "--epochs: must be at least 1, got 0"),
        (["xor", "--epochs", "-3"], "--epochs: must be at least 1, got -3"),
        (["xor", "--epochs", "two"], "--epochs: must be an integer, got 'two'"),
        (["xor", "--epochs", "1.5"], "--epochs: must be an integer"),
        (["xor", "--batch-size", "0"], "--batch-size: must be at least 1"),
        (["xor", "--seed", "-1"], "--seed: must be at least 0, got -1"),
        (["xor", "--lr", "0"], "--lr: must be a finite number above 0, got 0"),
        (["xor", "--lr", "nan"], "--lr: must be a finite number above 0"),
        (["xor", "--lr", "1e999"], "--lr: must be a finite number above 0"),
        (["xor", "--lr", "fast"], "--lr: must be a number, got 'fast'"),
        (["xor", "--optimizer", "newton"], "newton"),
        (["xor", "--plot", "curves.xlsx"], "--plot: must end in .png or .pdf or .svg"),
        (["xor", "--epoch", "3"], "--epoch"),
        (["xor", "--full"], "--full"),
        (["mnist", "--full", "--subset"], "--subset"),
        (["xor", "extra"], "extra"),
        (["xor", "--save"], "--save"),
    ],
)
def test_wrong_arguments_cost_one_line(arguments, words, capsys):
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert (
        out == ""
        and err.count("\n") == 1
        and err.startswith("nnbook")
        and words in err
        and "--help" in err
    )


def test_wrong_arguments_end_the_process_with_2():
    done = nnbook_process("xor", "--epochs", "0")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--save", "missing/model.npz"], "no folder missing"),
        (["--save", "."], "is no file"),
        (["--plot", "missing/curves.png"], "no folder missing"),
    ],
)
@pytest.mark.parametrize("name", cli.EXPERIMENTS)
def test_a_place_that_cannot_be_written_fails_at_once(
    name, arguments, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    replace_run(monkeypatch, name, pytest.fail)
    assert cli.main([name, *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and words in err


def test_a_model_and_a_picture_are_two_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").symlink_to("b.png")
    for save in ("b.png", "./a.png"):
        assert cli.main(["xor", "--quiet", "--save", save, "--plot", "a.png"]) == 1
        assert "save and plot must be two files" in capsys.readouterr().err
    assert not (tmp_path / "b.png").exists()


def test_a_program_without_an_output_runs(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert cli.main(["xor", "--epochs", "1", "--quiet"]) == 0


@posix
def test_a_result_that_nobody_can_read_fails_with_one_line(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    for place in (writer, os.open("/dev/full", os.O_WRONLY) if os.path.exists("/dev/full") else None):
        if place is None:
            continue
        done = subprocess.run(
            [sys.executable, "-m", "nnbook", "xor", "--epochs", "1", "--quiet", "--save", "model.npz"],
            cwd=tmp_path, stdout=place, stderr=subprocess.PIPE, text=True, timeout=120,
        )
        os.close(place)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("nnbook xor: error: cannot print the result: [Errno")
        assert Model.load(tmp_path / "model.npz").network.n_in == 2


def test_divergence_fails_with_one_line():
    done = nnbook_process("regression", "--optimizer", "sgd", "--lr", "1e6", "--quiet")
    assert done.returncode == 1 and done.stdout == ""
    assert (
        done.stderr.count("\n") == 1 and "epoch 1" in done.stderr and "Traceback" not in done.stderr
    )


# Ctrl-C


def interrupted(cwd, *arguments, when):
    """Run the program, send it a real Ctrl-C as soon as `when` is in what it says, and collect."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nnbook", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    killer = threading.Timer(60, process.kill)
    killer.start()
    try:
        said = b""
        while when not in said:
            piece = os.read(process.stderr.fileno(), 4096)
            assert piece, f"ended too early: {said!r}"
            said += piece
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate()
    finally:
        killer.cancel()
    return process.returncode, out.decode(), (said + rest).decode()


@posix
def test_ctrl_c_keeps_the_best_model(tmp_path):
    code, out, err = interrupted(
        tmp_path, "spiral", "--epochs", "100000", "--save", "best.npz", when=b"val_loss"
    )
    assert code == 130 and out == "" and "Traceback" not in err
    assert (
        err.splitlines()[-1] == "nnbook spiral: interrupted; the best model so far is in best.npz"
    )
    assert Model.load(tmp_path / "best.npz").network.n_out == 3
    assert [path.name for path in tmp_path.iterdir()] == ["best.npz"]


@posix
def test_ctrl_c_without_save_says_so(tmp_path):
    code, out, err = interrupted(tmp_path, "spiral", "--epochs", "100000", when=b"val_loss")
    assert code == 130 and out == "" and "Traceback" not in err
    assert err.splitlines()[-1] == "nnbook spiral: interrupted; nothing was saved"
    assert list(tmp_path.iterdir()) == []


@posix
def test_ctrl_c_in_the_first_epoch_saves_what_there_is(tmp_path, monkeypatch, capsys):
    def first_step(*_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Adam, "step", first_step)
    place = tmp_path / "model.npz"
    assert cli.main(["xor", "--quiet", "--save", str(place)]) == 130
    assert "the best model so far is in" in capsys.readouterr().err
    assert Model.load(place).network.n_in == 2


def test_an_old_file_is_not_taken_for_a_new_one(tmp_path, monkeypatch, capsys):
    place = tmp_path / "model.npz"
    place.write_bytes(b"old")

    def interrupt():
        raise KeyboardInterrupt

    replace_run(monkeypatch, "xor", interrupt)
    assert cli.main(["xor", "--save", str(place)]) == 130
    assert "nothing was saved" in capsys.readouterr().err and place.read_bytes() == b"old"


def test_the_module_behind_python_m_can_be_imported():
    assert importlib.import_module("nnbook.__main__").main is cli.main
