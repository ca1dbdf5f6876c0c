"""The latest predictions: codec, merge rule, store, writer and read-only views."""
