"""Around the machine: data, metrics and pictures."""

from nnbook.utils.data_utils import Standardizer, batches, one_hot, shuffle, train_test_split

__all__ = ["Standardizer", "batches", "one_hot", "shuffle", "train_test_split"]
