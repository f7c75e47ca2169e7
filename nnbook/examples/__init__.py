"""The four experiments of the book, a module each, with a function `run`: xor, spiral, regression, mnist."""
