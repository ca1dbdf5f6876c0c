/* Blocks of bzip2: undoes the sort of what bz2_symbols.c reads; bz2_runs.c does the rest. The twin is Python's
   bz2.

   Most of the time goes into this: a walk through megabytes in which each place names the next, so that the core
   waits for memory at each byte. Here several walks go side by side, from places all over the block, and are put
   together at the end. */
#include "bz2.h"

#include <stdlib.h>
#include <string.h>

/* Walks that go on at a time, and in all: the more, the sooner none is left alone at the end. */
enum { LANES = 8, WALKS = 1024 };

/* Of an entry: its lowest byte is one of the block, those above are the next place, and a walk begins here. */
#define BEGINS 0x80000000u

enum { MOST_BYTES = 900000 };

typedef struct {
    const uint8_t *from;
    size_t length;
    uint32_t next;
} Walk;

typedef struct {
    SortedBlock block;
    uint32_t *entries;
    uint8_t *lanes;
    Walk walks[WALKS + 1];
} Unsorting;

static void
link_entries(Unsorting *work)
{
    uint32_t starts[256], start = 0;
    for (int byte = 0; byte < 256; byte++) {
        starts[byte] = start;
        start += (uint32_t)work->block.counts[byte];
    }
    for (size_t i = 0; i < work->block.length; i++) {
        work->entries[i] = work->block.sorted[i];
    }
    for (size_t i = 0; i < work->block.length;) {
        /* Most bytes are as the one before, whose place is at hand. */
        const uint8_t byte = work->block.sorted[i];
        uint32_t *entry = work->entries + starts[byte];
        do {
            *entry++ |= (uint32_t)i++ << 8;
        } while (i < work->block.length && work->block.sorted[i] == byte);
        starts[byte] = (uint32_t)(entry - work->entries);
    }
}

/* Walk from a place until one where a walk begins; write what is met. */
static void
finish_walk(const uint32_t *entries, Walk *walk, uint32_t place, uint8_t *to)
{
    uint32_t entry;
    while (!((entry = entries[place]) & BEGINS)) {
        *to++ = (uint8_t)entry;
        place = entry >> 8;
    }
    walk->length = (size_t)(to - walk->from);
    walk->next = place;
}

/* Walk from each beginning to the next, wherever that is. */
static void
walk_all(Unsorting *work, const uint32_t *begins, size_t count)
{
    const uint32_t *entries = work->entries;
    uint32_t places[LANES];
    uint8_t *to[LANES];
    size_t walks[LANES], begun = 0;
    const size_t lanes = Py_MIN(count, LANES);
    for (size_t lane = 0; lane < lanes; lane++) {
        to[lane] = work->lanes + lane * work->block.most;
        walks[lane] = begun;
        work->walks[begun].from = to[lane];
        const uint32_t entry = entries[begins[begun++]] & ~BEGINS;
        *to[lane]++ = (uint8_t)entry;
        places[lane] = entry >> 8;
    }
    while (lanes == LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            uint32_t entry = entries[places[lane]];
            if (entry & BEGINS) {
                Walk *walk = &work->walks[walks[lane]];
                walk->length = (size_t)(to[lane] - walk->from);
                walk->next = places[lane];
                if (begun == count) {
                    /* The others are about to end as well. */
                    for (size_t other = 0; other < LANES; other++) {
                        if (other != lane) {
                            finish_walk(entries, &work->walks[walks[other]], places[other], to[other]);
                        }
                    }
                    return;
                }
                walks[lane] = begun;
                work->walks[begun].from = to[lane];
                entry = entries[begins[begun++]] & ~BEGINS;
            }
            *to[lane]++ = (uint8_t)entry;
            places[lane] = entry >> 8;
        }
    }
    for (size_t lane = 0; lane < lanes; lane++) {
        finish_walk(entries, &work->walks[walks[lane]], places[lane], to[lane]);
    }
}

/* Bring the bytes into their order. */
static void
unsort(Unsorting *work)
{
    link_entries(work);
    const uint32_t origin = work->entries[work->block.origin] >> 8;
    /* Walks begin at every so many places, and where the block does. */
    const size_t step = work->block.length / WALKS + 1;
    const size_t regular = (work->block.length + step - 1) / step;
    uint32_t begins[WALKS + 1];
    for (size_t i = 0; i < regular; i++) {
        begins[i] = (uint32_t)(i * step);
    }
    begins[regular] = origin;
    const size_t count = regular + (origin % step != 0);
    for (size_t i = 0; i < count; i++) {
        work->entries[begins[i]] |= BEGINS;
    }
    walk_all(work, begins, count);
    uint32_t place = origin;
    for (size_t done = 0; done < work->block.length;) {
        const Walk *walk = &work->walks[place % step ? regular : place / step];
        const size_t length = Py_MIN(walk->length, work->block.length - done);
        memcpy(work->block.sorted + done, walk->from, length);
        done += length;
        place = walk->next;
    }
}

static PyObject *
block_of(Unsorting *work, const uint8_t *bytes, size_t length, size_t bit)
{
    SortedBlock *block = &work->block;
    PyThreadState *thread = PyEval_SaveThread();
    const char *wrong = read_sorted_block(bytes, length, &bit, block);
    const int is_whole = bit <= length * 8;
    if (is_whole && wrong == NULL) {
        unsort(work);
    }
    PyEval_RestoreThread(thread);
    if (!is_whole) {
        return Py_NewRef(Py_None);
    }
    if (wrong != NULL) {
        PyErr_SetString(PyExc_ValueError, wrong);
        return NULL;
    }
    return Py_BuildValue("y#n", block->sorted, (Py_ssize_t)block->length, (Py_ssize_t)bit);
}

PyObject *
unpack_bz2_block(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    char *bytes;
    Py_ssize_t length;
    if (expect_arguments("unpack_bz2_block", count, 3) < 0
        || PyBytes_AsStringAndSize(arguments[0], &bytes, &length) < 0) {
        return NULL;
    }
    const Py_ssize_t bit = PyLong_AsSsize_t(arguments[1]);
    const Py_ssize_t most = PyErr_Occurred() ? 0 : PyLong_AsSsize_t(arguments[2]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (bit < 0 || bit / 8 > length || most < 1 || most > MOST_BYTES) {
        PyErr_Format(PyExc_ValueError, "no block of %zd bytes at bit %zd of %zd bytes", most, bit, length);
        return NULL;
    }
    Unsorting *work = PyMem_Calloc(1, sizeof(Unsorting));
    uint8_t *sorted = PyMem_Malloc((size_t)most);
    uint32_t *entries = PyMem_Malloc((size_t)most * sizeof(uint32_t));
    /* Little of this is touched: all lanes together write no more than a block. */
    uint8_t *lanes = malloc((size_t)most * LANES);
    PyObject *answer = NULL;
    if (work && sorted && entries && lanes) {
        work->block.most = (size_t)most;
        work->block.sorted = sorted;
        work->entries = entries;
        work->lanes = lanes;
        answer = block_of(work, (const uint8_t *)bytes, (size_t)length, (size_t)bit);
    } else {
        PyErr_NoMemory();
    }
    free(lanes);
    PyMem_Free(entries);
    PyMem_Free(sorted);
    PyMem_Free(work);
    return answer;
}
