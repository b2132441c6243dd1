/// What is shown again and again on standard output: on a terminal in place, elsewhere one after
/// the other.
#ifndef WIDTHWISE_APP_SCREEN_H
#define WIDTHWISE_APP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct ww_screen {
    bool in_place; ///< a terminal on which the cursor can be moved
    bool coloured; ///< it is, and the user has not set NO_COLOR
    bool unicode;  ///< the locale's characters are UTF-8
    int columns;   ///< of the terminal; elsewhere as many as a line wants
    int rows;      ///< of the terminal; elsewhere INT_MAX
    char *shown;   ///< what stands in place, NULL: nothing does
    int shown_columns;
} ww_screen;

/// Finds out what standard output is.
void ww_screen_begin(ww_screen *screen);

/// Looks at the size again; true where it is another one.
bool ww_screen_measure(ww_screen *screen);

/// Shows `text`, lines each closed by a newline, instead of what stands in place: as many lines and
/// columns of it as there are. False: it could not be written, and errno tells why.
bool ww_screen_show(ww_screen *screen, const char *text);

/// What is shown next stands below what is there: something else was written since.
void ww_screen_begin_anew(ww_screen *screen);

/// Leaves the cursor at the start of an empty line, and frees what is kept.
void ww_screen_end(ww_screen *screen);

/// Prints the part of a line, `text` [length], that fits into so many columns, and returns how many
/// it took: letters of UTF-8 take one each, and colours none and are never cut off. Other control
/// characters become question marks. No number is cut, for a part of it would read as another one.
int ww_screen_print_line(FILE *stream, const char *text, size_t length, int columns);

/// Bytes of `text` (without colours) for a line of so many columns, at least 1 of them: up to the
/// last blank at which it can be broken, all where it fits, and in the midst of a longer word.
/// Pure.
size_t ww_screen_line_bytes(const char *text, int columns);

/// Columns that the line takes. Pure.
int ww_screen_line_columns(const char *text, size_t length);

#endif
