/* A QEMU plug-in: counts the packets that each Func issues, and prints them with what runtime.c knows.
 *
 * The emulated process lies in this one's memory, from an address on that QEMU was told (-B), so that its memory can be
 * read here. The declarations are those of QEMU's plug-in interface, version 1, which distributions do not package. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned, void *), int flags,
                                                   void *data);
extern void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id, void *), void *data);

EXPORT int qemu_plugin_version = 1;

PROFILED_FUNC(uint32_t);
PROFILED(uint32_t);

static const char *memory;                /* of the emulated process */
static const volatile struct profiled *profiled; /* its own */
static uint64_t packets[MOST_FUNCS];

static const void *at(uint32_t address) {
    return memory + address;
}

static void issued(unsigned cpu, void *data) {
    (void)cpu, (void)data;
    uint32_t current = profiled->current;
    if (current) {
        uint32_t func = *(const volatile uint32_t *)at(current);
        packets[func < MOST_FUNCS ? func : 0]++;
    }
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb) {
    (void)id;
    for (size_t k = 0; k < qemu_plugin_tb_n_insns(tb); k++) {
        qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, k), issued, 0, 0);
    }
}

static void ended(plugin_id id, void *data) {
    (void)id, (void)data;
    fprintf(stderr, "\nprofiled %" PRIu32 " %" PRIu32 "\n", profiled->funcs, profiled->heap_peak);
    for (uint32_t k = 0; k < profiled->funcs; k++) {
        struct profiled_func func = profiled->func[k];
        fprintf(stderr, "func %" PRIu64 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %s\n", packets[k], func.allocations,
                func.heap_peak, func.stack_peak, (const char *)at(func.name));
    }
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    if (argc != 2 || strncmp(argv[0], "base=", 5) || strncmp(argv[1], "profiled=", 9)) {
        fprintf(stderr, "bad options of the profiling plug-in\n");
        return -1;
    }
    memory = (const char *)strtoull(argv[0] + 5, 0, 0);
    profiled = at((uint32_t)strtoull(argv[1] + 9, 0, 0));
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, 0);
    return 0;
}
