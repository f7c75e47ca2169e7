"""Data that come with the package; see LICENSE.txt beside them."""
