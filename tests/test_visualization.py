"""Chapter 11: what the figures show, and what they refuse."""

import subprocess
import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import nnbook as nn
from nnbook.utils import visualization as vis


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    """No setting of matplotlib changes, and no global random state."""
    before = dict(matplotlib.rcParams)
    state = np.random.get_state()[1].tolist()
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before
    assert np.random.get_state()[1].tolist() == state


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.DenseLayer(2, 12, nn.ReLU(), rng=rng),
        nn.DenseLayer(12, 4, nn.Tanh(), rng=rng),
        nn.DenseLayer(4, 3, nn.Softmax(), rng=rng),
    )


@pytest.fixture
def points():
    rng = np.random.default_rng(1)
    return rng.normal(size=(60, 2)), rng.integers(3, size=60)


def refuses(error, message, function, *args, **kwargs):
    """An error with the message, and no figure left open."""
    open_figures = plt.get_fignums()
    with pytest.raises(error, match=message):
        function(*args, **kwargs)
    assert plt.get_fignums() == open_figures


def draws(figure):
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    return figure


# training curves

HISTORY = {"loss": [4.0, 2, 1], "val_loss": [3.0, 2, 2], "accuracy": [0.5, 0.6, 0.7]}


def test_history_has_a_panel_a_metric():
    fig = draws(nn.plot_history(HISTORY))
    assert [ax.get_ylabel() for ax in fig.axes] == ["loss", "accuracy"]
    training, validation = fig.axes[0].lines
    assert training.get_xydata().tolist() == [[0.5, 4], [1.5, 2], [2.5, 1]]
    assert validation.get_xydata().tolist() == [[1, 3], [2, 2], [3, 2]]
    assert training.get_linestyle() != validation.get_linestyle()  # not by colour alone
    assert len(fig.axes[1].lines) == 1


def test_history_of_one_metric_smoothed():
    fig = draws(nn.plot_history(HISTORY, "loss", smoothing=0.5))
    (ax,) = fig.axes
    raw, smooth = ax.lines[:2]
    assert raw.get_ydata().tolist() == [4, 2, 1]
    np.testing.assert_allclose(smooth.get_ydata(), vis.exponential_average([4, 2, 1], 0.5))


def test_history_that_model_fit_returns(network, points):
    model = nn.Model(network, nn.CrossEntropyLoss(), nn.SGD(lr=0.1))
    history = model.fit(
        *points, epochs=2, batch_size=20, progress=False, seed=0, validation_split=0.2)
    assert len(draws(nn.plot_history(history)).axes) == 2


@pytest.mark.parametrize(
    ("history", "metrics", "error", "message"),
    [
        ([1, 2], None, TypeError, "history must be an instance of Mapping, got list"),
        ({}, None, ValueError, "the history, which has nothing"),
        (HISTORY, ["lost"], ValueError, r"has loss, val_loss, accuracy; got \['lost'\]"),
        ({"loss": []}, None, ValueError, r"history\['loss'\] must hold one number an epoch"),
        ({"loss": ["a"]}, None, TypeError, r"history\['loss'\]"),
    ],
)
def test_history_refuses(history, metrics, error, message):
    refuses(error, message, nn.plot_history, history, metrics)


def test_smoothing_refuses():
    refuses(ValueError, "smoothing must be", nn.plot_history, HISTORY, smoothing=1)


def test_exponential_average():
    rng = np.random.default_rng(2)
    v = rng.normal(size=20)
    for beta in (0.0, 0.3, 0.9):
        s = vis.exponential_average(v, beta)
        for t in range(1, 21):  # the definition: weights (1 − β) β^(t − i), normalised
            w = (1 - beta) * beta ** np.arange(t - 1, -1, -1)
            assert s[t - 1] == pytest.approx(w @ v[:t] / w.sum(), rel=1e-12)
    np.testing.assert_allclose(vis.exponential_average(np.full(9, 7.0), 0.99), 7, rtol=1e-12)
    refuses(ValueError, "beta must be", vis.exponential_average, v, 1.0)
    refuses(ValueError, "values of shape", vis.exponential_average, [v], 0.5)


# decision boundary


def test_grid_surrounds_the_examples():
    X = np.array([[0.0, 10], [4, 30]])
    points, u, v = vis.decision_grid(X, 5, 0.25)
    np.testing.assert_allclose(u, np.linspace(-1, 5, 5))
    np.testing.assert_allclose(v, np.linspace(5, 35, 5))
    for a in range(5):
        for b in range(5):
            assert points[5 * b + a].tolist() == [u[a], v[b]]
    for X in ([[1, 1]], [[0, 3], [5, 3]]):  # no extent
        for margin in (0, 0.1):
            _, u, v = vis.decision_grid(X, 4, margin)
            assert (np.diff(u) > 0).all() and (np.diff(v) > 0).all()


def test_boundary_stands_where_the_classes_change():
    X, Y = np.array([[-1.0, 0], [1, 1], [0.5, -1]]), [0, 1, 0]
    fig = draws(nn.plot_decision_boundary(lambda X: (X[:, 0] > 0).astype(int), X, Y))
    (ax,) = fig.axes
    lines = [c for c in ax.collections if "Contour" in type(c).__name__]
    where = np.concatenate([path.vertices for c in lines for path in c.get_paths()])
    assert np.abs(where[:, 0]).max() < 0.02
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["class 0", "class 1", "wrong: 1 of 3"]


def test_boundary_of_a_model_on_given_axes(network, points):
    X, Y = points
    model = nn.Model(network, nn.CrossEntropyLoss())
    fig, axes = plt.subplots(1, 2)
    number = len(plt.get_fignums())
    assert nn.plot_decision_boundary(model, X, nn.one_hot(Y), ax=axes[1], resolution=20) is fig
    assert len(plt.get_fignums()) == number
    assert axes[1].has_data() and not axes[0].has_data()


def test_boundary_of_many_classes_tells_them_apart_without_colour():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 2))
    Y = np.arange(80) % 10
    fig = draws(nn.plot_decision_boundary(lambda X: np.zeros(len(X), int), X, Y, resolution=10))
    assert len(fig.axes[0].get_legend().get_texts()) == 11


@pytest.mark.parametrize(
    ("model", "X", "Y", "error", "message"),
    [
        (3, [[0, 1]], [0], TypeError, "model must have predict_classes"),
        (lambda X: X, [[0, 1]], [0], ValueError, "model must give 40000 points"),
        (lambda X: np.zeros(len(X)), [[0, 1, 2]], [0], ValueError, r"X of shape \(m, 2\)"),
        (lambda X: np.zeros(len(X)), [[0, np.nan]], [0], ValueError, "X must hold finite"),
        (lambda X: np.zeros(len(X)), [[0, 1]], [0, 1], ValueError, "X and Y must have one length"),
        (lambda X: np.zeros(len(X)), [[0, 1]], [0.5], ValueError, "Y must hold classes"),
    ],
)
def test_boundary_refuses(model, X, Y, error, message):
    refuses(error, message, nn.plot_decision_boundary, model, X, Y)


def test_axes_are_checked():
    refuses(TypeError, "ax must be an instance of Axes", nn.plot_network,
            nn.Sequential(nn.DenseLayer(2, 1)), ax="here")


# confusion matrix and colours


def test_confusion_matrix_shows_the_counts():
    y_true, y_pred = [0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0]
    fig = draws(nn.plot_confusion_matrix(y_true, y_pred, names=["ant", "bee", "cat"]))
    (ax,) = fig.axes
    shown = np.array([int(text.get_text()) for text in ax.texts]).reshape(3, 3)
    assert (shown == nn.confusion_matrix(y_true, y_pred)).all()
    assert [text.get_position() for text in ax.texts[:2]] == [(0, 0), (1, 0)]  # row 0, columns 0, 1
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["ant", "bee", "cat"]
    np.testing.assert_allclose(ax.images[0].get_array().sum(axis=1), 1)


def test_confusion_matrix_normalised():
    (ax,) = nn.plot_confusion_matrix([0, 0, 1], [0, 1, 1], normalize="pred").axes
    assert [text.get_text() for text in ax.texts] == ["1.00", "0.50", "0.00", "0.50"]


def test_confusion_matrix_of_one_class_and_of_chosen_ones():
    assert nn.plot_confusion_matrix([1, 1], [1, 1]).axes[0].texts[0].get_text() == "2"
    (ax,) = nn.plot_confusion_matrix([0, 1, 2], [0, 1, 1], labels=[2, 1]).axes
    assert [text.get_text() for text in ax.texts] == ["0", "1", "0", "1"]


def test_confusion_matrix_refuses():
    refuses(ValueError, "one length", nn.plot_confusion_matrix, [0, 1], [0])
    y = [0, 1], [1, 0]
    refuses(ValueError, "the 2 classes, got 1", nn.plot_confusion_matrix, *y, names=["a"])
    refuses(ValueError, "normalize must be", nn.plot_confusion_matrix, *y, normalize="x")


def test_numbers_on_colours_are_readable():
    """The contrast of the chosen ink is at least 4.5, what WCAG asks for, on every shade."""
    for shade in matplotlib.colormaps["Blues"](np.linspace(0, 1, 50)):
        assert vis.contrast_ratio(shade, to_rgb(vis._ink(shade))) >= 4.5


def test_luminance_of_known_colours():
    assert vis.relative_luminance(np.eye(3)).tolist() == [0.2126, 0.7152, 0.0722]
    assert vis.relative_luminance([0.5, 0.5, 0.5, 0.2]) == pytest.approx(0.21404, abs=1e-5)
    refuses(ValueError, "between 0 and 1", vis.relative_luminance, [255, 0, 0])
    refuses(ValueError, "shape", vis.relative_luminance, [1, 0])


# images


def test_digits_mark_what_is_wrong_without_colour():
    images = np.random.default_rng(4).random((5, 9))
    fig = draws(nn.plot_digits(images, [0, 1, 2, 3, 4], [0, 1, 7, 3, 4], columns=3))
    assert [ax.get_title() for ax in fig.axes] == ["0", "1", "2 → 7", "3", "4"]
    framed = [all(spine.get_visible() for spine in ax.spines.values()) for ax in fig.axes]
    assert framed == [False, False, True, False, False]
    assert len({ax.images[0].get_clim() for ax in fig.axes}) == 1
    np.testing.assert_array_equal(fig.axes[1].images[0].get_array(), images[1].reshape(3, 3))


def test_digits_without_labels_and_of_other_shapes():
    assert nn.plot_digits(np.zeros((2, 3, 4))).axes[0].get_title() == ""
    fig = nn.plot_digits(np.ones((2, 6)), predictions=[[0.2, 0.8], [0.9, 0.1]], shape=(2, 3))
    assert [ax.get_title() for ax in fig.axes] == ["1", "0"]
    assert fig.axes[0].images[0].get_array().shape == (2, 3)
    draws(nn.plot_digits(np.zeros((1, 4), np.uint8)))


@pytest.mark.parametrize(
    ("images", "arguments", "error", "message"),
    [
        (np.zeros((2, 6)), {}, ValueError, "6 pixels make no square"),
        (np.zeros((2, 6)), {"shape": (2, 2)}, ValueError, "6 pixels each, which is not the 2 × 2"),
        (np.zeros((2, 6)), {"shape": 6}, TypeError, "shape must be a pair"),
        (np.zeros(4), {}, ValueError, r"images must have shape .* got \(4,\)"),
        (np.zeros((0, 4)), {}, ValueError, "images must have shape"),
        (np.zeros((401, 4)), {}, ValueError, "at most 400, got 401"),
        (np.full((1, 4), np.nan), {}, ValueError, "images must hold finite"),
        (np.zeros((2, 4)), {"labels": [1]}, ValueError, "labels must be as many .* 2, got 1"),
        (np.zeros((2, 4)), {"predictions": [1, 2, 3]}, ValueError, "predictions must be as many"),
        (np.zeros((2, 4)), {"columns": 0}, ValueError, "columns must be at least 1"),
    ],
)
def test_digits_refuse(images, arguments, error, message):
    refuses(error, message, nn.plot_digits, images, **arguments)


def test_weights_are_centred_at_zero_on_one_scale():
    W = np.random.default_rng(5).normal(size=(6, 5)) + 1
    fig = draws(nn.plot_weights(W, (2, 3), columns=3))
    images = [ax.images[0] for ax in fig.axes if ax.images]
    assert len(images) == 5
    for j, image in enumerate(images):
        np.testing.assert_array_equal(image.get_array(), W[:, j].reshape(2, 3))
        assert image.get_clim() == (-np.abs(W).max(), np.abs(W).max())
    assert images[0].cmap(0.5)[:3] == pytest.approx((0.97, 0.97, 0.97), abs=0.01)
    draws(nn.plot_weights(np.zeros((4, 3))))
    assert nn.plot_weights(W[:4], limit=0.5).axes[0].images[0].get_clim() == (-0.5, 0.5)


def test_weights_refuse():
    refuses(ValueError, "W of shape", nn.plot_weights, np.zeros(4))
    refuses(ValueError, "columns of W: 6 pixels make no square", nn.plot_weights, np.zeros((6, 2)))
    refuses(ValueError, "limit must be", nn.plot_weights, np.ones((4, 2)), limit=0)


# histograms


def test_bins_are_those_of_numpy():
    rng = np.random.default_rng(6)
    draws = rng.normal(size=500), rng.random(7), rng.exponential(size=3000), np.arange(10.0)
    for values in draws:
        assert vis.bin_count(values) == min(len(np.histogram_bin_edges(values, "auto")) - 1, 100)
    assert vis.bin_count([3, 3, 3]) == 1
    assert vis.bin_count([0] * 100 + [1]) == 8
    assert vis.bin_count(np.append(rng.normal(size=999), 1e6)) == 100
    refuses(ValueError, "at least one value", vis.bin_count, [])
    refuses(ValueError, "finite", vis.bin_count, [1, np.inf])


def test_density_is_that_of_numpy():
    values = np.random.default_rng(7).normal(size=400)
    heights, edges = vis.density(values, 9)
    expected, expected_edges = np.histogram(values, 9, density=True)
    np.testing.assert_allclose(heights, expected)
    np.testing.assert_array_equal(edges, expected_edges)
    halved, _ = vis.density(values, 9, total=800)
    assert (halved * np.diff(edges)).sum() == pytest.approx(0.5)


def test_activations_show_each_layer_and_disturb_nothing(network, points):
    X, Y = points
    loss = nn.CrossEntropyLoss()
    loss.forward(network.forward(X[:5]), Y[:5])
    fig = draws(nn.plot_activations(network, X))
    assert [ax.get_title().split(",")[0] for ax in fig.axes] == ["1: ReLU", "2: Tanh", "3: Softmax"]
    A = network.layers[0].forward(X)
    assert fig.axes[0].get_title() == f"1: ReLU, {np.mean(A == 0):.0%} zeros"
    bars = fig.axes[0].patches[0].get_data()
    area = (bars.values * np.diff(bars.edges)).sum()
    assert area == pytest.approx(np.mean(A != 0))


def test_activations_leave_what_backward_needs(network, points):
    X, Y = points
    loss = nn.CrossEntropyLoss()
    loss.forward(network.forward(X[:5]), Y[:5])
    nn.plot_activations(network, X)
    assert network.backward(loss.backward()).shape == (5, 2)


def test_activations_of_a_dead_layer(network, points):
    network[0].b = np.full(12, -1e6)
    assert nn.plot_activations(network, points[0]).axes[0].get_title() == "1: ReLU, 100% zeros"


def test_activations_refuse(network, points):
    refuses(TypeError, "network must be an instance", nn.plot_activations, "net", points[0])
    refuses(ValueError, r"X of shape \(m, 2\)", nn.plot_activations, network, np.zeros((3, 4)))
    refuses(ValueError, "X must hold finite", nn.plot_activations, network, [[0, np.nan]])


def test_gradients_show_each_layer_on_one_axis(network, points):
    X, Y = points
    loss = nn.CrossEntropyLoss()
    loss.forward(network.forward(X), Y)
    network.backward(loss.backward())
    fig = draws(nn.plot_gradients(network))
    assert len(fig.axes) == 3
    assert len({ax.get_xlim() for ax in fig.axes}) == 1
    for ax, layer in zip(fig.axes, network, strict=True):
        sizes = np.abs(layer.grad[layer.grad != 0])
        assert ax.lines[0].get_xdata()[0] == pytest.approx(np.log10(np.median(sizes)), rel=1e-5)
        bars = ax.patches[0].get_data()
        assert (bars.values * np.diff(bars.edges)).sum() == pytest.approx(np.mean(layer.grad != 0))


def test_gradients_refuse(network):
    refuses(ValueError, "call forward and backward first", nn.plot_gradients, network)
    network.grad[3] = np.nan
    refuses(ValueError, "network.grad must hold finite", nn.plot_gradients, network)
    refuses(TypeError, "network must be an instance", nn.plot_gradients, nn.DenseLayer(2, 2))


# diagram


def test_network_draws_every_unit_and_weight(network):
    fig = draws(nn.plot_network(network, max_units=12))
    (ax,) = fig.axes
    circles = [c for c in ax.collections if type(c).__name__ == "PathCollection"]
    lines = [c for c in ax.collections if type(c).__name__ == "LineCollection"]
    assert [len(c.get_offsets()) for c in circles] == [2, 12, 4, 3]
    assert [len(c.get_segments()) for c in lines] == [24, 48, 12]
    solid = [style[1] is None for style in lines[0].get_linestyle()]
    assert solid == (network[0].W > 0).ravel().tolist()  # the sign, without colour
    widths = np.array(lines[0].get_linewidth())
    assert np.argmax(widths) == np.argmax(np.abs(network[0].W))
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["input\n2", "ReLU\n12", "Tanh\n4", "Softmax\n3"]


def test_network_with_wide_layers_shows_some():
    network = nn.Sequential(nn.DenseLayer(784, 3, rng=0), nn.DenseLayer(3, 1000, rng=0))
    (ax,) = draws(nn.plot_network(network, max_units=6)).axes
    circles = [c for c in ax.collections if type(c).__name__ == "PathCollection"]
    assert [len(c.get_offsets()) for c in circles] == [5, 3, 5]
    assert sum(text.get_text() == "⋮" for text in ax.texts) == 2


def test_network_refuses(network):
    refuses(ValueError, "max_units must be at least 2", nn.plot_network, network, max_units=1)
    refuses(TypeError, "network must be an instance", nn.plot_network, [network])


def test_import_does_not_load_matplotlib():
    code = "import sys, nnbook; assert 'matplotlib' not in sys.modules; nnbook.plot_history"
    subprocess.run([sys.executable, "-c", code], check=True)
