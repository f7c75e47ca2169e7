"""Matplotlib's backend in the page: a figure that is shown becomes a picture below its cell."""

import io
import sys

from matplotlib._pylab_helpers import Gcf
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

__all__ = ["FigureCanvas", "show"]


def show(*args, **kwargs):
    """Show all figures and close them, as Jupyter does."""
    for manager in Gcf.get_all_fig_managers():
        figure, png = manager.canvas.figure, io.BytesIO()
        figure.savefig(png, format="png", bbox_inches="tight")
        sys.modules["page_output"].picture(png.getvalue())
    Gcf.destroy_all()
