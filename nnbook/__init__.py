"""Neural networks from matrix algebra: the package of the book."""

__version__ = "0.1.0"

from nnbook import core, network, utils, validation
from nnbook.core import *
from nnbook.network import *
from nnbook.utils import *
from nnbook.validation import *

__all__ = [*core.__all__, *network.__all__, *utils.__all__, *validation.__all__]
