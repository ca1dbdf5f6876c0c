/* What a block of bzip2 says, from Huffman codes to the bytes that were sorted; bz2_blocks.c does the rest. */
#include "bz2.h"

#include <string.h>

enum { GROUPS = 6, SYMBOLS = 258, SELECTORS = 18002, GROUP_SYMBOLS = 50, LONGEST_CODE = 20, FAST_BITS = 10 };

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
    Bits bits;
    /* The bytes that are there; while symbols are read, the last one is the first of them. */
    uint8_t used[256];
    size_t used_count;
    Table tables[GROUPS];
    uint8_t selectors[SELECTORS];
    size_t selector_count;
} Packed;

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

/* The functions below return what is wrong, or NULL. */

static const char *
read_used(Packed *packed)
{
    const uint32_t ranges = take_bits(&packed->bits, 16);
    packed->used_count = 0;
    for (unsigned range = 0; range < 16; range++) {
        const uint32_t bytes = ranges >> (15 - range) & 1 ? take_bits(&packed->bits, 16) : 0;
        for (unsigned i = 0; i < 16; i++) {
            if (bytes >> (15 - i) & 1) {
                packed->used[packed->used_count++] = (uint8_t)(range * 16 + i);
            }
        }
    }
    return packed->used_count ? NULL : "a block of no bytes";
}

static const char *
read_selectors(Packed *packed, unsigned groups)
{
    uint8_t front[GROUPS] = {0, 1, 2, 3, 4, 5};
    const uint32_t count = take_bits(&packed->bits, 15);
    for (uint32_t i = 0; i < count; i++) {
        unsigned place = 0;
        while (take_bits(&packed->bits, 1)) {
            if (++place == groups) {
                return "a selector of no table";
            }
        }
        const uint8_t chosen = front[place];
        memmove(front + 1, front, place);
        front[0] = chosen;
        /* Some programs write more than can be used. */
        if (i < SELECTORS) {
            packed->selectors[i] = chosen;
        }
    }
    packed->selector_count = Py_MIN(count, SELECTORS);
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
read_tables(Packed *packed, unsigned groups)
{
    const size_t symbols = packed->used_count + 2;
    for (unsigned group = 0; group < groups; group++) {
        uint8_t lengths[SYMBOLS];
        uint32_t length = take_bits(&packed->bits, 5);
        for (size_t symbol = 0; symbol < symbols; symbol++) {
            for (;;) {
                if (length < 1 || length > LONGEST_CODE) {
                    return "a code of no length";
                }
                if (!take_bits(&packed->bits, 1)) {
                    break;
                }
                length += take_bits(&packed->bits, 1) ? (uint32_t)-1 : 1;
            }
            lengths[symbol] = (uint8_t)length;
        }
        const char *wrong = make_table(&packed->tables[group], lengths, symbols);
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
read_symbols(Packed *packed, SortedBlock *block)
{
    const int end = (int)packed->used_count + 1;
    uint8_t *front = packed->used;
    size_t run = 0;
    unsigned shift = 0;
    for (size_t group = 0; group < packed->selector_count; group++) {
        const Table *table = &packed->tables[packed->selectors[group]];
        for (int i = 0; i < GROUP_SYMBOLS; i++) {
            const int symbol = next_symbol(&packed->bits, table);
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

static const char *
read_all(Packed *packed, SortedBlock *block)
{
    Bits *bits = &packed->bits;
    if (take_bits(bits, 1)) {
        return "a block that was shuffled, as before bzip2 0.9.5";
    }
    block->origin = take_bits(bits, 24);
    const char *wrong = read_used(packed);
    const unsigned groups = wrong == NULL ? take_bits(bits, 3) : 0;
    if (wrong == NULL && (groups < 2 || groups > GROUPS)) {
        wrong = "no such number of tables";
    }
    if (wrong == NULL) {
        wrong = read_selectors(packed, groups);
    }
    if (wrong == NULL) {
        wrong = read_tables(packed, groups);
    }
    return wrong == NULL ? read_symbols(packed, block) : wrong;
}

const char *
read_sorted_block(const uint8_t *bytes, size_t length, size_t *bit, SortedBlock *block)
{
    Packed packed;
    packed.bits = (Bits){bytes, length, *bit / 8, 0, 0};
    fill_bits(&packed.bits);
    drop_bits(&packed.bits, (unsigned)(*bit % 8));
    const char *wrong = read_all(&packed, block);
    *bit = packed.bits.at * 8 - packed.bits.count;
    return wrong;
}
