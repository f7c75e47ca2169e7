"""From the numbers of a run to verdicts, a table and a figure."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

FORMAT, VERSION = "nnbook benchmark", 1

#: peer -> (at most this share of its time at 1 thread, at 2 threads)
LIMITS = {
    "products alone": (1.40, 1.70),
    "PyTorch": (0.70, 0.70),
    "PyTorch, fused Adam": (0.85, 0.85),
    "PyTorch, compiled": (0.85, 0.85),
    "PyTorch, DataLoader": (0.55, 0.55),
    "JAX, jitted step": (1.00, 1.00),
    "JAX, scanned epoch": (1.15, 1.15),
    "Keras on JAX": (1.00, 1.00),
    "scikit-learn": (0.65, 0.65),
}
KEYS = {"format", "version", "date", "quick", "machine", "versions", "data", "examples", "missing",
        "agreement", "epoch", "ablation", "small", "predict", "import", "training", "limits",
        "parts", "convolution", "verdicts"}


def summary(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    if len(values) < 2:
        return {"median": values[0], "low": values[0], "high": values[0]}
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high}


def ratios(rounds: dict[str, list[float]], ours: str) -> dict[str, dict[str, float]]:
    """Our time by each other's, round by round."""
    return {name: summary([a / b for a, b in zip(rounds[ours], values)])
            for name, values in rounds.items() if name != ours and values}


def verdict(what: str, value: float, at_most: float | None = None, at_least: float | None = None,
            **more: Any) -> dict[str, Any]:
    met = value <= at_most if at_most is not None else value >= at_least
    bound = {"at_most": at_most} if at_most is not None else {"at_least": at_least}
    return {"what": what, "value": value, **bound, "met": bool(met), **more}


def verdicts(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Each target of the benchmark with what was measured."""
    found = []
    for threads, at in results["epoch"].items():
        for peer, bounds in LIMITS.items():
            if peer in at["ratio"]:
                r = at["ratio"][peer]
                found.append(verdict(f"epoch: nnbook / {peer}", r["median"],
                                     bounds[0 if threads == "1" else 1], threads=int(threads),
                                     low=r["low"], high=r["high"]))
    for threads, at in results["predict"].items():
        if "PyTorch" in at["ratio"]:
            r = at["ratio"]["PyTorch"]
            found.append(verdict("10,000 predictions: nnbook / PyTorch", r["median"], 1.0,
                                 threads=int(threads), low=r["low"], high=r["high"]))
    for network, at in results["small"].items():
        if "PyTorch" in at["ratio"]:
            r = at["ratio"]["PyTorch"]
            found.append(verdict(f"{network} network, steps a second: nnbook / PyTorch",
                                 1 / r["median"], at_least=3.0, threads=1,
                                 low=1 / r["high"], high=1 / r["low"]))
    r = results["import"]["ratio"]
    found.append(verdict("import nnbook / import numpy", r["median"], 1.25, threads=1,
                         low=r["low"], high=r["high"]))
    by_rows = {at["rows"]: at for at in results["training"]}
    extra = {rows: (at["peak"] - at["start"] - at["data"]) / 1e6 for rows, at in by_rows.items()}
    rows = 60_000 if 60_000 in by_rows else max(by_rows)
    found.append(verdict(f"memory of training on {rows:,} rows beyond data and NumPy, MB",
                         extra[rows], 60.0, threads=1))
    few, many = min(by_rows), max(by_rows)
    each = {rows: at["seconds"] / rows for rows, at in by_rows.items()}
    found.append(verdict(f"time an example: {many:,} rows / {few:,} rows", each[many] / each[few],
                         1.15, threads=1))
    return found


def check(results: dict[str, Any]) -> None:
    """Raise ValueError unless `results` is what a run writes."""
    if results.get("format") != FORMAT or results.get("version") != VERSION:
        raise ValueError(f"not the results of a {FORMAT}, version {VERSION}")
    if set(results) != KEYS:
        raise ValueError(f"keys differ: {sorted(set(results) ^ KEYS)}")
    for group in ("epoch", "ablation", "predict", "small"):
        for at in results[group].values():
            for row in (*at["seconds"].values(), *at["ratio"].values()):
                if not 0 < row["low"] <= row["median"] <= row["high"]:
                    raise ValueError(f"{group}: {row} are no quartiles")
    for row in results["verdicts"]:
        bound = row.get("at_most", row.get("at_least"))
        met = row["value"] <= bound if "at_most" in row else row["value"] >= bound
        if met != row["met"]:
            raise ValueError(f"a verdict that its numbers don't give: {row}")


def table(results: dict[str, Any]) -> str:
    """What `make bench` prints at the end."""
    machine, lines = results["machine"], []
    lines.append(f"{results['date']}  {machine['processor']}, {machine['cores']} cores, "
                 f"{machine['system']}, Python {machine['python']}")
    lines.append(", ".join(f"{name} {version}" for name, version in results["versions"].items()))
    lines.append(f"{results['examples']:,} examples of {results['data']}"
                 + ("; a quick run: for orientation only" if results["quick"] else ""))
    for name, reason in results["missing"].items():
        lines.append(f"MISSING: {name}: {reason}")
    for threads, at in results["epoch"].items():
        lines += ["", f"{threads} thread(s), {at['rounds']} rounds, ms an epoch ({at['clock']} time)",
                  f"{'':32}{'median':>8}{'quartiles':>16}   nnbook / it"]
        for name, row in at["seconds"].items():
            r = at["ratio"].get(name)
            lines.append(f"{name:32}{1e3 * row['median']:8.0f}"
                         f"{1e3 * row['low']:8.0f} –{1e3 * row['high']:6.0f}"
                         + (f"{r['median']:10.2f} ({r['low']:.2f} – {r['high']:.2f})" if r else ""))
    for threads, at in results["ablation"].items():
        lines += ["", f"{threads} thread(s): what dropping one habit costs"]
        lines += [f"{name:32}{1 / r['median']:8.3f} ({1 / r['high']:.3f} – {1 / r['low']:.3f})"
                  for name, r in at["ratio"].items()]
    lines += ["", f"{'target':58}{'threads':>8}{'measured':>10}{'bound':>9}"]
    for row in results["verdicts"]:
        bound = f"≤ {row['at_most']:.2f}" if "at_most" in row else f"≥ {row['at_least']:.2f}"
        lines.append(f"{row['what']:58}{row['threads']:8}{row['value']:10.2f}{bound:>9}  "
                     + ("met" if row["met"] else "MISSED"))
    return "\n".join(lines)


def figure(results: dict[str, Any], path: Path) -> None:
    """Bars of the time of an epoch, by program and number of threads, relative to nnbook's."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.style.use(str(Path(__file__).resolve().parent.parent / "nnbook/utils/book.mplstyle"))
    at = results["epoch"]
    names = sorted(at[min(at)]["seconds"], key=lambda name: at[min(at)]["seconds"][name]["median"])
    fig, axes = plt.subplots(1, len(at), figsize=(3.9 * len(at) + 1.6, 0.34 * len(names) + 1.0),
                             sharey=True, squeeze=False)
    for ax, (threads, found) in zip(axes[0], at.items()):
        for y, name in enumerate(names):
            if name not in found["seconds"]:
                continue
            row = found["seconds"][name]
            colour = {"nnbook": "#D55E00", "products alone": "0.75"}.get(name, "#0072B2")
            ax.barh(y, row["median"], color=colour,
                    xerr=[[row["median"] - row["low"]], [row["high"] - row["median"]]],
                    error_kw={"lw": 1, "ecolor": "0.3"})
            ax.text(row["high"], y, f" {row['median']:.2f}", va="center", fontsize=9)
        ax.set_title(f"{threads} thread" + ("s" if threads != "1" else ""))
        ax.set_xlabel("seconds an epoch")
        ax.set_yticks(range(len(names)), names)
        ax.grid(axis="y", visible=False)
        ax.set_xlim(0, 1.15 * max(row["high"] for row in found["seconds"].values()))
    axes[0][0].invert_yaxis()
    fig.savefig(path)
    plt.close(fig)
