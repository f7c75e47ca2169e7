"""Proof: gradients checked against finite differences, equations against their own LaTeX."""

from nnbook.validation.gradient_check import (
    gradient_check_layer,
    gradient_check_model,
    numerical_gradient,
    relative_error,
)

__all__ = ["numerical_gradient", "relative_error", "gradient_check_layer", "gradient_check_model"]
