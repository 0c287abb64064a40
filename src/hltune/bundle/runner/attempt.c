/* One candidate in a process of its own, which tells this one what it does and how long that took.
 *
 * Whatever it does to itself, this process goes on: it may crash, loop for ever, or be killed for want of memory. */
#define _GNU_SOURCE
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_REPEATS 1000
#define HEAP_POISON 0x7f /* of which floats are large */

/* Halide's runtime, which is linked with the candidates */
int halide_set_num_threads(int count);
void *halide_set_error_handler(void (*handler)(void *, const char *));
void *halide_set_custom_malloc(void *(*allocate)(void *, size_t));
void *halide_set_custom_free(void (*release)(void *, void *));

enum news { STAGE, TURN, FAILED, DONE };
struct message {
    enum news news;
    int pruned;
    double limit_s;
    struct turn turn;
    char stage[32], kind[32], text[MESSAGE_SIZE];
};

/* The arguments of a setting as a candidate takes them. */
static struct prepared {
    struct buffer buffers[MOST_ARGUMENTS];
    struct dimension dimensions[MOST_ARGUMENTS][MOST_DIMENSIONS];
    void *addresses[MOST_ARGUMENTS];
} prepared[MOST_SETTINGS];
static int news_to;

static char error_text[MESSAGE_SIZE];
static atomic_flag error_seen = ATOMIC_FLAG_INIT;

static double now_s(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Several threads may fail at once; what the first of them says counts. */
static void hear_error(void *context, const char *text) {
    (void)context;
    if (!atomic_flag_test_and_set(&error_seen)) {
        snprintf(error_text, sizeof error_text, "%s", text);
    }
}

#ifndef __GLIBC__
/* After its first large buffers, glibc keeps what it gets back, call by call. Other C libraries may give large buffers
 * back to the system each time, which would cost a page fault for every page. So they are kept here. */
struct block {
    struct block *next;
    size_t size;
};
static struct block *kept_blocks;
static pthread_mutex_t block_lock = PTHREAD_MUTEX_INITIALIZER;
static int heap_poisoned;
#define HEADER 128

/* While it is on, memory holds neither zeros nor what was there before: who reads what nobody wrote shows. */
static void poison_heap(int on) { heap_poisoned = on; }

static void *keep_malloc(void *context, size_t size) {
    (void)context;
    size = (size + HEADER + 4095) / 4096 * 4096;
    pthread_mutex_lock(&block_lock);
    struct block **link = &kept_blocks;
    while (*link && (*link)->size != size) {
        link = &(*link)->next;
    }
    struct block *block = *link;
    if (block) {
        *link = block->next;
    }
    pthread_mutex_unlock(&block_lock);
    if (!block && !(block = aligned_alloc(HEADER, size))) {
        return NULL;
    }
    block->size = size;
    if (heap_poisoned) {
        memset((char *)block + HEADER, HEAP_POISON, size - HEADER);
    }
    return (char *)block + HEADER;
}

static void keep_free(void *context, void *memory) {
    (void)context;
    if (memory) {
        struct block *block = (struct block *)((char *)memory - HEADER);
        pthread_mutex_lock(&block_lock);
        block->next = kept_blocks;
        kept_blocks = block;
        pthread_mutex_unlock(&block_lock);
    }
}

FILE *fopen64(const char *path, const char *mode) { return fopen(path, mode); } /* Halide's runtime wants glibc's name */
#else
static void poison_heap(int on) { mallopt(M_PERTURB, on ? HEAP_POISON ^ 0xff : 0); /* glibc inverts it */ }
#endif

static void prepare(int setting, int place) {
    const struct argument *a = &settings[setting].arguments[place];
    struct prepared *to = &prepared[setting];
    if (a->kind == SCALAR) {
        to->addresses[place] = (void *)&a->scalar;
        return;
    }
    struct buffer *buffer = &to->buffers[place];
    memcpy(to->dimensions[place], a->dim, sizeof a->dim);
    /* Outputs are as large in all settings, and nobody writes to those of two at a time. */
    buffer->host = setting && a->kind == OUTPUT ? prepared[0].buffers[place].host : memory_of(a);
    if (!buffer->host || (a->kind == INPUT && !fill_input(a, buffer->host))) {
        int unread = buffer->host && a->file;
        fprintf(stderr, "cannot make %s: %s\n  to do: %s\n", a->name, unread ? a->file : "too little memory",
                unread ? "unpack the bundle again, where there is room for it, and run again" : "end other programs");
        exit(3);
    }
    if (a->kind == OUTPUT && !read_samples(setting, place)) { /* now, or every candidate would fail for it */
        fprintf(stderr, "%s: cannot be read, or is too short; it belongs to this bundle, and nothing was measured\n"
                "  to do: unpack the bundle again, where there is room for it, and run again\n", a->file);
        exit(3);
    }
    buffer->code = (uint8_t)a->code;
    buffer->bits = (uint8_t)a->bits;
    buffer->lanes = 1;
    buffer->dimensions = a->dimensions;
    buffer->dim = to->dimensions[place];
    to->addresses[place] = buffer;
}

/* Makes the inputs and reads what is expected, which all candidates share. */
void prepare_arguments(void) {
    if (!prepare_checks()) {
        fprintf(stderr, "too little memory to check outputs\n  to do: end other programs, run again\n");
        exit(3);
    }
    for (int setting = 0; setting < setting_count; setting++) {
        for (int k = 0; k < argument_count; k++) {
            prepare(setting, k);
        }
    }
}

/* From here on: the process of a candidate. */

static void tell(struct message message) {
    if (write(news_to, &message, sizeof message) != (ssize_t)sizeof message) {
        _exit(4);
    }
}

static void enter(const char *stage, double limit_s) {
    struct message message = {.news = STAGE, .limit_s = limit_s};
    snprintf(message.stage, sizeof message.stage, "%s", stage);
    tell(message);
}

static void give_up(const char *stage, const char *kind, const char *text) {
    struct message message = {.news = FAILED};
    snprintf(message.stage, sizeof message.stage, "%s", stage);
    snprintf(message.kind, sizeof message.kind, "%s", kind);
    snprintf(message.text, sizeof message.text, "%s", text);
    tell(message);
    _exit(0);
}

static void poison_outputs(int setting) {
    for (int k = 0; k < argument_count; k++) {
        const struct argument *a = &settings[setting].arguments[k];
        if (a->kind == OUTPUT) {
            poison(a, prepared[setting].buffers[k].host);
        }
    }
}

static void verify(int setting) {
    const char *stage = settings[setting].verify;
    char message[MESSAGE_SIZE];
    enter(stage, limits.verify_timeout_s);
    for (int k = 0; k < argument_count; k++) {
        int is_image = settings[setting].arguments[k].kind != SCALAR;
        if (is_image && wrong(setting, k, prepared[setting].buffers[k].host, message)) {
            give_up(stage, "wrong output", message);
        }
    }
}

static double timed(const struct candidate *candidate, int setting, int count) {
    void **addresses = prepared[setting].addresses;
    double began_s = now_s();
    for (int k = 0; k < count; k++) {
        int code = candidate->run(addresses);
        if (code) {
            give_up(settings[setting].run, "error", error_text[0] ? error_text : "Halide gives no reason");
        }
    }
    return (now_s() - began_s) / count;
}

static int by_size(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

/* As numpy.quantile interpolates. */
static double quantile(const double *sorted, int count, double share) {
    double place = share * (count - 1);
    int below = (int)place, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

static double lower_decile(double *repeats, int count) {
    qsort(repeats, (size_t)count, sizeof *repeats, by_size);
    return quantile(repeats, count, 0.1);
}

/* What the file of results has room for. */
static struct turn told(const double *sorted, int count) {
    struct turn turn = {.count = count < MOST_TOLD ? count : MOST_TOLD};
    for (int k = 0; k < turn.count; k++) {
        turn.repeats_s[k] = count <= MOST_TOLD ? sorted[k] : quantile(sorted, count, (double)k / (MOST_TOLD - 1));
    }
    return turn;
}

/* The lower decile of the repeats of all turns. The fastest one may be luck: where other programs run, one call in a
 * hundred may be much faster than all others. */
double cost_s(const struct attempt *attempt) {
    double repeats[MOST_TURNS * MOST_TOLD];
    int count = 0;
    for (int turn = 0; turn < attempt->turns; turn++) {
        const struct turn *each = &attempt->turn[turn];
        memcpy(repeats + count, each->repeats_s, (size_t)each->count * sizeof *repeats);
        count += each->count;
    }
    return lower_decile(repeats, count);
}

static int far_above(double call_s, double best_s) { return best_s > 0 && call_s > limits.prune_ratio * best_s; }

/* Tells a turn. True if it was so slow that further ones are not worth their time. */
static int tell_turn(double *repeats, int count, double best_s) {
    int pruned = far_above(lower_decile(repeats, count), best_s);
    tell((struct message){.news = TURN, .turn = told(repeats, count), .pruned = pruned});
    return pruned;
}

/* Repeats calls for the time of a turn; short ones in batches, so that the clock's resolution is nothing. True if that
 * was so slow that further turns are not worth their time. */
static int take_turn(const struct candidate *candidate, double call_s, double best_s) {
    static double repeats[MOST_REPEATS];
    int count = 0, batch = (int)(limits.sample_s / (call_s > 1e-7 ? call_s : 1e-7));
    double end_s = now_s() + limits.turn_s;
    do {
        repeats[count++] = timed(candidate, 0, batch > 1 ? batch : 1);
    } while (count < MOST_REPEATS && now_s() < end_s);
    return tell_turn(repeats, count, best_s);
}

static void measure(const struct candidate *candidate, double best_s) {
    double limit_s = limits.run_timeout_s;
    if (best_s > 0) {
        double relative_s = limits.abort_ratio * best_s;
        relative_s = relative_s > limits.least_run_timeout_s ? relative_s : limits.least_run_timeout_s;
        limit_s = limit_s < relative_s ? limit_s : relative_s;
    }
    for (int setting = 0; setting < setting_count; setting++) {
        enter(settings[setting].run, limit_s);
        poison_outputs(setting);
        poison_heap(1);
        timed(candidate, setting, 1);
        poison_heap(0);
        verify(setting);
    }
    enter("timing", 2 * limit_s);
    poison_outputs(0);
    double first_s = timed(candidate, 0, 1), second_s = timed(candidate, 0, 1);
    int pruned = 0;
    if (second_s > limits.turn_s) {
        tell_turn((double[]){first_s, second_s}, 2, best_s);
    } else {
        double call_s = first_s < second_s ? first_s : second_s;
        for (int turn = 0; turn < limits.turns && !pruned; turn++) {
            poison_outputs(0); /* what the last turn wrote is verified: a race need not show in the first run */
            enter("timing", limits.turn_s + 2 * limit_s);
            pruned = take_turn(candidate, call_s, best_s);
        }
    }
    verify(0);
}

/* Has a signal end this process, unless whoever started the run has it ignored. */
static void heed_no_more(int number) {
    if (signal(number, SIG_DFL) == SIG_IGN) {
        signal(number, SIG_IGN);
    }
}

static void run_child(const struct candidate *candidate, double best_s) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* the parent hears it */
    heed_no_more(SIGTERM);
    heed_no_more(SIGHUP);
    int score = open("/proc/self/oom_score_adj", O_WRONLY);
    if (score >= 0) { /* whoever runs out of memory is this process, not the runner */
        ssize_t ignored = write(score, "1000", 4);
        (void)ignored;
        close(score);
    }
    halide_set_error_handler(hear_error);
#ifndef __GLIBC__
    halide_set_custom_malloc(keep_malloc);
    halide_set_custom_free(keep_free);
#endif
    halide_set_num_threads(limits.threads);
    measure(candidate, best_s);
    tell((struct message){.news = DONE});
    _exit(0);
}

/* From here on: the process that waits for it. */

static void fail(struct attempt *attempt, const char *kind, const char *text) {
    attempt->failed = kind;
    snprintf(attempt->message, sizeof attempt->message, "%s", text);
}

/* 1 if a message came, 0 if the process ended, -1 if time was up, somebody interrupts, or had stopped all for a while. */
static int hear(int from, struct message *message, double end_s) {
    struct pollfd poll_for = {.fd = from, .events = POLLIN};
    for (;;) {
        double left_s = end_s - now_s();
        if (interrupted || continued || left_s <= 0) {
            return -1;
        }
        int ready = poll(&poll_for, 1, left_s > 1 ? 1000 : (int)(1000 * left_s) + 1);
        if (ready > 0) {
            return read(from, message, sizeof *message) == (ssize_t)sizeof *message;
        }
    }
}

static void say_death(struct attempt *attempt, int status) {
    char text[160];
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        fail(attempt, "memory", "the system killed it, which it does where memory runs out");
    } else if (WIFSIGNALED(status)) {
        snprintf(text, sizeof text, "the process died (%s)", strsignal(WTERMSIG(status)));
        fail(attempt, "crash", text);
    } else {
        snprintf(text, sizeof text, "the process left with status %d in the middle of it", WEXITSTATUS(status));
        fail(attempt, "crash", text);
    }
}

static void follow(struct attempt *attempt, int from, pid_t child) {
    struct message message = {.news = STAGE};
    double limit_s = limits.run_timeout_s, end_s = now_s() + limit_s + 10;
    int heard;
    while ((heard = hear(from, &message, end_s)) > 0 && message.news != DONE && message.news != FAILED) {
        if (message.news == TURN && attempt->turns < MOST_TURNS) {
            attempt->turn[attempt->turns++] = message.turn;
            attempt->pruned = message.pruned;
        } else if (message.news == STAGE) {
            limit_s = message.limit_s;
            end_s = now_s() + limit_s;
            memcpy(attempt->stage, message.stage, sizeof attempt->stage);
        }
    }
    if (heard < 0) {
        kill(child, SIGKILL);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (heard < 0) {
        char text[80];
        int tighter = limit_s < limits.run_timeout_s && strncmp(attempt->stage, "verify", 6);
        snprintf(text, sizeof text, "took longer than %s%g s%s", tighter ? "" : "its limit of ", limit_s,
                 tighter ? ", many times as long as the best" : "");
        fail(attempt, "timeout", text);
    } else if (heard && message.news == FAILED) {
        memcpy(attempt->stage, message.stage, sizeof attempt->stage);
        fail(attempt, strcmp(message.kind, "error") ? "wrong output" : "error", message.text);
    } else if (!heard) {
        say_death(attempt, status);
    }
}

static struct attempt attempt_once(const struct candidate *candidate, double best_s) {
    struct attempt attempt = {.stage = "start"};
    int ends[2];
    fflush(NULL);
    pid_t child = -1;
    if (pipe(ends) || (child = fork()) < 0) {
        fprintf(stderr, "no room for another process: %s\n  to do: end other programs, run again\n", strerror(errno));
        leave_candidate(); /* that is not its fault */
        exit(3);
    }
    if (!child) {
        close(ends[0]);
        news_to = ends[1];
        run_child(candidate, best_s);
    }
    close(ends[1]);
    follow(&attempt, ends[0], child);
    close(ends[0]);
    return attempt;
}

/* Runs a candidate: what came of it is of no use if somebody has interrupted. `best_s` is 0 if nothing is known. While
 * all was stopped (Ctrl-Z), time went on: then it begins anew. */
struct attempt try_candidate(const struct candidate *candidate, double best_s) {
    struct attempt attempt;
    do {
        continued = 0;
        attempt = attempt_once(candidate, best_s);
    } while (continued && !interrupted);
    return attempt;
}
