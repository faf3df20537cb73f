"""The real parts of the local stack, one module each."""
