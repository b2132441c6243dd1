// What `show --watch` shows.

#include "app/watch.h"

#include "app/sparkline.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_BAR = 10,
    MOST_BAR = 40,
    BESIDE_BAR = 68,   // columns of what is told behind a bar
    BESIDE_CURVE = 40, // and around a curve
    LEAST_CURVE = 8,
    // Of a run in one line.
    LEAST_LABEL = 5,
    MOST_LABEL = 32,
    SHORT_BAR = 10,
    BESIDE_SHORT_BAR = 9, // its ends and the percentage
    LEFT_COLUMNS = 11,
    LOSS_COLUMNS = 8,
    ACCURACY_COLUMNS = 5,
    BESIDE_SHORT_CURVES = 64, // all of these but labels, and the gaps
    MOST_SHORT_CURVE = 24
};

static const char BOLD[] = "1";
static const char RED[] = "31";
static const char GREEN[] = "32";
static const char YELLOW[] = "33";
static const char CYAN[] = "36";

typedef struct picture {
    const ww_watched *watched;
    const ww_screen *screen;
    FILE *stream;
    double time;
    int room; // lines that are left; all that is printed is counted
} picture;

static int clamp(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

static void colour(const picture *self, const char *code)
{
    if (self->screen->coloured)
        fprintf(self->stream, "\033[%sm", code);
}

static void plain(const picture *self)
{
    if (self->screen->coloured)
        fputs("\033[0m", self->stream);
}

static void end_line(picture *self)
{
    fputc('\n', self->stream);
    self->room--;
}

// A member says only that it has begun; whether anybody is at it the lock tells.
static const char *state_name(const ww_watched *watched, ww_run_state state)
{
    if (state != WW_RUN_RUNNING || watched->writer == WW_WRITER_UNKNOWN)
        return ww_run_state_name(state);
    return watched->unattended ? "interrupted" : "running";
}

static void print_title(picture *self)
{
    static const ww_run_state order[] = {WW_RUN_RUNNING, WW_RUN_WAITING,  WW_RUN_DONE,
                                         WW_RUN_STOPPED, WW_RUN_DIVERGED, WW_RUN_FAILED};
    const ww_watched *watched = self->watched;
    if (!self->screen->in_place) {
        char now[64];
        ww_time_text(now, sizeof now);
        fprintf(self->stream, "%s  ", now);
    }
    colour(self, BOLD);
    fputs(watched->path, self->stream);
    plain(self);
    fprintf(self->stream, ": %zu run%s", watched->count, watched->count == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const ww_run_state state = order[i];
        const bool bad = state == WW_RUN_DIVERGED || state == WW_RUN_FAILED;
        if (watched->states[state] == 0)
            continue;
        fputs(", ", self->stream);
        if (bad)
            colour(self, RED);
        fprintf(self->stream, "%lld %s", (long long)watched->states[state],
                state_name(watched, state));
        if (bad)
            plain(self);
    }
    end_line(self);
}

static void print_bar(const picture *self, double fraction, int cells)
{
    const bool unicode = self->screen->unicode;
    fputs(unicode ? "▕" : "[", self->stream);
    colour(self, GREEN);
    ww_bar_print(self->stream, fraction, (size_t)cells, unicode);
    plain(self);
    // Not rounded up: 100% is all.
    fprintf(self->stream, "%s %5.1f%%", unicode ? "▏" : "]", floor(1000.0 * fraction) / 10.0);
}

static int bar_cells(const picture *self)
{
    return clamp(self->screen->columns - BESIDE_BAR, LEAST_BAR, MOST_BAR);
}

static void print_head(picture *self)
{
    const ww_watched *watched = self->watched;
    char ranks[64];
    print_title(self);
    if (watched->count > 1) {
        const double left = ww_pace_left(&watched->pace, self->time, 1.0);
        fputs("  ", self->stream);
        print_bar(self, ww_watched_all_fraction(watched), bar_cells(self));
        fputs("  of all work", self->stream);
        if (isfinite(left) && !watched->unattended && !ww_watched_is_over(watched)) {
            char duration[64];
            ww_duration_text(left, duration, sizeof duration);
            fprintf(self->stream, ", about %s left", duration);
        }
        end_line(self);
    }
    if (watched->attempts == 0)
        return;
    ww_ranks_text(watched->newest.ranks, watched->newest.threads, ranks, sizeof ranks);
    fprintf(self->stream, "  %s %s on %s with %s", watched->attempts > 1 ? "went on" : "started",
            watched->newest.started, watched->newest.host, ranks);
    if (watched->attempts > 1)
        fprintf(self->stream, ", start %lld of it", (long long)watched->attempts);
    end_line(self);
}

// How fast it goes and when it will be over, or why it does not go.
static void print_outlook(const picture *self, const ww_watched_run *run)
{
    const double rate = ww_pace_rate(&run->pace, self->time);
    const double left = ww_pace_left(&run->pace, self->time, (double)run->all);
    const bool works = run->state == WW_RUN_RUNNING && !self->watched->unattended;
    if (!works) {
        fprintf(self->stream, ", %s", state_name(self->watched, run->state));
        return;
    }
    if (run->trained || run->done >= run->all) {
        fputs(", computing results", self->stream);
        return;
    }
    if (rate > 0.0)
        fprintf(self->stream, rate < 1000.0 ? ", %.3g %s/s" : ", %.0f %s/s", rate,
                run->has_replicas ? "replicas" : "steps");
    if (isfinite(left)) {
        char duration[64];
        ww_duration_text(left, duration, sizeof duration);
        fprintf(self->stream, ", %s left", duration);
    }
}

static const double *curve_of(const ww_watched_run *run, int curve)
{
    return run->curves + (size_t)curve * WW_WATCHED_RECORDS;
}

static bool has_curve(const ww_watched_run *run, int curve)
{
    const double *values = run->curves != NULL ? curve_of(run, curve) : NULL;
    for (size_t i = 0; values != NULL && i < run->records; i++)
        if (isfinite(values[i]))
            return true;
    return false;
}

static void print_curve(const picture *self, const ww_watched_run *run, int curve, size_t cells)
{
    const double *values = curve_of(run, curve);
    const ww_scale scale = curve == WW_WATCHED_LOSS ? ww_scale_of(values, run->records, true)
                                                    : (ww_scale){.low = 0.0, .high = 1.0};
    colour(self, CYAN);
    ww_sparkline_print(self->stream, values, run->records, cells, &scale, self->screen->unicode);
    plain(self);
}

static void number(double value, char *text, size_t size)
{
    ww_number_text(value, 4, text, size);
}

static int full_lines(const ww_watched_run *run)
{
    int lines = 2 + (run->label[0] != '\0');
    for (int curve = 0; curve < WW_WATCHED_CURVES; curve++)
        lines += has_curve(run, curve);
    return lines;
}

static void print_in_full(picture *self, const ww_watched_run *run)
{
    const size_t most =
        (size_t)clamp(self->screen->columns - BESIDE_CURVE, LEAST_CURVE, WW_WATCHED_RECORDS);
    const size_t cells = run->records < most ? run->records : most;
    end_line(self);
    if (run->label[0] != '\0') {
        fprintf(self->stream, "  run%04lld  ", (long long)run->index);
        colour(self, BOLD);
        fputs(run->label, self->stream);
        plain(self);
        end_line(self);
    }
    fputs("  ", self->stream);
    print_bar(self, ww_watched_fraction(run), bar_cells(self));
    if (run->has_replicas)
        fprintf(self->stream, "  %lld of %lld replicas", (long long)run->done, (long long)run->all);
    else
        fprintf(self->stream, "  step %lld of %lld", (long long)run->done, (long long)run->all);
    print_outlook(self, run);
    end_line(self);
    for (int curve = 0; curve < WW_WATCHED_CURVES; curve++) {
        char first[32];
        char newest[32];
        if (!has_curve(run, curve))
            continue;
        number(curve_of(run, curve)[0], first, sizeof first);
        number(curve_of(run, curve)[run->records - 1], newest, sizeof newest);
        fprintf(self->stream, "  %-14s  %9s ", ww_watched_curve_name(curve), first);
        print_curve(self, run, curve, cells);
        fprintf(self->stream, " %s", newest);
        end_line(self);
    }
}

// A label without the sections that its keys are of: "width=400 seed=1". At most as long, [size].
static void shorten(const char *label, char *text, size_t size)
{
    size_t used = 0;
    while (*label != '\0' && used + 1 < size) {
        const size_t word = strcspn(label, " ");
        const size_t key = strcspn(label, "= ");
        size_t section = key < word ? key : 0; // bytes of it; what is not a key has none
        while (section > 0 && label[section - 1] != '.')
            section--;
        used += (size_t)snprintf(text + used, size - used, "%.*s ", (int)(word - section),
                                 label + section);
        label += word + (label[word] == ' ');
    }
    if (used > 0 && used < size)
        text[used - 1] = '\0'; // the last blank
}

// The columns of runs in a line each.
typedef struct table {
    int label, curve;
} table;

// The accuracy that is told where there is one line only.
static int accuracy_of(const ww_watched_run *run)
{
    return has_curve(run, WW_WATCHED_TEST_ACCURACY) ? WW_WATCHED_TEST_ACCURACY
                                                    : WW_WATCHED_TRAIN_ACCURACY;
}

static void print_short_curve(const picture *self, const ww_watched_run *run, int curve,
                              int value_columns, int cells)
{
    char newest[32] = "";
    if (has_curve(run, curve))
        ww_number_text(curve_of(run, curve)[run->records - 1], 3, newest, sizeof newest);
    fprintf(self->stream, "  %*s ", value_columns, newest);
    if (newest[0] != '\0')
        print_curve(self, run, curve, (size_t)cells);
    else
        fprintf(self->stream, "%*s", cells, "");
}

static void print_in_short(picture *self, const ww_watched_run *run, const table *columns)
{
    char left[64] = "";
    char label[MOST_LABEL + 1] = "";
    const double seconds = ww_pace_left(&run->pace, self->time, (double)run->all);
    shorten(run->label, label, sizeof label);
    fprintf(self->stream, "  run%04lld  %-*s  ", (long long)run->index, columns->label, label);
    print_bar(self, ww_watched_fraction(run), SHORT_BAR);
    if (isfinite(seconds) && !self->watched->unattended)
        ww_duration_text(seconds, left, sizeof left);
    fprintf(self->stream, "  %*s", LEFT_COLUMNS, left);
    print_short_curve(self, run, WW_WATCHED_LOSS, LOSS_COLUMNS, columns->curve);
    print_short_curve(self, run, accuracy_of(run), ACCURACY_COLUMNS, columns->curve);
    end_line(self);
}

// What the longest label leaves the two curves have; shown runs are counted on the way.
static int64_t divide_columns(const picture *self, table *columns)
{
    const ww_watched *watched = self->watched;
    int64_t shown = 0;
    columns->label = LEAST_LABEL;
    for (size_t i = 0; i < watched->count; i++) {
        char label[MOST_LABEL + 1] = "";
        if (!ww_watched_shows(watched, &watched->runs[i]))
            continue;
        shown++;
        shorten(watched->runs[i].label, label, sizeof label);
        columns->label = clamp((int)strlen(label), columns->label, MOST_LABEL);
    }
    columns->curve = clamp((self->screen->columns - columns->label - BESIDE_SHORT_CURVES) / 2,
                           LEAST_CURVE, MOST_SHORT_CURVE);
    return shown;
}

static void print_all_in_short(picture *self)
{
    const ww_watched *watched = self->watched;
    table columns;
    const int64_t shown = divide_columns(self, &columns);
    if (self->room < 3)
        return;
    end_line(self);
    // The line that counts the rest needs a place only where there is a rest.
    int64_t told = shown <= self->room - 1 ? shown : self->room - 2;
    const int64_t rest = shown - told;
    fprintf(self->stream, "  %-7s  %-*s  %-*s  %*s  %*s %-*s  %s", "run", columns.label, "of",
            SHORT_BAR + BESIDE_SHORT_BAR, "progress", LEFT_COLUMNS, "left", LOSS_COLUMNS, "loss",
            columns.curve, "", "accuracy");
    end_line(self);
    for (size_t i = 0; i < watched->count && told > 0; i++) {
        if (!ww_watched_shows(watched, &watched->runs[i]))
            continue;
        print_in_short(self, &watched->runs[i], &columns);
        told--;
    }
    if (rest > 0) {
        fprintf(self->stream, "  and %lld more %s", (long long)rest,
                state_name(watched, WW_RUN_RUNNING));
        end_line(self);
    }
}

static void print_runs(picture *self)
{
    const ww_watched *watched = self->watched;
    int64_t lines = 0;
    for (size_t i = 0; i < watched->count; i++)
        if (ww_watched_shows(watched, &watched->runs[i]))
            lines += full_lines(&watched->runs[i]);
    if (lines > self->room) {
        print_all_in_short(self);
        return;
    }
    for (size_t i = 0; i < watched->count; i++)
        if (ww_watched_shows(watched, &watched->runs[i]))
            print_in_full(self, &watched->runs[i]);
}

// Why runs came to a bad end, as far as there is room.
static void print_reasons(picture *self)
{
    const ww_watched *watched = self->watched;
    bool first = true;
    for (size_t i = 0; i < watched->count; i++) {
        const ww_watched_run *run = &watched->runs[i];
        if (run->reason[0] == '\0')
            continue;
        if (self->room < 1 + (int)first)
            return;
        if (first)
            end_line(self);
        first = false;
        colour(self, RED);
        fprintf(self->stream, "  run%04lld  %s", (long long)run->index,
                state_name(watched, run->state));
        plain(self);
        if (run->label[0] != '\0')
            fprintf(self->stream, "  (%s)", run->label);
        fprintf(self->stream, ": %s", run->reason);
        end_line(self);
    }
}

// A last line on what the user should know; NULL: nothing. Free it.
static char *note(const ww_watched *watched, double time)
{
    if (watched->trouble == WW_WATCHED_UNREADABLE && watched->lasts) {
        char duration[64];
        ww_duration_text(time - watched->since, duration, sizeof duration);
        return ww_format(NULL, "as it was %s ago: %s", duration, watched->sentence.message);
    }
    if (ww_watched_is_over(watched))
        return ww_format(NULL, "all runs have ended; `widthwise show %s` tells what it holds",
                         watched->path);
    if (watched->unattended)
        return ww_format(NULL,
                         "no program is writing to it: its job has ended or died, and `widthwise "
                         "resume %s` goes on",
                         watched->path);
    return NULL;
}

static void print_note(picture *self, const char *text)
{
    end_line(self);
    colour(self, YELLOW);
    fprintf(self->stream, "  %s", text);
    plain(self);
    end_line(self);
}

static void print_nothing_yet(picture *self)
{
    const ww_watched *watched = self->watched;
    if (watched->trouble == WW_WATCHED_ABSENT)
        fprintf(self->stream, "waiting for %s, which is not there yet", watched->path);
    else
        fprintf(self->stream, "waiting: %s", watched->sentence.message);
    end_line(self);
}

void ww_watch_print(const ww_watched *watched, const ww_screen *screen, double time, FILE *stream)
{
    picture self = {.watched = watched,
                    .screen = screen,
                    .stream = stream,
                    .time = time,
                    .room = screen->rows - 1};
    if (watched->count == 0) {
        print_nothing_yet(&self);
        return;
    }
    char *text = note(watched, time);
    const int reserved = text != NULL ? 2 : 0;
    print_head(&self);
    self.room -= reserved;
    print_runs(&self);
    print_reasons(&self);
    self.room += reserved;
    if (text != NULL)
        print_note(&self, text);
    free(text);
}
