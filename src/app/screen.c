#include "app/screen.h"

#include <ctype.h>
#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// Of a terminal that does not tell its size, and of lines elsewhere.
enum { USUAL_COLUMNS = 80, USUAL_ROWS = 24, LINE_COLUMNS = 100 };

// Asked of a locale of its own: that of the program stays as it is.
static bool locale_is_unicode(void)
{
    const locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (locale == (locale_t)0)
        return false;
    const bool unicode = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return unicode;
}

void ww_screen_begin(ww_screen *screen)
{
    const char *kind = getenv("TERM");
    const char *plain = getenv("NO_COLOR");
    *screen = (ww_screen){.columns = LINE_COLUMNS, .rows = INT_MAX};
    screen->in_place =
        isatty(STDOUT_FILENO) != 0 && kind != NULL && kind[0] != '\0' && strcmp(kind, "dumb") != 0;
    screen->coloured = screen->in_place && (plain == NULL || plain[0] == '\0');
    screen->unicode = locale_is_unicode();
    (void)ww_screen_measure(screen);
}

bool ww_screen_measure(ww_screen *screen)
{
    if (!screen->in_place)
        return false;
    struct winsize size = {0};
    const bool told = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    const int columns = told && size.ws_col > 0 ? size.ws_col : USUAL_COLUMNS;
    const int rows = told && size.ws_row > 0 ? size.ws_row : USUAL_ROWS;
    const bool changed = columns != screen->columns || rows != screen->rows;
    screen->columns = columns;
    screen->rows = rows;
    return changed;
}

// Bytes of a colour's escape sequence that begins at `text` [length]; 0: none does.
static size_t colour_bytes(const char *text, size_t length)
{
    if (length < 3 || text[0] != '\033' || text[1] != '[')
        return 0;
    size_t bytes = 2;
    while (bytes < length && ((text[bytes] >= '0' && text[bytes] <= '9') || text[bytes] == ';'))
        bytes++;
    return bytes < length && text[bytes] == 'm' ? bytes + 1 : 0;
}

// Letters of a number, or of a word with one, such as "run0012", "w.h5" and "1e-07".
static bool is_of_word(unsigned char byte)
{
    return isalnum(byte) != 0 || byte == '.' || byte == '+' || byte == '-';
}

// Columns to cut a line at that has at most so many: before a word with a digit that does not fit.
static int cut_at(const char *text, size_t length, int columns)
{
    int used = 0;
    int begin = 0; // columns before the word at hand
    bool has_digit = false;
    for (size_t i = 0; i < length; i++) {
        const size_t colour = colour_bytes(text + i, length - i);
        const unsigned char byte = (unsigned char)text[i];
        if (colour > 0) {
            i += colour - 1;
        } else if (is_of_word(byte)) {
            has_digit = has_digit || isdigit(byte) != 0;
            used++;
        } else {
            if (used >= columns)
                break;
            used += (byte & 0xC0U) != 0x80U;
            begin = used;
            has_digit = false;
        }
    }
    return used > columns && has_digit ? begin : columns;
}

// Goes over a line; prints what fits where there is a stream. Returns the columns of all of it.
static int go_over_line(FILE *stream, const char *text, size_t length, int columns)
{
    int used = 0;
    size_t i = 0;
    while (i < length) {
        const size_t colour = colour_bytes(text + i, length - i);
        if (colour > 0) {
            if (stream != NULL)
                (void)fwrite(text + i, 1, colour, stream);
            i += colour;
            continue;
        }
        const unsigned char byte = (unsigned char)text[i++];
        const bool goes_on = (byte & 0xC0U) == 0x80U; // a letter that was begun before
        if (!goes_on)
            used++;
        if (stream != NULL && used <= columns)
            (void)fputc(byte < 0x20U || byte == 0x7FU ? '?' : byte, stream);
    }
    return used;
}

int ww_screen_print_line(FILE *stream, const char *text, size_t length, int columns)
{
    const int cut = cut_at(text, length, columns);
    const int all = go_over_line(stream, text, length, cut);
    return all < cut ? all : cut;
}

int ww_screen_line_columns(const char *text, size_t length)
{
    return go_over_line(NULL, text, length, 0);
}

size_t ww_screen_line_bytes(const char *text, int columns)
{
    size_t last_blank = 0;
    int used = 0;
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] == ' ')
            last_blank = i;
        if (((unsigned char)text[i] & 0xC0U) == 0x80U)
            continue;
        if (used == columns)
            return last_blank > 0 ? last_blank : i;
        used++;
    }
    return strlen(text);
}

static bool write_all(const char *text, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(STDOUT_FILENO, text, size);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            text += written;
            size -= (size_t)written;
        }
    }
    return true;
}

// Rows that stand on the terminal: most wrap the lines that are there when they become narrower.
static int shown_rows(const ww_screen *screen)
{
    int rows = 0;
    for (const char *line = screen->shown; line != NULL && *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        int columns = ww_screen_line_columns(line, length);
        if (columns > screen->shown_columns)
            columns = screen->shown_columns;
        rows++;
        for (int rest = columns - screen->columns; rest > 0; rest -= screen->columns)
            rows++;
        line += length + 1;
    }
    return rows;
}

// All of it in one write, so that no half of it is ever seen. Lines that are wider than they seem
// do not wrap.
static char *frame(const ww_screen *screen, const char *text, char **shown, size_t *size)
{
    char *bytes = NULL;
    size_t shown_size = 0;
    FILE *stream = open_memstream(&bytes, size);
    FILE *lines = open_memstream(shown, &shown_size);
    if (stream != NULL && lines != NULL) {
        const int rows = shown_rows(screen);
        if (rows > 0)
            fprintf(stream, "\r\033[%dA", rows);
        if (screen->in_place)
            fputs("\033[?7l", stream);
        // The last row is the cursor's.
        for (int row = 0; row + 1 < screen->rows && *text != '\0'; row++) {
            const size_t length = strcspn(text, "\n");
            (void)ww_screen_print_line(stream, text, length,
                                       screen->in_place ? screen->columns : INT_MAX);
            fputs(screen->in_place ? "\033[K\n" : "\n", stream);
            fprintf(lines, "%.*s\n", (int)length, text);
            text += length + 1;
        }
        if (screen->in_place)
            fputs("\033[?7h\033[J", stream);
    }
    if (stream != NULL)
        (void)fclose(stream);
    if (lines != NULL)
        (void)fclose(lines);
    return bytes;
}

bool ww_screen_show(ww_screen *screen, const char *text)
{
    char *shown = NULL;
    size_t size = 0;
    char *bytes = frame(screen, text, &shown, &size);
    if (bytes == NULL || shown == NULL) {
        free(bytes);
        free(shown);
        errno = ENOMEM;
        return false;
    }
    const bool written = write_all(bytes, size);
    free(bytes);
    free(screen->shown);
    screen->shown = screen->in_place ? shown : NULL;
    screen->shown_columns = screen->columns;
    if (!screen->in_place)
        free(shown);
    return written;
}

void ww_screen_begin_anew(ww_screen *screen)
{
    free(screen->shown);
    screen->shown = NULL;
}

void ww_screen_end(ww_screen *screen)
{
    static const char clear[] = "\r\033[K"; // such as the ^C that the terminal has written
    if (screen->in_place)
        (void)write_all(clear, sizeof clear - 1);
    ww_screen_begin_anew(screen);
}
