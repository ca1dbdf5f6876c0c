/* What bzip2 did to bytes before it sorted them: runs as numbers, and a checksum. */
#include "functions.h"

#include <string.h>

/* A run of so many bytes is followed by how many more there are. */
enum { RUN = 4 };

/* Of the checksum: what each byte adds, by how many bytes stand behind it in a word of eight. */
static uint32_t sums[8][256];

void
make_bz2_sums(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t sum = byte << 24;
        for (int bit = 0; bit < 8; bit++) {
            sum = sum << 1 ^ (sum >> 31 ? 0x04C11DB7u : 0);
        }
        sums[0][byte] = sum;
    }
    for (int behind = 1; behind < 8; behind++) {
        for (int byte = 0; byte < 256; byte++) {
            const uint32_t sum = sums[behind - 1][byte];
            sums[behind][byte] = sum << 8 ^ sums[0][sum >> 24];
        }
    }
}

static uint32_t
summed(uint32_t sum, const uint8_t *bytes, size_t length)
{
    for (; length >= 8; bytes += 8, length -= 8) {
        sum ^= (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
        sum = sums[7][sum >> 24] ^ sums[6][sum >> 16 & 255] ^ sums[5][sum >> 8 & 255] ^ sums[4][sum & 255]
            ^ sums[3][bytes[4]] ^ sums[2][bytes[5]] ^ sums[1][bytes[6]] ^ sums[0][bytes[7]];
    }
    for (; length; length--) {
        sum = sum << 8 ^ sums[0][sum >> 24 ^ *bytes++];
    }
    return sum;
}

/* Return where the next run begins, or the end. */
static const uint8_t *
next_run(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= RUN) {
        if (at[2] != at[3]) {
            at += 3;
        } else if (at[1] != at[2]) {
            at += 2;
        } else if (at[0] != at[1]) {
            at += 1;
        } else {
            return at;
        }
    }
    return end;
}

/* Return how many bytes were written, at most `limit`, a run and its number more; or -1 where a number lacks. */
static Py_ssize_t
expand(const uint8_t *block, size_t length, size_t *place, size_t limit, uint8_t *to)
{
    const uint8_t *at = block + *place, *end = block + length, *begin = to;
    while (at < end && (size_t)(to - begin) < limit) {
        const size_t most = limit - (size_t)(to - begin) + RUN;
        const uint8_t *stop = (size_t)(end - at) > most ? at + most : end;
        const uint8_t *run = next_run(at, stop);
        const int is_run = run != stop;
        if (!is_run && stop != end) {
            /* What may be the beginning of a run waits for the next time. */
            for (run--; run[-1] == *run; run--) {
            }
        }
        memcpy(to, at, (size_t)(run - at));
        to += run - at;
        at = run;
        if (is_run) {
            if (end - at == RUN) {
                return -1;
            }
            const size_t count = RUN + (size_t)at[RUN];
            memset(to, *at, count);
            to += count;
            at += RUN + 1;
        }
    }
    *place = (size_t)(at - block);
    return to - begin;
}

PyObject *
expand_bz2_runs(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    char *block;
    Py_ssize_t length;
    if (expect_arguments("expand_bz2_runs", count, 4) < 0
        || PyBytes_AsStringAndSize(arguments[0], &block, &length) < 0) {
        return NULL;
    }
    const Py_ssize_t start = PyLong_AsSsize_t(arguments[1]);
    const Py_ssize_t limit = PyErr_Occurred() ? 0 : PyLong_AsSsize_t(arguments[2]);
    const unsigned long sum = PyErr_Occurred() ? 0 : PyLong_AsUnsignedLong(arguments[3]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (start < 0 || start > length || limit < 1 || limit > 1 << 30) {
        PyErr_Format(PyExc_ValueError, "no %zd bytes at %zd of %zd", limit, start, length);
        return NULL;
    }
    uint8_t *expanded = PyMem_Malloc((size_t)limit + RUN + UINT8_MAX);
    if (expanded == NULL) {
        return PyErr_NoMemory();
    }
    size_t place = (size_t)start;
    PyThreadState *thread = PyEval_SaveThread();
    const Py_ssize_t written = expand((const uint8_t *)block, (size_t)length, &place, (size_t)limit, expanded);
    const uint32_t now = written < 0 ? 0 : summed((uint32_t)sum, expanded, (size_t)written);
    PyEval_RestoreThread(thread);
    PyObject *answer = NULL;
    if (written < 0) {
        PyErr_SetString(PyExc_ValueError, "a run without its length");
    } else {
        answer = Py_BuildValue("y#nk", expanded, written, (Py_ssize_t)place, (unsigned long)now);
    }
    PyMem_Free(expanded);
    return answer;
}
