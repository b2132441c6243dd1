#include "app/watch.h"

#include "widthwise/clock.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// How soon a signal, another size of the terminal or the end of a reader is seen, seconds.
static const double GLANCE_SECONDS = 0.1;
// How soon it is looked again whether nobody writes, where it may be over.
static const double AGAIN_SECONDS = 1.0;

// A handler can reach nothing else.
static volatile sig_atomic_t ends, was_stopped;

static void catch_end(int number)
{
    (void)number;
    ends = 1;
}

static void catch_continuation(int number)
{
    (void)number;
    was_stopped = 1;
}

static void catch_signals(void)
{
    static const int ending[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
        struct sigaction action = {.sa_handler = catch_end};
        action.sa_flags = (int)SA_RESETHAND; // a second Ctrl-C kills, should a look take long
        sigemptyset(&action.sa_mask);
        sigaction(ending[i], &action, NULL);
    }
    struct sigaction action = {.sa_handler = catch_continuation};
    sigemptyset(&action.sa_mask);
    sigaction(SIGCONT, &action, NULL);
}

// Waits a little; false: nobody reads the output any more.
static bool glance(double seconds)
{
    struct pollfd output = {.fd = STDOUT_FILENO};
    const int found = poll(&output, 1, (int)ceil(1000.0 * seconds));
    return found <= 0 || (output.revents & (POLLERR | POLLHUP | POLLNVAL)) == 0;
}

static ww_status draw(const ww_watched *watched, ww_screen *screen, ww_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        return ww_fail(error, WW_FAILED, "out of memory for the picture of %s", watched->path);
    ww_watch_print(watched, screen, ww_seconds(), stream);
    if (!screen->in_place && watched->count > 0)
        fputc('\n', stream); // between blocks
    const bool whole = fclose(stream) == 0;
    const bool shown = whole && ww_screen_show(screen, text);
    const int reason = errno;
    free(text);
    if (shown)
        return WW_OK;
    if (reason == EPIPE || reason == EIO) // the pager, or the terminal, was closed
        return WW_STOPPED;
    return ww_fail(error, WW_FAILED, "cannot write the picture of %s: %s; check where it goes",
                   watched->path, strerror(reason));
}

// Until the next look. WW_STOPPED: there shall be none.
static ww_status rest(const ww_watched *watched, double seconds, ww_screen *screen, ww_error *error)
{
    const double end = ww_seconds() + seconds;
    while (ends == 0) {
        const double left = end - ww_seconds();
        if (left <= 0.0)
            return WW_OK;
        if (!glance(fmin(left, GLANCE_SECONDS)))
            return WW_STOPPED;
        const bool resized = ww_screen_measure(screen);
        if (was_stopped != 0)
            ww_screen_begin_anew(screen); // the shell has written something
        if (screen->in_place && (resized || was_stopped != 0))
            WW_TRY(draw(watched, screen, error));
        was_stopped = 0;
    }
    return WW_STOPPED;
}

static ww_status watch(ww_watched *watched, double seconds, ww_screen *screen, ww_error *error)
{
    while (true) {
        const ww_writer writer = ww_store_find_writer(watched->path);
        if (ends != 0) // what hangs there hangs in reading too
            return WW_STOPPED;
        WW_TRY(ww_watched_look(watched, writer, error));
        if (screen->in_place || watched->changed)
            WW_TRY(draw(watched, screen, error));
        if (ww_watched_is_over(watched))
            return WW_OK;
        const bool is_unsure = ww_watched_has_ended(watched) ||
                               (watched->writer == WW_WRITER_NONE && !watched->unattended);
        WW_TRY(rest(watched, is_unsure ? fmin(seconds, AGAIN_SECONDS) : seconds, screen, error));
    }
}

ww_status ww_watch(const char *path, double seconds, const ww_parallel *parallel, ww_error *error)
{
    ww_status status = WW_OK;
    catch_signals(); // a launcher sends them to all ranks, and those that wait must not go first
    if (parallel->rank == 0) {
        ww_watched watched = {.path = path};
        ww_screen screen;
        ww_screen_begin(&screen);
        status = watch(&watched, seconds, &screen, error);
        ww_screen_end(&screen);
        ww_watched_free(&watched);
    }
    const ww_status waited = ww_wait_for_all(parallel, NULL, NULL, error);
    return ww_agree(parallel, status != WW_OK ? status : waited, error);
}
