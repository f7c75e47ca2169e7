"""Files that are broken or malicious give an error of the package, at little cost, or load correctly.

Thousands of variants are made from files that are good. What reads them runs in a process of its own that may
take 200 MB more than it has, and stops at the first variant that does anything else.
"""

import contextlib
import copy
import gzip
import hashlib
import importlib
import io
import json
import os
import random
import socketserver
import struct
import sys
import textwrap
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nnbook import Model, ModelFileError
from nnbook.utils import data_utils
from nnbook.utils.data_utils import Archive, DataFileError, DownloadError, load_mnist, parse_idx

FIXTURES = Path(__file__).parent / "fixtures"
SECONDS, MEGABYTES = 1.0, 200


# ---- variants of a file of bytes --------------------------------------------------------------------


def bytewise(good: bytes, n: int, seed: int):
    """Bits turned over, ends cut off, bytes dropped, doubled and replaced."""
    rng = random.Random(seed)
    for k in range(n):
        data, kind = bytearray(good), k % 6
        at = rng.randrange(len(data))
        if kind <= 1:
            for _ in range(1 if kind == 0 else rng.randrange(2, 40)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + rng.randrange(1, 30)]
        elif kind == 4:
            data[at:at] = data[at : at + rng.randrange(1, 200)]
        else:
            data[at : at + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, struct.pack("<I", 2**31), rng.randbytes(4)])
        yield f"bytes {k}", bytes(data)


# ---- variants of an archive ---------------------------------------------------------------------------


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members, compression=zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def npy(header: str, data: bytes = b"", version=(1, 0)) -> bytes:
    text = header.encode() + b"\n"
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + data


def said(shape, descr="'<f4'", order="False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


HEADERS = {
    "a terabyte": npy(said("(250_000_000_000,)"), b"\0" * 200),
    "more than there is": npy(said("(1_000_000_000,)"), b"\0" * 200),
    "beyond every index": npy(said(f"({2**70},)"), b"\0" * 200),
    "negative": npy(said("(-50,)"), b"\0" * 200),
    "twice negative": npy(said("(-5, -10)"), b"\0" * 200),
    "objects": npy(said("(50,)", "'|O'"), b"\0" * 400),
    "a structure": npy(said("(25,)", "[('a', '<f4'), ('b', '|O')]"), b"\0" * 300),
    "nothing long": npy(said("(10**12,)", "'|V0'")),
    "empty items": npy(said(f"({10**12},)", "'|S0'")),
    "code": npy("__import__('os').system('touch hacked')", b"\0" * 200),
    "a long header": npy("(" * 60_000),
    "deep header": npy("[" * 9_000 + "]" * 9_000),
    "another version": npy(said("(50,)"), b"\0" * 200, (2, 0)),
    "an unknown version": npy(said("(50,)"), b"\0" * 200, (9, 9)),
    "not finite": npy(said("(50,)"), np.full(50, np.nan, "f4").tobytes()),
    "float64": npy(said("(50,)", "'<f8'"), b"\0" * 400),
    "big-endian": npy(said("(50,)", "'>f4'"), b"\0" * 200),
    "text": npy(said("(50,)", "'<U1'"), b"\0" * 200),
    "a matrix": npy(said("(5, 10)"), b"\0" * 200),
    "a number": npy(said("()"), b"\0" * 4),
    "no array": b"hello",
    "nothing": b"",
}


def archives(path: Path):
    good = members_of(path)
    for name in good:
        for what, data in HEADERS.items():
            yield f"{name}: {what}", archive_of({**good, name: data})
        yield f"without {name}", archive_of({key: data for key, data in good.items() if key != name})
        renamed = {("../" * 5 + "tmp/" + name if key == name else key): data for key, data in good.items()}
        yield f"path trick in {name}", archive_of(renamed)
        yield f"absolute {name}", archive_of({("/" + name if key == name else key): data for key, data in good.items()})
    yield "compressed", archive_of(good, zipfile.ZIP_DEFLATED)
    yield "a bomb", archive_of({**good, "theta.npy": npy(said("(75_000_000,)"), bytes(300_000_000))}, zipfile.ZIP_DEFLATED)
    yield "a bomb beside", archive_of({**good, "beside.npy": bytes(300_000_000)}, zipfile.ZIP_DEFLATED)
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in [*good.items(), ("beside.npy", npy(said("(1_000_000,)"), bytes(4_000_000)))]:
                archive.writestr(name, data)
            archive.filelist.extend([archive.getinfo("beside.npy")] * 3000)
        yield "one block three thousand times", file.getvalue()
    yield "many members", archive_of({**good, **{f"{k}.npy": b"" for k in range(3000)}})
    whole = bytearray(archive_of(good))
    for at in range(len(whole) - 4):  # every size in the directories, claiming four gigabytes
        if whole[at : at + 4] in (b"PK\x01\x02", b"PK\x03\x04"):
            for field in (18, 22) if whole[at + 2] == 3 else (20, 24, 42):
                lying = bytearray(whole)
                lying[at + field : at + field + 4] = b"\xfe\xff\xff\xff"
                yield f"size at {at + field}", bytes(lying)
    with io.BytesIO() as twice:
        with zipfile.ZipFile(twice, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
            for name, data in [*good.items(), ("theta.npy", good["theta.npy"]), ("config.npy", b"")]:
                archive.writestr(name, data)
        yield "a name twice", twice.getvalue()


# ---- variants of the description ----------------------------------------------------------------------

STRANGE = [
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, 1.5, -0.0, 1e308, float("nan"), float("inf"), "", "x", "Adam", "DenseLayer", [], [1], [[]], {},
    {"kind": "Adam"}, {"kind": "os.system"}, {"kind": "Component"}, "x" * 10_000, [0] * 10_000, {"kind": "ReLU", "self": 1},
]  # fmt: skip


def places(value, path=()):
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def descriptions(path: Path, n: int, seed: int):
    members, rng = members_of(path), random.Random(seed)
    data = members["config.npy"]
    start = 10 + struct.unpack("<H", data[8:10])[0]
    config = json.loads(data[start:])
    everywhere = [place for place in places(config) if place]
    for k in range(n):
        changed = copy.deepcopy(config)
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            *way, last = rng.choice(everywhere)
            inner = changed
            try:
                for key in way:
                    inner = inner[key]
                if rng.random() < 0.2:
                    del inner[last]
                else:
                    inner[last] = copy.deepcopy(rng.choice(STRANGE))
            except (KeyError, IndexError, TypeError):
                continue  # an earlier change took the place away
        text = json.dumps(changed).encode()
        yield f"description {k}", archive_of({**members, "config.npy": npy(said(f"({len(text)},)", "'|u1'"), text)})
    for what, text in {
        "deep": b"[" * 100_000 + b"]" * 100_000,
        "not JSON": b"{'format': 1}",
        "not text": b"\xff\xfe",
        "a list": b"[]",
        "a huge number": b'{"format": "nnbook model", "version": 1' + b"0" * 6000 + b"}",
        "later": json.dumps({**config, "version": 2}).encode(),
    }.items():
        yield f"description: {what}", archive_of({**members, "config.npy": npy(said(f"({len(text)},)", "'|u1'"), text)})


# ---- reading them ---------------------------------------------------------------------------------------


def read_all(variants, read, refused):
    """Read every variant; how many were refused, and how many loaded."""
    counts = {"refused": 0, "loaded": 0}
    for name, data in variants:
        begun = time.perf_counter()
        try:
            read(data)
            counts["loaded"] += 1
        except refused as error:
            assert str(error) and "\n" not in str(error)[:60], name
            counts["refused"] += 1
        except BaseException as error:
            raise AssertionError(f"variant {name}: {type(error).__name__}: {error}") from error
        assert time.perf_counter() - begun < SECONDS, f"variant {name} took {time.perf_counter() - begun:.1f} s"
    return counts


def in_little_memory(work):
    """What `work` returns, run in a copy of this process that may grow by MEGABYTES."""
    if os.name != "posix" or not sys.platform.startswith("linux"):
        return work()
    import resource

    out, into = os.pipe()
    number = os.fork()
    if number == 0:
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + MEGABYTES * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            answer = work()
        except BaseException as error:
            answer = {"error": textwrap.shorten(str(error), 2000) or repr(error)}
        os.write(into, json.dumps(answer).encode())
        os._exit(0)
    os.close(into)
    with open(out, "rb") as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(number, 0)
    assert "error" not in answer, answer["error"]
    return answer


@pytest.mark.parametrize("name", ["model_v1", "checkpoint_v1"])
def test_model_files(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = FIXTURES / f"{name}.npz"
    # made before the memory is limited; the bombs are small until they go off
    variants = [*bytewise(good.read_bytes(), 700, 1), *archives(good), *descriptions(good, 500, 2)]
    path = tmp_path / "variant.npz"

    def read(data):
        path.write_bytes(data)
        model = Model.load(path)
        assert np.isfinite(model.network.theta).all()
        model.save(tmp_path / "again.npz")

    counts = in_little_memory(lambda: read_all(variants, read, ModelFileError))
    assert sum(counts.values()) == len(variants) >= 1200
    assert counts["refused"] > 0.5 * len(variants) and counts["loaded"] > 0  # some bits matter to nobody
    assert {file.name for file in tmp_path.iterdir()} <= {"variant.npz", "again.npz"}


def test_trainings_that_should_go_on(tmp_path):
    from test_nothing_lost import build

    from nnbook import EarlyStopping

    rng = np.random.default_rng(0)
    X = rng.integers(-4, 5, (24, 3)).astype(np.float32)
    good = FIXTURES / "checkpoint_v1.npz"
    path = tmp_path / "run.npz"

    def read(data):
        path.write_bytes(data)
        model = build()
        before = model.network.theta.copy()
        try:
            model.fit(X, (X[:, 0] > 0).astype(int), epochs=3, batch_size=8, seed=0, progress=False,
                      callbacks=[EarlyStopping("loss")], checkpoint=path, resume=True)  # fmt: skip
        except ValueError:  # a ModelFileError, or "belongs to another training"
            assert np.array_equal(model.network.theta, before)
            raise

    variants = [*bytewise(good.read_bytes(), 120, 5), *descriptions(good, 400, 6)]
    counts = in_little_memory(lambda: read_all(variants, read, ValueError))
    assert counts["refused"] > 0.5 * len(variants)


def test_idx_files():
    good = bytes([0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 3]) + bytes(range(60))
    variants = list(bytewise(good, 600, 3))
    for axes in range(256):
        variants.append((f"{axes} axes", bytes([0, 0, 8, axes]) + b"\xff" * 4 * axes))
        variants.append((f"magic {axes}", bytes([axes, 0, 8, 1]) + b"\0\0\0\0"))

    def read(data):
        values = parse_idx(data)
        assert values.size + 4 + 4 * values.ndim == len(data)

    counts = in_little_memory(lambda: read_all(variants, read, DataFileError))
    assert counts["refused"] > 0.5 * len(variants)


# ---- answers of a server ----------------------------------------------------------------------------


def answers(body: bytes, n: int, seed: int):
    """What a server might say: the good answer with its bytes changed, and what is written to confuse."""
    length = f"Content-Length: {len(body)}".encode()

    def said(first=b"HTTP/1.1 200 OK", headers=(length,), body=body):
        return b"\r\n".join([first, *headers, b"", b""]) + body

    yield "good", said()
    head = said(body=b"")
    for name, data in bytewise(head, n, seed):
        yield f"head: {name}", data + body
    for name, data in bytewise(body, n // 4, seed + 1):
        yield f"body: {name}", said(body=data)
    for code in (*range(100, 104), *range(200, 209), *range(300, 309), *range(400, 432), *range(500, 512), 0, 99, 600, 999, 1000, 20):
        yield f"status {code}", said(f"HTTP/1.1 {code} So".encode())
    for first in (b"", b"HTTP/1.1", b"HTTP/9.9 200 OK", b"HTTP/1.1 two OK", b"HTTP/1.1 -200 OK", b"ICY 200 OK", b"\x16\x03\x01\x02", b"SSH-2.0-OpenSSH", b"\0" * 300,
                  b"HTTP/1.1 200 " + b"O" * 100_000, b"HTTP/1.1 100 Go on\r\n\r\n" * 2000 + b"HTTP/1.1 200 OK"):  # fmt: skip
        yield f"first line {first[:20]!r}", said(first)
    for value in (b"-1", b"x", b"", b"1e3", b"0", b"1", b"0x10", b"9" * 30, b"9" * 6000, "٣".encode(), "²".encode("latin-1"), b"%d, %d" % (len(body), len(body)), b"%d\r\nContent-Length: 3" % len(body)):
        yield f"length {value[:20]!r}", said(headers=(b"Content-Length: " + value,))
    chunk = f"{len(body):x}".encode()
    for size in (chunk, b"-1", b"x", b"", b"f" * 16, b"f" * 5000, b"0", chunk + b";" + b"e" * 70_000):
        yield f"chunk {size[:20]!r}", said(headers=(b"Transfer-Encoding: chunked",), body=size + b"\r\n" + body + b"\r\n0\r\n\r\n")
    bomb = gzip.compress(gzip.compress(bytes(500_000_000), 1))
    for coding in (b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"identity", b"gzip, gzip", b"rot13", b"gzip, " * 500 + b"gzip"):
        yield f"coded as {coding[:20]!r}", said(headers=(length, b"Content-Encoding: " + coding))
        yield f"a bomb coded as {coding[:20]!r}", said(headers=(b"Content-Encoding: " + coding,), body=bomb)
    for place in (b"", b"/", b"x", b"http://", b"http://[::1", b"http://[::1]:99999/", b"file:///etc/passwd", b"ftp://127.0.0.1/", b"javascript:1", b"//", b"http://\xff\xfe/", b"http://.a/",
                  b"http://" + b"a" * 70 + b"/", b"http://a b/", b"http://127.0.0.1:1/", b"http://user:pass@127.0.0.1:1/", b"data:,x", b"http://127.0.0.1:x/", b"?" + b"x" * 60_000, b"\0"):  # fmt: skip
        yield f"sent to {place[:30]!r}", said(b"HTTP/1.1 302 Found", (b"Location: " + place, b"Content-Length: 0"), b"")
    for header in (b"no colon", b": empty", b"a" * 70_000 + b": b", b"a: " + b"b" * 70_000, b" folded: x", b"\0: \0", b"a:\r b", "Größe: 1".encode(), b"\r\n".join(b"h%d: x" % k for k in range(5000)),
                   b"Content-Range: bytes 5-3/2", b"Set-Cookie: " + b"=;" * 500, b"Connection: upgrade", b"Content-Type: \xff", b"Content-Disposition: attachment; filename=../../x"):  # fmt: skip
        yield f"header {header[:20]!r}", said(headers=(length, header))
    yield "no end of the head", b"HTTP/1.1 200 OK\r\na: b"
    yield "nothing", b""
    yield "a page", said(body=b"<html>" + b"x" * 100_000, headers=())


@contextlib.contextmanager
def saying(things: list[bytes]):
    """A server that says the k-th thing to whoever asks for /k/…, and hangs up."""

    class Plain(socketserver.BaseRequestHandler):
        def handle(self):
            asked = self.request.recv(65536)
            with contextlib.suppress(OSError):
                self.request.sendall(things[int(asked.split(b"/")[1])])

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Plain) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_answers_of_a_server(tmp_path, monkeypatch):
    importlib.import_module("pooch.downloaders")  # loaded before the memory is limited
    importlib.import_module("requests")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(data_utils, "time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(data_utils, "_LARGEST", 2_000_000)
    good, digest = {}, lambda data: hashlib.sha256(data).hexdigest()
    files = []
    for k, shape in enumerate([(4, 28, 28), (4,), (2, 28, 28), (2,)]):
        content = np.random.default_rng(k).integers(0, 10, shape).astype(np.uint8).tobytes()
        content = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content
        packed = gzip.compress(content, mtime=0)
        files.append(Archive(f"{k}.gz", digest(packed), digest(content)))
        good[files[k].name] = packed
    folder = tmp_path / "mnist"
    folder.mkdir()
    variants = list(answers(good["0.gz"], 500, 7))
    with saying([data for _, data in variants]) as address:

        def read(k):
            for path in folder.iterdir():
                path.unlink()
            for name in ("1.gz", "2.gz", "3.gz"):
                (folder / name).write_bytes(good[name])
            try:
                load_mnist(full=True, cache=tmp_path, mirrors=[f"{address}/{k}"], files=files, timeout=5.0, progress=False)
                assert (folder / "0.gz").read_bytes() == good["0.gz"]
            finally:
                left = {path.name: path.stat().st_size for path in folder.iterdir()}
                assert left.keys() <= {*good, "0.gz.part"} and left.pop("0.gz.part", 0) <= 2_000_000

        counts = in_little_memory(lambda: read_all(((name, k) for k, (name, _) in enumerate(variants)), read, DownloadError))
    assert sum(counts.values()) == len(variants) >= 700
    assert counts["refused"] > 300 and counts["loaded"] > 50
    assert not (tmp_path.parent / "x").exists() and not (tmp_path / "x").exists()
