"""Chapter 10: the metrics, against scikit-learn to the last digit, and against wrong arguments."""

import itertools
import math
import warnings

import numpy as np
import pytest

from nnbook.utils.metrics import (
    UndefinedMetricWarning,
    accuracy,
    confusion_matrix,
    f1_score,
    precision,
    r2_score,
    recall,
)

reference = pytest.importorskip("sklearn.metrics")
from sklearn.exceptions import UndefinedMetricWarning as TheirWarning  # noqa: E402

PAIRS = {
    "precision": (precision, reference.precision_score),
    "recall": (recall, reference.recall_score),
    "f1_score": (f1_score, reference.f1_score),
}
AVERAGES = ["micro", "macro", "weighted", None]
ZERO_DIVISIONS = ["warn", 0, 1, math.nan]
TEXT = np.array(["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibex", "jay", "kiwi"])


def same(ours, theirs):
    """Equal to the last bit, NaN equal to NaN."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    np.testing.assert_array_equal(ours, theirs)


def both(name, *args, **kwargs):
    """What we and scikit-learn return, and whether either warned that a ratio is undefined."""
    results, warned = [], []
    for function, category in zip(PAIRS[name], (UndefinedMetricWarning, TheirWarning), strict=True):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results.append(function(*args, **kwargs))
        warned.append(sum(issubclass(w.category, category) for w in caught))
        others = [w for w in caught if not issubclass(w.category, category)]
        assert not others, [str(w.message) for w in others]
    return results, warned


def labels_of_every_kind(rng, m, K):
    """Random true and predicted labels: integers, gaps, negatives, whole floats, text, booleans."""
    true, pred = rng.integers(K, size=m), rng.integers(K, size=m)
    pred = np.where(rng.random(m) < 0.5, true, pred)
    kinds = [
        lambda y: y,
        lambda y: y.astype(np.uint8),
        lambda y: 7 * y - 9,
        lambda y: y.astype(np.float64) - 2,
        lambda y: TEXT[y],
        lambda y: TEXT[y].astype(object),
        lambda y: y[:, None],
        lambda y: y.tolist(),
    ]
    if K == 2:
        kinds.append(lambda y: y.astype(bool))
    return [(kind(true), kind(pred)) for kind in kinds]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("zero_division", ZERO_DIVISIONS, ids=str)
def test_averages_equal_the_reference(name, zero_division):
    rng = np.random.default_rng(10)
    undefined = 0
    for m, K in itertools.product((1, 2, 5, 60), (1, 2, 3, 11)):
        for true, pred in labels_of_every_kind(rng, m, K):
            for average in AVERAGES:
                (ours, theirs), warned = both(
                    name, true, pred, average=average, zero_division=zero_division)
                same(ours, theirs)
                assert warned[0] == warned[1]
                assert isinstance(ours, np.ndarray if average is None else float)
                undefined += warned[0]
    # the policy was really needed; a class that occurs has an F1
    assert (undefined > 0) == (zero_division == "warn" and name != "f1_score")


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("zero_division", ZERO_DIVISIONS, ids=str)
def test_binary_equals_the_reference(name, zero_division):
    rng = np.random.default_rng(11)
    for _, m in itertools.product(range(5), (1, 2, 3, 9)):
        true, pred = rng.integers(2, size=m), rng.integers(2, size=m)
        if len(np.union1d(true, pred)) == 2:
            cases = [(true, pred, label) for label in (0, 1)]
            cases += [(TEXT[true], TEXT[pred], label) for label in ("ant", "bee")]
            cases += [(true.astype(bool), pred.astype(bool), label) for label in (True, False)]
        else:
            cases = [(true, pred, 1), (true, pred, 0), (true, pred, 5)]
        for y_true, y_pred, pos_label in cases:
            (ours, theirs), warned = both(
                name, y_true, y_pred, pos_label=pos_label, zero_division=zero_division)
            same(ours, theirs)
            assert warned[0] == warned[1]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("zero_division", ZERO_DIVISIONS, ids=str)
def test_chosen_labels_equal_the_reference(name, zero_division):
    rng = np.random.default_rng(12)
    for _ in range(12):
        K = int(rng.integers(2, 11))
        true, pred = rng.integers(K, size=12), rng.integers(K, size=12)
        chosen = rng.permutation(12)[: rng.integers(1, 12)]  # some of them occur nowhere
        for average in AVERAGES:
            (ours, theirs), warned = both(
                name, true, pred, labels=chosen, average=average, zero_division=zero_division)
            same(ours, theirs)
            assert warned[0] == warned[1]
        chosen = rng.permutation(TEXT)[:5]
        for average in AVERAGES:
            (ours, theirs), _ = both(
                name, TEXT[true], TEXT[pred], labels=chosen, average=average,
                zero_division=zero_division)
            same(ours, theirs)


def test_labels_are_not_used_for_binary():
    y = [0, 1, 1], [1, 1, 0]
    assert precision(*y, labels=[0]) == reference.precision_score(*y, labels=[0]) == precision(*y)


def test_accuracy_equals_the_reference():
    rng = np.random.default_rng(13)
    for m, K in itertools.product((1, 2, 7, 1000), (1, 2, 3, 11)):
        for true, pred in labels_of_every_kind(rng, m, K):
            assert accuracy(true, pred) == reference.accuracy_score(true, pred)


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_confusion_matrix_equals_the_reference(normalize):
    rng = np.random.default_rng(14)
    for m, K in itertools.product((1, 2, 7, 300), (2, 3, 11)):
        for true, pred in labels_of_every_kind(rng, m, K):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                ours = confusion_matrix(true, pred, normalize=normalize)
                theirs = reference.confusion_matrix(true, pred, normalize=normalize)
            same(ours, theirs)
            assert ours.dtype.kind == theirs.dtype.kind


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_confusion_matrix_of_chosen_labels(normalize):
    rng = np.random.default_rng(15)
    for _ in range(20):
        true, pred = rng.integers(6, size=9), rng.integers(6, size=9)
        chosen = np.append(rng.permutation(9)[: rng.integers(1, 9)], true[0])
        chosen = chosen[np.sort(np.unique(chosen, return_index=True)[1])]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            for of in (lambda y: y, lambda y: TEXT[y]):
                ours = confusion_matrix(of(true), of(pred), labels=of(chosen), normalize=normalize)
                theirs = reference.confusion_matrix(
                    of(true), of(pred), labels=of(chosen), normalize=normalize)
                same(ours, theirs)


def test_a_single_class_is_said():
    with pytest.warns(UserWarning, match="only one class occurs"):
        assert confusion_matrix([3, 3], [3, 3]).tolist() == [[2]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert confusion_matrix([3, 3], [3, 3], labels=[1, 3]).tolist() == [[0, 0], [0, 2]]
        assert confusion_matrix([3, 3], [3, 3], labels=[3]).tolist() == [[2]]
        assert confusion_matrix([0, 1], [1, 1]).tolist() == [[0, 1], [0, 1]]


def test_rows_stand_for_their_largest_entry():
    rng = np.random.default_rng(16)
    scores = rng.random((40, 5))
    A = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    y = rng.integers(5, size=40)
    Y = np.eye(5, dtype=int)[y]
    classes = A.argmax(axis=1)
    assert accuracy(Y, A) == accuracy(y, A) == accuracy(Y, classes) == accuracy(y, classes)
    same(confusion_matrix(Y, A), confusion_matrix(y, classes))
    assert f1_score(Y, A, average="macro") == f1_score(y, classes, average="macro")
    assert accuracy([[0.5, 0.5], [0.5, 0.5]], [0, 1]) == 0.5


def test_micro_is_accuracy_and_so_is_weighted_recall():
    rng = np.random.default_rng(17)
    true, pred = rng.integers(4, size=50), rng.integers(4, size=50)
    a = accuracy(true, pred)
    for metric in (precision, recall, f1_score):
        assert metric(true, pred, average="micro") == a
    assert recall(true, pred, average="weighted") == pytest.approx(a, rel=1e-15)


def test_pos_label_that_is_ignored_is_said():
    with pytest.warns(UserWarning, match="pos_label = 2 is ignored"):
        precision([0, 1, 2], [0, 1, 2], average="macro", pos_label=2)


def test_the_warning_says_which_ratio_and_points_at_the_caller():
    missing_for = {precision: "predicted", recall: "true", f1_score: "true or predicted"}
    for metric, missing in missing_for.items():
        with pytest.warns(UndefinedMetricWarning, match=f"lack of {missing} examples") as caught:
            assert metric([0, 0], [0, 0]) == 0
        assert caught[0].filename == __file__


@pytest.mark.parametrize("shape", [(2,), (9,), (30, 1), (30, 3), (1000,)])
def test_r2_equals_the_reference(shape):
    rng = np.random.default_rng(18)
    for scale in (0.1, 1, 10):
        true = rng.normal(size=shape)
        pred = true + scale * rng.normal(size=shape)
        assert r2_score(true, pred) == reference.r2_score(true, pred)
        assert r2_score(true, true) == 1
    assert r2_score(np.float32(true), np.float32(pred)) == reference.r2_score(
        np.float64(np.float32(true)), np.float64(np.float32(pred)))


def test_r2_of_columns_from_the_smallest_to_the_largest_numbers():
    true, pred = np.array([[1e-200, 1e200], [2e-200, 3e200], [4e-200, 2e200]]), np.array([[1.0, 1.0], [2.0, 3.0], [3.0, 2.0]])
    size = np.array([1e-200, 1e200])
    assert r2_score(true, pred * size) == pytest.approx(r2_score(true / size, pred), rel=1e-12)
    assert r2_score([1.0, 2.0], [1e300, -1e300]) < -1e300


def test_r2_where_the_target_is_constant():
    for true, pred in (
        ([2, 2, 2], [2, 2, 2]), ([2, 2, 2], [2, 2, 3]), ([[1, 5], [2, 5]], [[1, 5], [2, 6]]),
    ):
        assert r2_score(true, pred) == reference.r2_score(true, pred)
    with pytest.warns(UndefinedMetricWarning, match="at least 2 examples"):
        assert math.isnan(r2_score([1.0], [1.0]))


def test_r2_accepts_a_column_for_a_vector():
    assert r2_score([1.0, 2, 3], [[1.0], [2], [4]]) == 0.5


METRICS = [accuracy, confusion_matrix, precision, recall, f1_score]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("true", "pred", "error", "message"),
    [
        ([], [], ValueError, r"y_true .* got \(0,\)"),
        ([0, 1], [0, 1, 1], ValueError, "one length, got 2 and 3"),
        (1, 1, ValueError, r"y_true .* got \(\)"),
        ([0, 1], [0.2, 0.9], ValueError, "y_pred must hold classes, got the fraction 0.2"),
        ([0, np.nan], [0, 1], ValueError, "y_true must hold finite numbers"),
        ([0, 1], [0, np.inf], ValueError, "y_pred must hold finite numbers"),
        (["a", "b"], [0, 1], TypeError, "both hold numbers or both hold text"),
        ([None, 1], [0, 1], TypeError, "y_true must hold numbers or text, got object"),
        ([b"a", b"b"], [b"a", b"a"], TypeError, "y_true must hold numbers or text"),
        ([1j, 0], [0, 1], TypeError, "y_true must hold numbers or text, got complex"),
        ([[0, 1], [1]], [0, 1], ValueError, "y_true must be a list of labels, got a ragged"),
        ([0, 1], [[2.0, -1.0], [0.0, 1.0]], ValueError, "y_pred of shape .* got row 0"),
        ([0, 1], [[1, 1], [0, 1]], ValueError, "y_pred of shape .* sum to 1, got row 0"),
        ([0, 2], [[1, 0], [0, 1]], ValueError, "y_true must hold classes from 0 to 1"),
        ([[1, 0, 0], [0, 1, 0]], [[1, 0], [0, 1]], ValueError, "number of columns, got 3 and 2"),
        ([["a", "b"]], [["a", "b"]], TypeError, "text labels in one column"),
        (np.zeros((2, 2, 2)), [0, 1], ValueError, r"y_true .* got \(2, 2, 2\)"),
        ([[np.nan, 1], [0, 1]], [0, 1], ValueError, "y_true must hold finite numbers"),
    ],
)
def test_what_is_no_label_is_refused(metric, true, pred, error, message):
    with pytest.raises(error, match=message):
        metric(true, pred)


@pytest.mark.parametrize("metric", METRICS[2:])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"average": "mean"}, ValueError, "average must be .* got 'mean'"),
        ({}, ValueError, "average='binary' expects at most 2 classes, got 3"),
        ({"average": "macro", "zero_division": 2}, ValueError, "zero_division must be .* got 2"),
        ({"average": "macro", "zero_division": "nan"}, ValueError, "zero_division must be"),
        ({"average": "macro", "zero_division": True}, ValueError, "zero_division must be"),
        ({"average": "macro", "labels": []}, ValueError, "labels"),
        ({"average": "macro", "labels": [0, 0]}, ValueError, "labels must be different"),
        ({"average": "macro", "labels": ["a"]}, TypeError, "labels must be of the kind of y_true"),
    ],
)
def test_wrong_arguments_are_refused(metric, arguments, error, message):
    with pytest.raises(error, match=message):
        metric([0, 1, 2], [0, 2, 1], **arguments)


def test_an_unknown_positive_class_is_refused():
    with pytest.raises(ValueError, match=r"pos_label must be one of \['a', 'b'\], got 1"):
        precision(["a", "b"], ["a", "b"])


def test_confusion_matrix_refuses():
    with pytest.raises(ValueError, match=r"normalize must be .* got 'rows'"):
        confusion_matrix([0, 1], [0, 1], normalize="rows")
    with pytest.raises(ValueError, match="at least one class that occurs in y_true"):
        confusion_matrix([0, 1], [2, 1], labels=[2, 3])


@pytest.mark.parametrize(
    ("true", "pred", "error", "message"),
    [
        ([1, 2], [1, 2, 3], ValueError, "one shape"),
        ([[1, 2]] * 2, [1, 2], ValueError, "one shape"),
        ([], [], ValueError, "r2_score expects y_true"),
        ([1, np.nan], [1, 2], ValueError, "y_true must hold finite"),
        ([1, 2], ["a", "b"], TypeError, "y_pred"),
    ],
)
def test_r2_refuses(true, pred, error, message):
    with pytest.raises(error, match=message):
        r2_score(true, pred)


def test_arguments_are_not_changed():
    true, pred = np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])
    for metric in METRICS:
        metric(true, pred, **({} if metric in METRICS[:2] else {"average": "macro"}))
    assert true.tolist() == [0, 1, 1, 2] and pred.tolist() == [0, 1, 2, 2]
