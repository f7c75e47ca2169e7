"""Chapter 09: batches, splits, labels, scales; MNIST embedded, cached and downloaded."""

import contextlib
import gzip
import hashlib
import logging
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from faults import as_nobody, with_room_for

import nnbook
from nnbook.utils import data_utils
from nnbook.utils.data_utils import (
    MNIST_FILES,
    MNIST_MIRRORS,
    Archive,
    DownloadError,
    Standardizer,
    batches,
    evenly_spread,
    load_mnist,
    one_hot,
    parse_idx,
    quotas,
    shuffle,
    train_test_split,
)

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(nnbook.__file__).parent / "data"
ORIGINALS = Path(os.environ.get("NNBOOK_TEST_MNIST") or ROOT.parent / "shared" / "mnist")
needs_originals = pytest.mark.skipif(
    not all((ORIGINALS / file.name).exists() for file in MNIST_FILES),
    reason=f"the four original MNIST files are not in {ORIGINALS} (or NNBOOK_TEST_MNIST)",
)


# ---------------------------------------- shuffle, batches


def test_shuffle_keeps_rows_together_and_is_a_permutation():
    X = np.arange(60).reshape(20, 3)
    rows, labels = shuffle(X, X[:, 0], rng=1)
    assert (rows[:, 0] == labels).all()
    assert sorted(labels) == sorted(X[:, 0]) and (labels != X[:, 0]).any()


def test_shuffle_copies_and_repeats_with_a_seed():
    X = np.arange(20)
    (first,) = shuffle(X, rng=7)
    (again,) = shuffle(X, rng=7)
    assert (first == again).all()
    first[:] = 0
    assert X.sum() == 190


@pytest.mark.parametrize("batch_size", [1, 3, 7, 10, 11, 99])
@pytest.mark.parametrize("rng", [False, 0])
def test_batches_cover_every_example_once(batch_size, rng):
    X = np.arange(10)
    parts = list(batches(X, 2 * X, batch_size, rng))
    assert sorted(np.concatenate([x for x, _ in parts])) == list(range(10))
    assert all((y == 2 * x).all() for x, y in parts)
    assert [len(x) for x, _ in parts[:-1]] == [batch_size] * (len(parts) - 1)


def test_batches_can_drop_a_short_last_one():
    assert [len(x) for x, _ in batches(np.arange(10), np.arange(10), 4, drop_last=True)] == [4, 4]
    assert list(batches(np.arange(3), np.arange(3), 4, drop_last=True)) == []


def test_batches_keep_the_order_unless_asked():
    X = np.arange(10)
    assert (np.concatenate([x for x, _ in batches(X, X, 3)]) == X).all()
    assert (np.concatenate([x for x, _ in batches(X, X, 3, rng=0)]) != X).any()


def test_batches_from_one_generator_differ_between_epochs():
    rng, X = np.random.default_rng(0), np.arange(30)
    orders = [np.concatenate([x for x, _ in batches(X, X, 8, rng)]) for _ in range(2)]
    assert (orders[0] != orders[1]).any()


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((np.ones(3), np.ones(4), 2), ValueError, "lengths 3, 4"),
        ((np.ones((0, 2)), np.ones(0), 2), ValueError, "at least 1"),
        ((np.ones(3), np.ones(3), 0), ValueError, "batch_size must be at least 1"),
        ((np.ones(3), np.ones(3), 2.5), TypeError, "batch_size must be an integer"),
        ((3.0, np.ones(3), 2), TypeError, "one example a row"),
    ],
)
def test_batches_refuse_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        batches(*arguments)  # not only when the first batch is asked for


def test_shuffle_refuses_nothing_at_all():
    with pytest.raises(ValueError, match="at least one array"):
        shuffle()


# ---------------------------------------- one_hot


def test_one_hot_is_rows_of_the_identity():
    labels = np.array([2, 0, 3, 1, 3])
    assert (one_hot(labels) == np.eye(4)[labels]).all()
    assert one_hot(labels, 6).shape == (5, 6)
    assert (
        one_hot(labels).dtype == np.float32
        and one_hot(labels, dtype=np.float64).dtype == np.float64
    )


@pytest.mark.parametrize(
    "labels, n_classes, error",
    [
        ([0, 3], 3, ValueError),
        ([-1, 1], 3, ValueError),
        ([0.0, 1.0], 2, TypeError),
        ([[0, 1]], 2, ValueError),
        ([True, False], 2, TypeError),
        (np.array([], int), 3, ValueError),
        ([0, 1], 0, ValueError),
    ],
)
def test_one_hot_refuses(labels, n_classes, error):
    with pytest.raises(error, match=r"one_hot|n_classes"):
        one_hot(labels, n_classes)


# ---------------------------------------- quotas, evenly_spread, train_test_split


@pytest.mark.parametrize(
    "counts, n",
    [
        ([50, 30, 21], 10),
        ([1, 1, 1], 2),
        ([7, 0, 3], 5),
        ([5923, 6742], 10_000),
        ([4], 4),
        ([4, 4], 0),
    ],
)
def test_quotas_sum_to_n_and_stay_within_one_of_the_exact_share(counts, n):
    share = quotas(counts, n)
    exact = np.array(counts) * n / sum(counts)
    assert share.sum() == n and (np.abs(share - exact) < 1).all() and (share <= counts).all()


def test_quotas_of_equal_remainders_go_to_the_first():
    assert quotas([1] * 100, 50).tolist() == [1] * 50 + [0] * 50


def test_quotas_refuse_more_than_there_is():
    with pytest.raises(ValueError, match="at most 5"):
        quotas([2, 3], 6)


def test_evenly_spread_takes_the_middle_of_equal_stretches():
    assert evenly_spread([0] * 9, 3).tolist() == [1, 4, 7]
    assert evenly_spread([0, 1] * 6, 4).tolist() == [2, 3, 8, 9]
    assert evenly_spread([3, 1, 2], 3).tolist() == [0, 1, 2]


def test_evenly_spread_leaves_out_a_class_without_quota():
    assert evenly_spread([0] * 9 + [1], 3).tolist() == [1, 4, 7]


def test_evenly_spread_is_stratified_and_without_repeats():
    labels = np.random.default_rng(0).integers(0, 5, 1003)
    chosen = evenly_spread(labels, 250)
    assert len(set(chosen)) == 250 and (np.diff(chosen) > 0).all()
    assert (np.bincount(labels[chosen]) == quotas(np.bincount(labels), 250)).all()


@pytest.mark.parametrize(
    "labels, n, error",
    [
        ([0, 1], 3, ValueError),
        ([0, 1], 0, ValueError),
        ([0.5, 1], 1, TypeError),
        ([[0, 1]], 1, TypeError),
    ],
)
def test_evenly_spread_refuses(labels, n, error):
    with pytest.raises(error):
        evenly_spread(labels, n)


@pytest.mark.parametrize("test_size, n_test", [(0.2, 20), (0.25, 25), (7, 7), (0.999, 100 - 1)])
@pytest.mark.parametrize("stratify", [False, True])
def test_split_is_a_partition(test_size, n_test, stratify):
    if test_size == 0.999:
        test_size = 99
    X, Y = np.arange(100), np.arange(100) % 3
    X_train, X_test, Y_train, Y_test = train_test_split(
        X, Y, test_size=test_size, stratify=stratify, rng=0
    )
    assert len(X_test) == n_test == len(Y_test)
    assert sorted([*X_train, *X_test]) == list(range(100))
    assert (X_train % 3 == Y_train).all() and (X_test % 3 == Y_test).all()


def test_stratified_split_keeps_the_proportions_exactly():
    Y = np.repeat([0, 1, 2], [100, 60, 40])
    for seed in range(20):
        Y_test = train_test_split(Y, Y, test_size=0.1, stratify=True, rng=seed)[3]
        assert np.bincount(Y_test).tolist() == [10, 6, 4]
    one_hot_test = train_test_split(Y, one_hot(Y), test_size=0.1, stratify=True, rng=0)[3]
    assert one_hot_test.sum(axis=0).tolist() == [10, 6, 4]


@pytest.mark.parametrize("Y", [np.repeat([0.0, 1.0, 2.0], [100, 60, 40]), np.repeat([[0], [1], [2]], [100, 60, 40], axis=0)])
def test_stratified_split_takes_classes_as_whole_floats_and_as_a_column(Y):
    Y_test = train_test_split(Y, Y, test_size=0.1, stratify=True, rng=0)[3]
    assert np.bincount(Y_test.ravel().astype(int)).tolist() == [10, 6, 4]


@pytest.mark.parametrize("Y", [np.array([0.0, 0.5, 1, 1]), np.ones((4, 1, 1))])
def test_stratified_split_needs_classes(Y):
    with pytest.raises(ValueError, match="stratify"):
        train_test_split(Y, Y, test_size=2, stratify=True)


def test_split_is_not_stratified_unless_asked():
    Y = np.arange(10) % 2
    counts = {tuple(np.bincount(train_test_split(Y, Y, test_size=4, rng=seed)[3], minlength=2)) for seed in range(20)}
    assert len(counts) > 1
    Y = np.linspace(0, 1, 10)  # no classes at all
    assert sorted(np.concatenate(train_test_split(Y, Y, rng=0)[2:])) == Y.tolist()


def test_split_is_random_and_repeatable():
    X = np.arange(50)
    splits = [train_test_split(X, X, rng=seed)[1].tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


@pytest.mark.parametrize("test_size", [0.0, 1.0, 1.5, -0.1, 0, 10, 0.01, np.nan])
def test_split_refuses_an_empty_part(test_size):
    with pytest.raises(ValueError, match="test_size"):
        train_test_split(np.arange(10), np.arange(10), test_size=test_size)


def test_split_agrees_with_the_reference_library_on_class_counts():
    reference = pytest.importorskip("sklearn.model_selection")
    Y = np.random.default_rng(5).integers(0, 4, 203)
    ours = train_test_split(Y, Y, test_size=50, stratify=True, rng=0)[3]
    theirs = reference.train_test_split(Y, Y, test_size=50, stratify=Y, random_state=0)[3]
    assert np.abs(np.bincount(ours) - np.bincount(theirs)).max() <= 1


# ---------------------------------------- Standardizer


def test_standardizer_gives_mean_0_and_std_1_and_goes_back():
    X = np.random.default_rng(0).normal([5, -3, 100], [1, 20, 0.1], size=(200, 3))
    scale = Standardizer().fit(X)
    Z = scale.transform(X)
    assert np.allclose(Z.mean(axis=0), 0) and np.allclose(Z.std(axis=0), 1)
    assert np.allclose(scale.inverse_transform(Z), X)


def test_standardizer_uses_the_training_part_alone():
    scale = Standardizer().fit([[0.0], [2.0]])
    assert scale.transform([[5.0]]).tolist() == [[4.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_standardizer_only_shifts_a_constant_column(dtype):
    X = np.full((1001, 2), 0.1, dtype)  # whose rounded mean is not 0.1
    X[:, 1] = np.arange(1001)
    scale = Standardizer().fit(X)
    Z = scale.transform(X)
    assert Z.dtype == dtype and (Z[:, 0] == 0).all() and abs(Z[:, 1].std() - 1) < 1e-5
    assert scale.mean[0] == X[0, 0] and scale.std[0] == 1
    assert (scale.inverse_transform(Z)[:, 0] == X[:, 0]).all()


def test_standardizer_of_columns_from_the_smallest_to_the_largest_numbers():
    X = np.array([[1e-200, 1e200], [3e-200, 3e200]])
    assert np.allclose(Standardizer().fit(X).transform(X), [[-1, -1], [1, 1]])
    smallest = np.finfo(np.float32).smallest_subnormal
    scale = Standardizer().fit(np.array([[0.0], [smallest]], np.float32))  # their deviation is no float32
    assert scale.std.tolist() == [1]


def test_standardizer_keeps_the_dtype_that_it_was_fitted_with():
    scale = Standardizer().fit(np.array([[1.0], [3.0]], np.float32))
    for way in (scale.transform, scale.inverse_transform):
        assert way(np.array([[0.1]])).dtype == np.float32
        assert way(np.array([[0.1]])) == way(np.array([[0.1]], np.float32))


def test_standardizer_sums_in_double_precision():
    X = (1000 + np.random.default_rng(0).normal(size=(100_000, 1))).astype(np.float32)
    Z = Standardizer().fit(X).transform(X)
    assert abs(Z.mean()) < 1e-3 and abs(Z.std() - 1) < 1e-3


def test_standardizer_refuses():
    with pytest.raises(RuntimeError, match="fit before transform"):
        Standardizer().transform([[1.0]])
    with pytest.raises(ValueError, match="finite"):
        Standardizer().fit([[1.0], [np.nan]])
    with pytest.raises(ValueError, match=r"\(m, 2\)"):
        Standardizer().fit(np.ones((3, 2))).transform(np.ones((3, 4)))


# ---------------------------------------- IDX


def idx(array: np.ndarray) -> bytes:
    """The array as an IDX file, written independently of the package."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_parse_idx_reads_every_number_of_axes():
    for shape in [(4,), (2, 3), (3, 4, 5), (2, 3, 4, 2)]:
        array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        found = parse_idx(idx(array))
        assert found.shape == shape and found.dtype == np.uint8 and (found == array).all()


def test_parse_idx_reads_up_to_32_axes():
    axes = bytes([0, 0, 0, 1])
    assert parse_idx(bytes([0, 0, 8, 32]) + 32 * axes + b"\7").ndim == 32
    with pytest.raises(data_utils.DataFileError, match="names 33 axes; at most 32"):
        parse_idx(bytes([0, 0, 8, 33]) + 33 * axes + b"\7")
    with pytest.raises(data_utils.DataFileError, match="begins with 00 00 08 00"):
        parse_idx(bytes([0, 0, 8, 0, 7]))


GOOD_IDX = idx(np.arange(6, dtype=np.uint8).reshape(2, 3))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\x08",
        GOOD_IDX[:7],
        GOOD_IDX[:-1],
        GOOD_IDX + b"\0",
        b"\x01" + GOOD_IDX[1:],
        b"\0\0\x0d" + GOOD_IDX[3:],
        b"\0\0\x08\0",
        b"\0\0\x08\x01\xff\xff\xff\xff",
        b"<html></html>",
    ],
    ids=[
        "empty",
        "no axes byte",
        "short header",
        "short",
        "long",
        "magic",
        "floats",
        "no axes",
        "huge",
        "html",
    ],
)
def test_parse_idx_refuses(data):
    with pytest.raises(ValueError, match="some file"):
        parse_idx(data, "some file")


# ---------------------------------------- the embedded part


def test_embedded_part_is_what_the_documentation_says():
    digits = load_mnist()
    assert [array.shape for array in digits] == [(10_000, 784), (10_000,), (2_000, 784), (2_000,)]
    assert [array.dtype for array in digits] == [np.float32, np.int64] * 2
    for X, Y in ((digits.X_train, digits.Y_train), (digits.X_test, digits.Y_test)):
        assert X.min() == 0 and X.max() == 1
        assert set(Y) == set(range(10))
    digits.X_train[:] = 0
    assert load_mnist().X_train.any()  # every call gives arrays of its own


def test_embedded_part_needs_no_network_and_no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.setitem(sys.modules, "requests", None)
    assert len(load_mnist().X_train) == 10_000


def test_embedded_part_has_its_licence_beside_it():
    text = (DATA / "LICENSE.txt").read_text(encoding="utf-8")
    for words in (
        "Yann LeCun and Corinna Cortes",
        "Share Alike 3.0",
        "creativecommons.org/licenses/by-sa/3.0",
    ):
        assert words in text


def test_embedded_part_is_about_2_megabytes():
    assert (DATA / "mnist_subset.npz").stat().st_size < 2_100_000


@needs_originals
@pytest.mark.full_mnist
def test_embedded_part_can_be_cut_again_from_the_originals():
    with np.load(DATA / "mnist_subset.npz") as archive:
        stored = {name: archive[name] for name in archive.files}
    originals = [
        parse_idx(gzip.decompress((ORIGINALS / file.name).read_bytes())) for file in MNIST_FILES
    ]
    for part, X, Y, n in (("train", *originals[:2], 10_000), ("test", *originals[2:], 2_000)):
        chosen = evenly_spread(Y, n)
        assert stored[f"X_{part}"].dtype == stored[f"Y_{part}"].dtype == np.uint8
        assert (stored.pop(f"X_{part}") == X[chosen]).all() and (
            stored.pop(f"Y_{part}") == Y[chosen]
        ).all()
    assert not stored


@needs_originals
def test_checksums_are_those_of_the_originals():
    for file in MNIST_FILES:
        packed = (ORIGINALS / file.name).read_bytes()
        assert hashlib.sha256(packed).hexdigest() == file.archive_sha256
        assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == file.content_sha256


# ---------------------------------------- a server that misbehaves on request


def archive(name: str, content: bytes) -> tuple[Archive, bytes]:
    packed = gzip.compress(content, mtime=0)
    return Archive(
        name, hashlib.sha256(packed).hexdigest(), hashlib.sha256(content).hexdigest()
    ), packed


def small_set() -> dict[Archive, bytes]:
    """Four small files in the format of MNIST, large enough to be cut short."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 256, (40, 28, 28)),
        rng.integers(0, 10, 40),
        rng.integers(0, 256, (11, 28, 28)),
        rng.integers(0, 10, 11),
    ]
    names = [file.name for file in MNIST_FILES]
    return dict(
        archive(name, idx(array.astype(np.uint8)))
        for name, array in zip(names, arrays, strict=True)
    )


SMALL = small_set()
FILES = tuple(SMALL)
PACKED = {file.name: packed for file, packed in SMALL.items()}


class Mirror(BaseHTTPRequestHandler):
    """Serves ``server.files`` under /<behaviour>/<name>: the path says how to behave."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, behaviour, name = self.path.split("/")
        self.server.log.append((behaviour, name))
        body = self.server.files.get(name)
        if behaviour == "404" or body is None:
            return self.send_error(404)
        if behaviour == "503":
            return self.send_error(503)
        if behaviour == "loop" or (behaviour == "moved" and body is not None):
            self.send_response(302)
            self.send_header("Location", f"/{'good' if behaviour == 'moved' else 'loop'}/{name}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if behaviour == "503-once" and self.server.log.count((behaviour, name)) == 1:
            return self.send_error(503)
        if behaviour == "html":
            body = b"<html>Sign in to the hotel's network</html>"
        if behaviour == "wrong":
            body = body[:-1] + bytes([body[-1] ^ 1])
        if behaviour == "truncated":
            body = body[: len(body) // 2]
        asked = self.headers["Range"]
        self.server.ranges.append(asked)
        self.server.encodings.append(self.headers["Accept-Encoding"])
        start = 0
        if asked and behaviour.startswith("ranged"):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            body = body[start:]
        else:
            self.send_response(200)
        if behaviour == "encoded":  # which is not true
            self.send_header("Content-Encoding", "gzip")
        if behaviour == "unmeasured":
            self.close_connection = True
        elif behaviour != "endless":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if behaviour == "endless":  # as good as: the other side should hang up long before
            body = bytes(1 << 26)
        if behaviour == "stalled" or (
            behaviour in ("cut-once", "ranged-cut")
            and self.server.log.count((behaviour, name)) == 1
        ):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if behaviour == "stalled":
                self.server.done.wait(30)
            self.close_connection = True
            return None
        for start in range(0, len(body), 4096):
            self.wfile.write(body[start : start + 4096])
            if behaviour == "slow":
                time.sleep(0.02)
        return None

    def log_message(self, *args):
        pass


class Proxy(Mirror):
    """Serves any host itself: the request line of a proxy names the whole address."""

    def do_GET(self):
        self.server.asked.append(self.path)
        assert self.path.startswith("http://mirror.invalid/")
        self.path = self.path.removeprefix("http://mirror.invalid")
        super().do_GET()

    def do_CONNECT(self):
        self.server.asked.append(f"CONNECT {self.path}")
        self.send_error(403)


@contextlib.contextmanager
def serving(files, handler=Mirror):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda request, address: None  # who hangs up, hangs up
    server.daemon_threads = True
    server.files, server.log, server.done = files, [], threading.Event()
    server.ranges, server.encodings, server.asked = [], [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield server
    finally:
        server.done.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(
        data_utils, "time", SimpleNamespace(sleep=lambda seconds: None)
    )  # no pauses
    with serving(PACKED) as server:
        yield server


def load(server, folder, *behaviours, timeout=5.0, files=FILES):
    mirrors = [f"{server.url}/{behaviour}/" for behaviour in behaviours]
    return load_mnist(
        full=True, cache=folder, mirrors=mirrors, files=files, timeout=timeout, progress=False
    )


def check_small(digits):
    X, Y = (
        parse_idx(gzip.decompress(PACKED["train-images-idx3-ubyte.gz"])),
        parse_idx(gzip.decompress(PACKED["t10k-labels-idx1-ubyte.gz"])),
    )
    assert (digits.X_train == (X.reshape(40, 784) / 255).astype(np.float32)).all()
    assert (digits.Y_test == Y).all() and digits.Y_test.dtype == np.int64


def leftovers(folder):
    return sorted(path.name for path in (folder / "mnist").glob("*") if path.name not in PACKED)


# ---------------------------------------- download


def test_download_fills_the_cache_and_is_asked_once(server, tmp_path):
    check_small(load(server, tmp_path, "good"))
    assert [name for _, name in server.log] == [file.name for file in FILES]
    assert sorted(path.name for path in (tmp_path / "mnist").iterdir()) == sorted(PACKED)
    check_small(load(server, tmp_path, "good"))
    assert len(server.log) == 4
    check_small(
        load_mnist(full=True, cache=tmp_path, mirrors=[], files=FILES)
    )  # offline from now on


@pytest.mark.parametrize("behaviour", ["encoded", "unmeasured"])
def test_the_bytes_are_taken_as_they_come(server, tmp_path, behaviour):
    check_small(load(server, tmp_path, behaviour))
    assert set(server.encodings) == {"identity"} and len(server.log) == 4


def test_later_attempts_wait_longer_and_without_a_mirror_nobody_waits(server, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(data_utils, "time", SimpleNamespace(sleep=pauses.append))
    for behaviour, expected in (("503", [0.0, 1.0, 2.0]), ("404", [0.0, 0.0, 0.0])):
        pauses.clear()
        with pytest.raises(DownloadError):
            load(server, tmp_path, behaviour)
        assert pauses == expected


def test_the_mirror_that_served_comes_first_from_then_on(server, tmp_path):
    bad, good = (f"{server.url}/{behaviour}" for behaviour in ("404", "good"))
    assert data_utils._download(FILES[0], tmp_path, [bad, good], 5.0, False, "…") == [good, bad]


def test_defaults_of_a_download(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(data_utils, "_full_set", lambda *given: asked.append(given) or [np.ones((1, 1, 1)), np.ones(1)] * 2)
    load_mnist(True, cache=tmp_path)
    assert asked == [(tmp_path / "mnist", MNIST_MIRRORS, MNIST_FILES, 20.0, True)]
    fetch = data_utils._Fetch(tmp_path, 20.0, True)
    assert fetch.timeout == (10.0, 20.0)  # to connect, and to wait for more
    with fetch._bar(12345) as bar:
        assert (bar.total, bar.ncols, bar.unit, bar.unit_scale) == (12345, 79, "B", True)


def test_the_downloading_library_is_silent_unless_progress_is_shown(server, tmp_path, monkeypatch):
    import pooch

    levels, retrieve = [], pooch.retrieve
    monkeypatch.setattr(pooch, "retrieve", lambda *given, **named: levels.append(pooch.get_logger().level) or retrieve(*given, **named))
    before = pooch.get_logger().level
    data_utils._download(FILES[0], tmp_path / "silent", [f"{server.url}/good"], 5.0, False, "…")
    data_utils._download(FILES[0], tmp_path / "loud", [f"{server.url}/good"], 5.0, True, "…")
    assert levels == [logging.ERROR, before] and pooch.get_logger().level == before


@pytest.mark.parametrize(
    "behaviour, reason",
    [
        ("404", "answered 404"),
        ("503", "answered 503"),
        ("wrong", "wrong sha256"),
        ("html", "wrong sha256"),
        ("truncated", "wrong sha256"),
    ],
)
def test_a_bad_mirror_is_named_and_leaves_nothing(server, tmp_path, behaviour, reason):
    with pytest.raises(DownloadError) as caught:
        load(server, tmp_path, behaviour)
    message = str(caught.value)
    assert f"{server.url}/{behaviour}/train-images-idx3-ubyte.gz: " in message and reason in message
    assert str(tmp_path) in message and "NNBOOK_CACHE" in message and "load_mnist()" in message
    assert isinstance(caught.value, OSError)
    assert list((tmp_path / "mnist").iterdir()) == []


@pytest.mark.parametrize("behaviour", ["404", "503", "wrong", "html", "truncated"])
def test_the_next_mirror_steps_in(server, tmp_path, behaviour):
    check_small(load(server, tmp_path, behaviour, "good"))
    assert not leftovers(tmp_path)
    assert [b for b, _ in server.log].count(behaviour) == 1  # the good one is first from then on


def test_503_then_200_is_tried_again(server, tmp_path):
    check_small(load(server, tmp_path, "503-once"))
    assert server.log[:2] == [("503-once", "train-images-idx3-ubyte.gz")] * 2


def test_a_body_that_breaks_off_is_tried_again(server, tmp_path):
    check_small(load(server, tmp_path, "cut-once"))  # by a server that knows of no parts
    assert not leftovers(tmp_path)
    assert [name for _, name in server.log].count(FILES[0].name) == 2


HALF = len(PACKED[FILES[0].name]) // 2 // 4096 * 4096  # in whole pieces


def test_what_came_before_a_break_is_not_asked_for_again(server, tmp_path):
    check_small(load(server, tmp_path, "ranged-cut"))
    # the second and the fourth file are shorter than a piece
    assert server.ranges == [None, f"bytes={HALF}-", None, None, None, "bytes=4096-", None, None] and not leftovers(tmp_path)


def test_a_partial_file_is_resumed_the_next_time_and_from_another_mirror(server, tmp_path):
    with pytest.raises(DownloadError, match="fell silent"):
        load(server, tmp_path, "stalled", timeout=0.3)
    part = tmp_path / "mnist" / f"{FILES[0].name}.part"
    assert part.read_bytes() == PACKED[FILES[0].name][:HALF] != b""
    check_small(load(server, tmp_path, "404", "ranged"))
    assert server.ranges == [None, f"bytes={HALF}-", None, None, None] and not leftovers(tmp_path)


def test_ctrl_c_keeps_the_part(server, tmp_path, monkeypatch):
    # a shell that starts a program in the background has it ignore Ctrl-C
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with monkeypatch.context() as patch:
        bar = SimpleNamespace(update=lambda n: n and signal.raise_signal(signal.SIGINT))
        patch.setattr(data_utils._Fetch, "_bar", lambda *_: contextlib.nullcontext(bar))
        with pytest.raises(KeyboardInterrupt):
            load(server, tmp_path, "ranged")
    signal.signal(signal.SIGINT, before)
    kept = (tmp_path / "mnist" / f"{FILES[0].name}.part").read_bytes()
    assert kept and PACKED[FILES[0].name].startswith(kept)
    check_small(load(server, tmp_path, "ranged"))
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("behaviour", ["ranged", "good"])
@pytest.mark.parametrize("junk", [b"of another file", bytes(10**6)], ids=["short", "too long"])
def test_a_part_that_does_not_fit_does_no_harm(server, tmp_path, behaviour, junk):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / f"{FILES[0].name}.part").write_bytes(junk)
    check_small(load(server, tmp_path, behaviour))
    assert not leftovers(tmp_path)


def test_a_redirect_is_followed(server, tmp_path):
    check_small(load(server, tmp_path, "moved"))
    assert server.log[:2] == [(way, FILES[0].name) for way in ("moved", "good")]


def test_a_redirect_loop_fails_over(server, tmp_path):
    with pytest.raises(DownloadError, match="one address sends to the next, without end"):
        load(server, tmp_path, "loop")
    check_small(load(server, tmp_path, "loop", "good"))
    assert len(server.log) < 100 and not leftovers(tmp_path)


def test_a_body_without_end_is_cut_off(server, tmp_path, monkeypatch):
    monkeypatch.setattr(data_utils, "_LARGEST", 1_000_000)
    with pytest.raises(DownloadError, match="longer than 1,000,000 bytes"):
        load(server, tmp_path, "endless")
    assert list((tmp_path / "mnist").iterdir()) == []
    check_small(load(server, tmp_path, "endless", "good"))


def test_proxy_variables_are_honoured(server, tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    arguments = {"full": True, "files": FILES, "progress": False}
    with serving(PACKED, Proxy) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        address = "http://mirror.invalid/good/"
        check_small(load_mnist(cache=tmp_path / "http", mirrors=[address], **arguments))
        assert proxy.asked == [address + file.name for file in FILES]
        with pytest.raises(DownloadError, match="no connection"):
            load_mnist(cache=tmp_path / "s", mirrors=["https://mirror.invalid/good/"], **arguments)
        assert set(proxy.asked[4:]) == {"CONNECT mirror.invalid:443"}
        asked = len(proxy.asked)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        check_small(load(server, tmp_path / "direct", "good"))
        assert len(proxy.asked) == asked and len(server.log) == 4


def test_what_will_not_pass_is_not_tried_again(server, tmp_path):
    with pytest.raises(DownloadError):
        load(server, tmp_path, "404", "wrong")
    assert [b for b, _ in server.log] == ["404", "wrong"]


def test_a_stalled_body_fails_over(server, tmp_path):
    start = time.monotonic()
    check_small(load(server, tmp_path, "stalled", "good", timeout=0.5))
    assert time.monotonic() - start < 10
    assert [b for b, _ in server.log].count("stalled") == 1 and not leftovers(tmp_path)


def test_only_stalled_mirrors_give_an_error(server, tmp_path):
    with pytest.raises(DownloadError, match="fell silent"):
        load(server, tmp_path, "stalled", timeout=0.3)


def test_no_network_is_one_clear_error_and_never_the_subset(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(DownloadError, match="no connection"):
        load_mnist(
            full=True, cache=tmp_path, mirrors=["http://127.0.0.1:1/"], files=FILES, progress=False
        )
    with pytest.raises(DownloadError, match="no mirror was named"):
        load_mnist(full=True, cache=tmp_path, mirrors=[], files=FILES)


def test_mirrors_are_addresses_of_folders_with_or_without_a_slash(server, tmp_path):
    check_small(
        load_mnist(
            full=True, cache=tmp_path, mirrors=[f"{server.url}/good"], files=FILES, progress=False
        )
    )
    assert all(mirror.startswith("https://") for mirror in MNIST_MIRRORS)


def test_a_progress_bar_is_shown_on_request(server, tmp_path, capfd):
    load_mnist(
        full=True, cache=tmp_path, mirrors=[f"{server.url}/good/"], files=FILES, progress=True
    )
    assert "100%" in capfd.readouterr().err
    load(server, tmp_path / "other", "good")
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err == ""


# ---------------------------------------- the cache


def test_cache_is_named_by_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("NNBOOK_CACHE", str(tmp_path / "with a space"))
    check_small(load(server, None, "good"))
    assert (tmp_path / "with a space" / "mnist" / FILES[0].name).exists()


def test_cache_is_the_users_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("NNBOOK_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DownloadError) as caught:
        load_mnist(full=True, mirrors=[], files=FILES)
    assert "nnbook" in str(caught.value) and str(Path("mnist", FILES[0].name)) in str(caught.value)
    assert data_utils._cache_folder(None) == Path(pytest.importorskip("pooch").os_cache("nnbook"), "mnist")


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: b"",
        lambda packed: packed[:100],
        lambda packed: packed[:-1] + b"\xff",
        lambda packed: packed + b"\0",
        lambda packed: gzip.compress(b"something else"),
        lambda packed: PACKED["t10k-images-idx3-ubyte.gz"],
    ],
    ids=["empty", "truncated", "flipped", "longer", "other content", "other file"],
)
def test_a_damaged_cached_file_is_refused_and_replaced(server, tmp_path, damage):
    load(server, tmp_path, "good")
    path = tmp_path / "mnist" / FILES[0].name
    path.write_bytes(damage(path.read_bytes()))
    damaged = path.read_bytes()
    with pytest.raises(DownloadError, match="damaged or another file"):
        load(server, tmp_path, "404")
    assert path.read_bytes() == damaged  # a failure changes nothing
    check_small(load(server, tmp_path, "good"))
    assert path.read_bytes() == PACKED[FILES[0].name] and not leftovers(tmp_path)


def test_a_good_cache_survives_a_failed_attempt(server, tmp_path):
    load(server, tmp_path, "good")
    (tmp_path / "mnist" / FILES[3].name).unlink()
    for behaviour in ("404", "503", "wrong", "truncated"):
        with pytest.raises(DownloadError):
            load(server, tmp_path, behaviour)
    for file in FILES[:3]:
        assert (tmp_path / "mnist" / file.name).read_bytes() == PACKED[file.name]
    check_small(load(server, tmp_path, "good"))


def test_content_is_checked_behind_the_archive(server, tmp_path):
    files = (FILES[0]._replace(content_sha256="0" * 64), *FILES[1:])
    with pytest.raises(ValueError, match=r"the content of .* is damaged or another file"):
        load(server, tmp_path, "good", files=files)


def test_a_cache_that_is_a_file_is_an_error_of_the_system(tmp_path, server):
    (tmp_path / "mnist").write_text("in the way")
    with pytest.raises(OSError):
        load(server, tmp_path, "good")


def test_images_and_labels_must_have_one_length(tmp_path):
    swapped = {**SMALL}
    few, packed = archive("few-labels.gz", idx(np.zeros(39, np.uint8)))
    swapped[few] = packed
    (tmp_path / "mnist").mkdir()
    for file, data in swapped.items():
        (tmp_path / "mnist" / file.name).write_bytes(data)
    flat, swapped[flat] = archive("flat-images.gz", idx(np.zeros((40, 28), np.uint8)))
    (tmp_path / "mnist" / flat.name).write_bytes(swapped[flat])
    for files, words in (((FILES[0], few, *FILES[2:]), "the training files"), ((*FILES[:3], few), "the test files"),
                         ((flat, *FILES[1:]), r"the training files .*\(40, 28\)")):
        with pytest.raises(ValueError, match=words):
            load_mnist(full=True, cache=tmp_path, mirrors=[], files=files)


def test_a_cached_file_that_is_no_array_is_named(tmp_path):
    strange, packed = archive("strange.gz", bytes(9))
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "strange.gz").write_bytes(packed)
    with pytest.raises(data_utils.DataFileError, match=r"^strange\.gz is no IDX file"):
        load_mnist(full=True, cache=tmp_path, mirrors=[], files=(strange, *FILES[1:]))
    (tmp_path / "mnist" / "strange.gz").write_bytes(b"damaged")
    with pytest.raises(DownloadError, match=re.escape(str(tmp_path / "mnist" / "strange.gz"))):
        load_mnist(full=True, cache=tmp_path, mirrors=[], files=(strange, *FILES[1:]))


def test_without_the_download_library_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DownloadError, match=r"is not there; to download it.*install pooch"):
        load_mnist(full=True, cache=tmp_path, files=FILES)
    monkeypatch.delenv("NNBOOK_CACHE", raising=False)
    with pytest.raises(DownloadError, match=r"^to find the user's cache folder without the environment variable NNBOOK_CACHE.*install pooch"):
        load_mnist(full=True, files=FILES)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"full": "yes"}, TypeError, "full must be True or False"),
        ({"full": True, "mirrors": "http://127.0.0.1/"}, TypeError, "mirrors"),
        ({"full": True, "files": FILES[:3]}, ValueError, "4 archives"),
        ({"full": True, "timeout": 0}, ValueError, "timeout"),
    ],
)
def test_load_mnist_refuses(arguments, error, message, tmp_path):
    with pytest.raises(error, match=message):
        load_mnist(cache=tmp_path, **arguments)


DOWNLOADER = """
import sys
from nnbook.utils.data_utils import Archive, load_mnist
files = [Archive(*line.split()) for line in sys.argv[3:]]
print("ready", flush=True)
input()
digits = load_mnist(
    full=True, cache=sys.argv[1], mirrors=[sys.argv[2]], files=files, progress=False
)
print(digits.X_train.shape, digits.Y_test.shape)
"""


def downloaders(server, folder, behaviour, n):
    """So many processes that have begun to download at one moment."""
    command = [
        sys.executable,
        "-c",
        DOWNLOADER,
        str(folder),
        f"{server.url}/{behaviour}/",
        *(" ".join(file) for file in FILES),
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = [subprocess.Popen(command, text=True, **pipes) for _ in range(n)]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    return running


def test_processes_may_download_at_once(server, tmp_path):
    for process in downloaders(server, tmp_path, "slow", 4):
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.strip() == "(40, 784) (11,)"
    assert len(server.log) > 4  # they did meet
    check_small(load_mnist(full=True, cache=tmp_path, mirrors=[], files=FILES))
    assert not leftovers(tmp_path)


posix = pytest.mark.skipif(os.name != "posix", reason="needs the processes of Unix")


@posix
def test_a_download_that_is_killed_leaves_no_damaged_file(server, tmp_path):
    for seconds in (0, 0.01, 0.03, 0.06, 0.1):
        asked = len(server.log)
        (process,) = downloaders(server, tmp_path, "slow", 1)
        while len(server.log) == asked and process.poll() is None:
            time.sleep(0.001)
        time.sleep(seconds)
        process.kill()
        process.communicate(timeout=60)
        for name, packed in PACKED.items():
            path = tmp_path / "mnist" / name
            assert not path.exists() or path.read_bytes() == packed
    check_small(load(server, tmp_path, "good"))


@posix
def test_a_full_disk_is_said_and_leaves_no_damaged_file(server, tmp_path):
    words = with_room_for(2000, lambda: load(server, tmp_path, "good"))
    assert words.startswith("DownloadError: ") and f"can't be kept in {tmp_path / 'mnist'}" in words
    assert "too large" in words and list((tmp_path / "mnist").iterdir()) == []
    check_small(load(server, tmp_path, "good"))


@posix
def test_a_cache_that_may_not_be_written_to_is_said(server, read_only):
    load_mnist()  # loads what a user without permissions could not
    words = as_nobody(lambda: load(server, read_only, "good"))
    assert words == f"PermissionError: [Errno 13] Permission denied: '{read_only / 'mnist'}'"
    read_only.chmod(0o755)
    (read_only / "mnist").mkdir(mode=0o555)
    words = as_nobody(lambda: load(server, read_only, "good"))
    assert words.startswith("DownloadError: ") and f"can't be kept in {read_only / 'mnist'}" in words
    assert list((read_only / "mnist").iterdir()) == []
    for name, packed in PACKED.items():  # it serves who may only read
        (read_only / "mnist" / name).write_bytes(packed)
    assert as_nobody(lambda: check_small(load(server, read_only))) == ""


def test_importing_the_package_loads_no_network_library():
    libraries = {"pooch", "requests", "tqdm", "urllib3"}
    code = f"import sys, nnbook; print(sorted({libraries} & set(sys.modules)))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


# ---------------------------------------- the real files


@needs_originals
@pytest.mark.full_mnist
def test_the_real_files_are_downloaded_past_two_bad_mirrors(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(
        {file.name: (ORIGINALS / file.name).read_bytes() for file in MNIST_FILES}
    ) as server:
        mirrors = [f"{server.url}/{behaviour}/" for behaviour in ("404", "truncated", "good")]
        digits = load_mnist(full=True, cache=tmp_path, mirrors=mirrors, progress=False)
        assert [array.shape for array in digits] == [
            (60_000, 784),
            (60_000,),
            (10_000, 784),
            (10_000,),
        ]
        assert digits.Y_train[:5].tolist() == [5, 0, 4, 1, 9] and digits.Y_test[:5].tolist() == [
            7,
            2,
            1,
            0,
            4,
        ]
        assert np.isclose(digits.X_train.mean(dtype=np.float64), 0.1306605)
        assert [b for b, _ in server.log] == ["404", "truncated", "good", "good", "good", "good"]


@needs_originals
@pytest.mark.full_mnist
def test_a_folder_with_the_originals_is_a_cache(tmp_path):
    (tmp_path / "mnist").symlink_to(ORIGINALS, target_is_directory=True)
    assert len(load_mnist(full=True, cache=tmp_path, mirrors=[]).X_train) == 60_000
