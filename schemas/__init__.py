"""The vocabulary: event structs, keys, schemas and errors. Imports nothing of ours and does no I/O."""
