"""The machine: layers in a row, and the loop that trains them."""

from nnbook.network.model import (Callback, EarlyStopping, History, Model, ModelFileError, SaveBest,
                                  TrainingDiverged)
from nnbook.network.sequential import Sequential

__all__ = ["Sequential", "Model", "History", "Callback", "EarlyStopping", "SaveBest", "TrainingDiverged",
           "ModelFileError"]
