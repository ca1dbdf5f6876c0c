/* The walk of rows down decision trees; the Python that does the same is in models/estimators/tree_walk.py. */
#include "functions.h"

#include <stdint.h>

typedef struct {
    float threshold;
    uint32_t feature;
    /* A row whose feature is not above the threshold goes there, and any other to the node behind it. At a
       leaf, which no row is above, the leaf itself. */
    uint32_t child;
    uint32_t leaf;
} Node;

/* A walk waits for memory most of its time; so many at once wait together. */
enum { WALKS = 16 };
/* So many rows at once stay in the processor's nearest cache while every tree passes. */
enum { ROWS_AT_ONCE = 64 };

typedef struct {
    const Node *nodes;
    const uint32_t *roots;
    Py_ssize_t count;
    const double *values;
    Py_ssize_t width;
    Py_ssize_t columns;
    Py_ssize_t outputs;
} Trees;

static inline uint32_t
after(const Node *node, const float *row)
{
    return node->child + (row[node->feature] > node->threshold);
}

/* Take walks to their leaves. The row of walk i begins i * stride behind the first. */
static inline void
walk(const Node *nodes, const float *row, Py_ssize_t stride, uint32_t places[WALKS])
{
    uint32_t moved;
    do {
        moved = 0;
        for (int i = 0; i < WALKS; i++) {
            places[i] = after(nodes + places[i], row + i * stride);
        }
        /* Asked after every other step only: a step at a leaf costs less than the question. */
        for (int i = 0; i < WALKS; i++) {
            uint32_t next = after(nodes + places[i], row + i * stride);
            moved |= next ^ places[i];
            places[i] = next;
        }
    } while (moved);
}

static inline void
add(const Trees *trees, uint32_t place, double *sums)
{
    Py_ssize_t width = trees->width;
    const double *value = trees->values + (Py_ssize_t)trees->nodes[place].leaf * width;
    sums[0] += value[0];
    for (Py_ssize_t i = 1; i < width; i++) {
        sums[i] += value[i];
    }
}

/* The sums that the next tree adds to, as their distance from a row's first. */
static inline Py_ssize_t
next_output(const Trees *trees, Py_ssize_t output)
{
    output += trees->width;
    return output < trees->outputs ? output : 0;
}

/* Several trees at a time. */
static void
add_row(const Trees *trees, const float *row, double *sums)
{
    Py_ssize_t output = 0;
    for (Py_ssize_t first = 0; first < trees->count; first += WALKS) {
        Py_ssize_t left = trees->count - first;
        uint32_t places[WALKS];
        for (int i = 0; i < WALKS; i++) {
            places[i] = trees->roots[i < left ? first + i : 0];
        }
        walk(trees->nodes, row, 0, places);
        for (int i = 0; i < WALKS && i < left; i++) {
            add(trees, places[i], sums + output);
            output = next_output(trees, output);
        }
    }
}

/* Several rows at a time, tree after tree. */
static void
add_rows(const Trees *trees, const float *rows, Py_ssize_t count, double *sums)
{
    Py_ssize_t together = count - count % WALKS;
    Py_ssize_t output = 0;
    for (Py_ssize_t tree = 0; tree < trees->count; tree++) {
        for (Py_ssize_t first = 0; first < together; first += WALKS) {
            uint32_t places[WALKS];
            for (int i = 0; i < WALKS; i++) {
                places[i] = trees->roots[tree];
            }
            walk(trees->nodes, rows + first * trees->columns, trees->columns, places);
            for (int i = 0; i < WALKS; i++) {
                add(trees, places[i], sums + (first + i) * trees->outputs + output);
            }
        }
        output = next_output(trees, output);
    }
    for (Py_ssize_t row = together; row < count; row++) {
        add_row(trees, rows + row * trees->columns, sums + row * trees->outputs);
    }
}

static void
add_table(const Trees *trees, const double *rows, Py_ssize_t count, float *rounded, double *sums)
{
    for (Py_ssize_t first = 0; first < count; first += ROWS_AT_ONCE) {
        Py_ssize_t here = count - first < ROWS_AT_ONCE ? count - first : ROWS_AT_ONCE;
        const double *from = rows + first * trees->columns;
        for (Py_ssize_t i = 0; i < here * trees->columns; i++) {
            rounded[i] = (float)from[i];
        }
        add_rows(trees, rounded, here, sums + first * trees->outputs);
    }
}

/* What can be told without following every node; that is done once, where a model is loaded. */
static int
fits(const Trees *trees, const Py_buffer *values, const Py_buffer *rows, const Py_buffer *sums)
{
    Py_ssize_t width = trees->width;
    if (width < 1 || values->len / (Py_ssize_t)sizeof(double) % width || trees->outputs < 1
        || trees->outputs % width) {
        PyErr_SetString(PyExc_ValueError, "values and sums do not fit the width of a leaf");
        return 0;
    }
    if (rows->shape[1] != trees->columns || trees->columns < 1) {
        PyErr_Format(PyExc_ValueError, "rows of %zd columns for trees over %zd", rows->shape[1],
                     trees->columns);
        return 0;
    }
    if (rows->shape[0] != sums->shape[0]) {
        PyErr_Format(PyExc_ValueError, "%zd sums for %zd rows", sums->shape[0], rows->shape[0]);
        return 0;
    }
    return 1;
}

static PyObject *
add_opened(Trees *trees, const Py_buffer *nodes, const Py_buffer *roots, const Py_buffer *values,
           const Py_buffer *rows, const Py_buffer *sums)
{
    trees->nodes = nodes->buf;
    trees->roots = roots->buf;
    trees->count = roots->len / (Py_ssize_t)sizeof(uint32_t);
    trees->values = values->buf;
    trees->outputs = sums->shape[1];
    if (!fits(trees, values, rows, sums)) {
        return NULL;
    }
    Py_ssize_t count = rows->shape[0];
    Py_ssize_t at_once = count < ROWS_AT_ONCE ? count : ROWS_AT_ONCE;
    float *rounded = PyMem_Calloc((size_t)(at_once * trees->columns), sizeof(float));
    if (rounded == NULL) {
        return PyErr_NoMemory();
    }
    /* One row is done before another thread would have woken up. */
    PyThreadState *waiting = count > 1 ? PyEval_SaveThread() : NULL;
    add_table(trees, rows->buf, count, rounded, sums->buf);
    if (waiting != NULL) {
        PyEval_RestoreThread(waiting);
    }
    PyMem_Free(rounded);
    Py_RETURN_NONE;
}

/* Trees are (nodes, roots, values, width, columns). */
static PyObject *
add_of(PyObject *given, const Py_buffer *rows, const Py_buffer *sums)
{
    Py_buffer nodes, roots, values;
    Trees trees;
    PyObject *done = NULL;
    trees.width = PyLong_AsSsize_t(PyTuple_GetItem(given, 3));
    trees.columns = PyLong_AsSsize_t(PyTuple_GetItem(given, 4));
    if (PyErr_Occurred() || open_items(PyTuple_GetItem(given, 0), "nodes", sizeof(Node), &nodes) < 0) {
        return NULL;
    }
    if (open_items(PyTuple_GetItem(given, 1), "roots", sizeof(uint32_t), &roots) == 0) {
        if (open_items(PyTuple_GetItem(given, 2), "values", sizeof(double), &values) == 0) {
            done = add_opened(&trees, &nodes, &roots, &values, rows, sums);
            PyBuffer_Release(&values);
        }
        PyBuffer_Release(&roots);
    }
    PyBuffer_Release(&nodes);
    return done;
}

PyObject *
add_leaves(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    Py_buffer rows, sums;
    PyObject *done = NULL;
    if (expect_arguments("add_leaves", count, 3) < 0) {
        return NULL;
    }
    if (!PyTuple_Check(arguments[0]) || PyTuple_Size(arguments[0]) != 5) {
        PyErr_SetString(PyExc_TypeError, "trees are no tuple of five");
        return NULL;
    }
    if (open_table(arguments[1], "rows", 0, &rows) < 0) {
        return NULL;
    }
    if (open_table(arguments[2], "sums", PyBUF_WRITABLE, &sums) == 0) {
        done = add_of(arguments[0], &rows, &sums);
        PyBuffer_Release(&sums);
    }
    PyBuffer_Release(&rows);
    return done;
}
