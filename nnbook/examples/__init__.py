"""The four experiments of the book, a module each: `xor`, `spiral`, `regression` and `mnist`.

Each has its data, `build_network` and `run`.
"""
