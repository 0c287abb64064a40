/* Runs all candidates of a bundle, then the best ones once more, and writes results.json.
 *
 * Stop it whenever you like (Ctrl-C, or the power): the same command goes on where it stopped. */
#define _GNU_SOURCE
#include "runner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERRUPTED 130
#define PASSES 2

volatile int interrupted, continued;

static void interrupt(int number) {
    (void)number;
    interrupted = 1;
}

static void go_on(int number) {
    (void)number;
    continued = 1;
}

/* Unless whoever started this has it ignored, as nohup has SIGHUP. */
static void heed(int number) {
    struct sigaction before, action = {.sa_handler = interrupt};
    if (!sigaction(number, NULL, &before) && before.sa_handler != SIG_IGN) {
        sigaction(number, &action, NULL);
    }
}

static int works(const struct result *each) {
    return !each->failed && each->best_s > 0;
}

/* The best of those that have at most so many passes behind them; -1 if there is none. */
static int best_place(int passes) {
    int best = -1;
    for (int k = 0; k < candidate_count; k++) {
        const struct result *each = &results[k];
        if (works(each) && each->done <= passes && (best < 0 || each->best_s < results[best].best_s)) {
            best = k;
        }
    }
    return best;
}

static double best_s(void) {
    int best = best_place(PASSES);
    return best < 0 ? 0 : results[best].best_s;
}

static void leave_interrupted(void) {
    fprintf(stderr, "interrupted: all results so far are in results.json; the same command goes on\n");
    exit(INTERRUPTED);
}

static void run_one(int place, int pass, int number, int count) {
    const struct candidate *candidate = &candidates[place];
    begin_candidate(place, pass);
    struct attempt attempt = try_candidate(candidate, best_s());
    leave_candidate(); /* before its result is written: should the disk be full, that is not the candidate's fault */
    if (interrupted) {
        leave_interrupted();
    }
    keep_result(place, pass, &attempt);
    printf("[%d of %d%s] %s: ", number, count, pass > 1 ? ", once more" : "", candidate->schedule);
    if (attempt.failed) {
        printf("failed in %s: %s\n", attempt.stage, attempt.message);
    } else {
        printf("%.4g ms, best %.4g ms\n", 1e3 * results[place].best_s, 1e3 * best_s());
    }
}

/* What was close to the best is measured once more, for a disturbance may have decided; and so on until the best one is
 * among them. */
static void run_finals(void) {
    int count = 0, most = 0, place; /* most: where few work, there are fewer than the limit */
    for (int k = 0; k < candidate_count; k++) {
        count += results[k].done > 1;
        most += results[k].done > 1 || works(&results[k]);
    }
    most = most < limits.finalists ? most : limits.finalists;
    while ((place = best_place(1)) >= 0 && (count < limits.finalists || place == best_place(PASSES))) {
        count++;
        run_one(place, PASSES, count, count > most ? count : most);
    }
}

int main(int count, char **words) {
    char *slash = count ? strrchr(words[0], '/') : NULL;
    if (slash) {
        *slash = 0;
        if (chdir(words[0])) {
            perror(words[0]);
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    heed(SIGINT);
    heed(SIGTERM);
    heed(SIGHUP);
    struct sigaction after_stop = {.sa_handler = go_on};
    sigaction(SIGCONT, &after_stop, NULL);
    open_results();
    prepare_arguments();
    for (int k = 0; k < candidate_count; k++) {
        if (!results[k].done) {
            run_one(k, 1, k + 1, candidate_count);
        }
    }
    run_finals();
    printf("done. Take results.json back, and there: hltune bundle read results.json\n");
    return 0;
}
