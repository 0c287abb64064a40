/* A QEMU plug-in: counts the lines that a set-associative cache with least-recently-used replacement misses.
 *
 * The harness reads the packet counter around an empty call and then around the pipeline. Each read that is executed is
 * noticed here: after the third the cache is empty and counting begins, at the fourth it ends.
 *
 * The declarations are those of QEMU's plug-in interface, version 1, which distributions do not package. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
typedef uint32_t mem_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
extern unsigned qemu_plugin_mem_size_shift(mem_info info);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned, void *), int flags,
                                                   void *data);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
                                             void (*cb)(unsigned, mem_info, uint64_t, void *), int flags, int kinds,
                                             void *data);
extern void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id, void *), void *data);

enum { NO_REGISTERS = 0, READS_AND_WRITES = 3, COUNTER_READ = 0x6a14c000, BEGIN = 3, END = 4 };

EXPORT int qemu_plugin_version = 1;

static uint64_t size = 1 << 20, ways = 8, line = 128;
static uint64_t sets, clock, misses, reads;
static struct way {
    uint64_t tag, used; /* used is 0 while the way is empty */
} *cache;

static void touch(uint64_t number) {
    struct way *set = &cache[number % sets * ways], *oldest = set;
    clock++;
    for (struct way *way = set; way < set + ways; way++) {
        if (way->used && way->tag == number) {
            way->used = clock;
            return;
        }
        if (way->used < oldest->used) {
            oldest = way;
        }
    }
    misses++;
    *oldest = (struct way){number, clock};
}

static void accessed(unsigned cpu, mem_info info, uint64_t address, void *data) {
    (void)cpu, (void)data;
    if (reads == BEGIN) {
        uint64_t last = address + (1u << qemu_plugin_mem_size_shift(info)) - 1;
        for (uint64_t number = address / line; number <= last / line; number++) {
            touch(number);
        }
    }
}

static void counter_read(unsigned cpu, void *data) {
    (void)cpu, (void)data;
    reads++;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb) {
    (void)id;
    for (size_t k = 0; k < qemu_plugin_tb_n_insns(tb); k++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, k);
        const uint8_t *words = qemu_plugin_insn_data(insn);
        for (size_t at = 0; at + 4 <= qemu_plugin_insn_size(insn); at += 4) {
            uint32_t word;
            memcpy(&word, words + at, 4);
            if (word == COUNTER_READ) {
                qemu_plugin_register_vcpu_insn_exec_cb(insn, counter_read, NO_REGISTERS, 0);
            }
        }
        qemu_plugin_register_vcpu_mem_cb(insn, accessed, NO_REGISTERS, READS_AND_WRITES, 0);
    }
}

static void ended(plugin_id id, void *data) {
    (void)id, (void)data;
    fprintf(stderr, "\nline misses: %" PRIu64 " after %" PRIu64 " counter reads\n", misses, reads);
}

static int option(const char *text, const char *name, uint64_t *value) {
    size_t length = strlen(name);
    if (strncmp(text, name, length) || text[length] != '=') {
        return 0;
    }
    *value = strtoull(text + length + 1, 0, 10);
    return *value > 0;
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    for (int k = 0; k < argc; k++) {
        if (!option(argv[k], "size", &size) && !option(argv[k], "ways", &ways) && !option(argv[k], "line", &line)) {
            fprintf(stderr, "bad option of the cache plug-in: %s\n", argv[k]);
            return -1;
        }
    }
    sets = size / line / ways;
    cache = sets ? calloc(sets * ways, sizeof *cache) : 0;
    if (!cache) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, 0);
    return 0;
}
