/// The picture of a watch as it is printed, and its texts. Private to the files that print it.
#ifndef WIDTHWISE_APP_WATCH_PICTURE_H
#define WIDTHWISE_APP_WATCH_PICTURE_H

#include "app/watch.h"

enum { WW_PICTURE_INDENT = 2 }; ///< columns before a text

typedef struct ww_picture {
    const ww_watched *watched;
    const ww_screen *screen;
    FILE *stream;
    double time;
    int room; ///< lines that are left; all that is printed is counted
} ww_picture;

#define WW_BOLD "1"
#define WW_RED "31"
#define WW_GREEN "32"
#define WW_YELLOW "33"
#define WW_CYAN "36"

/// Begins a colour, one of those above, and ends it, where the screen has them.
void ww_picture_colour(const ww_picture *self, const char *code);
void ww_picture_plain(const ww_picture *self);

void ww_picture_end_line(ww_picture *self);

/// What a state is called: a run that has begun is running or interrupted as somebody writes or
/// not.
const char *ww_picture_state_name(const ww_watched *watched, ww_run_state state);

/// Prints why runs came to a bad end, as far as there is room, then how many more reasons there
/// are.
void ww_picture_print_reasons(ww_picture *self);

/// A last text on what the user should know; NULL: nothing. Free it.
char *ww_picture_note(const ww_picture *self);

/// Lines that it takes on this screen, and prints so many of them behind an empty one.
int ww_picture_note_lines(ww_picture *self, const char *text);
void ww_picture_print_note(ww_picture *self, const char *text, int lines);

/// Prints what is waited for, where no run is known.
void ww_picture_print_nothing_yet(ww_picture *self);

#endif
