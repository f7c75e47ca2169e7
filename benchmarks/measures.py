"""Measurements that need a process of their own: `python measures.py NAME …` prints JSON."""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable
from typing import Any


def import_time(module: str) -> float:
    """Seconds of processor time that `import module` takes in a new interpreter."""
    start = time.process_time()
    __import__(module)
    return time.process_time() - start


def peak_memory() -> int:
    """The most memory that this process ever held, in bytes."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def training(rows: str) -> dict[str, float]:
    """Memory and time of training the digits' network for one epoch on so many synthetic rows."""
    import numpy as np

    start = peak_memory()
    m, rng = int(rows), np.random.default_rng(0)
    X, labels = rng.random((m, 784), dtype=np.float32), rng.integers(10, size=m)
    import nnbook as nn

    layers = [nn.DenseLayer(784, 256, nn.ReLU(), rng=0), nn.DenseLayer(256, 128, nn.ReLU(), rng=1),
              nn.DenseLayer(128, 10, nn.Softmax(), rng=2)]
    model = nn.Model(nn.Sequential(*layers), nn.CrossEntropyLoss(), nn.Adam())
    model.fit(X[:1280], labels[:1280], epochs=1, batch_size=128, progress=False)
    before = time.process_time()
    model.fit(X, labels, epochs=1, batch_size=128)
    seconds = time.process_time() - before
    return {"rows": m, "start": start, "data": X.nbytes, "peak": peak_memory(), "seconds": seconds}


def best_rate(function: Callable[[], Any], work: float, seconds: float) -> float:
    """`work` a second in the best of several blocks of repetitions."""
    function()
    begin, best, n = time.perf_counter(), 0.0, 1
    while time.perf_counter() - begin < seconds or best == 0.0:
        start = time.perf_counter()
        for _ in range(n):
            function()
        elapsed = time.perf_counter() - start
        if elapsed < 0.002:
            n *= 2
        else:
            best = max(best, n * work / elapsed)
    return best


def limits(seconds: str) -> dict[str, Any]:
    """The machine's two limits: operations a second in products, bytes a second in sums.

    Products of square float32 matrices. Sums `a += b` of float32 vectors, three transfers an
    entry, by the bytes of the two vectors together. And what one NumPy call costs on 4 numbers.
    Each is the best of what can be done in so many seconds.
    """
    import numpy as np

    rng, products, memory, best = np.random.default_rng(0), {}, {}, float(seconds)
    for n in (16, 32, 64, 128, 256, 512, 1024):
        A, B, C = rng.normal(size=(3, n, n)).astype(np.float32)
        products[n] = best_rate(functools.partial(np.matmul, A, B, out=C), 2 * n**3, best)
    for size in [2**k for k in range(12, 28)]:
        n = size // 8
        a, b = np.ones((2, n), np.float32)
        memory[size] = best_rate(functools.partial(np.add, a, b, out=a), 12 * n, best)
    tiny = np.ones(4, np.float32)
    return {"products": products, "memory": memory,
            "call": 1 / best_rate(functools.partial(np.add, tiny, tiny, out=tiny), 1, best)}


def parts(steps: str) -> dict[str, float]:
    """Median seconds of each part of a training step, as nnbook computes it, on one thread."""
    import numpy as np
    from tasks import TASKS, digits, start_weights

    from nnbook.core import Adam, CrossEntropyLoss

    task = TASKS["digits"]
    X, labels, _ = digits(60_000)
    Y = np.eye(10, dtype=np.float32)[labels]
    W, b = (list(group) for group in zip(*start_weights(task)))
    size = sum(w.size + c.size for w, c in zip(W, b))
    theta, grad = np.zeros((2, size), np.float32)
    dW, db, at = [], [], 0
    for k, (w, c) in enumerate(zip(W, b)):
        W[k], dw = (v[at:at + w.size].reshape(w.shape) for v in (theta, grad))
        W[k][...] = w
        at += w.size
        b[k], dc = (v[at:at + c.size] for v in (theta, grad))
        at += c.size
        dW.append(dw)
        db.append(dc)
    loss, adam, m = CrossEntropyLoss(), Adam(), task.batch
    times: dict[str, list[float]] = {}
    clock = time.perf_counter

    def mark(part: str) -> None:
        nonlocal last
        now = clock()
        times.setdefault(part, []).append(now - last)
        last = clock()

    order = np.random.default_rng(0).permutation(len(X))
    for step in range(int(steps)):
        i = order[step * m % (len(X) - m):][:m]
        last = clock()
        A, y = [X.take(i, axis=0)], Y.take(i, axis=0)
        mark("gather")
        for l in range(3):
            Z = A[l] @ W[l]
            mark(f"Z{l + 1}")
            Z += b[l]
            mark("bias")
            if l < 2:
                A.append(np.maximum(Z, 0))
                mark("ReLU")
        loss.per_example(Z, y, logits=True).sum()
        mark("loss")
        dZ = loss.backward()
        for l in (2, 1, 0):
            D = dZ / m
            mark("1/m")
            np.matmul(A[l].T, D, out=dW[l])
            mark(f"dW{l + 1}")
            D.sum(axis=0, out=db[l])
            mark("db")
            if l:
                dA = dZ @ W[l].T
                mark(f"dX{l + 1}")
                dZ = dA * (A[l] > 0)
                mark("mask")
        float(grad @ grad)
        mark("finite?")
        adam.step(theta, grad)
        mark("Adam")
    per_step = {part: len(found) // int(steps) for part, found in times.items()}
    return {part: sum(float(np.median(found[k::n])) for k in range(n))
            for part, found in times.items() for n in [per_step[part]]}


def convolution(library: str, seconds: str) -> float:
    """Seconds of one convolution: 64 images of 28 × 28 × 16, 32 filters of 3 × 3.

    The best of what can be done in so many seconds.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 28, 28, 16)).astype(np.float32)
    K = rng.normal(size=(3, 3, 16, 32)).astype(np.float32)
    if library == "torch":
        import os

        import torch

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        x = torch.from_numpy(X.transpose(0, 3, 1, 2).copy())
        k = torch.from_numpy(K.transpose(3, 2, 0, 1).copy())
        with torch.no_grad():
            return 1 / best_rate(lambda: torch.nn.functional.conv2d(x, k), 1, float(seconds))

    def windows() -> Any:
        V = np.lib.stride_tricks.sliding_window_view(X, (3, 3), axis=(1, 2))
        if library == "einsum":
            return np.einsum("nijcab,abco->nijo", V, K)
        return np.tensordot(V, K, axes=((4, 5, 3), (0, 1, 2)))

    return 1 / best_rate(windows, 1, float(seconds))


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    functions = {"import": import_time, "training": training, "limits": limits, "parts": parts,
                 "convolution": convolution}
    print(json.dumps(functions[name](*arguments)))
