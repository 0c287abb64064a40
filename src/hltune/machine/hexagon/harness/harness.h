/* What the four parts of the harness share. Freestanding C for 32-bit Hexagon; built by `hltune.machine.hexagon.toolchain`. */
#ifndef HLTUNE_HARNESS_H
#define HLTUNE_HARNESS_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;

_Static_assert(sizeof(void *) == 4 && sizeof(u64) == 8, "for 32-bit Hexagon");

/* system.c */
i32 read_bytes(void *to, u32 size); /* from standard input, all of them; 0 at its end */
void write_bytes(const void *from, u32 size);
void *fresh_pages(u32 size); /* zeros, aligned to a page; 0 if there are none */
__attribute__((noreturn)) void leave(i32 status);

/* heap.c */
struct heap {
    u32 limit, live, peak, allocations, refused;
};
extern struct heap heap;

/* errors.c */
#define MESSAGE_SIZE 256
extern char message[MESSAGE_SIZE]; /* what went wrong first */
i32 fail(const char *what, const char *where, i32 code);

#endif
