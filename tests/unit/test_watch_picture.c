// The picture of a watch: what is in it, and that it fits.

#include "cmocka_all.h"

#include "app/watch.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 40 };

/// So many runs of which the first `running` run; label "seed=N", and curves.
typedef struct experiment {
    ww_watched watched;
    ww_watched_run runs[MOST];
    char labels[MOST][64];
    char reason[128];
    double curves[WW_WATCHED_CURVES * WW_WATCHED_RECORDS];
} experiment;

static void make(experiment *all, size_t count, size_t running, ww_run_state rest)
{
    *all = (experiment){.watched = {.path = "some.h5",
                                    .runs = all->runs,
                                    .count = count,
                                    .attempts = 1,
                                    .newest = {.host = "node1", .started = "then", .ranks = 4},
                                    .writer = WW_WRITER_THERE}};
    for (int i = 0; i < 8; i++) {
        all->curves[i] = pow(10.0, -i); // the loss
        all->curves[WW_WATCHED_RECORDS + i] = NAN;
        all->curves[2 * WW_WATCHED_RECORDS + i] = 0.125 * (i + 1);
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(all->labels[i], sizeof all->labels[i], "seed=%zu", i + 1);
        ww_watched_run *run = &all->runs[i];
        *run = (ww_watched_run){.index = (int64_t)i,
                                .state = i < running ? WW_RUN_RUNNING : rest,
                                .done = i < running || rest == WW_RUN_DONE ? 250 : 0,
                                .all = 1000,
                                .work = 1.0,
                                .label = all->labels[i],
                                .reason = all->reason,
                                .records = 8,
                                .curves = all->curves};
        ww_pace_look(&run->pace, -2.0, 25.0);
        ww_pace_look(&run->pace, 0.0, 50.0);
        ww_pace_look(&run->pace, 2.0, 250.0);
        all->watched.states[run->state]++;
    }
}

/// The picture; free it. `lines` is their number.
static char *print(const experiment *all, int columns, int rows, bool in_place, int *lines)
{
    const ww_screen screen = {
        .in_place = in_place, .unicode = true, .columns = columns, .rows = rows};
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ww_watch_print(&all->watched, &screen, 2.0, stream);
    fclose(stream);
    *lines = 0;
    for (const char *at = text; *at != '\0'; at++)
        *lines += *at == '\n';
    assert_true(size > 0 && text[size - 1] == '\n');
    return text;
}

static void check(const experiment *all, int columns, int rows, const char *const *said,
                  const char *const *unsaid)
{
    int lines = 0;
    char *text = print(all, columns, rows, true, &lines);
    assert_true(lines < rows);
    for (; *said != NULL; said++)
        if (strstr(text, *said) == NULL)
            fail_msg("\"%s\" is not in:\n%s", *said, text);
    for (; *unsaid != NULL; unsaid++)
        if (strstr(text, *unsaid) != NULL)
            fail_msg("\"%s\" is in:\n%s", *unsaid, text);
    free(text);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING ((const char *const[]){NULL})

static void test_few_runs(void **state)
{
    (void)state;
    static experiment all;
    make(&all, 4, 2, WW_RUN_WAITING);
    check(&all, 100, 24,
          LIST("some.h5: 4 runs, 2 running, 2 not begun\n", "▏  12.5%  of all work\n",
               "  started then on node1 with 4 ranks\n", "  run0000  seed=1\n",
               "▕████████                        ▏  25.0%  step 250 of 1000, 100 steps/s, 7.5 s "
               "left\n",
               "  loss                    1 to 1e-07     █▇▆▅▄▃▂▁\n",
               "  test_accuracy       0.125 to 1         ▂▃▄▅▆▇██\n", "  run0001  seed=2\n"),
          LIST("run0002", "train_accuracy", "\033"));
    // Fewer columns: a shorter bar, and curves of fewer values with the newest among them.
    check(&all, 46, 24, LIST("▕██▌       ▏  25.0%", "1 to 1e-07     █▇▅▃▁\n"), NOTHING);
    // Replicas.
    all.runs[0].has_replicas = true;
    check(&all, 100, 24, LIST("  250 of 1000 replicas, 100 replicas/s, 7.5 s left\n"), NOTHING);
    // A rate that rounds to 1000.
    all.runs[1].pace = (ww_pace){.count = 2, .times = {0.0, 2.0}, .values = {0.0, 1999.6}};
    check(&all, 100, 24, LIST(", 1000 steps/s"), LIST("e+03"));
}

static void test_one_run(void **state)
{
    (void)state;
    static experiment all;
    make(&all, 1, 1, WW_RUN_DONE);
    all.labels[0][0] = '\0';
    check(&all, 80, 24, LIST("some.h5: 1 run, 1 running\n", "step 250 of 1000"),
          LIST("all work", "run0000"));
    all.runs[0].trained = true; // a stop rule has ended it
    check(&all, 80, 24, LIST(" 25.0%  step 250 of 1000, computing results\n"), LIST("left"));
    all.runs[0].state = WW_RUN_DONE;
    all.watched.states[WW_RUN_RUNNING] = 0;
    all.watched.states[WW_RUN_DONE] = 1;
    all.watched.writer = WW_WRITER_NONE;
    check(&all, 80, 24,
          LIST("some.h5: 1 run, 1 done\n", "step 250 of 1000, done\n",
               "\n  all runs have ended; `widthwise show some.h5` tells what it holds\n"),
          LIST("left"));
}

// Over is what nobody is at, and nobody is just about to go on with.
static void test_over(void **state)
{
    (void)state;
    static const char done[] = "\n  all runs have ended; `widthwise show";
    static experiment all;
    make(&all, 2, 0, WW_RUN_DONE);
    all.watched.writer = WW_WRITER_NONE;
    assert_true(ww_watched_has_ended(&all.watched));
    assert_true(ww_watched_is_over(&all.watched));
    check(&all, 100, 24, LIST(done), NOTHING);
    all.watched.writer = WW_WRITER_THERE;
    assert_true(ww_watched_has_ended(&all.watched));
    assert_false(ww_watched_is_over(&all.watched));
    all.watched.pace = (ww_pace){.count = 2, .times = {0.0, 2.0}, .values = {0.5, 1.0}};
    check(&all, 100, 24, NOTHING, LIST("ended", "left"));
    // A run that was made longer.
    make(&all, 2, 0, WW_RUN_STOPPED);
    static const char early[] = "\n  all runs have ended, 2 of them early; `widthwise resume "
                                "some.h5` goes on\n";
    for (int quiet = 0; quiet < 2; quiet++)
        for (ww_writer writer = WW_WRITER_UNKNOWN; writer <= WW_WRITER_THERE; writer++) {
            const bool over = quiet == 1 && writer != WW_WRITER_THERE;
            all.watched.writer = writer;
            all.watched.quiet = quiet == 1;
            assert_true(ww_watched_is_over(&all.watched) == over);
            check(&all, 100, 24, over ? LIST(early) : NOTHING, over ? LIST(done) : LIST("ended"));
        }
    for (ww_run_state one = WW_RUN_WAITING; one <= WW_RUN_RUNNING; one++) {
        make(&all, 2, 0, one);
        all.watched.writer = WW_WRITER_NONE;
        all.watched.quiet = true;
        assert_false(ww_watched_has_ended(&all.watched) || ww_watched_is_over(&all.watched));
    }
}

// A bar is of the run's own steps; of all work what nobody has to do any more is done.
static void test_fractions(void **state)
{
    (void)state;
    static experiment all;
    make(&all, 3, 1, WW_RUN_DIVERGED);
    all.runs[1].done = all.runs[2].done = 100;
    check(&all, 100, 24,
          LIST(" 75.0%  of all work", " 10.0%  step 100 of 1000, diverged\n", " 25.0%  step 250"),
          LIST("100.0%"));
    // Failed work counts not at all.
    all.runs[2].state = WW_RUN_FAILED;
    check(&all, 100, 24, LIST(" 62.5%  of all work", " 10.0%  step 100 of 1000, failed\n"),
          NOTHING);
}

// More runs than rows: a line each, then a number; never more lines than there are, on any screen.
static void test_many_runs(void **state)
{
    (void)state;
    static experiment all;
    make(&all, 30, 20, WW_RUN_WAITING);
    check(&all, 87, 40,
          LIST("20 running, 10 not begun\n",
               "  run      of       progress                    left      loss           accuracy\n"
               "  run0000  seed=1   ▕██▌       ▏  25.0%        7.5 s     1e-07 █▇▆▅▄▃▂▁",
               "  run0019  seed=20  ▕██▌       ▏  25.0%        7.5 s     1e-07 █▇▆▅▄▃▂▁      1 "
               "▂▃▄▅▆▇██\n"),
          LIST("run0020", "more running"));
    // With fewer columns the accuracy has no curve.
    check(&all, 86, 40, LIST("     1e-07 █▇▆▅▄▃▂▁              1\n"), NOTHING);
    // No time is left where nothing is trained.
    all.runs[0].trained = true;
    check(&all, 87, 40, LIST("  run0000  seed=1   ▕██▌       ▏  25.0%                  1e-07"),
          NOTHING);
    all.runs[0].trained = false;
    // Three lines of the head, a blank one, one over the columns, ten runs and the rest.
    check(&all, 120, 17, LIST("  run0009  ", "  and 10 more running\n"), LIST("run0010"));
    make(&all, 3, 1, WW_RUN_DONE);
    check(&all, 120, 8, LIST("  run0000  ", "  and 2 more\n"), LIST("run0001", "more running"));
    for (int rows = 2; rows < 60; rows++)
        for (size_t running = 0; running <= 30; running += 3) {
            int lines = 0;
            make(&all, 30, running, WW_RUN_FAILED);
            snprintf(all.reason, sizeof all.reason, "no memory");
            all.watched.unattended = rows % 2 == 0;
            char *text = print(&all, 80, rows, true, &lines);
            // The head has three lines, and the note two.
            assert_true(lines < rows || lines <= 5);
            free(text);
        }
    int lines = 0;
    make(&all, 30, 20, WW_RUN_WAITING);
    char *text = print(&all, 100, INT_MAX, false, &lines);
    assert_int_equal(lines, 3 + 20 * 5); // not a terminal: all in full
    assert_non_null(strstr(text, "Z  some.h5: 30 runs"));
    free(text);
}

// Labels without sections; values keep their points.
static void test_labels(void **state)
{
    (void)state;
    static experiment all;
    make(&all, 4, 4, WW_RUN_DONE);
    snprintf(all.labels[0], sizeof all.labels[0], "network.width=400 training.rate=0.25 seed=3");
    snprintf(all.labels[1], sizeof all.labels[1], "data.hdf5.file=a.b.h5");
    snprintf(all.labels[2], sizeof all.labels[2], "seed=1 a.word of.no=key");
    all.labels[3][0] = '\0';
    check(&all, 100, 12,
          LIST("  run0000  width=400 rate=0.25 seed=3  ▕", "  run0001  file=a.b.h5  ",
               "  run0002  seed=1 a.word no=key  ", "  run0003                              ▕"),
          NOTHING);
    // No more of it than there is room for, and no part of a number.
    snprintf(all.labels[3], sizeof all.labels[3], "a.name=%s",
             "abcdefghijabcdefghijabcdefghijabcd");
    check(&all, 120, 12, LIST("  run0003  name=abcdefghijabcdefghijabcdefg  ▕"), NOTHING);
    check(&all, 80, 12, LIST("  run0003  name=abcd  ▕", "  run0000  width=400  ▕"), NOTHING);
    check(&all, 78, 12, LIST("  run0003  name=ab  ▕", "  run0000  width=   ▕"), NOTHING);
    // Letters of several bytes: whole, and a column each.
    snprintf(all.labels[3], sizeof all.labels[3], "%s", "a.η=éééééééééé");
    check(&all, 80, 12, LIST("  run0003  η=ééééééé  ▕"), NOTHING);
    snprintf(all.labels[3], sizeof all.labels[3], "%s", "a.η=é");
    check(&all, 80, 12, LIST("  run0003  η=é        ▕"), NOTHING);
}

static void test_bad_ends(void **state)
{
    (void)state;
    static experiment all;
    make(&all, 8, 1, WW_RUN_DIVERGED);
    snprintf(all.reason, sizeof all.reason, "the loss is not finite");
    all.runs[0].reason = all.reason + strlen(all.reason);
    check(&all, 100, 24,
          LIST("1 running, 7 diverged\n", "  run0001  diverged  (seed=2): the loss is not finite\n",
               "  run0007  diverged"),
          NOTHING);
    check(&all, 100, 13, LIST("  run0001  diverged", "\n  and 5 more reasons\n"),
          LIST("  run0007  diverged"));
    // One that is longer than a line, and has room or not.
    make(&all, 1, 0, WW_RUN_FAILED);
    snprintf(all.reason, sizeof all.reason, "%s",
             "there is no room on the disk for what it has to write; make some and go on");
    check(&all, 60, 24,
          LIST("  run0000  failed  (seed=1): there is no room on the disk\n"
               "  for what it has to write; make some and go on\n"),
          LIST("more"));
    all.watched.writer = WW_WRITER_THERE; // no note
    check(&all, 60, 10, LIST("  and 1 more reason\n"), LIST("disk"));
    check(&all, 60, 11, LIST("make some and go on\n"), LIST("more"));
}

static void test_notes(void **state)
{
    (void)state;
    static experiment all;
    make(&all, 2, 1, WW_RUN_WAITING);
    all.watched.unattended = true;
    check(&all, 120, 24,
          LIST("1 interrupted, 1 not begun", "step 250 of 1000, interrupted\n",
               "no program is writing to it", "`widthwise resume some.h5` goes on\n"),
          LIST("left", "running"));
    check(&all, 60, 24,
          LIST("\n  no program is writing to it: its job has ended or died,\n"
               "  and `widthwise resume some.h5` goes on\n"),
          NOTHING);
    // Where locks tell nothing.
    all.watched.unattended = false;
    all.watched.writer = WW_WRITER_UNKNOWN;
    check(&all, 100, 24, LIST("1 running or interrupted, "), LIST("no program"));
    all.watched.trouble = WW_WATCHED_UNREADABLE;
    all.watched.since = -18.0;
    snprintf(all.watched.sentence.message, WW_MESSAGE_SIZE, "it is torn");
    check(&all, 100, 24, NOTHING, LIST("torn")); // not yet
    all.watched.lasts = true;
    check(&all, 100, 24, LIST("  as it was 20.0 s ago: it is torn\n"), NOTHING);
    all.watched.count = 0;
    check(&all, 100, 24, LIST("waiting: it is torn\n"), LIST("some.h5"));
    all.watched.trouble = WW_WATCHED_ABSENT;
    check(&all, 100, 24, LIST("waiting for some.h5, which is not there yet\n"), LIST("torn"));
}

static void check_line(const char *text, int columns, const char *expected, int all)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&printed, &size);
    ww_screen_print_line(stream, text, strlen(text), columns);
    fclose(stream);
    assert_string_equal(printed, expected);
    assert_int_equal(ww_screen_line_columns(text, strlen(text)), all);
    free(printed);
}

static void test_lines(void **state)
{
    (void)state;
    check_line("abc", 3, "abc", 3);
    check_line("abcd", 3, "abc", 4);
    check_line("", 3, "", 0);
    check_line("▁▂▃▄", 3, "▁▂▃", 4);
    check_line("\033[1mab\033[0mcd", 3, "\033[1mab\033[0mc", 4);
    check_line("\033[1mabcd\033[0m", 3, "\033[1mabc\033[0m", 4); // it is switched off all the same
    check_line("a\tb\033[2Jc\177", 99, "a?b?[2Jc?", 9);
    // A part of a number would be another one.
    check_line("step 1250 of 30", 9, "step 1250", 15);
    check_line("step 1250 of 30", 8, "step ", 15);
    check_line("▁▂ 1.5e-07", 9, "▁▂ ", 10);
    check_line("▁▂ 1.5e-07", 10, "▁▂ 1.5e-07", 10);
    check_line("run0012 ab", 6, "", 10);
    check_line("ab 12", 2, "ab", 5);
    check_line("\033[1m12\033[0m 345", 4, "\033[1m12\033[0m ", 6);
}

static void check_break(const char *text, int columns, size_t bytes)
{
    assert_int_equal(ww_screen_line_bytes(text, columns), bytes);
}

static void test_breaks(void **state)
{
    (void)state;
    check_break("", 5, 0);
    check_break("one two", 7, 7);
    check_break("one two", 6, 3);
    check_break("one two", 3, 3);
    check_break("one two", 2, 2);
    check_break("é é é", 3, 5);
    check_break("éééé", 3, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_runs),  cmocka_unit_test(test_one_run),
        cmocka_unit_test(test_many_runs), cmocka_unit_test(test_labels),
        cmocka_unit_test(test_bad_ends),  cmocka_unit_test(test_notes),
        cmocka_unit_test(test_over),      cmocka_unit_test(test_fractions),
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_breaks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
