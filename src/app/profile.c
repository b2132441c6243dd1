#include "app/profile.h"

#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *key, *name;
} phases[WW_PHASES] = {
    [WW_PHASE_MPI] = {"mpi_start", "start of MPI"},
    [WW_PHASE_START] = {"start_up", "start-up"},
    [WW_PHASE_DATA] = {"data", "data"},
    [WW_PHASE_FILE] = {"file", "file made, opened, checked"},
    [WW_PHASE_WEIGHTS] = {"weights", "weights drawn"},
    [WW_PHASE_STEPS] = {"steps", "steps"},
    [WW_PHASE_REST] = {"rest", "search for rest"},
    [WW_PHASE_MEASURING] = {"measuring", "measuring"},
    [WW_PHASE_AUDITS] = {"audits", "audits and checks"},
    [WW_PHASE_RESULTS] = {"results", "results at the end"},
    [WW_PHASE_GRAM] = {"gram", "Gram matrix"},
    [WW_PHASE_CHECKPOINTS] = {"checkpoints", "checkpoints"},
    [WW_PHASE_WRITING] = {"writing", "other writing"},
    [WW_PHASE_WAITING] = {"waiting", "waiting for other runs"},
    [WW_PHASE_OTHER] = {"other", "all else"},
};

ww_status ww_app_profile_check(const char *path, ww_error *error)
{
    if (path[0] == '\0')
        return WW_OK;
    FILE *file = fopen(path, "a");
    if (file == NULL)
        return ww_fail(error, WW_USAGE,
                       "--profile=%s cannot be written (%s); name a file in a folder that is there",
                       path, strerror(errno));
    (void)fclose(file);
    return WW_OK;
}

static bool is_used(const ww_profile_summary *summary, int phase)
{
    return summary->seconds[phase].most > 0.0;
}

static void print_phases(const ww_profile_summary *summary, int ranks)
{
    double in_calls = 0.0;
    printf("\nwhere the time went: seconds of a rank, of %d rank%s\n", ranks,
           ranks == 1 ? "" : "s");
    printf("  %-27s %9s %9s %9s %7s %12s\n", "", "least", "mean", "most", "share", "in MPI calls");
    for (int phase = 0; phase < WW_PHASES; phase++) {
        const ww_spread *seconds = &summary->seconds[phase];
        if (!is_used(summary, phase))
            continue;
        in_calls += summary->in_calls[phase].mean;
        printf("  %-27s %9.3f %9.3f %9.3f %6.1f%% %12.3f\n", phases[phase].name, seconds->least,
               seconds->mean, seconds->most, 100.0 * seconds->mean / summary->whole.mean,
               summary->in_calls[phase].mean);
    }
    printf("  %-27s %9.3f %9.3f %9.3f %6.1f%% %12.3f\n", "in all", summary->whole.least,
           summary->whole.mean, summary->whole.most, 100.0, in_calls);
}

// A number of calls, of which not all ranks make the same.
static void count_text(const ww_spread *calls, char *text, size_t size)
{
    if (calls->least == calls->most)
        (void)snprintf(text, size, "%.0f", calls->most);
    else
        (void)snprintf(text, size, "%.0f to %.0f", calls->least, calls->most);
}

static void print_calls(const ww_profile_summary *summary)
{
    printf("\ncalls of MPI: of a rank; bytes and seconds on average\n");
    printf("  %-27s %-14s %-21s %12s %9s %9s %9s\n", "in", "call", "for", "calls", "bytes",
           "of one", "seconds");
    for (int phase = 0; phase < WW_PHASES; phase++)
        for (int call = 0; call < WW_CALL_KINDS; call++) {
            const ww_call_spread *spread = &summary->calls[phase][call];
            char calls[48];
            char bytes[32];
            char one[32];
            if (spread->calls.most <= 0.0)
                continue;
            count_text(&spread->calls, calls, sizeof calls);
            ww_bytes_text(spread->bytes.mean, bytes, sizeof bytes);
            ww_bytes_text(spread->bytes.mean / spread->calls.mean, one, sizeof one);
            printf("  %-27s %-14s %-21s %12s %9s %9s %9.3f\n", phases[phase].name,
                   ww_call_kind((ww_call)call), ww_call_purpose((ww_call)call), calls, bytes, one,
                   spread->seconds.mean);
        }
}

// A text as JSON has it.
static void write_text(FILE *file, const char *text)
{
    (void)fputc('"', file);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            (void)fprintf(file, "\\%c", *at);
        else if (*at < 0x20)
            (void)fprintf(file, "\\u%04x", (unsigned)*at);
        else
            (void)fputc(*at, file);
    }
    (void)fputc('"', file);
}

static void write_spread(FILE *file, const char *name, const ww_spread *spread, const char *behind)
{
    (void)fprintf(file, "\"%s\": {\"min\": %.17g, \"mean\": %.17g, \"max\": %.17g}%s", name,
                  spread->least, spread->mean, spread->most, behind);
}

static void write_phases(FILE *file, const ww_profile_summary *summary)
{
    (void)fprintf(file, "  \"phases\": [");
    for (int phase = 0, count = 0; phase < WW_PHASES; phase++) {
        if (!is_used(summary, phase))
            continue;
        (void)fprintf(file, "%s\n    {\"phase\": \"%s\", ", count++ > 0 ? "," : "",
                      phases[phase].key);
        write_spread(file, "seconds", &summary->seconds[phase], ", ");
        write_spread(file, "in_calls", &summary->in_calls[phase], "");
        if (summary->first[phase].least >= 0.0) { // all ranks were in it
            (void)fprintf(file, ", ");
            write_spread(file, "first", &summary->first[phase], "");
        }
        (void)fprintf(file, "}");
    }
    (void)fprintf(file, "\n  ],\n");
}

static void write_calls(FILE *file, const ww_profile_summary *summary)
{
    int count = 0;
    (void)fprintf(file, "  \"calls\": [");
    for (int phase = 0; phase < WW_PHASES; phase++)
        for (int call = 0; call < WW_CALL_KINDS; call++) {
            const ww_call_spread *spread = &summary->calls[phase][call];
            if (spread->calls.most <= 0.0)
                continue;
            (void)fprintf(file, "%s\n    {\"phase\": \"%s\", \"call\": \"%s\", \"for\": \"%s\", ",
                          count++ > 0 ? "," : "", phases[phase].key, ww_call_kind((ww_call)call),
                          ww_call_purpose((ww_call)call));
            write_spread(file, "calls", &spread->calls, ", ");
            write_spread(file, "bytes", &spread->bytes, ", ");
            write_spread(file, "seconds", &spread->seconds, "}");
        }
    (void)fprintf(file, "\n  ]\n");
}

// Time of the calendar, in seconds since 1970, of a time of ww_seconds.
static double calendar_time(double seconds)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec - (ww_seconds() - seconds);
}

static bool write_json(FILE *file, const ww_parallel *parallel, const char *command,
                       const ww_profile_summary *summary)
{
    (void)fprintf(file, "{\n  \"format\": \"widthwise profile 1\",\n  \"command\": ");
    write_text(file, command);
    (void)fprintf(file, ",\n  \"ranks\": %d,\n  \"began\": %.6f,\n  ", parallel->size,
                  calendar_time(parallel->profile->began));
    write_spread(file, "seconds", &summary->whole, ",\n");
    write_phases(file, summary);
    write_calls(file, summary);
    (void)fprintf(file, "}\n");
    return ferror(file) == 0;
}

static void write_file(const ww_parallel *parallel, const char *command, const char *path,
                       const ww_profile_summary *summary)
{
    FILE *file = fopen(path, "w");
    bool written = file != NULL && write_json(file, parallel, command, summary);
    if (file != NULL)
        written = fclose(file) == 0 && written;
    if (written)
        printf("\nprofile: %s\n", path);
    else
        (void)fprintf(stderr, "widthwise: warning: --profile=%s could not be written (%s)\n", path,
                      strerror(errno));
}

ww_status ww_app_profile_tell(const ww_parallel *parallel, const char *command, const char *path,
                              ww_error *error)
{
    ww_profile_summary *summary = ww_allocate(1, sizeof *summary, "the profile", error);
    ww_status status = ww_agree(parallel, summary != NULL ? WW_OK : WW_FAILED, error);
    if (status == WW_OK && summary != NULL)
        status = ww_profile_gather(parallel, summary, error);
    if (status == WW_OK && summary != NULL && parallel->rank == 0) {
        print_phases(summary, parallel->size);
        print_calls(summary);
        if (path[0] != '\0')
            write_file(parallel, command, path, summary);
    }
    free(summary);
    return status;
}

void ww_app_profile_tell_member(const ww_profile *profile, const ww_profile *before,
                                ww_progress *progress)
{
    const double now = ww_seconds();
    char line[1024] = "";
    size_t used = 0;
    double whole = 0.0;
    for (int phase = 0; phase < WW_PHASES; phase++)
        whole += ww_profile_seconds(profile, phase, now) -
                 ww_profile_seconds(before, phase, before->since);
    for (int phase = 0; phase < WW_PHASES && used < sizeof line; phase++) {
        const double seconds = ww_profile_seconds(profile, phase, now) -
                               ww_profile_seconds(before, phase, before->since);
        if (seconds >= 0.005 * whole)
            used += (size_t)snprintf(line + used, sizeof line - used, "%s%s %.3g s (%.0f%%)",
                                     used > 0 ? ", " : "", phases[phase].name, seconds,
                                     100.0 * seconds / whole);
    }
    ww_progress_say(progress, "%s", line);
}
