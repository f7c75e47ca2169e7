"""Neural networks from matrix algebra: the package of the book."""

__version__ = "0.1.0"

from nnbook.core import *  # noqa: F403
from nnbook.core import __all__ as _core
from nnbook.network import *  # noqa: F403
from nnbook.network import __all__ as _network
from nnbook.utils import *  # noqa: F403
from nnbook.utils import __all__ as _utils
from nnbook.validation import *  # noqa: F403
from nnbook.validation import __all__ as _validation

__all__ = [*_core, *_network, *_utils, *_validation]
