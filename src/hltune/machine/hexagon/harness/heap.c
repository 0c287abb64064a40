/* The heap of a pipeline: counts, keeps to a limit, and costs a few packets per call.
 *
 * Blocks have sizes of 1, 1.25, 1.5 or 1.75 times a power of two and go back to a list of their size. */
#include "harness.h"

#define HEADER 128 /* bytes before a block; keeps it aligned to a vector */
#define CHUNK (16u << 20)
#define CLASSES 128

struct block {
    struct block *next; /* while it is free */
    u32 class, size;
};

struct heap heap;

static struct block *free_blocks[CLASSES];
static u8 *chunk, *chunk_end;

static u32 class_of(u32 size) {
    u32 top = 31 - (u32)__builtin_clz(size); /* at least 9: a header and more */
    u32 quarter = (size - 1) >> (top - 2) & 3;
    if (((size - 1) >> top) == 0) { /* a power of two: the last class of the one below */
        return (top - 1) * 4 + 3;
    }
    return top * 4 + quarter;
}

static u32 size_of(u32 class) {
    return (5 + (class & 3)) << (class / 4 - 2);
}

static u8 *fresh(u32 size) {
    if ((u32)(chunk_end - chunk) < size) {
        u32 wanted = size > CHUNK ? size : CHUNK;
        u8 *pages = fresh_pages(wanted);
        if (!pages) {
            return 0;
        }
        chunk = pages;
        chunk_end = pages + wanted;
    }
    u8 *block = chunk;
    chunk += size;
    return block;
}

void *malloc(u32 size) {
    if (size > heap.limit || heap.live + size > heap.limit) {
        heap.refused = size ? size : 1;
        return 0;
    }
    /* Halide may read or write up to a vector beyond what it asks for. */
    u32 class = class_of((size < 256 ? 256 : size) + 2 * HEADER);
    struct block *block = free_blocks[class];
    if (block) {
        free_blocks[class] = block->next;
    } else if (!(block = (struct block *)fresh((size_of(class) + HEADER - 1) & -HEADER))) {
        heap.refused = size;
        return 0;
    }
    block->class = class;
    block->size = size;
    heap.allocations++;
    heap.live += size;
    if (heap.live > heap.peak) {
        heap.peak = heap.live;
    }
    return (u8 *)block + HEADER;
}

void free(void *at) {
    if (at) {
        struct block *block = (struct block *)((u8 *)at - HEADER);
        heap.live -= block->size;
        block->next = free_blocks[block->class];
        free_blocks[block->class] = block;
    }
}

void *halide_malloc(void *context, u32 size) {
    (void)context;
    return malloc(size);
}

void halide_free(void *context, void *at) {
    (void)context;
    free(at);
}

/* Tightly coupled memory is memory like any other here. */

void *HAP_request_VTCM(u32 size, u32 single_page) {
    (void)single_page;
    return malloc(size);
}

i32 HAP_release_VTCM(void *at) {
    free(at);
    return 0;
}
