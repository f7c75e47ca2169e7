"""Around the machine: data, metrics and pictures."""

from nnbook.utils.data_utils import (
    MNIST,
    DataFileError,
    DownloadError,
    Standardizer,
    batches,
    load_mnist,
    one_hot,
    shuffle,
    train_test_split,
)
from nnbook.utils.metrics import (
    UndefinedMetricWarning,
    accuracy,
    confusion_matrix,
    f1_score,
    precision,
    r2_score,
    recall,
)
from nnbook.utils.visualization import (
    plot_activations,
    plot_confusion_matrix,
    plot_decision_boundary,
    plot_digits,
    plot_gradients,
    plot_history,
    plot_network,
    plot_weights,
    save_history,
)

__all__ = [
    "MNIST", "DataFileError", "DownloadError", "Standardizer", "batches", "load_mnist", "one_hot", "shuffle",
    "train_test_split",
    "UndefinedMetricWarning", "accuracy", "confusion_matrix", "f1_score", "precision", "r2_score",
    "recall",
    "plot_activations", "plot_confusion_matrix", "plot_decision_boundary", "plot_digits",
    "plot_gradients", "plot_history", "plot_network", "plot_weights", "save_history",
]
