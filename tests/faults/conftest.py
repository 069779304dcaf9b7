"""sdsstools leaves a file open when it is imported; here that is nobody's fault."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ResourceWarning)
    import clu
    import sdsstools

__all__ = ["clu", "sdsstools"]
