/* Memory of inputs and outputs, random inputs, and the check of outputs.
 *
 * hltune's `machine/portable.py` and `bundle/expected.py` compute the same with NumPy. */
#define _GNU_SOURCE
#include "runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD 4096 /* bytes before and after every image that nobody may write to */
#define GUARD_BYTE 0x5a
#define GOLDEN 0x9e3779b97f4a7c15u

/* splitmix64: the number that follows a state, which itself grows by GOLDEN. */
static uint64_t random_number(uint64_t state) {
    uint64_t z = state + GOLDEN;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t element_bytes(const struct argument *a) { return a->bits < 8 ? 1 : (uint64_t)a->bits / 8; }

static uint64_t element_count(const struct argument *a) {
    uint64_t count = 1;
    for (int d = 0; d < a->dimensions; d++) {
        count *= (uint64_t)a->dim[d].extent;
    }
    return count;
}

/* Walks over the elements, the innermost dimension first. */
struct walk {
    int32_t at[MOST_DIMENSIONS];
    int64_t place;
};

static void step(const struct argument *a, struct walk *walk) {
    for (int d = 0; d < a->dimensions; d++) {
        walk->place += a->dim[d].stride;
        if (++walk->at[d] < a->dim[d].extent) {
            return;
        }
        walk->place -= (int64_t)a->dim[d].stride * a->dim[d].extent;
        walk->at[d] = 0;
    }
}

static struct walk walk_to(const struct argument *a, uint64_t element) {
    struct walk walk = {{0}, 0};
    for (int d = 0; d < a->dimensions; d++) {
        walk.at[d] = (int32_t)(element % (uint64_t)a->dim[d].extent);
        walk.place += (int64_t)walk.at[d] * a->dim[d].stride;
        element /= (uint64_t)a->dim[d].extent;
    }
    return walk;
}

/* Pages of zeros; NULL if there are none. What malloc maps and gets back changes how it answers from then on, and how
 * fast candidates are; so whatever is large and given back is taken here, by munmap. */
void *take_pages(size_t size) {
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

/* Pages for an image, between two guards; NULL if there are none. */
void *memory_of(const struct argument *a) {
    uint64_t alignment = a->alignment < 128 ? 128 : a->alignment, size = a->size * element_bytes(a);
    uint8_t *pages = take_pages(size + 2 * GUARD + alignment);
    if (!pages) {
        return NULL;
    }
    uint8_t *memory = pages + GUARD;
    memory += (alignment - (uintptr_t)memory % alignment) % alignment;
    memset(memory - GUARD, GUARD_BYTE, GUARD);
    memset(memory + size, GUARD_BYTE, GUARD);
    return memory;
}

/* The bits of a half that is k / 2048, for k below 2048. */
static uint64_t half_of(uint64_t k) {
    int exponent = 10;
    if (!k) {
        return 0;
    }
    while (!(k >> exponent)) {
        exponent--;
    }
    return (uint64_t)(exponent + 4) << 10 | ((k << (10 - exponent)) & 0x3ff);
}

static uint64_t drawn(const struct argument *a, uint64_t number) {
    uint64_t used = number >> (64 - a->drawn_bits), bits = 0;
    if (a->code != FLOAT) {
        return used + (uint64_t)a->low;
    }
    if (a->bits == 16) {
        return half_of(used);
    }
    double value = ldexp((double)used, -a->drawn_bits);
    float narrow = (float)value;
    if (a->bits == 64) {
        memcpy(&bits, &value, sizeof value);
    } else {
        memcpy(&bits, &narrow, sizeof narrow);
    }
    return bits;
}

/* Random data, or what is in the input's file; 0 if that cannot be read. All processors here are little-endian. */
int fill_input(const struct argument *a, uint8_t *memory) {
    uint64_t bytes = element_bytes(a), count = element_count(a), state = a->seed;
    if (a->file) {
        FILE *file = fopen(a->file, "rb");
        int good = file && fread(memory, bytes, a->size, file) == a->size;
        if (file) {
            fclose(file);
        }
        return good;
    }
    struct walk walk = {{0}, 0};
    for (uint64_t k = 0; k < count; k++, state += GOLDEN, step(a, &walk)) {
        uint64_t value = drawn(a, random_number(state));
        memcpy(memory + (uint64_t)walk.place * bytes, &value, bytes);
    }
    return 1;
}

/* Floats that are no numbers: small ones could pass for what is expected near zero. */
static uint8_t poison_byte(const struct argument *a) { return a->code == FLOAT ? 0xff : 0xa5; }

void poison(const struct argument *a, uint8_t *memory) { memset(memory, poison_byte(a), a->size * element_bytes(a)); }

static int all_are(const uint8_t *from, uint64_t count, uint8_t value) {
    for (uint64_t k = 0; k < count; k++) {
        if (from[k] != value) {
            return 0;
        }
    }
    return 1;
}

/* What checks work in. It is taken once, before there are candidates, each of whose processes has a copy: there, a check
 * neither wants for memory nor asks malloc for any. */
static void *scratch;

static int has_gaps(const struct argument *a) { return element_count(a) != a->size; }

/* What the check of an output needs: a byte per element; or a distance per sample, and a count per slice. */
static size_t check_size(const struct argument *a) {
    uint64_t slices = 0, owned = has_gaps(a) ? a->size : 0;
    for (int d = 0; d < a->dimensions; d++) {
        slices = (uint64_t)a->dim[d].extent > slices ? (uint64_t)a->dim[d].extent : slices;
    }
    uint64_t counted = a->samples * sizeof(double) + slices * sizeof(uint64_t);
    return owned > counted ? owned : counted;
}

/* Takes the memory that all checks need; 0 if there is too little. */
int prepare_checks(void) {
    size_t most = 0;
    for (int setting = 0; setting < setting_count; setting++) {
        for (int k = 0; k < argument_count; k++) {
            const struct argument *a = &settings[setting].arguments[k];
            size_t size = a->kind == OUTPUT ? check_size(a) : 0;
            most = size > most ? size : most;
        }
    }
    return !most || (scratch = take_pages(most));
}

static int gaps_intact(const struct argument *a, const uint8_t *memory) {
    uint64_t bytes = element_bytes(a), count = element_count(a);
    if (!has_gaps(a)) {
        return 1;
    }
    uint8_t *owned = memset(scratch, 0, a->size);
    struct walk walk = {{0}, 0};
    for (uint64_t k = 0; k < count; k++, step(a, &walk)) {
        owned[walk.place] = 1;
    }
    int intact = 1;
    for (uint64_t k = 0; intact && k < a->size; k++) {
        intact = owned[k] || all_are(memory + k * bytes, bytes, poison_byte(a));
    }
    return intact;
}

static uint64_t hash_of(const struct argument *a, const uint8_t *memory) {
    uint64_t bytes = element_bytes(a), count = element_count(a), sum = 0;
    struct walk walk = {{0}, 0};
    for (uint64_t k = 0; k < count; k++, step(a, &walk)) {
        uint64_t value = 0;
        memcpy(&value, memory + (uint64_t)walk.place * bytes, bytes);
        sum += random_number(value ^ random_number(k));
    }
    return sum;
}

/* True if more elements are as `poison` leaves them than are expected to be: samples would hardly show a few. */
static int unwritten(const struct argument *a, const uint8_t *memory, char *message) {
    uint64_t bytes = element_bytes(a), count = element_count(a), blank = 0;
    struct walk walk = {{0}, 0};
    for (uint64_t k = 0; k < count; k++, step(a, &walk)) {
        blank += all_are(memory + (uint64_t)walk.place * bytes, bytes, poison_byte(a));
    }
    if (blank > a->blank) {
        snprintf(message, MESSAGE_SIZE, "wrong output %s: %llu of %llu values are not written", a->name,
                 (unsigned long long)(blank - a->blank), (unsigned long long)count);
    }
    return blank > a->blank;
}

static double from_half(uint64_t bits) {
    int exponent = (int)(bits >> 10 & 31), mantissa = (int)(bits & 0x3ff);
    double size = exponent == 31  ? (mantissa ? NAN : INFINITY)
                  : exponent == 0 ? ldexp(mantissa, -24)
                                  : ldexp(mantissa + 1024, exponent - 25);
    return bits >> 15 ? -size : size;
}

static double as_float(const struct argument *a, uint64_t bits) {
    double wide;
    float narrow;
    if (a->bits == 16) {
        return from_half(bits);
    }
    if (a->bits == 32) {
        uint32_t low = (uint32_t)bits;
        memcpy(&narrow, &low, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

/* A signed integer from as many of the low bits as it has. */
static int64_t as_signed(const struct argument *a, uint64_t bits) {
    return (int64_t)(bits << (64 - a->bits)) >> (64 - a->bits);
}

/* How far a value is from the expected one: relative for floats, in units for integers. */
static double distance(const struct argument *a, uint64_t found, uint64_t expected) {
    if (a->code == SIGNED) {
        int64_t one = as_signed(a, found), other = as_signed(a, expected);
        return one > other ? (double)((uint64_t)one - (uint64_t)other) : (double)((uint64_t)other - (uint64_t)one);
    }
    if (a->code == UNSIGNED) {
        return found > expected ? (double)(found - expected) : (double)(expected - found);
    }
    double ours = as_float(a, found), wanted = as_float(a, expected);
    if (ours == wanted || (isnan(ours) && isnan(wanted))) {
        return 0;
    }
    double far = fabs(ours - wanted) / (fabs(wanted) + a->near_zero);
    return isfinite(far) ? far : INFINITY;
}

static int text_of(const struct argument *a, uint64_t bits, char *text, size_t size) {
    if (a->code == FLOAT) {
        return snprintf(text, size, "%.9g", as_float(a, bits));
    }
    if (a->code == UNSIGNED) {
        return snprintf(text, size, "%llu", (unsigned long long)bits);
    }
    return snprintf(text, size, "%lld", (long long)as_signed(a, bits));
}

static struct samples {
    uint64_t *positions;
    uint8_t *values;
} samples_of[MOST_SETTINGS][MOST_ARGUMENTS];

/* Reads what is expected of an output, once for all candidates; 0 if that is not all there. */
int read_samples(int setting, int place) {
    const struct argument *a = &settings[setting].arguments[place];
    uint64_t bytes = element_bytes(a), count = a->samples;
    struct samples *to = &samples_of[setting][place];
    *to = (struct samples){malloc(8 * count + 1), malloc(bytes * count + 1)};
    FILE *file = fopen(a->file, "rb");
    int good = file && to->positions && to->values && fread(to->positions, 8, count, file) == count &&
               fread(to->values, bytes, count, file) == count;
    if (file) {
        fclose(file);
    }
    return good;
}

/* Samples that differ by more than a level, in all and in the fullest slice of each dimension, against what may. */
static int too_many(const struct argument *a, const double *far, uint64_t *slices, const uint64_t *positions, int level) {
    const uint64_t *allowed = a->allowed + (size_t)level * (size_t)(1 + a->dimensions);
    uint64_t all = 0;
    for (uint64_t k = 0; k < a->samples; k++) {
        all += far[k] > a->level[level];
    }
    int broken = all > allowed[0];
    for (int d = 0; !broken && all && d < a->dimensions; d++) {
        memset(slices, 0, (size_t)a->dim[d].extent * sizeof *slices);
        for (uint64_t k = 0; k < a->samples; k++) {
            if (far[k] > a->level[level]) {
                uint64_t count = ++slices[walk_to(a, positions[k]).at[d]];
                broken |= count > allowed[a->dimensions - d];
            }
        }
    }
    return broken;
}

static void describe(const struct argument *a, const uint8_t *memory, const struct samples *s, const double *far, char *message) {
    uint64_t bytes = element_bytes(a), count = 0, first = 0;
    double least = a->levels ? a->level[0] : 0;
    for (uint64_t k = a->samples; k-- > 0;) {
        if (far[k] > least) {
            count++;
            first = k;
        }
    }
    if (!count) {
        snprintf(message, MESSAGE_SIZE, "wrong output %s: its hash is not the expected one, but none of %llu samples shows where",
                 a->name, (unsigned long long)a->samples);
        return;
    }
    uint64_t expected = 0, found = 0;
    struct walk walk = walk_to(a, s->positions[first]);
    memcpy(&expected, s->values + first * bytes, bytes);
    memcpy(&found, memory + (uint64_t)walk.place * bytes, bytes);
    char place[128] = "", one[40], other[40];
    for (int d = 0; d < a->dimensions; d++) {
        size_t length = strlen(place);
        snprintf(place + length, sizeof place - length, "%s%d", d ? ", " : "", walk.at[d] + a->dim[d].min);
    }
    text_of(a, expected, one, sizeof one);
    text_of(a, found, other, sizeof other);
    snprintf(message, MESSAGE_SIZE, "wrong output %s: %llu of %llu sampled values differ, the first at (%s): expected %s, found %s",
             a->name, (unsigned long long)count, (unsigned long long)a->samples, place, one, other);
}

static int samples_differ(const struct argument *a, const struct samples *s, const uint8_t *memory, char *message) {
    uint64_t bytes = element_bytes(a);
    double *far = scratch;
    uint64_t *slices = (uint64_t *)(far + a->samples);
    for (uint64_t k = 0; k < a->samples; k++) {
        uint64_t expected = 0, found = 0;
        memcpy(&expected, s->values + k * bytes, bytes);
        memcpy(&found, memory + (uint64_t)walk_to(a, s->positions[k]).place * bytes, bytes);
        far[k] = distance(a, found, expected);
    }
    int broken = a->exact;
    for (int level = 0; !broken && level < a->levels; level++) {
        broken = too_many(a, far, slices, s->positions, level);
    }
    if (broken) {
        describe(a, memory, s, far, message);
    }
    return broken;
}

/* Says what is wrong with an image after a run; 0 if nothing is. */
int wrong(int setting, int place, const uint8_t *memory, char *message) {
    const struct argument *a = &settings[setting].arguments[place];
    uint64_t size = a->size * element_bytes(a);
    if (!all_are(memory - GUARD, GUARD, GUARD_BYTE) || !all_are(memory + size, GUARD, GUARD_BYTE)) {
        snprintf(message, MESSAGE_SIZE, "wrote beyond the ends of %s", a->name);
        return 1;
    }
    if (a->kind != OUTPUT) {
        return 0;
    }
    if (!gaps_intact(a, memory)) {
        snprintf(message, MESSAGE_SIZE, "wrote beyond the ends of the rows of an output");
        return 1;
    }
    if (a->code == FLOAT && unwritten(a, memory, message)) {
        return 1;
    }
    return a->exact && hash_of(a, memory) == a->hash ? 0 : samples_differ(a, &samples_of[setting][place], memory, message);
}
