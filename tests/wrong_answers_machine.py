"""Wrong answers that people give to the exercises of chapters 9 to 12, and what they must be told."""

import numpy as np

from nnbook import Callback, Standardizer, train_test_split
from nnbook.utils.visualization import exponential_average

# ---- data --------------------------------------------------------------------------------------


def from_unique(names, classes):
    present, numbers = np.unique(names, return_inverse=True)
    return np.eye(len(present))[numbers]


def numbered(names, classes):
    return np.array([classes.index(name) for name in names])


def standardised(X_train, X_test, axis=0, ddof=0, power=1, guard=True):
    mean, std = X_train.mean(axis=axis), X_train.std(axis=axis, ddof=ddof)
    if guard:
        std = np.where(std == 0, 1, std)
    return (X_train - mean) / std**power, (X_test - mean) / std**power


def unshifted(X_train, X_test):
    std = np.where(X_train.std(axis=0) == 0, 1, X_train.std(axis=0))
    return X_train / std, X_test / std


def pooled(X_train, X_test):
    scale = Standardizer().fit(np.concatenate([X_train, X_test]))
    return scale.transform(X_train), scale.transform(X_test)


def by_rows(X_train, X_test):
    return tuple(standardised(X.T, X.T)[0].T for X in (X_train, X_test))


def folds(X, Y, k, rng, order=None, tests=None, train=None, both=True, arrange=lambda *four: four):
    """The right folds, unless one of the steps is replaced."""
    m = len(X)
    order = rng.permutation(m) if order is None else order(m, rng)
    parts = []
    for test in (np.array_split(order, k) if tests is None else tests(order, k, rng)):
        rest = np.setdiff1d(np.arange(m), test) if train is None else train(order, test)
        labels = Y if both else Y[::-1]
        parts.append(arrange(X[rest], X[test], labels[rest], labels[test]))
    return parts


def folds_that_forget_labels(X, Y, k, rng):
    X = X[rng.permutation(len(X))]
    return folds(X, Y, k, rng)


def folds_of_equal_size(order, k, rng):
    size = len(order) // k
    return [order[i * size:(i + 1) * size] for i in range(k)]


def folds_with_a_long_last_one(order, k, rng):
    size = len(order) // k
    return [order[i * size:(i + 1) * size if i < k - 1 else None] for i in range(k)]


def folds_by_splitting_again(X, Y, k, rng):
    return [train_test_split(X, Y, test_size=len(X) // k, rng=rng) for _ in range(k)]


def moments_of_means(parts):
    parts = list(parts)
    return np.mean([part.mean(axis=0) for part in parts], axis=0), np.concatenate(parts).std(axis=0)


def moments_of_the_last(parts):
    for part in parts:
        mean, std = part.mean(axis=0), part.std(axis=0)
    return mean, std


def moments_by_squares(parts, root=True):
    m, total, squares = 0, 0, 0
    for part in parts:
        m, total, squares = m + len(part), total + part.sum(axis=0), squares + (part**2).sum(axis=0)
    variance = squares / m - (total / m) ** 2
    return total / m, np.sqrt(np.maximum(variance, 0)) if root else variance


def moments_within(parts, deviations=False):
    parts = list(parts)
    m = sum(map(len, parts))
    mean = sum(len(part) * part.mean(axis=0) for part in parts) / m
    if deviations:
        return mean, sum(len(part) * part.std(axis=0) for part in parts) / m
    return mean, np.sqrt(sum(len(part) * part.var(axis=0) for part in parts) / m)


def moments_in_two_passes(parts):
    m = sum(len(part) for part in parts)
    mean = sum(part.sum(axis=0) for part in parts) / m
    return mean, np.sqrt(sum(((part - mean) ** 2).sum(axis=0) for part in parts) / m)


# ---- metrics -----------------------------------------------------------------------------------


def macro(C, swapped=False, f1=None, mean=np.mean, guard=True, weights=None):
    columns, rows, hits = C.sum(axis=0), C.sum(axis=1), np.diag(C)
    if guard:
        columns, rows = np.maximum(columns, 1), np.maximum(rows, 1)
    P, R = hits / columns, hits / rows
    F = 2 * hits / np.maximum(C.sum(axis=0) + C.sum(axis=1), 1)
    if swapped:
        P, R = R, P
    if weights:
        return tuple(np.average(each, weights=weights(C)) for each in (P, R, F))
    return mean(P), mean(R), f1(P, R) if f1 else mean(F)


def harmonic_of_means(P, R):
    return 2 * P.mean() * R.mean() / (P.mean() + R.mean())


def f_beta(y_true, y_pred, beta, formula):
    tp, fp, fn = (y_true & y_pred).sum(), (~y_true & y_pred).sum(), (y_true & ~y_pred).sum()
    return formula(tp, fp, fn, beta)


def f_beta_of_the_negatives(y_true, y_pred, beta):
    (tp, fn), (fp, _) = [[np.sum(~y_true & ~y_pred), np.sum(~y_true & y_pred)],
                         [np.sum(y_true & ~y_pred), np.sum(y_true & y_pred)]]
    return (1 + beta**2) * tp / ((1 + beta**2) * tp + fp + beta**2 * fn)


def top(A, labels, k, axis=1, places=None, end=lambda hits: hits.any(axis=1).mean()):
    order = np.argsort(A, axis=axis)
    chosen = order[:, -k:] if places is None else places(order, k)
    return end(chosen == labels[:, None])


# ---- pictures ----------------------------------------------------------------------------------


def from_zero(values, beta):
    s, smooth = 0.0, []
    for value in values:
        s = beta * s + (1 - beta) * value
        smooth.append(s)
    return np.array(smooth)


def mistakes_in(C):
    return C - np.diag(np.diag(C))


def points_of(u, v):
    return np.column_stack([np.tile(u, len(v)), np.repeat(v, len(u))])


def regions(predict, u, v, points=points_of, shape=lambda u, v: (len(v), len(u)), pick=np.argmax):
    return pick(predict(points(u, v)), axis=1).reshape(shape(u, v))


def grid_by_columns(u, v):
    first, second = np.meshgrid(u, v, indexing="ij")
    return np.column_stack([first.ravel(), second.ravel()])


# ---- the model ---------------------------------------------------------------------------------


def in_batches(cost, X, Y, size, weigh=lambda n, size: n, end=lambda total, m, K, size: total / m,
               last=True):
    total, K = 0.0, 0
    for start in range(0, len(X) if last else len(X) - size + 1, size):
        X_batch, Y_batch = X[start:start + size], Y[start:start + size]
        total += weigh(len(X_batch), size) * cost(X_batch, Y_batch)
        K += 1
    return end(total, len(X), K, size)


def in_batches_without_the_short_one(cost, X, Y, size):
    whole = len(X) // size * size
    return in_batches(cost, X[:whole], Y[:whole], size)


def in_batches_and_one_more(cost, X, Y, size):
    pieces = [slice(i * size, (i + 1) * size) for i in range(len(X) // size + 1)]
    return sum(len(X[piece]) * cost(X[piece], Y[piece]) for piece in pieces) / len(X)


class Halve(Callback):
    patience, metric, anew = 3, "loss", True

    def on_train_begin(self, model):
        self.best, self.waited = np.inf, 0

    def better(self, J):
        return J < self.best

    def remember(self, J):
        self.best = min(self.best, J)

    def on_epoch_end(self, model, epoch, logs):
        J = logs[self.metric]
        self.waited = 0 if self.better(J) else self.waited + 1
        self.remember(J)
        if self.waited >= self.patience:
            model.optimizer.lr /= 2
            if self.anew:
                self.waited = 0


class HalveLate(Halve):
    def on_epoch_end(self, model, epoch, logs):
        if logs["loss"] < self.best:
            self.best, self.waited = logs["loss"], 0
        elif self.waited == 3:
            model.optimizer.lr /= 2
            self.waited = 0
        else:
            self.waited += 1


class HalveEarly(Halve):
    patience = 2


class HalveByValidation(Halve):
    metric = "val_loss"


class HalveEveryEpoch(Halve):
    anew = False


class HalveByPrevious(Halve):
    def remember(self, J):
        self.best = J


class HalveOnEqual(Halve):
    def better(self, J):
        return J <= self.best


class HalveOnce(Halve):
    def on_epoch_end(self, model, epoch, logs):
        self.waited = 0 if logs["loss"] < self.best else self.waited + 1
        self.remember(logs["loss"])
        if self.waited == 3:
            model.optimizer.lr /= 2


class HalveFromTheStart(Halve):
    def __init__(self):
        super().on_train_begin(None)

    def on_train_begin(self, model):
        pass


class HalveInTotal(Halve):
    def on_epoch_end(self, model, epoch, logs):
        if logs["loss"] < self.best:
            self.best = logs["loss"]
        else:
            self.waited += 1
            if self.waited == 3:
                model.optimizer.lr, self.waited = model.optimizer.lr / 2, 0


class HalveWithoutMemory(Halve):
    def on_train_begin(self, model):
        pass


def stop_early(theta, epoch, cost, epochs, patience, copy=np.copy, late=0, better=lambda J, low: J < low,
               reset=True, previous=False, stop=True):
    low, best, waited = np.inf, theta, 0
    for _ in range(epochs):
        epoch(theta)
        J = cost(theta)
        if better(J, low):
            low, best, waited = J, copy(theta), 0 if reset else waited
        else:
            waited += 1
        if previous:
            low = J
        if stop and waited >= patience + late:
            break
    return best


def stop_early_by_position(theta, epoch, cost, epochs, patience):
    costs, thetas = [], []
    while not costs or len(costs) - np.argmin(costs) <= patience:
        epoch(theta)
        costs.append(cost(theta))
        thetas.append(theta.copy())
    return thetas[np.argmin(costs)]


WRONG = {
    "named-classes": [
        (from_unique, "every part has columns of its own"),
        (lambda names, classes: (names[:, None] == np.sort(classes)).astype(float), "in alphabetical order"),
        (lambda names, classes: np.eye(len(classes))[numbered(names, classes) - 1], "too far to the left"),
        (lambda names, classes: np.eye(len(classes) + 1)[numbered(names, classes)], "the largest number is K − 1"),
        (lambda names, classes: np.eye(len(classes) + 1)[numbered(names, classes) + 1], "the first one is never used"),
        (numbered, "each has to become a row"),
        (lambda names, classes: np.array(classes)[:, None] == names, "one example a column"),
    ],
    "standardise-parts": [
        (lambda X_train, X_test: tuple(Standardizer().fit(X).transform(X) for X in (X_train, X_test)),
         "by its own means and deviations"),
        (pooled, "the test part must not enter them"),
        (lambda X_train, X_test: standardised(X_train, X_test, power=2), "divides by the variance"),
        (lambda X_train, X_test: standardised(X_train, X_test, ddof=1), "with m − 1"),
        (lambda X_train, X_test: standardised(X_train, X_test, axis=None), "for the whole table"),
        (by_rows, "for every row"),
        (lambda X_train, X_test: standardised(X_train, X_test, guard=False), "as if its deviation were 1"),
        (unshifted, "but not shifted"),
        (lambda X_train, X_test: standardised(X_train, X_test)[0], "one ndarray came back"),
        (lambda X_train, X_test: (X_train.__isub__(X_train.mean(axis=0)), X_test), "changes its argument X_train"),
    ],
    "folds": [
        (folds_that_forget_labels, "one common order"),
        (lambda X, Y, k, rng: folds(X, Y, k, rng, both=False), "one common order"),
        (lambda X, Y, k, rng: folds(X, Y, k, rng, train=lambda order, test: order), "still holds"),
        (lambda X, Y, k, rng: folds(X, Y, k, rng, arrange=lambda A, a, B, b: (a, A, b, B)), "changed places"),
        (lambda X, Y, k, rng: folds(X, Y, k, rng, tests=folds_of_equal_size), "are never tested"),
        (lambda X, Y, k, rng: folds(X, Y, k, rng, tests=folds_with_a_long_last_one), "go to the last fold"),
        (folds_by_splitting_again, "shuffle once"),
        (lambda X, Y, k, rng: folds(X, Y, k, rng, order=lambda m, rng: np.arange(m)), "in the order in which they came"),
        (lambda X, Y, k, rng: folds(X, Y, k, rng, order=lambda m, rng: np.random.permutation(m)), "take the order from rng"),
        (lambda X, Y, k, rng: folds(X, Y, k, rng, arrange=lambda A, a, B, b: (A, B, a, b)), "in this order"),
        (lambda X, Y, k, rng: folds(X, Y, k, rng)[:-1], "4 folds came back, and k is 5"),
    ],
    "moments": [
        (moments_of_means, "the mean of the batch means"),
        (moments_of_the_last, "that of the last batch"),
        (moments_by_squares, "are nearly equal"),
        (lambda parts: moments_by_squares(parts, root=False), "take its root"),
        (moments_within, "the distances between their means"),
        (lambda parts: moments_within(parts, deviations=True), "a mean of the batches' deviations"),
        (moments_in_two_passes, "pass only once"),
        (lambda parts: (lambda X: (X.mean(axis=0), X.std(axis=0, ddof=1)))(np.concatenate(list(parts))), "by m − 1"),
        (lambda parts: len(parts), "it raises TypeError on batches of four and of two"),
    ],
    "macro-averages": [
        (lambda C: macro(C, swapped=True), "have changed places"),
        (lambda C: macro(C, f1=lambda P, R: np.mean((P + R) / 2)), "the arithmetic mean of precision and recall"),
        (lambda C: macro(C, f1=harmonic_of_means), "the other way round"),
        (lambda C: 3 * (np.trace(C) / C.sum(),), "this is the accuracy"),
        (lambda C: macro(C, weights=lambda C: C.sum(axis=1)), "how frequent they are"),
        (lambda C: macro(C, guard=False), "0/0"),
        (lambda C: macro(C, guard=False, mean=np.nanmean), "left out of the mean"),
        (lambda C: macro(C, mean=lambda each: each), "its mean over axis 0 is right"),
        (lambda C: macro(C)[:2], "precision, recall, F1 are asked for"),
    ],
    "f-beta": [
        (lambda y, p, beta: f_beta(y, p, beta, lambda tp, fp, fn, b: (1 + b) * tp / ((1 + b) * tp + fp + b * fn)),
         "the weight is β², not β"),
        (lambda y, p, beta: f_beta(y, p, beta, lambda tp, fp, fn, b: (1 + b**2) * tp / ((1 + b**2) * tp + b**2 * fp + fn)),
         "stands with the false positives"),
        (lambda y, p, beta: f_beta(y, p, beta, lambda tp, fp, fn, b: 2 * tp / (2 * tp + fp + fn)), "this is F1"),
        (lambda y, p, beta: f_beta(y, p, beta, lambda tp, fp, fn, b: tp / ((1 + b**2) * tp + fp + b**2 * fn)),
         "with precision and recall both 1"),
        (lambda y, p, beta: f_beta(y, p, beta, lambda tp, fp, fn, b: (tp / (tp + fp) + b**2 * tp / (tp + fn)) / (1 + b**2)),
         "arithmetic"),
        (f_beta_of_the_negatives, "False comes first"),
        (lambda y, p, beta: f_beta(y, p, beta, lambda tp, fp, fn, b: tp / (2 * tp + fp + fn)), "your result is"),
    ],
    "top-k": [
        (lambda A, labels, k: top(A, labels, k, axis=0), "down the columns"),
        (lambda A, labels, k: top(A, labels, k, places=lambda order, k: order[:, :k]), "the k least probable"),
        (lambda A, labels, k: (A.argmax(axis=1) == labels).mean(), "the first answer"),
        (lambda A, labels, k: top(A, labels, k, places=lambda order, k: order[:, [-k]]), "the k-th place alone"),
        (lambda A, labels, k: top(A, labels, k, places=lambda order, k: order[:, -k - 1:]), "k + 1 places"),
        (lambda A, labels, k: top(A, labels, k, end=np.sum), "divide by m"),
        (lambda A, labels, k: top(A, labels, k, end=np.mean), "the number of places"),
        (lambda A, labels, k: top(A, labels, k, end=lambda hits: hits.any(axis=0).mean()), "Ask of each example"),
        (lambda A, labels, k: top(A, labels, k, end=lambda hits: hits.any(axis=1)), "has shape"),
        (lambda A, labels, k: (A.argmax(axis=0) == labels).mean(), "raises ValueError"),
    ],
    "both-ways": [
        (exponential_average, "the average that runs forward"),
        (lambda v, beta: exponential_average(v[::-1], beta)[::-1], "from the end to the beginning only"),
        (lambda v, beta: exponential_average(exponential_average(v, beta), beta), "the lag has doubled"),
        (lambda v, beta: exponential_average(exponential_average(v, beta)[::-1], beta), "turn it round again"),
        (lambda v, beta: (exponential_average(v, beta) + exponential_average(v[::-1], beta)[::-1]) / 2, "the mean of"),
        (lambda v, beta: from_zero(from_zero(v, beta)[::-1], beta)[::-1], "divide by 1 − βᵗ"),
        (lambda v, beta: exponential_average(from_zero(v, beta)[::-1], beta)[::-1], "is not right"),
    ],
    "mistake-shares": [
        (lambda C: C / C.sum(axis=1, keepdims=True), "the diagonal is still there"),
        (lambda C: mistakes_in(C) / C.sum(axis=1, keepdims=True), "all of its examples"),
        (lambda C: mistakes_in(C) / np.maximum(mistakes_in(C).sum(axis=1), 1), "keepdims=True"),
        (lambda C: mistakes_in(C) / mistakes_in(C).sum(axis=0), "shares of the columns"),
        (lambda C: mistakes_in(C) / mistakes_in(C).sum(), "shares of all mistakes"),
        (lambda C: mistakes_in(C) / C.sum(), "shares of all examples"),
        (mistakes_in, "the mistakes themselves"),
        (lambda C: mistakes_in(C) / mistakes_in(C).sum(axis=1, keepdims=True), "0/0"),
        (lambda C: np.fill_diagonal(C, 0), "changes its argument C in place"),
    ],
    "regions": [
        (lambda predict, u, v: regions(predict, u, v).T, "turned over"),
        (lambda predict, u, v: regions(predict, u, v, points=grid_by_columns, shape=lambda u, v: (len(u), len(v))),
         "turned over"),
        (lambda predict, u, v: regions(predict, u, v, points=grid_by_columns), "u has to run fastest"),
        (lambda predict, u, v: regions(predict, u, v, points=lambda u, v: points_of(u, v)[:, ::-1]), "changed places"),
        (lambda predict, u, v: regions(predict, u, v[::-1]), "on its head"),
        (lambda predict, u, v: regions(predict, u, v, pick=np.max), "the largest probabilities"),
        (lambda predict, u, v: regions(predict, u, v, pick=np.argmin), "the least probable"),
        (lambda predict, u, v: regions(predict, u, v) + 1, "counted from 1"),
        (lambda predict, u, v: regions(predict, u, v, shape=lambda u, v: -1), "only their arrangement is not"),
        (lambda predict, u, v: predict(points_of(u, v)).argmax(axis=0).reshape(len(v), len(u)), "it raises ValueError"),
    ],
    "cost-in-batches": [
        (lambda cost, X, Y, size: in_batches(cost, X, Y, size, lambda n, size: 1, lambda total, m, K, size: total / K),
         "the mean of the batch costs"),
        (in_batches_without_the_short_one, "is left out"),
        (lambda cost, X, Y, size: in_batches(cost, X, Y, size, last=False), "is missing in the sum"),
        (lambda cost, X, Y, size: in_batches(cost, X, Y, size, lambda n, size: 1, lambda total, m, K, size: total),
         "this is the sum of the batch costs"),
        (lambda cost, X, Y, size: in_batches(cost, X, Y, size, end=lambda total, m, K, size: total), "divide by m"),
        (lambda cost, X, Y, size: in_batches(cost, X, Y, size, lambda n, size: 1), "is a mean already"),
        (lambda cost, X, Y, size: in_batches(cost, X, Y, size, lambda n, size: size), "counts with batch_size"),
        (lambda cost, X, Y, size: in_batches(cost, X, Y, size, end=lambda total, m, K, size: total / K / size),
         "more than m"),
        (lambda cost, X, Y, size: cost(X, Y), "with 7 examples at once"),
        (in_batches_and_one_more, "with an empty batch"),
    ],
    "halve-on-plateau": [
        (HalveLate, "one epoch late"),
        (HalveEarly, "one epoch early"),
        (HalveByValidation, "the rate never changes"),
        (HalveByPrevious, "the one before it"),
        (HalveEveryEpoch, "after every one"),
        (HalveOnce, "halved once, however long"),
        (HalveOnEqual, "counts as fallen"),
        (HalveInTotal, "need to be in a row"),
        (HalveFromTheStart, "the first training counts in the second"),
        (HalveWithoutMemory, "it raises AttributeError"),
        (Halve(), "leave the parentheses out"),
    ],
    "stop-early": [
        (lambda *given: stop_early(*given, copy=lambda theta: theta), "keep theta.copy()"),
        (lambda *given: stop_early(*given, late=1), "one epoch too late"),
        (lambda *given: stop_early(*given, late=-1), "too early"),
        (lambda theta, epoch, cost, epochs, patience: stop_early(theta, epoch, cost, epochs, 1), "patience is not used"),
        (lambda *given: stop_early(*given, stop=False), "it never stops: the best parameters"),
        (lambda *given: stop_early(*given, stop=False, copy=lambda theta: theta), "it never stops, and returns"),
        (lambda *given: stop_early(*given, previous=True), "the one before it"),
        (lambda *given: stop_early(*given, better=lambda J, low: J <= low), "an equal cost counts as better"),
        (lambda *given: stop_early(*given, reset=False), "need to be in a row"),
        (stop_early_by_position, "it goes on after the last"),
        (lambda *given: stop_early(*given)[0], "nothing else"),
        (lambda *given: None, "is a `return` missing?"),
    ],
}
