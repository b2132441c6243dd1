// Texts in the picture of a watch: why runs ended badly, and notes to the user.

#include "app/watch_picture.h"

#include "widthwise/clock.h"
#include "widthwise/memory.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

// Columns to break lines at.
static int text_columns(const ww_picture *self)
{
    return self->screen->in_place ? self->screen->columns : INT_MAX;
}

// Lines of a text that is broken at blanks, the first behind so many columns; prints at most `most`
// of them where it is not to count only.
static int break_text(ww_picture *self, const char *text, int behind, int most, bool counts)
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
                fprintf(self->stream, "\n%*s", WW_PICTURE_INDENT, "");
        }
        text += bytes;
        text += strspn(text, " ");
        if (*text == '\0')
            break;
        used = WW_PICTURE_INDENT;
    }
    return lines;
}

static int text_lines(ww_picture *self, const char *text, int behind)
{
    return break_text(self, text, behind, INT_MAX, true);
}

// The last line is left open, and not counted.
static void print_text(ww_picture *self, const char *text, int behind, int most)
{
    self->room -= break_text(self, text, behind, most, false) - 1;
}

// Why a run came to a bad end: lines of it, or prints it.
static int tell_reason(ww_picture *self, const ww_watched_run *run, bool counts)
{
    char head[64];
    const char *state = ww_picture_state_name(self->watched, run->state);
    (void)snprintf(head, sizeof head, "  run%04lld  %s", (long long)run->index, state);
    const bool labelled = run->label[0] != '\0';
    char *text = ww_format(NULL, "%s%s%s: %s", labelled ? "  (" : "", run->label,
                           labelled ? ")" : "", run->reason);
    if (text == NULL)
        return 0;
    const int lines = text_lines(self, text, (int)strlen(head));
    if (!counts) {
        ww_picture_colour(self, WW_RED);
        fputs(head, self->stream);
        ww_picture_plain(self);
        print_text(self, text, (int)strlen(head), lines);
        ww_picture_end_line(self);
    }
    free(text);
    return lines;
}

void ww_picture_print_reasons(ww_picture *self)
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
    ww_picture_end_line(self);
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
        ww_picture_end_line(self);
    }
}

char *ww_picture_note(const ww_picture *self)
{
    const ww_watched *watched = self->watched;
    if (watched->trouble == WW_WATCHED_UNREADABLE && watched->lasts) {
        char duration[64];
        ww_duration_text(self->time - watched->since, duration, sizeof duration);
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

int ww_picture_note_lines(ww_picture *self, const char *text)
{
    return text_lines(self, text, WW_PICTURE_INDENT);
}

void ww_picture_print_note(ww_picture *self, const char *text, int lines)
{
    ww_picture_end_line(self);
    ww_picture_colour(self, WW_YELLOW);
    fprintf(self->stream, "%*s", WW_PICTURE_INDENT, "");
    print_text(self, text, WW_PICTURE_INDENT, lines);
    ww_picture_plain(self);
    ww_picture_end_line(self);
}

void ww_picture_print_nothing_yet(ww_picture *self)
{
    const ww_watched *watched = self->watched;
    char *text = watched->trouble == WW_WATCHED_ABSENT
                     ? ww_format(NULL, "waiting for %s, which is not there yet", watched->path)
                     : ww_format(NULL, "waiting: %s", watched->sentence.message);
    if (text != NULL)
        print_text(self, text, 0, self->room > 1 ? self->room : 1);
    free(text);
    ww_picture_end_line(self);
}
