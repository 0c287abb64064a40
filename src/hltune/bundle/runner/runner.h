/* What a bundle consists of: `tables.c`, which hltune writes for each bundle, fills it, and `runner.c` and the other files
 * work with it. Nothing here depends on Halide's headers. */
#ifndef HLTUNE_RUNNER_H
#define HLTUNE_RUNNER_H

#include <stddef.h>
#include <stdint.h>

#define MOST_ARGUMENTS 64
#define MOST_DIMENSIONS 8
#define MOST_SETTINGS 2
#define MESSAGE_SIZE 400

/* HalideRuntime.h: halide_dimension_t, halide_buffer_t */
struct dimension {
    int32_t min, extent, stride;
    uint32_t flags;
};
struct buffer {
    uint64_t device;
    const void *device_interface;
    uint8_t *host;
    uint64_t flags;
    uint8_t code, bits;
    uint16_t lanes;
    int32_t dimensions;
    struct dimension *dim;
    void *padding;
};

enum kind { SCALAR, INPUT, OUTPUT };
enum code { SIGNED, UNSIGNED, FLOAT };

/* One argument of the pipeline. */
struct argument {
    const char *name;
    enum kind kind;
    enum code code;
    int bits;       /* of an element; 1 for bool, which takes a byte */
    int dimensions; /* innermost first */
    struct dimension dim[MOST_DIMENSIONS];
    uint64_t size;      /* elements in memory, those between rows included */
    uint64_t alignment; /* of its first byte */
    uint64_t scalar;    /* the value of a scalar, as it lies in memory */
    const char *file;   /* an input: its memory; NULL for random data. An output: positions and values of samples */
    uint64_t seed;      /* an input of random data: where its stream begins */
    int drawn_bits;     /* how many bits of each random number are used */
    int64_t low;        /* the least integer that is drawn */
    int exact;          /* an output: its hash has to be this one; else its samples decide */
    uint64_t hash;
    uint64_t blank;     /* an output of floats: how many elements look as if nobody had written them */
    uint64_t samples;
    double near_zero;       /* added to a float before a difference is related to it */
    int levels;             /* distances; see `level` and `allowed` */
    const double *level;    /* from small to large */
    const uint64_t *allowed; /* per level: samples above it in all, and in any slice of each dimension, outermost first */
};

/* What candidates run on, and what is expected of that. */
struct setting {
    const char *run, *verify; /* stages in which candidates fail, and in which their outputs are wrong */
    const struct argument *arguments;
};

struct candidate {
    int number;
    const char *schedule; /* the beginning of its hash */
    int (*run)(void **arguments);
};

struct limits {
    int threads, turns, finalists;
    double turn_s, sample_s; /* of one turn; of one repeat at least */
    double repeated;         /* what costs less than this share of a later measurement does not count */
    double prune_ratio;      /* what is so many times slower than the best is not repeated */
    double abort_ratio;      /* and so many times slower fails, if it also takes longer than this: */
    double least_run_timeout_s, run_timeout_s, verify_timeout_s;
};

/* tables.c */
extern const char bundle_id[];
extern const struct limits limits;
extern const struct setting settings[]; /* candidates are timed on the first one, and verified on all */
extern const int setting_count;
extern const int argument_count; /* of each */
extern const struct candidate candidates[];
extern const int candidate_count;

/* data.c: memory of inputs and outputs, what is in it, and whether that is right */
void *take_pages(size_t size);
void *memory_of(const struct argument *argument);
int fill_input(const struct argument *argument, uint8_t *memory);
int read_samples(int setting, int place);
int prepare_checks(void);
void poison(const struct argument *argument, uint8_t *memory);
int wrong(int setting, int place, const uint8_t *memory, char *message);

/* attempt.c: one candidate, in a process of its own */
#define MOST_TOLD 11
#define MOST_TURNS 16
struct turn {
    int count;
    double repeats_s[MOST_TOLD]; /* from small to large: all repeats, or of many their deciles with both ends */
};
struct attempt {
    int turns;
    struct turn turn[MOST_TURNS];
    int pruned;
    const char *failed; /* the kind of failure; NULL if there was none */
    char stage[32];
    char message[MESSAGE_SIZE];
};
extern volatile int interrupted, continued; /* by Ctrl-C and the like; after Ctrl-Z */
void prepare_arguments(void);
double cost_s(const struct attempt *attempt);
struct attempt try_candidate(const struct candidate *candidate, double best_s);

/* results.c: the file of results */
struct result {
    int done;      /* passes that are on record */
    int failed;
    int strikes;   /* how often the run died with it */
    double best_s; /* the least cost that was not refuted; 0 if it was not measured */
};
extern struct result results[];
void open_results(void);
void begin_candidate(int place, int pass);
void keep_result(int place, int pass, const struct attempt *attempt);
void leave_candidate(void);

#endif
