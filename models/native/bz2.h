/* What bz2_symbols.c and bz2_blocks.c share: a block of bzip2 whose bytes are still sorted. */
#ifndef REVSTREAM_BZ2_H
#define REVSTREAM_BZ2_H

#include "functions.h"

typedef struct {
    /* For so many bytes there is room. */
    size_t most;
    /* The block's bytes, sorted by what stands behind each; and how often each is there. */
    uint8_t *sorted;
    size_t length;
    size_t counts[256];
    /* Where the sorted byte before the block's first one stands. */
    uint32_t origin;
} SortedBlock;

/* Read a block from a bit on, into zeros but for the room. `bit` becomes the one behind it; that is beyond the
   last one where the block is not whole, whatever is returned. Returns what is wrong, or NULL. */
const char *read_sorted_block(const uint8_t *bytes, size_t length, size_t *bit, SortedBlock *block);

#endif
