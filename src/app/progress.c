#include "app/progress.h"

#include "widthwise/clock.h"
#include "widthwise/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const double TERMINAL_SECONDS = 0.2;
static const double LOG_SECONDS = 30.0;

void ww_progress_begin(ww_progress *progress, const char *name, int64_t first_step)
{
    progress->is_terminal = isatty(STDERR_FILENO) != 0;
    progress->name = name;
    progress->first_step = first_step;
    progress->began = ww_seconds();
    if (progress->overview == NULL)
        progress->last = progress->began;
}

void ww_progress_numbers(const ww_measure_plan *plan, const double *values, char *text, size_t size)
{
    static const char *const shown[] = {"loss",           "test_loss",     "residual",
                                        "train_accuracy", "test_accuracy", "test_absolute_error",
                                        "updates",        "violations",    "dead_samples",
                                        "coupling",       "distance"};
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        const double value = ww_measure_value(plan, values, shown[i]);
        if (isnan(value) || used >= size)
            continue;
        char number[32];
        ww_number_text(value, 4, number, sizeof number);
        const int written =
            snprintf(text + used, size - used, "%s%s %s", used > 0 ? ", " : "", shown[i], number);
        if (written > 0)
            used += (size_t)written;
    }
}

static void member_text(const ww_progress *progress, char *text, size_t size)
{
    if (progress->member_count > 1)
        snprintf(text, size, "[%lld/%lld] %s", (long long)progress->member,
                 (long long)progress->member_count, progress->name);
    else
        snprintf(text, size, "%s", progress->name);
}

static bool is_time(ww_progress *progress)
{
    const double now = ww_seconds();
    if (!progress->speaks || !progress->watches ||
        now - progress->last < (progress->is_terminal ? TERMINAL_SECONDS : LOG_SECONDS))
        return false;
    progress->last = now;
    return true;
}

static void write_line(const ww_progress *progress, const char *text)
{
    char line[1280];
    (void)snprintf(line, sizeof line, "%s%s%s", progress->is_terminal ? "\r" : "", text,
                   progress->is_terminal ? "\033[K" : "\n");
    fputs(line, stderr);
    fflush(stderr);
}

void ww_progress_wait(ww_progress *progress)
{
    char text[512];
    if (progress->overview == NULL || !is_time(progress))
        return;
    ww_overview_text(progress->overview, text, sizeof text);
    write_line(progress, text);
}

// A line on the member at hand, behind one on all members: `text`, how fast its `things` are made,
// and when all will be.
static void write_member(const ww_progress *progress, const char *text, const char *things,
                         int64_t done, int64_t all)
{
    char member[256];
    char left[64] = "?";
    char line[1024];
    size_t used = 0;
    member_text(progress, member, sizeof member);
    const double rate = (double)(done - progress->first_step) / (ww_seconds() - progress->began);
    if (rate > 0.0)
        ww_duration_text((double)(all - done) / rate, left, sizeof left);
    if (progress->overview != NULL) {
        ww_overview_text(progress->overview, line, sizeof line / 2);
        used = strlen(line);
        used += (size_t)snprintf(line + used, sizeof line - used, "; ");
    }
    (void)snprintf(line + used, sizeof line - used, "%s  %s, %.3g %s/s, %s left", member, text,
                   rate, things, left);
    write_line(progress, line);
}

void ww_progress_step(ww_progress *progress, int64_t step, int64_t steps,
                      const ww_measure_plan *plan, const double *values, double batch_loss)
{
    if (progress->overview != NULL)
        ww_overview_worked(progress->overview, (double)step / (double)steps);
    if (!is_time(progress))
        return;
    char numbers[256] = "";
    char text[512];
    if (values != NULL)
        ww_progress_numbers(plan, values, numbers, sizeof numbers);
    if (numbers[0] == '\0')
        snprintf(numbers, sizeof numbers, "batch loss %.4g", batch_loss);
    (void)snprintf(text, sizeof text, "step %lld of %lld, %s", (long long)step, (long long)steps,
                   numbers);
    write_member(progress, text, "steps", step, steps);
}

void ww_progress_replicas(ww_progress *progress, int64_t done, int64_t replicas)
{
    if (progress->overview != NULL)
        ww_overview_worked(progress->overview, (double)done / (double)replicas);
    if (!is_time(progress))
        return;
    char text[128];
    (void)snprintf(text, sizeof text, "%lld of %lld replicas", (long long)done,
                   (long long)replicas);
    write_member(progress, text, "replicas", done, replicas);
}

// One write a line: what launchers collect from ranks they may cut and mix at every write.
static void write_lasting(const ww_progress *progress, const char *format, va_list arguments)
{
    char member[256];
    char text[WW_MESSAGE_SIZE];
    char line[WW_MESSAGE_SIZE + 512];
    member_text(progress, member, sizeof member);
    (void)vsnprintf(text, sizeof text, format, arguments);
    (void)snprintf(line, sizeof line, "%s%s: %s\n", progress->is_terminal ? "\r\033[K" : "", member,
                   text);
    fputs(line, stderr);
    fflush(stderr);
}

void ww_progress_warn(ww_progress *progress, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (progress->leads)
        write_lasting(progress, format, arguments);
    va_end(arguments);
}

void ww_progress_say(ww_progress *progress, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (progress->speaks)
        write_lasting(progress, format, arguments);
    va_end(arguments);
}
