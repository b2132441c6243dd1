#include "app/ending.h"

#include "widthwise/clock.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

// How often the stop file is looked for, seconds: a question to the file system.
static const double LOOK_SECONDS = 1.0;
// And how often rank 0 of a crew looks whether another one ends.
static const double GLANCE_SECONDS = 0.05;

static const int signals[] = {SIGTERM, SIGUSR1, SIGINT};
static const char *const signal_names[] = {"SIGTERM", "SIGUSR1", "SIGINT"};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

// A handler can reach nothing else: which of the signals came, by position, from 1 on.
static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
    for (int i = 0; i < SIGNALS; i++)
        if (signals[i] == number)
            caught = i + 1;
}

void ww_ending_catch_signals(void)
{
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction action = {.sa_handler = catch_signal};
        // A write that a signal comes upon goes on. An impatient second Ctrl-C kills at once.
        action.sa_flags = SA_RESTART | (signals[i] == SIGINT ? (int)SA_RESETHAND : 0);
        sigemptyset(&action.sa_mask);
        sigaction(signals[i], &action, NULL);
    }
}

static ww_file_mark mark_file(const char *path)
{
    struct stat found;
    if (stat(path, &found) != 0)
        return (ww_file_mark){0};
    return (ww_file_mark){.exists = true,
                          .device = (uint64_t)found.st_dev,
                          .inode = (uint64_t)found.st_ino,
                          .seconds = (int64_t)found.st_mtim.tv_sec,
                          .nanoseconds = (int64_t)found.st_mtim.tv_nsec};
}

static bool same_mark(const ww_file_mark *a, const ww_file_mark *b)
{
    return a->exists == b->exists && a->device == b->device && a->inode == b->inode &&
           a->seconds == b->seconds && a->nanoseconds == b->nanoseconds;
}

// One of the numbers between the colons: at least one digit, nothing else.
static bool take_number(const char **text, double *number)
{
    if (**text < '0' || **text > '9')
        return false;
    *number = 0.0;
    for (; **text >= '0' && **text <= '9'; (*text)++)
        *number = 10.0 * *number + (**text - '0');
    return true;
}

ww_status ww_wall_time_parse(const char *text, double *seconds, ww_error *error)
{
    *seconds = INFINITY;
    if (strcmp(text, "none") == 0)
        return WW_OK;
    const char *position = text;
    double parts[3] = {0.0};
    double days = 0.0;
    bool right = take_number(&position, &parts[0]);
    const bool has_days = right && *position == '-';
    if (has_days) {
        days = parts[0];
        position++;
        right = take_number(&position, &parts[0]);
    }
    int count = 1;
    while (right && *position == ':' && count < 3) {
        position++;
        right = take_number(&position, &parts[count++]);
    }
    if (!right || *position != '\0')
        return ww_fail(error, WW_USAGE,
                       "--wall-time %s: a duration is wanted as MINUTES, MINUTES:SECONDS, "
                       "HOURS:MINUTES:SECONDS, DAYS-HOURS[:MINUTES[:SECONDS]], or none",
                       text);
    if (has_days || count == 3)
        *seconds = 86400.0 * days + 3600.0 * parts[0] + 60.0 * parts[1] + parts[2];
    else
        *seconds = 60.0 * parts[0] + parts[1];
    if (*seconds > 0.0)
        return WW_OK;
    return ww_fail(error, WW_USAGE,
                   "--wall-time %s: the job needs some time; leave it out, or say "
                   "none, where there is no limit",
                   text);
}

// What Slurm tells of the end of its job: seconds from now, infinite where it tells nothing.
static double scheduler_seconds(void)
{
    const char *text = getenv("SLURM_JOB_END_TIME");
    if (text == NULL)
        return INFINITY;
    double end = 0.0;
    if (!take_number(&text, &end) || *text != '\0' || end <= 0.0)
        return INFINITY;
    return end - (double)time(NULL);
}

static ww_status find_stop_file(ww_ending *ending, const char *path, ww_error *error)
{
    char *folder = ww_folder_of(path, error);
    ending->stop_file = folder != NULL ? ww_format(error, "%s/stop", folder) : NULL;
    free(folder);
    if (ending->stop_file == NULL)
        return WW_FAILED;
    ending->stop_mark = mark_file(ending->stop_file);
    if (ending->decides && ending->stop_mark.exists)
        fprintf(stderr,
                "widthwise: %s was there before this start and does not count; touch it to end "
                "this job\n",
                ending->stop_file);
    return WW_OK;
}

ww_status ww_ending_begin(ww_ending *ending, const char *path, const ww_parallel *parallel,
                          ww_error *error)
{
    ending->decides = parallel->rank == 0;
    ending->last_look = ww_seconds();
    double seconds = INFINITY;
    ww_status status = WW_OK;
    if (ending->wall_time != NULL)
        status = ww_wall_time_parse(ending->wall_time, &seconds, error);
    else
        seconds = scheduler_seconds();
    ending->margin = ww_margin_make(ending->last_look, ending->last_look + seconds);
    if (status == WW_OK)
        status = find_stop_file(ending, path, error);
    return ww_agree(parallel, status, error);
}

void ww_ending_divide(ww_ending *ending, const ww_parallel *crew, ww_overview *overview)
{
    ending->decides = crew->rank == 0;
    ending->overview = ending->decides ? overview : NULL;
}

void ww_ending_end(ww_ending *ending)
{
    free(ending->stop_file);
    ending->stop_file = NULL;
}

void ww_ending_member(ww_ending *ending, double bytes, double record_work)
{
    ww_margin_member(&ending->margin, bytes, record_work);
    ww_ending_begin_steps(ending);
}

void ww_ending_begin_steps(ww_ending *ending)
{
    ending->step_began = INFINITY;
}

void ww_ending_checkpointed(ww_ending *ending, double seconds)
{
    ww_margin_checkpointed(&ending->margin, seconds);
    ending->step_began += seconds; // not part of the step
}

void ww_ending_recorded(ww_ending *ending, double seconds)
{
    ww_margin_recorded(&ending->margin, seconds);
    ending->step_began += seconds;
}

static void note_reason(ww_ending *ending, const char *format, const char *what)
{
    (void)snprintf(ending->reason, sizeof ending->reason, format, what);
}

// Whether something asks this rank to end now.
static bool is_asked(ww_ending *ending)
{
    if (ending->decides &&
        (ending->lacks_room || ww_margin_is_used(&ending->margin, ww_seconds()))) {
        note_reason(ending, "%s", "the end of the wall time");
        ending->out_of_time = !ending->lacks_room;
        ending->by_time = true;
        return true;
    }
    if (caught != 0) {
        note_reason(ending, "%s", signal_names[caught - 1]);
        ending->by_time = signals[caught - 1] == SIGUSR1;
        return true;
    }
    if (!ending->decides)
        return false;
    const double now = ww_seconds();
    if (ending->overview != NULL && now - ending->last_glance >= GLANCE_SECONDS) {
        ending->last_glance = now;
        if (ww_board_look(ending->overview->board, WW_OVERVIEW_END) != 0) {
            note_reason(ending, "%s", "what made other ranks end");
            return true;
        }
    }
    if (now - ending->last_look < LOOK_SECONDS)
        return false;
    ending->last_look = now;
    const ww_file_mark mark = mark_file(ending->stop_file);
    if (!mark.exists || same_mark(&mark, &ending->stop_mark))
        return false;
    note_reason(ending, "the file %s", "`stop`");
    return true;
}

bool ww_ending_wanted(ww_ending *ending)
{
    const double now = ww_seconds();
    if (!isinf(ending->step_began))
        ww_margin_stepped(&ending->margin, now - ending->step_began);
    ending->step_began = now;
    return is_asked(ending);
}

bool ww_ending_wants_measurement(const ww_ending *ending)
{
    return ending->decides && ww_margin_wants_measurement(&ending->margin, ww_seconds());
}

void ww_ending_go_on(ww_ending *ending)
{
    if (ending->out_of_time || !ending->agreed)
        return;
    ending->agreed = ending->lacks_room = ending->by_time = false;
    ending->reason[0] = '\0';
}

bool ww_ending_asked(ww_ending *ending)
{
    return is_asked(ending);
}

void ww_ending_need_room(ww_ending *ending, double work)
{
    ending->lacks_room =
        ending->decides && !ww_margin_has_room(&ending->margin, ww_seconds(), work);
}

bool ww_ending_signalled(void)
{
    return caught != 0;
}

ww_status ww_ending_agree(ww_ending *ending, const ww_parallel *parallel, ww_error *error)
{
    int64_t asked = is_asked(ending) ? 1 : 0;
    WW_TRY(ww_sum_words(parallel, &asked, 1, error));
    ending->agreed = ending->agreed || asked > 0;
    return WW_OK;
}

ww_status ww_ending_share_reason(ww_ending *ending, const ww_parallel *parallel, ww_error *error)
{
    double signal_of_any = (double)caught;
    WW_TRY(ww_maximum(parallel, &signal_of_any, 1, error));
    if (ending->reason[0] == '\0' && signal_of_any > 0.0)
        note_reason(ending, "%s", signal_names[(int)signal_of_any - 1]);
    return WW_OK;
}
