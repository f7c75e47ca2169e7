"""Wrong answers that people give to the exercises of chapters 13 to 16 and of three appendices, and what they must be told."""

import numpy as np

from nnbook import Optimizer
from nnbook.examples.mnist import shift_images

# ---- XOR ---------------------------------------------------------------------------------------

ONES = np.ones((2, 2))


def parity(W=np.ones, b=lambda k: -k, v=lambda k: np.where(k == 0, 1, 2 * (-1) ** k)):
    def parity_weights(n):
        k = np.arange(n)
        return W((n, n)), b(k), v(k)

    return parity_weights


# ---- spirals -----------------------------------------------------------------------------------


def shell(r=lambda t, r_0: r_0 ** (1 - t), phi=lambda t, k, K: 2 * np.pi * (t + k / K)):
    def shell_curve(t, k, arms, r_0):
        radius, angle = r(t, r_0), phi(t, k, arms)
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)

    return shell_curve


def unwound(angle=lambda r: -2 * np.pi * (r - 0.1) / 0.9):
    def answer(X):
        alpha = angle(np.linalg.norm(X, axis=1))
        c, s = np.cos(alpha), np.sin(alpha)
        return np.column_stack([c * X[:, 0] - s * X[:, 1], s * X[:, 0] + c * X[:, 1]])

    return answer


def unwound_in_place(X):
    angle = -2 * np.pi * (np.linalg.norm(X, axis=1) - 0.1) / 0.9
    c, s = np.cos(angle), np.sin(angle)
    X[:, 0] = c * X[:, 0] - s * X[:, 1]
    X[:, 1] = s * X[:, 0] + c * X[:, 1]
    return X


def unwound_from_the_new(X):
    return unwound_in_place(X.copy())


def unwound_of_all(X):
    angle = -2 * np.pi * (np.linalg.norm(X) - 0.1) / 0.9
    return X @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]


# ---- regression --------------------------------------------------------------------------------


def score(y_test, y_hat, reference):
    return 1 - np.mean((y_test - y_hat) ** 2) / np.mean((y_test - reference) ** 2)


def pieces(kinks=lambda w, b: -b / w, jump=lambda w, v: v * np.abs(w), first=lambda w, v: v @ np.minimum(w, 0),
           order=lambda kinks: np.argsort(kinks)):
    def answer(w, b, v):
        x = kinks(w, b)
        jumps = jump(w, v)[order(x)]
        return np.sort(x), first(w, v) + np.concatenate([[0], np.cumsum(jumps)])

    return answer


# ---- digits ------------------------------------------------------------------------------------


def augmented(move=shift_images, labels=lambda c, n: np.tile(c, n)):
    def answer(X, c, moves):
        return np.concatenate([move(X, down, right) for down, right in moves]), labels(c, len(moves))

    return answer


def rolled(X, down, right):
    return np.roll(X.reshape(-1, 28, 28), (down, right), axis=(1, 2)).reshape(len(X), 784)


def augmented_on_and_on(X, c, moves):
    copies = []
    for down, right in moves:
        X = shift_images(X, down, right)
        copies.append(X)
    return np.concatenate(copies), np.tile(c, len(moves))


def augmented_one_by_one(X, c, moves):
    copies = [shift_images(x[None], down, right) for x in X for down, right in moves]
    return np.concatenate(copies), np.repeat(c, len(moves))


def calibration(gap=lambda p, right: abs(p.mean() - right.mean()), weight=lambda inside: inside.mean(),
                probability=lambda A, c: A.max(axis=1), last=True, empty=False):
    def answer(A, c, n_bins):
        p, right = probability(A, c), A.argmax(axis=1) == c
        number = (n_bins * p).astype(int)
        if last:
            number = np.minimum(number, n_bins - 1)
        held = [number == j for j in range(n_bins + 1)]
        return sum(weight(inside) * gap(p[inside], right[inside]) for inside in held if empty or inside.any())

    return answer


def calibration_from_middles(A, c, n_bins):
    p, right = A.max(axis=1), A.argmax(axis=1) == c
    number = np.minimum((n_bins * p).astype(int), n_bins - 1)
    return sum(np.mean(number == j) * abs((j + 0.5) / n_bins - np.mean(right[number == j])) for j in set(number))


def calibration_by_edges(A, c, n_bins):
    p, right = A.max(axis=1), A.argmax(axis=1) == c
    total = 0
    for j in range(n_bins):
        inside = (p >= j / n_bins) & (p < (j + 1) / n_bins)
        if inside.any():
            total += inside.mean() * abs(p[inside].mean() - right[inside].mean())
    return total


# ---- the appendices ----------------------------------------------------------------------------


class Steps(Optimizer):
    def __init__(self, lr=0.01, weight_decay=0.0):
        super().__init__(lr, weight_decay)


class SignUp(Steps):
    def update(self, theta, grad, lr):
        theta += lr * np.sign(grad)


class SignByDivision(Steps):
    def update(self, theta, grad, lr):
        theta -= lr * grad / np.abs(grad)


class SignByLength(Steps):
    def update(self, theta, grad, lr):
        theta -= lr * grad / np.linalg.norm(grad)


class SignForgotten(Steps):
    def update(self, theta, grad, lr):
        theta -= lr * grad


class SignOfTwo(Steps):
    def update(self, theta, grad, lr):
        theta -= lr * np.where(grad > 0, 1, -1)


class SignStill(Steps):
    def update(self, theta, grad, lr):
        theta = theta - lr * np.sign(grad)


class SignWithoutRate(Steps):
    def update(self, theta, grad, lr):
        theta -= np.sign(grad)


class SignOnlyOnce(Steps):
    def update(self, theta, grad, lr):
        if self.t == 1:
            theta -= lr * np.sign(grad)


def program(g=np.tanh, slope=lambda A: 1 - A * A, order=True, mean=True):
    def train(X, Y, W, b, lr, steps):
        m, L, costs = len(X), len(W), []
        for _ in range(steps):
            A = [X]
            for l in range(L - 1):
                A.append(g(A[l] @ W[l] + b[l]))
            Z = A[-1] @ W[-1] + b[-1]
            E = np.exp(Z - Z.max(axis=1, keepdims=True))
            P = E / E.sum(axis=1, keepdims=True)
            costs.append(-np.sum(Y * np.log(P)) / m)
            dZ = P - Y
            for l in reversed(range(L)):
                dW, db = A[l].T @ dZ / (m if mean else 1), dZ.mean(axis=0)
                if not order:
                    W[l] -= lr * dW
                if l > 0:
                    dZ = (dZ @ W[l].T) * slope(A[l])
                if order:
                    W[l] -= lr * dW
                b[l] -= lr * db
        return costs

    return train


def relu(Z):
    return np.maximum(Z, 0)


WRONG = {
    "xor-by-signs": [
        ((ONES, [1, 1], [1, 1], 1), "this is OR"),
        ((ONES, [-1, -1], [1, 1], -1), "this is AND"),
        ((ONES, [0, -1], [1, -2], 0), "come from the chapter"),
        ((ONES, [1, -1], [-1, 1], 1), "the opposite of what is asked for"),
        ((ONES, [1, -1], [1, -1], -3), "your lamp is 0 everywhere, whatever goes in"),
        ((ONES, [1, -1], [1, -1], 3), "your lamp is 1 everywhere, whatever goes in"),
        (([[1, 1], [-1, 1]], [-1, -1], [1, -1], -1), "your lamp is wrong at (−1, 1) and right elsewhere"),
        ((ONES, [1, -1], [[1], [-1]], -1), "your v has shape (2, 1), and (2,) is expected"),
        ((ONES, [1, -1], [1, -1]), "W, b, v, c are asked for, in this order"),
        (lambda X: X, "hand over W, b, v and c"),
    ],
    "parity": [
        (parity(v=lambda k: np.where(k == 0, 1, np.where(k == 1, -1, 0))), "as that of OR"),
        (parity(v=lambda k: (-1) ** k), "each bend has to turn it by 2"),
        (parity(v=lambda k: np.array([1, -2, 2, 0, 0])[:len(k)]), "right up to three bits"),
        (parity(b=lambda k: 0 * k), "all units bend at 0"),
        (parity(b=lambda k: k), "the biases have the wrong sign"),
        (parity(b=lambda k: -1 - k), "one bit too late"),
        (parity(W=lambda shape: np.eye(shape[0])), "this is the first bit"),
        (lambda n: (np.ones((3, 3)), [0, -1, -2], [1, -2, 2]), "it raises ValueError on one bit"),
        (lambda n: np.ones((n, n)), "W, b, v are asked for, in this order"),
        (parity(v=lambda k: 2 * np.where(k == 0, 1, 2 * (-1) ** k)), "your answer is 2 times too large everywhere"),
    ],
    "shell": [
        (shell(phi=lambda t, k, K: 2 * np.pi * t), "all arms lie on the first"),
        (shell(phi=lambda t, k, K: 2 * np.pi * (t + k)), "all arms lie on the first"),
        (shell(phi=lambda t, k, K: 2 * np.pi * (t + k / 3)), "the arms are turned by thirds"),
        (shell(phi=lambda t, k, K: 2 * np.pi * t + k / K), "turned by k/K"),
        (shell(phi=lambda t, k, K: 360 * (t + k / K)), "np.cos expects radians"),
        (shell(r=lambda t, r_0: r_0 + (1 - r_0) * t), "by equal amounts"),
        (shell(r=lambda t, r_0: r_0**t), "ends at r_0"),
        (shell(r=lambda t, r_0: r_0 * np.exp(t)), "from r_0 to e·r_0"),
        (shell(phi=lambda t, k, K: 2 * np.pi * (t - k / K)), "right on the first of three arms"),
        (lambda t, k, arms, r_0: shell()(t, k, arms, r_0).T, "it is the transpose of the right one"),
        (lambda t, k: shell()(t, k, 3, 0.1), "takes t, k; it will be called with 4 arguments, t, k, arms, r_0"),
    ],
    "unwind": [
        (unwound(lambda r: 2 * np.pi * (r - 0.1) / 0.9), "turned forward"),
        (unwound(lambda r: -2 * np.pi * r), "takes the distance r for t"),
        (unwound(lambda r: -2 * np.pi * (r - 0.1)), "divide it by 1 − r_0"),
        (unwound(lambda r: -(r - 0.1) / 0.9), "it is 2πt"),
        (unwound_in_place, "changes its argument X in place"),
        (unwound_from_the_new, "already turned"),
        (unwound_of_all, "your result is not right"),
        (lambda X: unwound()(X) / np.linalg.norm(X, axis=1, keepdims=True), "does not change the distance"),
    ],
    "forecast-score": [
        (lambda y_train, y_test, y_hat: score(y_test, y_hat, y_test.mean()), "take the mean of y_train"),
        (lambda y_train, y_test, y_hat: np.corrcoef(y_test, y_hat)[0, 1] ** 2, "the square of the correlation"),
        (lambda y_train, y_test, y_hat: 1 - np.mean((y_test - y_hat) ** 2) / y_train.var(), "variance of y_train"),
        (lambda y_train, y_test, y_hat: 1 - score(y_test, y_hat, y_train.mean()), "the share that is left"),
        (lambda y_train, y_test, y_hat: score(y_test, y_hat, 0), "the constant of this reference is 0"),
        (lambda y_train, y_test, y_hat: 1 - np.sum((y_test - y_hat) ** 2) / np.mean((y_test - y_train.mean()) ** 2),
         "is not right"),
        (lambda y_train, y_test, y_hat: 1 - (y_test - y_hat) ** 2 / np.mean((y_test - y_train.mean()) ** 2),
         "its mean over axis 0 is right"),
    ],
    "pieces": [
        (pieces(kinks=lambda w, b: b / w), "the kinks have the wrong sign"),
        (lambda w, b, v: (-b / w, pieces()(w, b, v)[1]), "the kinks are in the order of the units"),
        (pieces(first=lambda w, v: 0), "the slopes begin with 0. To"),
        (pieces(jump=lambda w, v: v * w), "goes off and takes v w away"),
        (pieces(first=lambda w, v: 0, jump=lambda w, v: v * w), "the slopes begin with 0, and"),
        (pieces(order=lambda x: np.arange(len(x))), "in the order of the units; they"),
        (pieces(jump=lambda w, v: v), "without |w|"),
        (pieces(first=lambda w, v: v @ w), "your slopes is"),
        (lambda w, b, v: (np.sort(-b / w), pieces()(w, b, v)[1][1:]), "your slopes has shape (5,)"),
        (lambda w, b, v: np.sort(-b / w), "kinks, slopes are asked for, in this order; one ndarray came back"),
    ],
    "accuracy-by-class": [
        (lambda C: C.diagonal() / C.sum(axis=0), "That is the precision"),
        (lambda C: C.diagonal() / C.sum(), "sum to the accuracy"),
        (lambda C: 1 - (C.sum(axis=0) + C.sum(axis=1) - 2 * C.diagonal()) / C.sum(), "nobody looks bad"),
        (lambda C: C.trace() / C.sum(), "this is one number, the accuracy"),
        (lambda C: np.mean(C.diagonal() / C.sum(axis=1)), "the mean over the classes"),
        (lambda C: C / C.sum(axis=1, keepdims=True), "now the diagonal holds"),
        (lambda C: [100 * C[k, k] / C[k].sum() for k in range(len(C))], "is 100 times the right one everywhere"),
        (lambda C: C.max(axis=1) / C.sum(axis=1), "right on three classes and ten classes"),
    ],
    "augmentation": [
        (augmented(move=rolled), "np.roll wraps around"),
        (augmented(move=lambda X, down, right: np.roll(X, 28 * down + right, axis=1)), "pushed as a whole"),
        (augmented(labels=lambda c, n: np.repeat(c, n)), "by np.tile and not by np.repeat"),
        (augmented(labels=lambda c, n: c), "labels for one copy only"),
        (augmented(move=lambda X, down, right: shift_images(X, right, down)), "have changed places"),
        (augmented_on_and_on, "moved from where the one before it was left"),
        (augmented_one_by_one, "the order asked for is move by move"),
        (lambda X, c, moves: (np.vstack([X, augmented()(X, c, moves)[0]]), np.tile(c, len(moves) + 1)),
         "your X_more has shape (12, 784) on two images and five moves"),
        (lambda X, c, moves: augmented()(X, c, moves)[0], "X_more, c_more are asked for"),
    ],
    "calibration": [
        (calibration(gap=lambda p, right: p.mean() - right.mean()), "cancel here"),
        (calibration(gap=lambda p, right: np.abs(p - right).mean()), "example by example"),
        (calibration(weight=lambda inside: 1), "without their weights"),
        (calibration(probability=lambda A, c: A[np.arange(len(c)), c]), "how probable the true class was"),
        (calibration(last=False), "a bin of its own"),
        (calibration_from_middles, "the middle of the bin"),
        (calibration_by_edges, "right on forty answers in ten bins and thirty answers in four bins and one answer"),
        (calibration(empty=True), "is nan"),
        (lambda A, c, n_bins: abs(A.max(axis=1).mean() - np.mean(A.argmax(axis=1) == c)), "one gap for all"),
        (calibration(weight=lambda inside: inside.sum()), "is m times too large everywhere"),
    ],
    "sign-descent": [
        (SignUp, "this climbs"),
        (SignForgotten, "plain gradient descent"),
        (SignByLength, "divided by its length"),
        (SignByDivision, "there g / |g| is 0/0"),
        (SignOfTwo, "moves up"),
        (SignStill, "θ does not move"),
        (SignWithoutRate, "the learning rate is missing"),
        (SignOnlyOnce, "right already: θ after one step"),
        (SignUp(), "leave the parentheses out"),
    ],
    "tanh-program": [
        (program(slope=lambda A: A > 0), "but the slope is still that of ReLU"),
        (program(g=relu), "but forward is still ReLU"),
        (program(slope=lambda A: 1 - np.tanh(A) ** 2), "taken twice on the way back"),
        (program(slope=lambda A: 1 - A), "with a square"),
        (program(slope=lambda A: 1), "the slope is missing"),
        (program(mean=False), "your costs is not right"),
        (program(order=False), "right on no hidden layer, but your costs is not right"),
        (lambda *arguments: program()(*arguments)[-1], "has shape () on one hidden layer, and (4,) is expected"),
    ],
    "momentum-bytes": [
        ((3, 40, 40 / 96), "three passes are too few"),
        ((4, 10, 10 / 24), "each has 4 bytes"),
        ((4, 24, 24 / 96), "what is written has to be moved, too"),
        ((4, 80, 80 / 192), "and not 8"),
        ((4, 32, 32 / 96), "read two vectors each"),
        ((4, 40, 0.4), "the ratio of the passes"),
        ((4, 40, 2.4), "turn it over"),
        ((4, 40, 40 / 128), "as it is printed"),
        ((4, 40), "passes, bytes, share are asked for, in this order; 2 things came back"),
    ],
    "least-time": [
        (lambda F, Q, R, B: max(F.sum() / R, Q.sum() / B), "the maximum comes before the sum"),
        (lambda F, Q, R, B: sum(F / R) + sum(Q / B), "computing and moving are added up"),
        (lambda F, Q, R, B: np.maximum(F / R, Q / B), "the time of each part"),
        (lambda F, Q, R, B: np.maximum(F / R, Q / B).max(), "the longest part alone"),
        (lambda F, Q, R, B: np.sum(F / np.minimum(R, B * F / Q)), "the intensity 0"),
        (lambda F, Q, R, B: sum(f / r for f, r in zip(F, R)), "it raises TypeError"),
        (lambda F, Q, R, B: 1e3 * np.maximum(F / R, Q / B).sum(), "is 1000 times the right one everywhere"),
    ],
}
