// What `show --watch` shows.

#include "app/watch.h"

#include "app/sparkline.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_BAR = 10,
    MOST_BAR = 40,
    BESIDE_BAR = 68,   // columns of what is told behind a bar
    BESIDE_CURVE = 41, // and before a curve
    LEAST_CURVE = 8,
    INDENT = 2,
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

static bool is_bad(ww_run_state state)
{
    return state == WW_RUN_DIVERGED || state == WW_RUN_FAILED;
}

// A member says only that it has begun; whether anybody is at it the lock tells.
static const char *state_name(const ww_watched *watched, ww_run_state state)
{
    if (state != WW_RUN_RUNNING || watched->writer == WW_WRITER_UNKNOWN)
        return ww_run_state_name(state);
    return watched->unattended ? "interrupted" : "running";
}

// Columns to break lines at.
static int text_columns(const picture *self)
{
    return self->screen->in_place ? self->screen->columns : INT_MAX;
}

// Lines of a text that is broken at blanks, the first behind so many columns; prints at most `most`
// of them where it is not to count only.
static int break_text(picture *self, const char *text, int behind, int most, bool counts)
{
    int lines = 0;
    int used = behind;
    while (lines < most) {
        const int room = text_columns(self) - used;
        const size_t bytes = ww_screen_line_bytes(text, room > 1 ? room : 1);
        lines++;
        if (!counts) {
            fprintf(self->stream, "%.*s", (int)bytes, text);
            if (lines < most && text[bytes] != '\0')
                fprintf(self->stream, "\n%*s", INDENT, "");
        }
        text += bytes;
        text += strspn(text, " ");
        if (*text == '\0')
            break;
        used = INDENT;
    }
    return lines;
}

static int text_lines(picture *self, const char *text, int behind)
{
    return break_text(self, text, behind, INT_MAX, true);
}

// The last line is left open, and not counted.
static void print_text(picture *self, const char *text, int behind, int most)
{
    self->room -= break_text(self, text, behind, most, false) - 1;
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
        const bool bad = is_bad(state);
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

static void print_bar(const picture *self, double fraction, int cells, bool bad)
{
    const bool unicode = self->screen->unicode;
    fputs(unicode ? "▕" : "[", self->stream);
    colour(self, bad ? RED : GREEN);
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
        print_bar(self, ww_watched_all_fraction(watched), bar_cells(self), false);
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

static bool works(const picture *self, const ww_watched_run *run)
{
    return run->state == WW_RUN_RUNNING && !self->watched->unattended;
}

static bool trains(const picture *self, const ww_watched_run *run)
{
    return works(self, run) && !run->trained && run->done < run->all;
}

// Seconds of training that are left; NaN where it does not train or that is not known.
static double time_left(const picture *self, const ww_watched_run *run)
{
    return trains(self, run) ? ww_pace_left(&run->pace, self->time, (double)run->all) : (double)NAN;
}

// How fast it goes and when it will be over, or why it does not go.
static void print_outlook(const picture *self, const ww_watched_run *run)
{
    const double rate = ww_pace_rate(&run->pace, self->time);
    const double left = time_left(self, run);
    if (!works(self, run)) {
        fprintf(self->stream, ", %s", state_name(self->watched, run->state));
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
    const size_t most = (size_t)clamp(self->screen->columns - BESIDE_CURVE, 1, WW_WATCHED_RECORDS);
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
    print_bar(self, ww_watched_fraction(run), bar_cells(self), is_bad(run->state));
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
        fprintf(self->stream, "  %-14s  %9s to %-9s ", ww_watched_curve_name(curve), first, newest);
        print_curve(self, run, curve, cells);
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
    bool draws_accuracy; // else there is only its value
} table;

// The accuracy that is told where there is one line only.
static int accuracy_of(const ww_watched_run *run)
{
    return has_curve(run, WW_WATCHED_TEST_ACCURACY) ? WW_WATCHED_TEST_ACCURACY
                                                    : WW_WATCHED_TRAIN_ACCURACY;
}

// `cells` 0: the value alone.
static void print_short_curve(const picture *self, const ww_watched_run *run, int curve,
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

static void print_in_short(picture *self, const ww_watched_run *run, const table *columns)
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
    end_line(self);
}

// What the longest label leaves the curves have, where it leaves enough both of them; but one has
// its place in any case. Shown runs are counted on the way.
static int64_t divide_columns(const picture *self, table *columns)
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
                all_run ? state_name(watched, WW_RUN_RUNNING) : "");
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

// Why a run came to a bad end: lines of it, or prints it.
static int tell_reason(picture *self, const ww_watched_run *run, bool counts)
{
    char head[64];
    const char *state = state_name(self->watched, run->state);
    (void)snprintf(head, sizeof head, "  run%04lld  %s", (long long)run->index, state);
    const bool labelled = run->label[0] != '\0';
    char *text = ww_format(NULL, "%s%s%s: %s", labelled ? "  (" : "", run->label,
                           labelled ? ")" : "", run->reason);
    if (text == NULL)
        return 0;
    const int lines = text_lines(self, text, (int)strlen(head));
    if (!counts) {
        colour(self, RED);
        fputs(head, self->stream);
        plain(self);
        print_text(self, text, (int)strlen(head), lines);
        end_line(self);
    }
    free(text);
    return lines;
}

// As far as there is room, then how many more there are.
static void print_reasons(picture *self)
{
    const ww_watched *watched = self->watched;
    int64_t reasons = 0;
    int64_t lines = 1; // an empty one before them
    for (size_t i = 0; i < watched->count; i++)
        if (watched->runs[i].reason[0] != '\0') {
            reasons++;
            lines += tell_reason(self, &watched->runs[i], true);
        }
    if (reasons == 0 || self->room < 2)
        return;
    const int kept = lines > self->room ? 1 : 0; // for the number of those that have no room
    end_line(self);
    for (size_t i = 0; i < watched->count; i++) {
        const ww_watched_run *run = &watched->runs[i];
        if (run->reason[0] == '\0')
            continue;
        if (tell_reason(self, run, true) > self->room - kept)
            break;
        (void)tell_reason(self, run, false);
        reasons--;
    }
    if (reasons > 0) {
        fprintf(self->stream, "  and %lld more reason%s", (long long)reasons,
                reasons == 1 ? "" : "s");
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
    if (ww_watched_is_over(watched) && watched->states[WW_RUN_STOPPED] > 0)
        return ww_format(NULL,
                         "all runs have ended, %lld of them early; `widthwise resume %s` goes on",
                         (long long)watched->states[WW_RUN_STOPPED], watched->path);
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

static void print_note(picture *self, const char *text, int lines)
{
    end_line(self);
    colour(self, YELLOW);
    fprintf(self->stream, "%*s", INDENT, "");
    print_text(self, text, INDENT, lines);
    plain(self);
    end_line(self);
}

static void print_nothing_yet(picture *self)
{
    const ww_watched *watched = self->watched;
    char *text = watched->trouble == WW_WATCHED_ABSENT
                     ? ww_format(NULL, "waiting for %s, which is not there yet", watched->path)
                     : ww_format(NULL, "waiting: %s", watched->sentence.message);
    if (text != NULL)
        print_text(self, text, 0, self->room > 1 ? self->room : 1);
    free(text);
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
    print_head(&self);
    // An empty line is before it. However few lines there are, it has one.
    const int most = self.room > 2 ? self.room - 1 : 1;
    const int wanted = text != NULL ? text_lines(&self, text, INDENT) : 0;
    const int lines = wanted < most ? wanted : most;
    const int reserved = text != NULL ? 1 + lines : 0;
    self.room -= reserved;
    print_runs(&self);
    print_reasons(&self);
    self.room += reserved;
    if (text != NULL)
        print_note(&self, text, lines);
    free(text);
}
