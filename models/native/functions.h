/* What the C files of this extension share; the docstring of __init__.py says how to add one. */
#ifndef REVSTREAM_FUNCTIONS_H
#define REVSTREAM_FUNCTIONS_H

/* Only what stays the same from one Python to the next; buffers are part of it since 3.11. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

/* One per function that Python sees; module.c lists them. Arguments come as an array. */
PyObject *add_leaves(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *change_counts(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *change_figures(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *dump_revision(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *expand_bz2_runs(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *in_order(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *longest_run(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *matching_blocks(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *move_sums(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *scan_nodes(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *split_blocks(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *split_tokens(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *tally(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *token_codes(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *tokens_are_sound(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *unpack_bz2_block(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *word_runs(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

/* Fill the table that the checksum of bzip2 is taken by; once, when the module is loaded. */
void make_bz2_sums(void);

/* Raise TypeError unless a function was given so many arguments. Returns 0, or -1 with the error set. */
int expect_arguments(const char *function, Py_ssize_t count, Py_ssize_t expected);

/* Open bytes that hold one item or more, each of so many bytes; to be released after success.
   Returns 0, or -1 with ValueError or TypeError set. */
int open_items(PyObject *object, const char *name, size_t item_bytes, Py_buffer *view);

/* Open a table of float64[rows, columns] in C order, to be written where `flags` is PyBUF_WRITABLE; to be
   released after success. Returns 0, or -1 with ValueError, TypeError or BufferError set. */
int open_table(PyObject *object, const char *name, int flags, Py_buffer *view);

/* A string, its characters, and the class of each character below `known`. */
typedef struct {
    PyObject *object;
    Py_UCS4 *characters;
    Py_ssize_t length;
    const uint8_t *classes;
    Py_UCS4 known;
} Text;

/* Open a string with the classes of characters, one byte for each from the first on; to be closed after
   success. Returns 0, or -1 with the error set. */
int open_text(PyObject *object, PyObject *classes, Text *text);

void close_text(Text *text);

/* Append a part of a text to a list, as a string. Returns 0, or -1 with the error set. */
int append_part(PyObject *list, const Text *text, Py_ssize_t start, Py_ssize_t end);

#endif
