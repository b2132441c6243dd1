#include "widthwise/text.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// Names are short: a longer word is near to none of them.
enum { LONGEST = 100 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Edit distance of two words of at most LONGEST letters, where exchanging two neighbours is one
// edit and no letter is edited twice (optimal string alignment). Three rows of the table are kept.
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][LONGEST + 1];
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            const size_t exchange = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = smaller(above[j - 1] + exchange, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *ww_nearest(const char *word, const char *const *candidates, size_t count)
{
    const size_t length = strlen(word);
    if (length == 0 || length > LONGEST)
        return NULL;
    // One slip in a short word, two from four letters on, three from eight on; but never so many
    // that the two words have nothing in common.
    const size_t allowed = length < 4 ? 1 : length < 8 ? 2 : 3;
    const char *nearest = NULL;
    size_t least = allowed + 1;
    for (size_t index = 0; index < count; index++) {
        const size_t candidate_length = strlen(candidates[index]);
        if (candidate_length > LONGEST)
            continue;
        const size_t distance = edit_distance(word, length, candidates[index], candidate_length);
        if (distance < least && distance < smaller(length, candidate_length)) {
            least = distance;
            nearest = candidates[index];
        }
    }
    return nearest;
}

char *ww_folder_of(const char *path, ww_error *error)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return ww_copy_text(".", error);
    return ww_format(error, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

void ww_bytes_text(double bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    while (bytes >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1000.0;
        unit++;
    }
    (void)snprintf(text, size, unit == 0 || bytes >= 99.95 ? "%.0f %s" : "%.3g %s", bytes,
                   units[unit]);
}

void ww_ranks_text(int64_t ranks, int64_t threads, char *text, size_t size)
{
    const char *plural = ranks == 1 ? "" : "s";
    if (threads > 1)
        (void)snprintf(text, size, "%lld rank%s of %lld threads", (long long)ranks, plural,
                       (long long)threads);
    else
        (void)snprintf(text, size, "%lld rank%s", (long long)ranks, plural);
}

void ww_number_text(double value, int digits, char *text, size_t size)
{
    static const double LARGEST = 1e15;
    if (fabs(value) < LARGEST && value == trunc(value))
        (void)snprintf(text, size, "%.0f", value);
    else
        (void)snprintf(text, size, "%.*g", digits, value);
}
