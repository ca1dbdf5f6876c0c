/* Blocks of bzip2: from Huffman codes to the bytes that were sorted; bz2_runs.c does the rest. The twin is
   Python's bz2.

   Most of the time goes into undoing the sort: a walk through megabytes in which each place names the next, so
   that the core waits for memory at each byte. Here several walks go side by side, from places all over the
   block, and are put together at the end. */
#include "functions.h"

#include <stdlib.h>
#include <string.h>

enum { GROUPS = 6, SYMBOLS = 258, SELECTORS = 18002, GROUP_SYMBOLS = 50, LONGEST_CODE = 20, FAST_BITS = 10 };

/* Walks that go on at a time, and in all: the more, the sooner none is left alone at the end. */
enum { LANES = 8, WALKS = 1024 };

/* Of an entry: its lowest byte is one of the block, those above are the next place, and a walk begins here. */
#define BEGINS 0x80000000u

/* Bits from the highest to the lowest; behind the last byte come zeros. */
typedef struct {
    const uint8_t *bytes;
    size_t length;
    size_t at;
    uint64_t held;
    unsigned count;
} Bits;

typedef struct {
    /* By the first bits: the symbol, and in the lowest five bits the length of its code; 0 for longer codes. */
    uint16_t fast[1 << FAST_BITS];
    /* By length: the first code, how many there are, and where their symbols begin. */
    uint32_t first[LONGEST_CODE + 1];
    uint32_t count[LONGEST_CODE + 1];
    uint32_t offset[LONGEST_CODE + 1];
    uint16_t symbols[SYMBOLS];
} Table;

typedef struct {
    const uint8_t *from;
    size_t length;
    uint32_t next;
} Walk;

typedef struct {
    Bits bits;
    size_t most;
    uint8_t used[256];
    size_t used_count;
    Table tables[GROUPS];
    uint8_t selectors[SELECTORS];
    size_t selector_count;
    /* The block's bytes, sorted by what stands behind each; and how often each is there. */
    uint8_t *sorted;
    size_t length;
    size_t counts[256];
    uint32_t origin;
    uint32_t *entries;
    uint8_t *lanes;
    Walk walks[WALKS + 1];
} Block;

static void
fill_bits(Bits *bits)
{
    while (bits->count <= 56) {
        const uint64_t byte = bits->at < bits->length ? bits->bytes[bits->at] : 0;
        bits->held |= byte << (56 - bits->count);
        bits->at++;
        bits->count += 8;
    }
}

static inline void
drop_bits(Bits *bits, unsigned count)
{
    bits->held <<= count;
    bits->count -= count;
}

/* Return 1 to 24 bits. */
static uint32_t
take_bits(Bits *bits, unsigned count)
{
    if (bits->count < count) {
        fill_bits(bits);
    }
    const uint32_t taken = (uint32_t)(bits->held >> (64 - count));
    drop_bits(bits, count);
    return taken;
}

static size_t
place_of(const Bits *bits)
{
    return bits->at * 8 - bits->count;
}

/* The functions below return what is wrong, or NULL. */

static const char *
read_used(Block *block)
{
    const uint32_t ranges = take_bits(&block->bits, 16);
    block->used_count = 0;
    for (unsigned range = 0; range < 16; range++) {
        const uint32_t bytes = ranges >> (15 - range) & 1 ? take_bits(&block->bits, 16) : 0;
        for (unsigned i = 0; i < 16; i++) {
            if (bytes >> (15 - i) & 1) {
                block->used[block->used_count++] = (uint8_t)(range * 16 + i);
            }
        }
    }
    return block->used_count ? NULL : "a block of no bytes";
}

static const char *
read_selectors(Block *block, unsigned groups)
{
    uint8_t front[GROUPS] = {0, 1, 2, 3, 4, 5};
    const uint32_t count = take_bits(&block->bits, 15);
    for (uint32_t i = 0; i < count; i++) {
        unsigned place = 0;
        while (take_bits(&block->bits, 1)) {
            if (++place == groups) {
                return "a selector of no table";
            }
        }
        const uint8_t chosen = front[place];
        memmove(front + 1, front, place);
        front[0] = chosen;
        /* Some programs write more than can be used. */
        if (i < SELECTORS) {
            block->selectors[i] = chosen;
        }
    }
    block->selector_count = Py_MIN(count, SELECTORS);
    return count ? NULL : "no selectors";
}

static const char *
make_table(Table *table, const uint8_t *lengths, size_t symbols)
{
    memset(table, 0, sizeof(*table));
    for (size_t symbol = 0; symbol < symbols; symbol++) {
        table->count[lengths[symbol]]++;
    }
    uint32_t code = 0, offset = 0;
    for (unsigned length = 1; length <= LONGEST_CODE; length++) {
        code <<= 1;
        table->first[length] = code;
        table->offset[length] = offset;
        for (size_t symbol = 0; symbol < symbols; symbol++) {
            if (lengths[symbol] != length) {
                continue;
            }
            if (code >> length) {
                return "codes that are no codes";
            }
            if (length <= FAST_BITS) {
                const unsigned spare = FAST_BITS - length;
                for (uint32_t i = code << spare; i < (code + 1) << spare; i++) {
                    table->fast[i] = (uint16_t)(symbol << 5 | length);
                }
            }
            table->symbols[offset++] = (uint16_t)symbol;
            code++;
        }
    }
    return NULL;
}

static const char *
read_tables(Block *block, unsigned groups)
{
    const size_t symbols = block->used_count + 2;
    for (unsigned group = 0; group < groups; group++) {
        uint8_t lengths[SYMBOLS];
        uint32_t length = take_bits(&block->bits, 5);
        for (size_t symbol = 0; symbol < symbols; symbol++) {
            for (;;) {
                if (length < 1 || length > LONGEST_CODE) {
                    return "a code of no length";
                }
                if (!take_bits(&block->bits, 1)) {
                    break;
                }
                length += take_bits(&block->bits, 1) ? (uint32_t)-1 : 1;
            }
            lengths[symbol] = (uint8_t)length;
        }
        const char *wrong = make_table(&block->tables[group], lengths, symbols);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

/* Return the next symbol, or -1 where there is no such code. */
static inline int
next_symbol(Bits *bits, const Table *table)
{
    if (bits->count < LONGEST_CODE) {
        fill_bits(bits);
    }
    const unsigned found = table->fast[bits->held >> (64 - FAST_BITS)];
    if (found) {
        drop_bits(bits, found & 31);
        return (int)(found >> 5);
    }
    for (unsigned length = FAST_BITS + 1; length <= LONGEST_CODE; length++) {
        const uint32_t behind = (uint32_t)(bits->held >> (64 - length)) - table->first[length];
        if (behind < table->count[length]) {
            drop_bits(bits, length);
            return table->symbols[table->offset[length] + behind];
        }
    }
    return -1;
}

/* Bytes come as their places in a list whose front is the last one; runs of that one as numbers. */
static const char *
read_sorted(Block *block)
{
    const int end = (int)block->used_count + 1;
    uint8_t *front = block->used;
    size_t run = 0;
    unsigned shift = 0;
    for (size_t group = 0; group < block->selector_count; group++) {
        const Table *table = &block->tables[block->selectors[group]];
        for (int i = 0; i < GROUP_SYMBOLS; i++) {
            const int symbol = next_symbol(&block->bits, table);
            if (symbol < 0) {
                return "a code that stands for nothing";
            }
            if (symbol < 2) {
                if (shift > 20) {
                    return "a run that is longer than a block";
                }
                run += (size_t)(symbol + 1) << shift++;
                continue;
            }
            if (run > block->most - block->length) {
                return "more bytes than a block holds";
            }
            memset(block->sorted + block->length, front[0], run);
            block->counts[front[0]] += run;
            block->length += run;
            run = shift = 0;
            if (symbol == end) {
                return block->origin < block->length ? NULL : "a beginning outside of its block";
            }
            if (block->length == block->most) {
                return "more bytes than a block holds";
            }
            const uint8_t byte = front[symbol - 1];
            memmove(front + 1, front, (size_t)symbol - 1);
            front[0] = byte;
            block->sorted[block->length++] = byte;
            block->counts[byte]++;
        }
    }
    return "a block without an end";
}

static void
link_entries(Block *block)
{
    uint32_t starts[256], start = 0;
    for (int byte = 0; byte < 256; byte++) {
        starts[byte] = start;
        start += (uint32_t)block->counts[byte];
    }
    for (size_t i = 0; i < block->length; i++) {
        block->entries[i] = block->sorted[i];
    }
    for (size_t i = 0; i < block->length;) {
        /* Most bytes are as the one before, whose place is at hand. */
        const uint8_t byte = block->sorted[i];
        uint32_t *entry = block->entries + starts[byte];
        do {
            *entry++ |= (uint32_t)i++ << 8;
        } while (i < block->length && block->sorted[i] == byte);
        starts[byte] = (uint32_t)(entry - block->entries);
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
walk_all(Block *block, const uint32_t *begins, size_t count)
{
    const uint32_t *entries = block->entries;
    uint32_t places[LANES];
    uint8_t *to[LANES];
    size_t walks[LANES], begun = 0;
    const size_t lanes = Py_MIN(count, LANES);
    for (size_t lane = 0; lane < lanes; lane++) {
        to[lane] = block->lanes + lane * block->most;
        walks[lane] = begun;
        block->walks[begun].from = to[lane];
        const uint32_t entry = entries[begins[begun++]] & ~BEGINS;
        *to[lane]++ = (uint8_t)entry;
        places[lane] = entry >> 8;
    }
    while (lanes == LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            uint32_t entry = entries[places[lane]];
            if (entry & BEGINS) {
                Walk *walk = &block->walks[walks[lane]];
                walk->length = (size_t)(to[lane] - walk->from);
                walk->next = places[lane];
                if (begun == count) {
                    /* The others are about to end as well. */
                    for (size_t other = 0; other < LANES; other++) {
                        if (other != lane) {
                            finish_walk(entries, &block->walks[walks[other]], places[other], to[other]);
                        }
                    }
                    return;
                }
                walks[lane] = begun;
                block->walks[begun].from = to[lane];
                entry = entries[begins[begun++]] & ~BEGINS;
            }
            *to[lane]++ = (uint8_t)entry;
            places[lane] = entry >> 8;
        }
    }
    for (size_t lane = 0; lane < lanes; lane++) {
        finish_walk(entries, &block->walks[walks[lane]], places[lane], to[lane]);
    }
}

/* Bring the bytes into their order. */
static void
unsort(Block *block)
{
    link_entries(block);
    const uint32_t origin = block->entries[block->origin] >> 8;
    /* Walks begin at every so many places, and where the block does. */
    const size_t step = block->length / WALKS + 1;
    const size_t regular = (block->length + step - 1) / step;
    uint32_t begins[WALKS + 1];
    for (size_t i = 0; i < regular; i++) {
        begins[i] = (uint32_t)(i * step);
    }
    begins[regular] = origin;
    const size_t count = regular + (origin % step != 0);
    for (size_t i = 0; i < count; i++) {
        block->entries[begins[i]] |= BEGINS;
    }
    walk_all(block, begins, count);
    uint32_t place = origin;
    for (size_t done = 0; done < block->length;) {
        const Walk *walk = &block->walks[place % step ? regular : place / step];
        const size_t length = Py_MIN(walk->length, block->length - done);
        memcpy(block->sorted + done, walk->from, length);
        done += length;
        place = walk->next;
    }
}

static const char *
unpack(Block *block)
{
    Bits *bits = &block->bits;
    if (take_bits(bits, 1)) {
        return "a block that was shuffled, as before bzip2 0.9.5";
    }
    block->origin = take_bits(bits, 24);
    const char *wrong = read_used(block);
    const unsigned groups = wrong == NULL ? take_bits(bits, 3) : 0;
    if (wrong == NULL && (groups < 2 || groups > GROUPS)) {
        wrong = "no such number of tables";
    }
    if (wrong == NULL) {
        wrong = read_selectors(block, groups);
    }
    if (wrong == NULL) {
        wrong = read_tables(block, groups);
    }
    return wrong == NULL ? read_sorted(block) : wrong;
}

static PyObject *
block_of(Block *block)
{
    PyThreadState *thread = PyEval_SaveThread();
    const char *wrong = unpack(block);
    const int is_whole = place_of(&block->bits) <= block->bits.length * 8;
    if (is_whole && wrong == NULL) {
        unsort(block);
    }
    PyEval_RestoreThread(thread);
    if (!is_whole) {
        return Py_NewRef(Py_None);
    }
    if (wrong != NULL) {
        PyErr_SetString(PyExc_ValueError, wrong);
        return NULL;
    }
    return Py_BuildValue("y#n", block->sorted, (Py_ssize_t)block->length, (Py_ssize_t)place_of(&block->bits));
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
    if (bit < 0 || bit / 8 > length || most < 1 || most > 900000) {
        PyErr_Format(PyExc_ValueError, "no block of %zd bytes at bit %zd of %zd bytes", most, bit, length);
        return NULL;
    }
    Block *block = PyMem_Calloc(1, sizeof(Block));
    uint8_t *sorted = PyMem_Malloc((size_t)most);
    uint32_t *entries = PyMem_Malloc((size_t)most * sizeof(uint32_t));
    /* Little of this is touched: all lanes together write no more than a block. */
    uint8_t *lanes = malloc((size_t)most * LANES);
    PyObject *answer = NULL;
    if (block && sorted && entries && lanes) {
        block->bits = (Bits){(const uint8_t *)bytes, (size_t)length, (size_t)bit / 8, 0, 0};
        fill_bits(&block->bits);
        drop_bits(&block->bits, (unsigned)(bit % 8));
        block->most = (size_t)most;
        block->sorted = sorted;
        block->entries = entries;
        block->lanes = lanes;
        answer = block_of(block);
    } else {
        PyErr_NoMemory();
    }
    free(lanes);
    PyMem_Free(entries);
    PyMem_Free(sorted);
    PyMem_Free(block);
    return answer;
}
