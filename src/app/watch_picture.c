// What `show --watch` shows.

#include "app/watch_picture.h"

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
    BESIDE_CURVE = 41, // and before a curve
    LEAST_CURVE = 8,
    // Of a run in one line.
    LEAST_LABEL = 5,
    MOST_LABEL = 32,
    LABEL_BYTES = 4 * MOST_LABEL + 2, // so many letters and one more
    SHORT_BAR = 10,
    BESIDE_SHORT_BAR = 9, // its ends and the percentage
    LEFT_COLUMNS = 11,
    LOSS_COLUMNS = 8,
    ACCURACY_COLUMNS = 5,
    BESIDE_SHORT_CURVES = 64, // all of these but labels, and the gaps, and a blank before each
    MOST_SHORT_CURVE = 24
};

static int clamp(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

void ww_picture_colour(const ww_picture *self, const char *code)
{
    if (self->screen->coloured)
        fprintf(self->stream, "\033[%sm", code);
}

void ww_picture_plain(const ww_picture *self)
{
    if (self->screen->coloured)
        fputs("\033[0m", self->stream);
}

void ww_picture_end_line(ww_picture *self)
{
    fputc('\n', self->stream);
    self->room--;
}

static bool is_bad(ww_run_state state)
{
    return state == WW_RUN_DIVERGED || state == WW_RUN_FAILED;
}

// A member says only that it has begun; whether anybody is at it the lock tells.
const char *ww_picture_state_name(const ww_watched *watched, ww_run_state state)
{
    if (state != WW_RUN_RUNNING || watched->writer == WW_WRITER_UNKNOWN)
        return ww_run_state_name(state);
    return watched->unattended ? "interrupted" : "running";
}

static void print_title(ww_picture *self)
{
    static const ww_run_state order[] = {WW_RUN_RUNNING, WW_RUN_WAITING,  WW_RUN_DONE,
                                         WW_RUN_STOPPED, WW_RUN_DIVERGED, WW_RUN_FAILED};
    const ww_watched *watched = self->watched;
    if (!self->screen->in_place) {
        char now[64];
        ww_time_text(now, sizeof now);
        fprintf(self->stream, "%s  ", now);
    }
    ww_picture_colour(self, WW_BOLD);
    fputs(watched->path, self->stream);
    ww_picture_plain(self);
    fprintf(self->stream, ": %zu run%s", watched->count, watched->count == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const ww_run_state state = order[i];
        const bool bad = is_bad(state);
        if (watched->states[state] == 0)
            continue;
        fputs(", ", self->stream);
        if (bad)
            ww_picture_colour(self, WW_RED);
        fprintf(self->stream, "%lld %s", (long long)watched->states[state],
                ww_picture_state_name(watched, state));
        if (bad)
            ww_picture_plain(self);
    }
    ww_picture_end_line(self);
}

static void print_bar(const ww_picture *self, double fraction, int cells, bool bad)
{
    const bool unicode = self->screen->unicode;
    fputs(unicode ? "▕" : "[", self->stream);
    ww_picture_colour(self, bad ? WW_RED : WW_GREEN);
    ww_bar_print(self->stream, fraction, (size_t)cells, unicode);
    ww_picture_plain(self);
    // Not rounded up: 100% is all.
    fprintf(self->stream, "%s %5.1f%%", unicode ? "▏" : "]", floor(1000.0 * fraction) / 10.0);
}

static int bar_cells(const ww_picture *self)
{
    return clamp(self->screen->columns - BESIDE_BAR, LEAST_BAR, MOST_BAR);
}

static void print_head(ww_picture *self)
{
    const ww_watched *watched = self->watched;
    char ranks[64];
    print_title(self);
    if (watched->count > 1) {
        const double left = ww_pace_left(&watched->pace, self->time, 1.0);
        fputs("  ", self->stream);
        print_bar(self, ww_watched_all_fraction(watched), bar_cells(self), false);
        fputs("  of all work", self->stream);
        if (isfinite(left) && !watched->unattended && !ww_watched_has_ended(watched)) {
            char duration[64];
            ww_duration_text(left, duration, sizeof duration);
            fprintf(self->stream, ", about %s left", duration);
        }
        ww_picture_end_line(self);
    }
    if (watched->attempts == 0)
        return;
    ww_ranks_text(watched->newest.ranks, watched->newest.threads, ranks, sizeof ranks);
    fprintf(self->stream, "  %s %s on %s with %s", watched->attempts > 1 ? "went on" : "started",
            watched->newest.started, watched->newest.host, ranks);
    if (watched->attempts > 1)
        fprintf(self->stream, ", start %lld of it", (long long)watched->attempts);
    ww_picture_end_line(self);
}

static bool works(const ww_picture *self, const ww_watched_run *run)
{
    return run->state == WW_RUN_RUNNING && !self->watched->unattended;
}

static bool trains(const ww_picture *self, const ww_watched_run *run)
{
    return works(self, run) && !run->trained && run->done < run->all;
}

// Seconds of training that are left; NaN where it does not train or that is not known.
static double time_left(const ww_picture *self, const ww_watched_run *run)
{
    return trains(self, run) ? ww_pace_left(&run->pace, self->time, (double)run->all) : (double)NAN;
}

// How fast it goes and when it will be over, or why it does not go.
static void print_outlook(const ww_picture *self, const ww_watched_run *run)
{
    const double rate = ww_pace_rate(&run->pace, self->time);
    const double left = time_left(self, run);
    if (!works(self, run)) {
        fprintf(self->stream, ", %s", ww_picture_state_name(self->watched, run->state));
        return;
    }
    if (!trains(self, run)) {
        fputs(", computing results", self->stream);
        return;
    }
    if (rate > 0.0)
        fprintf(self->stream, rate < 999.5 ? ", %.3g %s/s" : ", %.0f %s/s", rate,
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

static void print_curve(const ww_picture *self, const ww_watched_run *run, int curve, size_t cells)
{
    const double *values = curve_of(run, curve);
    const ww_scale scale = curve == WW_WATCHED_LOSS ? ww_scale_of(values, run->records, true)
                                                    : (ww_scale){.low = 0.0, .high = 1.0};
    ww_picture_colour(self, WW_CYAN);
    ww_sparkline_print(self->stream, values, run->records, cells, &scale, self->screen->unicode);
    ww_picture_plain(self);
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

static void print_in_full(ww_picture *self, const ww_watched_run *run)
{
    const size_t most = (size_t)clamp(self->screen->columns - BESIDE_CURVE, 1, WW_WATCHED_RECORDS);
    const size_t cells = run->records < most ? run->records : most;
    ww_picture_end_line(self);
    if (run->label[0] != '\0') {
        fprintf(self->stream, "  run%04lld  ", (long long)run->index);
        ww_picture_colour(self, WW_BOLD);
        fputs(run->label, self->stream);
        ww_picture_plain(self);
        ww_picture_end_line(self);
    }
    fputs("  ", self->stream);
    print_bar(self, ww_watched_fraction(run), bar_cells(self), is_bad(run->state));
    if (run->has_replicas)
        fprintf(self->stream, "  %lld of %lld replicas", (long long)run->done, (long long)run->all);
    else
        fprintf(self->stream, "  step %lld of %lld", (long long)run->done, (long long)run->all);
    print_outlook(self, run);
    ww_picture_end_line(self);
    for (int curve = 0; curve < WW_WATCHED_CURVES; curve++) {
        char first[32];
        char newest[32];
        if (!has_curve(run, curve))
            continue;
        number(curve_of(run, curve)[0], first, sizeof first);
        number(curve_of(run, curve)[run->records - 1], newest, sizeof newest);
        fprintf(self->stream, "  %-14s  %9s to %-9s ", ww_watched_curve_name(curve), first, newest);
        print_curve(self, run, curve, cells);
        ww_picture_end_line(self);
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
    bool draws_accuracy; // else there is only its value
} table;

// The accuracy that is told where there is one line only.
static int accuracy_of(const ww_watched_run *run)
{
    return has_curve(run, WW_WATCHED_TEST_ACCURACY) ? WW_WATCHED_TEST_ACCURACY
                                                    : WW_WATCHED_TRAIN_ACCURACY;
}

// `cells` 0: the value alone.
static void print_short_curve(const ww_picture *self, const ww_watched_run *run, int curve,
                              int value_columns, int cells)
{
    char newest[32] = "";
    if (has_curve(run, curve))
        ww_number_text(curve_of(run, curve)[run->records - 1], 3, newest, sizeof newest);
    fprintf(self->stream, "  %*s", value_columns, newest);
    if (cells == 0)
        return;
    fputc(' ', self->stream);
    if (newest[0] != '\0')
        print_curve(self, run, curve, (size_t)cells);
    else
        fprintf(self->stream, "%*s", cells, "");
}

static void print_in_short(ww_picture *self, const ww_watched_run *run, const table *columns)
{
    char left[64] = "";
    char label[LABEL_BYTES] = "";
    const double seconds = time_left(self, run);
    shorten(run->label, label, sizeof label);
    fprintf(self->stream, "  run%04lld  ", (long long)run->index);
    const int used = ww_screen_print_line(self->stream, label, strlen(label), columns->label);
    fprintf(self->stream, "%*s  ", columns->label - used, "");
    print_bar(self, ww_watched_fraction(run), SHORT_BAR, is_bad(run->state));
    if (isfinite(seconds))
        ww_duration_text(seconds, left, sizeof left);
    fprintf(self->stream, "  %*s", LEFT_COLUMNS, left);
    print_short_curve(self, run, WW_WATCHED_LOSS, LOSS_COLUMNS, columns->curve);
    print_short_curve(self, run, accuracy_of(run), ACCURACY_COLUMNS,
                      columns->draws_accuracy ? columns->curve : 0);
    ww_picture_end_line(self);
}

// What the longest label leaves the curves have, where it leaves enough both of them; but one has
// its place in any case. Shown runs are counted on the way.
static int64_t divide_columns(const ww_picture *self, table *columns)
{
    const ww_watched *watched = self->watched;
    const int room = self->screen->columns - BESIDE_SHORT_CURVES;
    const int most = clamp(room + 1 - LEAST_CURVE, LEAST_LABEL, MOST_LABEL);
    int64_t shown = 0;
    columns->label = LEAST_LABEL;
    for (size_t i = 0; i < watched->count; i++) {
        char label[LABEL_BYTES] = "";
        if (!ww_watched_shows(watched, &watched->runs[i]))
            continue;
        shown++;
        shorten(watched->runs[i].label, label, sizeof label);
        columns->label = clamp(ww_screen_line_columns(label, strlen(label)), columns->label, most);
    }
    columns->draws_accuracy = room - columns->label >= 2 * LEAST_CURVE;
    const int each =
        columns->draws_accuracy ? (room - columns->label) / 2 : room + 1 - columns->label;
    columns->curve = clamp(each, LEAST_CURVE, MOST_SHORT_CURVE);
    return shown;
}

static void print_all_in_short(ww_picture *self)
{
    const ww_watched *watched = self->watched;
    table columns;
    const int64_t shown = divide_columns(self, &columns);
    if (self->room < 3)
        return;
    ww_picture_end_line(self);
    // The line that counts the rest needs a place only where there is a rest.
    int64_t told = shown <= self->room - 1 ? shown : self->room - 2;
    const int64_t rest = shown - told;
    fprintf(self->stream, "  %-7s  %-*s  %-*s  %*s  %*s %-*s  %s", "run", columns.label, "of",
            SHORT_BAR + BESIDE_SHORT_BAR, "progress", LEFT_COLUMNS, "left", LOSS_COLUMNS, "loss",
            columns.curve, "", "accuracy");
    ww_picture_end_line(self);
    bool all_run = true; // those of the rest
    for (size_t i = 0; i < watched->count; i++) {
        if (!ww_watched_shows(watched, &watched->runs[i]))
            continue;
        if (told-- > 0)
            print_in_short(self, &watched->runs[i], &columns);
        else if (watched->runs[i].state != WW_RUN_RUNNING)
            all_run = false;
    }
    if (rest > 0) {
        fprintf(self->stream, "  and %lld more%s%s", (long long)rest, all_run ? " " : "",
                all_run ? ww_picture_state_name(watched, WW_RUN_RUNNING) : "");
        ww_picture_end_line(self);
    }
}

static void print_runs(ww_picture *self)
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

void ww_watch_print(const ww_watched *watched, const ww_screen *screen, double time, FILE *stream)
{
    ww_picture self = {.watched = watched,
                       .screen = screen,
                       .stream = stream,
                       .time = time,
                       .room = screen->rows - 1};
    if (watched->count == 0) {
        ww_picture_print_nothing_yet(&self);
        return;
    }
    char *text = ww_picture_note(&self);
    print_head(&self);
    // An empty line is before it. However few lines there are, it has one.
    const int most = self.room > 2 ? self.room - 1 : 1;
    const int wanted = text != NULL ? ww_picture_note_lines(&self, text) : 0;
    const int lines = wanted < most ? wanted : most;
    const int reserved = text != NULL ? 1 + lines : 0;
    self.room -= reserved;
    print_runs(&self);
    ww_picture_print_reasons(&self);
    self.room += reserved;
    if (text != NULL)
        ww_picture_print_note(&self, text, lines);
    free(text);
}
