"""The mathematics: activations, initialisers, layers, losses and optimizers."""

from nnbook.core.activations import Activation, Identity, LeakyReLU, ReLU, SELU, Sigmoid, Softmax, Tanh
from nnbook.core.initializers import He, Initializer, LeCun, Xavier, default_initializer
from nnbook.core.layer import DenseLayer, Layer
from nnbook.core.losses import BinaryCrossEntropyLoss, CrossEntropyLoss, Loss, MSELoss
from nnbook.core.optimizers import SGD, Adam, Momentum, Optimizer

__all__ = ["Activation", "Identity", "ReLU", "LeakyReLU", "SELU", "Sigmoid", "Tanh", "Softmax",
           "Initializer", "He", "Xavier", "LeCun", "default_initializer", "Layer", "DenseLayer",
           "Loss", "MSELoss", "CrossEntropyLoss", "BinaryCrossEntropyLoss",
           "Optimizer", "SGD", "Momentum", "Adam"]
