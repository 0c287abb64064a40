/* Entry point, system calls of Linux on Hexagon, and what compilers expect of a C library. */
#include "harness.h"

/* Halide's code spills vectors of 128 bytes to the stack. */
__asm__(".globl _start\n"
        "_start:\n"
        "    { r29 = and(r29, #-128) }\n"
        "    { call harness_main }\n");

enum { SYS_READ = 63, SYS_WRITE = 64, SYS_EXIT_GROUP = 94, SYS_MMAP = 222 };

static i32 call_system(i32 number, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f) {
    register u32 r0 __asm__("r0") = a;
    register u32 r1 __asm__("r1") = b;
    register u32 r2 __asm__("r2") = c;
    register u32 r3 __asm__("r3") = d;
    register u32 r4 __asm__("r4") = e;
    register u32 r5 __asm__("r5") = f;
    register i32 r6 __asm__("r6") = number;
    __asm__ volatile("trap0(#1)" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(r6) : "memory");
    return (i32)r0;
}

i32 read_bytes(void *to, u32 size) {
    u8 *next = to;
    while (size) {
        i32 count = call_system(SYS_READ, 0, (u32)next, size, 0, 0, 0);
        if (count <= 0) {
            return 0;
        }
        next += count;
        size -= (u32)count;
    }
    return 1;
}

void write_bytes(const void *from, u32 size) {
    const u8 *next = from;
    while (size) {
        i32 count = call_system(SYS_WRITE, 1, (u32)next, size, 0, 0, 0);
        if (count <= 0) {
            leave(3);
        }
        next += count;
        size -= (u32)count;
    }
}

void *fresh_pages(u32 size) {
    enum { READ_WRITE = 3, PRIVATE_ANONYMOUS = 0x22 };
    i32 at = call_system(SYS_MMAP, 0, size, READ_WRITE, PRIVATE_ANONYMOUS, (u32)-1, 0);
    return at < 0 && at > -4096 ? 0 : (void *)at;
}

void leave(i32 status) {
    call_system(SYS_EXIT_GROUP, (u32)status, 0, 0, 0, 0, 0);
    __builtin_trap();
}

/* Eight bytes at a time where both sides allow it, as the vendor's C library does. */

void *memcpy(void *to, const void *from, u32 size) {
    u8 *t = to;
    const u8 *f = from;
    if ((((u32)t | (u32)f) & 7) == 0) {
        for (; size >= 8; size -= 8, t += 8, f += 8) {
            *(u64 *)t = *(const u64 *)f;
        }
    }
    while (size--) {
        *t++ = *f++;
    }
    return to;
}

void *__hexagon_memcpy_likely_aligned_min32bytes_mult8bytes(void *to, const void *from, u32 size) {
    return memcpy(to, from, size);
}

void *memmove(void *to, const void *from, u32 size) {
    u8 *t = to;
    const u8 *f = from;
    if (t <= f || t >= f + size) {
        return memcpy(to, from, size);
    }
    while (size--) {
        t[size] = f[size];
    }
    return to;
}

void *memset(void *to, i32 value, u32 size) {
    u8 *t = to;
    u64 eight = (u64)(u8)value * 0x0101010101010101ull;
    for (; size && ((u32)t & 7); size--) {
        *t++ = (u8)value;
    }
    for (; size >= 8; size -= 8, t += 8) {
        *(u64 *)t = eight;
    }
    while (size--) {
        *t++ = (u8)value;
    }
    return to;
}

u32 strlen(const char *text) {
    u32 size = 0;
    while (text[size]) {
        size++;
    }
    return size;
}

void abort(void) {
    leave(4);
}
