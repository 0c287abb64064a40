/* Runs one pipeline on what standard input says, and writes to standard output what came of it.
 *
 * Both formats are in `hltune.machine.hexagon.wire`, which writes the one and reads the other. */
#include "harness.h"

#define JOB_MAGIC 0x4a544c48u    /* HLTJ */
#define RESULT_MAGIC 0x52544c48u /* HLTR */
#define GUARD 256                /* bytes before and after every buffer */
#define GUARD_BYTE 0x5a
#define POISON 0xa5
#define FLOAT_POISON 0xff /* no numbers: small ones could pass for what is expected near zero */
#define FLOAT 2           /* halide_type_float */
#define ALIGNMENT 128u
#define MOST_ARGUMENTS 64
#define MOST_DIMENSIONS 8

/* HalideRuntime.h, on 32 bits */
struct halide_dimension {
    i32 min, extent, stride;
    u32 flags;
};
struct halide_buffer {
    u64 device;
    void *device_interface;
    u8 *host;
    u64 flags;
    u8 code, bits;
    u16 lanes;
    i32 dimensions;
    struct halide_dimension *dim;
    void *padding;
};
_Static_assert(sizeof(struct halide_buffer) == 40, "the layout of halide_buffer_t");

enum kind { SCALAR, INPUT, OUTPUT };

struct argument {
    u32 kind, size;
    u64 scalar;
    u8 *memory;
    struct halide_buffer buffer;
    struct halide_dimension dim[MOST_DIMENSIONS];
};

struct counts {
    u32 packets, instructions, hvx_instructions;
};

struct result {
    u32 magic;
    i32 code;
    struct counts counts;
    u32 allocations, peak_heap, refused, damaged;
    char message[MESSAGE_SIZE];
};

typedef i32 (*entry)(void **);

i32 pipeline_argv(void **arguments);

static struct argument arguments[MOST_ARGUMENTS];
static void *addresses[MOST_ARGUMENTS];

/* Only QEMU has these control registers, and assemblers refuse their names: r0 = c20, c21, c22. */
#define COUNTER(name, word)                                              \
    static inline u32 name(void) {                                       \
        register u32 value __asm__("r0");                                \
        __asm__ volatile(".word " #word : "=r"(value) : : "memory");     \
        return value;                                                    \
    }
COUNTER(packets, 0x6a14c000)
COUNTER(instructions, 0x6a15c000)
COUNTER(hvx_instructions, 0x6a16c000)

static i32 nothing(void **ignored) {
    (void)ignored;
    return 0;
}

__attribute__((noinline)) static i32 counted(entry run, struct counts *counts) {
    u32 h = hvx_instructions(), i = instructions(), p = packets();
    i32 code = run(addresses);
    counts->packets = packets() - p;
    counts->instructions = instructions() - i;
    counts->hvx_instructions = hvx_instructions() - h;
    return code;
}

static u32 word(void) {
    u32 value = 0;
    if (!read_bytes(&value, sizeof value)) {
        leave(2);
    }
    return value;
}

static void fill(u8 *at, u8 value, u32 size) {
    for (u32 k = 0; k < size; k++) {
        at[k] = value;
    }
}

static void read_buffer(struct argument *argument) {
    struct halide_buffer *buffer = &argument->buffer;
    u32 type = word();
    buffer->code = (u8)type;
    buffer->bits = (u8)(type >> 8);
    buffer->lanes = 1;
    buffer->dimensions = (i32)word();
    buffer->dim = argument->dim;
    argument->size = word();
    u32 alignment = word();
    if (alignment < ALIGNMENT) {
        alignment = ALIGNMENT;
    }
    for (i32 d = 0; d < buffer->dimensions && d < MOST_DIMENSIONS; d++) {
        argument->dim[d].min = (i32)word();
        argument->dim[d].extent = (i32)word();
        argument->dim[d].stride = (i32)word();
    }
    u8 *pages = fresh_pages(argument->size + 2 * GUARD + alignment);
    if (!pages) {
        leave(5);
    }
    argument->memory = pages + GUARD;
    argument->memory += (alignment - (u32)argument->memory % alignment) % alignment;
    buffer->host = argument->memory;
    fill(argument->memory - GUARD, GUARD_BYTE, GUARD);
    fill(argument->memory + argument->size, GUARD_BYTE, GUARD);
    if (argument->kind == INPUT) {
        if (!read_bytes(argument->memory, argument->size)) {
            leave(2);
        }
    } else {
        fill(argument->memory, buffer->code == FLOAT ? FLOAT_POISON : POISON, argument->size);
    }
}

static void read_argument(struct argument *argument) {
    argument->kind = word();
    if (argument->kind == SCALAR) {
        argument->scalar = word();
        argument->scalar |= (u64)word() << 32;
    } else {
        read_buffer(argument);
    }
}

static i32 intact(const u8 *at, u32 size) {
    for (u32 k = 0; k < size; k++) {
        if (at[k] != GUARD_BYTE) {
            return 0;
        }
    }
    return 1;
}

/* Number of the first argument whose guards were written to, from 1. */
static u32 damaged(u32 count) {
    for (u32 k = 0; k < count; k++) {
        const struct argument *argument = &arguments[k];
        if (argument->kind != SCALAR && !(intact(argument->memory - GUARD, GUARD) &&
                                          intact(argument->memory + argument->size, GUARD))) {
            return k + 1;
        }
    }
    return 0;
}

__attribute__((noreturn)) void harness_main(void) {
    static struct result result;
    struct counts empty;
    if (word() != JOB_MAGIC) {
        leave(2);
    }
    heap.limit = word();
    u32 count = word();
    if (count > MOST_ARGUMENTS) {
        leave(2);
    }
    for (u32 k = 0; k < count; k++) {
        read_argument(&arguments[k]);
        addresses[k] = arguments[k].kind == SCALAR ? (void *)&arguments[k].scalar : (void *)&arguments[k].buffer;
    }
    counted(nothing, &empty);
    result.magic = RESULT_MAGIC;
    result.code = counted(pipeline_argv, &result.counts);
    result.counts.packets -= empty.packets;
    result.counts.instructions -= empty.instructions;
    result.counts.hvx_instructions -= empty.hvx_instructions;
    result.allocations = heap.allocations;
    result.peak_heap = heap.peak;
    result.refused = heap.refused;
    result.damaged = damaged(count);
    for (u32 k = 0; k < MESSAGE_SIZE; k++) {
        result.message[k] = message[k];
    }
    write_bytes(&result, sizeof result);
    for (u32 k = 0; k < count; k++) {
        if (arguments[k].kind == OUTPUT) {
            write_bytes(arguments[k].memory, arguments[k].size);
        }
    }
    leave(0);
}

/* The rest of Halide's runtime. Parallel loops run one iteration after the other, on one thread. */

typedef i32 (*task)(void *, i32, u8 *);

i32 halide_do_task(void *context, task run, i32 index, u8 *closure) {
    return run(context, index, closure);
}

i32 halide_do_par_for(void *context, task run, i32 first, i32 size, u8 *closure) {
    for (i32 index = first; index < first + size; index++) {
        i32 code = run(context, index, closure);
        if (code) {
            return code;
        }
    }
    return 0;
}

i32 qurt_hvx_lock(i32 mode) {
    (void)mode;
    return 0;
}

i32 qurt_hvx_unlock(void) {
    return 0;
}

i32 halide_qurt_hvx_lock(void *context) {
    (void)context;
    return 0;
}

i32 halide_qurt_hvx_unlock(void *context) {
    (void)context;
    return 0;
}

void halide_qurt_hvx_unlock_as_destructor(void *context, void *object) {
    (void)context;
    (void)object;
}

void halide_print(void *context, const char *text) {
    (void)context;
    (void)text;
}

i32 halide_msan_annotate_memory_is_initialized(void *context, const void *at, u64 size) {
    (void)context;
    (void)at;
    (void)size;
    return 0;
}

char *halide_string_to_string(char *to, char *end, const char *text) {
    for (; *text && to < end; text++) {
        *to++ = *text;
    }
    if (to < end) {
        *to = 0;
    }
    return to;
}

/* Values in messages of what a pipeline requires are left out: what it requires says enough. */
char *halide_int64_to_string(char *to, char *end, long long value, i32 digits) {
    (void)end;
    (void)value;
    (void)digits;
    return to;
}

char *halide_uint64_to_string(char *to, char *end, u64 value, i32 digits) {
    (void)end;
    (void)value;
    (void)digits;
    return to;
}

char *halide_double_to_string(char *to, char *end, double value, i32 scientific) {
    (void)end;
    (void)value;
    (void)scientific;
    return to;
}

char *halide_pointer_to_string(char *to, char *end, const void *value) {
    (void)end;
    (void)value;
    return to;
}
