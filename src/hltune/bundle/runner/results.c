/* The file of results: a line for the device, then one for each measurement, each on the disk before the next begins.
 *
 * Every line ends with a checksum of what stands before it, which begins with the bundle's name, and for measurements
 * with the device, so that no line gets among those of another one. Beside it, the file `running` names the candidate
 * that is under way, so that one that takes the device down is known when the run is continued. */
#define _GNU_SOURCE
#include "runner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define RESULTS "results.json"
#define RUNNING "running"
#define LONGEST_LINE 4096
#define LONGEST_VALUE 1700 /* of what a first line says, in quotes */
#define MOST_STRIKES 2

struct result results[4096];

static int file;
static off_t file_size;
static char line[LONGEST_LINE];
static size_t length;

static void add(const char *form, ...) {
    va_list values;
    va_start(values, form);
    int count = vsnprintf(line + length, sizeof line - length, form, values);
    va_end(values);
    length += (size_t)count;
    if (length >= sizeof line) {
        length = sizeof line - 1;
    }
}

/* A JSON string of plain characters: what is none of these is replaced. */
static void add_text(const char *text) {
    add("\"");
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\') {
            add("\\%c", *at);
        } else {
            add("%c", *at < 32 ? ' ' : *at > 126 ? '?' : *at);
        }
    }
    add("\"");
}

/* Where the checksums of a first line and of a measurement begin. */
static uint64_t first_sum, measured_sum;

/* FNV-1a, which goes on with these bytes. */
static uint64_t checksum(uint64_t sum, const char *bytes, size_t count) {
    for (size_t k = 0; k < count; k++) {
        sum = (sum ^ (uint8_t)bytes[k]) * 0x100000001b3u;
    }
    return sum;
}

static void refuse(const char *what, const char *todo) {
    fprintf(stderr, "%s: %s\n  to do: %s\n", RESULTS, what, todo);
    exit(2);
}

static int put(int to, const char *bytes, size_t count) {
    while (count) {
        ssize_t written = write(to, bytes, count);
        if (written < 0 && errno != EINTR) {
            return 0;
        }
        bytes += written > 0 ? written : 0;
        count -= written > 0 ? (size_t)written : 0;
    }
    return !fsync(to);
}

static void write_line(uint64_t from) {
    add(",\"check\":\"%016llx\"}\n", (unsigned long long)checksum(from, line, length));
    if (!put(file, line, length)) {
        const char *why = strerror(errno);
        if (ftruncate(file, file_size)) {
            perror(RESULTS);
        }
        refuse(why, "make room on this disk, and run again: it goes on where it stopped; all lines before are kept");
    }
    file_size += (off_t)length;
}

/* True if a line, without its end, is whole and unchanged. */
static int intact(uint64_t from, const char *text, size_t size) {
    static const char mark[] = ",\"check\":\"";
    size_t tail = sizeof mark - 1 + 18;
    if (size < tail || strncmp(text + size - tail, mark, sizeof mark - 1)) {
        return 0;
    }
    return strtoull(text + size - 18, NULL, 16) == checksum(from, text, size - tail);
}

static void read_first(const char *path, const char *key, char *to, size_t size) {
    FILE *from = fopen(path, "r");
    char text[512];
    while (from && !to[0] && fgets(text, sizeof text, from)) {
        char *value = *key ? strchr(text, ':') : text - 1;
        if (value && !strncmp(text, key, strlen(key))) {
            value += 1 + strspn(value + 1, " \t");
            value[strcspn(value, "\r\n")] = 0;
            snprintf(to, size, "%s", value);
        }
    }
    if (from) {
        fclose(from);
    }
}

/* Kinds of ARM cores, which have numbers instead of names: implementer/part, each once. */
static void read_parts(char *to, size_t size) {
    FILE *from = fopen("/proc/cpuinfo", "r");
    char text[512], implementer[16] = "", part[40];
    while (from && fgets(text, sizeof text, from)) {
        char *value = strstr(text, "0x");
        if (value && !strncmp(text, "CPU implementer", 15)) {
            value[strcspn(value, " \r\n")] = 0;
            snprintf(implementer, sizeof implementer, "%.12s", value);
        } else if (value && !strncmp(text, "CPU part", 8)) {
            value[strcspn(value, " \r\n")] = 0;
            snprintf(part, sizeof part, "%s/%.12s", implementer, value);
            size_t used = strlen(to);
            if (!strstr(to, part)) {
                snprintf(to + used, size - used, "%s%s", used ? " " : "", part);
            }
        }
    }
    if (from) {
        fclose(from);
    }
}

/* What the system says of its processor and of the whole. Servers with ARM cores, whose numbers makers share, say the
 * latter in their firmware. */
struct names {
    char cpu[800], board[256];
};

static struct names read_names(void) {
    struct names names = {"", ""};
    char model[256] = "", hardware[256] = "", parts[256] = "", maker[100] = "", product[100] = "";
    read_first("/proc/cpuinfo", "model name", model, sizeof model);
    read_first("/proc/cpuinfo", "Hardware", hardware, sizeof hardware);
    read_parts(parts, sizeof parts);
    snprintf(names.cpu, sizeof names.cpu, "%s%s%s%s%s", model, model[0] && hardware[0] ? ", " : "", hardware,
             parts[0] && (model[0] || hardware[0]) ? ", " : "", parts);
    if (!names.cpu[0]) {
        struct utsname system;
        uname(&system);
        snprintf(names.cpu, sizeof names.cpu, "%s", system.machine);
    }
    read_first("/proc/device-tree/model", "", names.board, sizeof names.board);
    if (!names.board[0] && parts[0] && !model[0] && !hardware[0]) {
        read_first("/sys/class/dmi/id/sys_vendor", "", maker, sizeof maker);
        read_first("/sys/class/dmi/id/product_name", "", product, sizeof product);
        snprintf(names.board, sizeof names.board, "%s%s%s", maker, maker[0] && product[0] ? " " : "", product);
    }
    return names;
}

static int usable_cores(void) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    return sched_getaffinity(0, sizeof cores, &cores) ? 1 : CPU_COUNT(&cores);
}

/* All cores, those that sleep included, which some C libraries leave out of _SC_NPROCESSORS_CONF. */
static int all_cores(void) {
    char list[256] = "";
    read_first("/sys/devices/system/cpu/present", "", list, sizeof list);
    int count = 0;
    for (char *at = list; *at >= '0' && *at <= '9'; at += *at == ',') { /* as "0-3,6" */
        long first = strtol(at, &at, 10), last = *at == '-' ? strtol(at + 1, &at, 10) : first;
        count += (int)(last - first) + 1;
    }
    int usable = usable_cores();
    count = count ? count : (int)sysconf(_SC_NPROCESSORS_CONF);
    return count > usable ? count : usable;
}

static double clock_s(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* The first line, up to when the run began. Returns how much of it has to be the same whenever a run goes on: all but
 * the kernel, which is updated now and then. */
static size_t compose_header(void) {
    char kernel[256];
    struct utsname system;
    uname(&system);
    struct names names = read_names();
    snprintf(kernel, sizeof kernel, "%.60s %.100s %.60s", system.sysname, system.release, system.machine);
    length = 0;
    add("{\"format\":\"hltune bundle results\",\"version\":2,\"bundle\":\"%s\",\"device\":{\"cpu\":", bundle_id);
    add_text(names.cpu);
    add(",\"board\":");
    add_text(names.board);
    add(",\"cores\":%d,\"threads\":%d,\"libc\":\"%s\"", all_cores(), limits.threads,
#ifdef __GLIBC__
        "glibc"
#else
        "other"
#endif
    );
    size_t common = length;
    add(",\"kernel\":");
    add_text(kernel);
    add("}");
    return common;
}

static int place_of(int number) {
    for (int k = 0; k < candidate_count; k++) {
        if (candidates[k].number == number) {
            return k;
        }
    }
    return -1;
}

/* The cost of a candidate after one more measurement. What does not repeat was a lucky moment, and does not count. */
static void learn(struct result *result, double cost) {
    double known = result->best_s;
    result->best_s = !known || cost < known || known < limits.repeated * cost ? cost : known;
}

static void take_line(const char *text, size_t size) {
    int number = 0, pass = 0;
    char schedule[16] = "";
    if (!intact(measured_sum, text, size) ||
        sscanf(text, "{\"candidate\":%d,\"schedule\":\"%15[0-9a-f]\",\"pass\":%d", &number, schedule, &pass) != 3) {
        return; /* measured again */
    }
    int place = place_of(number);
    if (place < 0 || strcmp(schedule, candidates[place].schedule)) {
        return;
    }
    struct result *result = &results[place];
    const char *best = strstr(text, "\"best_s\":");
    result->done = pass > result->done ? pass : result->done;
    result->failed |= !best;
    if (best) {
        learn(result, strtod(best + 9, NULL));
    }
}

/* What a first line says under a key, a number or a text, as it stands there. */
static void find_value(const char *from, const char *key, char to[LONGEST_VALUE]) {
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(from, quoted);
    at = at ? at + strlen(quoted) : "";
    size_t count = *at == '"' ? 1 : strcspn(at, ",}");
    if (*at == '"') {
        while (at[count] && at[count] != '"') {
            count += at[count] == '\\' && at[count + 1] ? 2 : 1;
        }
        count += at[count] == '"';
    }
    snprintf(to, LONGEST_VALUE, "%.*s", (int)count, at);
}

/* True if all words of a quoted text are among those of another one; kinds of cores, which are numbers, only if asked. */
static int has_words(const char *text, const char *words, int kinds) {
    char all[LONGEST_VALUE], word[LONGEST_VALUE];
    snprintf(all, sizeof all, " %.*s ", (int)strcspn(text + 1, "\""), text + 1);
    for (const char *from = words + 1, *end = from + strcspn(from, "\""), *to; from < end; from = to + 1) {
        to = from + strcspn(from, " \"");
        snprintf(word, sizeof word, " %.*s ", (int)(to - from), from);
        if ((kinds || strncmp(word, " 0x", 3)) && !strstr(all, word)) {
            return 0;
        }
    }
    return 1;
}

/* Cores that sleep are not in the list of their kinds. */
static int same_value(const char *key, const char *there, const char *here) {
    if (!strcmp(there, here)) {
        return 1;
    }
    return !strcmp(key, "cpu") && *there == '"' && has_words(there, here, 0) && has_words(here, there, 0) &&
           (has_words(there, here, 1) || has_words(here, there, 1));
}

/* Refuses results of something else, and says what differs; both are first lines. */
static void check_same(const char *there, const char *here) {
    static const char *const keys[] = {"bundle", "version", "cpu", "board", "cores", "threads", "libc"};
    char one[LONGEST_VALUE], other[LONGEST_VALUE], what[2 * LONGEST_VALUE + 100];
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        find_value(there, keys[k], one);
        find_value(here, keys[k], other);
        if (!same_value(keys[k], one, other)) {
            snprintf(what, sizeof what, "this file has results of another bundle or device: its %s is %s, expected: %s",
                     keys[k], one, other);
            refuse(what, "move it out of this folder, and run again");
        }
    }
}

/* Reads what an earlier run left, and leaves out a line that was not written to its end. */
static void continue_results(char *text, size_t size) {
    char *end = memchr(text, '\n', size);
    if (!end) {
        if (ftruncate(file, 0)) {
            refuse(strerror(errno), "check that this folder can be written to");
        }
        file_size = 0;
        return;
    }
    *end = 0; /* where a search in this line ends */
    check_same(text, line);
    const char *kernel = strstr(text, ",\"kernel\":");
    if (!intact(first_sum, text, (size_t)(end - text)) || !kernel) {
        refuse("its first line was changed", "move it out of this folder, and run again");
    }
    measured_sum = checksum(first_sum, text, (size_t)(kernel - text));
    char *from = end + 1;
    while ((end = memchr(from, '\n', size - (size_t)(from - text)))) {
        *end = 0;
        take_line(from, (size_t)(end - from));
        from = end + 1;
    }
    file_size = from - text;
    if (ftruncate(file, file_size)) {
        refuse(strerror(errno), "check that this folder can be written to");
    }
}

static void note_death(int place, int pass) {
    struct attempt attempt = {.stage = "run", .failed = "crash"};
    snprintf(attempt.message, sizeof attempt.message, "the device or the whole run died %d times while it ran", MOST_STRIKES);
    keep_result(place, pass, &attempt);
    leave_candidate();
}

/* Who was under way when the last run died has one more try. Another bundle that ran in this folder says nothing. */
static void count_strikes(void) {
    char bundle[32] = "";
    int number = 0, pass = 0, strikes = 0;
    FILE *from = fopen(RUNNING, "r");
    int known =
        from && fscanf(from, "%d %d %d %31s", &number, &pass, &strikes, bundle) == 4 && !strcmp(bundle, bundle_id);
    if (from) {
        fclose(from);
    }
    int place = known ? place_of(number) : -1;
    if (place >= 0 && results[place].done < pass && !results[place].failed) {
        results[place].strikes = strikes;
        printf("candidate %d was running when the last run ended (%d of %d times)\n", number, strikes, MOST_STRIKES);
        if (strikes >= MOST_STRIKES) {
            note_death(place, pass);
        }
    }
}

void open_results(void) {
    file = open(RESULTS, O_RDWR | O_CREAT | O_APPEND, 0644);
    struct stat state;
    if (file < 0 || fstat(file, &state)) {
        refuse(strerror(errno), "unpack the bundle where files can be written");
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file, F_SETLK, &lock) && (errno == EACCES || errno == EAGAIN)) { /* some file systems have no locks */
        refuse("another run of this bundle is under way", "wait for it, or stop it");
    }
    size_t size = (size_t)state.st_size;
    char *text = take_pages(size + 1);
    if (!text || pread(file, text, size, 0) != (ssize_t)size) {
        refuse("cannot be read", "move it out of this folder, and run again");
    }
    size_t common = compose_header();
    first_sum = checksum(0xcbf29ce484222325u, bundle_id, strlen(bundle_id));
    measured_sum = checksum(first_sum, line, common);
    file_size = 0;
    if (size) {
        continue_results(text, size);
    }
    munmap(text, size + 1);
    if (usable_cores() < all_cores()) {
        printf("this run may use %d of %d cores: the others sleep, or were not given to it\n", usable_cores(), all_cores());
    }
    if (!file_size) {
        add(",\"started_s\":%.3f", clock_s());
        write_line(first_sum);
    }
    count_strikes();
}

void begin_candidate(int place, int pass) {
    char text[96];
    int count = snprintf(text, sizeof text, "%d %d %d %s\n", candidates[place].number, pass,
                         results[place].strikes + 1, bundle_id);
    int to = open(RUNNING, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (to < 0 || !put(to, text, (size_t)count)) {
        refuse(strerror(errno), "make room on this disk, and run again: it goes on where it stopped");
    }
    close(to);
}

/* Nothing is under way any more. */
void leave_candidate(void) { unlink(RUNNING); }

void keep_result(int place, int pass, const struct attempt *attempt) {
    const struct candidate *candidate = &candidates[place];
    struct result *result = &results[place];
    length = 0;
    add("{\"candidate\":%d,\"schedule\":\"%s\",\"pass\":%d,\"at_s\":%.3f", candidate->number, candidate->schedule, pass,
        clock_s());
    result->done = pass;
    if (attempt->failed) {
        result->failed = 1;
        add(",\"failed\":{\"stage\":");
        add_text(attempt->stage);
        add(",\"kind\":");
        add_text(attempt->failed);
        add(",\"message\":");
        add_text(attempt->message);
        add("}");
    } else {
        double best_s = cost_s(attempt);
        add(",\"turns_s\":[");
        for (int turn = 0; turn < attempt->turns; turn++) {
            const struct turn *each = &attempt->turn[turn];
            add(turn ? ",[" : "[");
            for (int k = 0; k < each->count; k++) {
                add("%s%.9g", k ? "," : "", each->repeats_s[k]);
            }
            add("]");
        }
        add("],\"best_s\":%.9g,\"pruned\":%s", best_s, attempt->pruned ? "true" : "false");
        learn(result, best_s);
    }
    write_line(measured_sum);
}
