// The table of subcommands, their help, and how the program ends.

#include "app/app.h"

#include "app/provenance.h"
#include "widthwise/text.h"

#include <stdio.h>
#include <string.h>

typedef struct command {
    const char *name;
    const char *summary;
    const char *help;
    ww_status (*run)(const ww_parallel *parallel, int count, char **words, ww_error *error);
} command;

// What `run` and `resume` have alike.
#define GRID_OPTIONS                                                                               \
    "  --sample-groups G    divide the samples of full batches over G groups of the ranks, of "    \
    "which each\n"                                                                                 \
    "                       has the whole network (default: as few as leave no rank without "      \
    "units); the\n"                                                                                \
    "                       same bits\n"                                                           \
    "  --divide-data        with them, a node has the inputs of its groups alone (default: where " \
    "all take\n"                                                                                   \
    "                       more than half of its memory)\n"

#define AUDIT_OPTIONS                                                                              \
    "  --audit              at the end, where an engine keeps no weights, make them and compare "  \
    "its activation\n"                                                                             \
    "                       patterns and outputs with theirs; a mismatch is a failure\n"           \
    "  --check-steps S      run the engine dense beside the one chosen, for the first S steps of " \
    "this start,\n"                                                                                \
    "                       and compare after each: more memory, and many times the work\n"

static const command commands[] = {
    {"run", "train what a configuration describes, into one HDF5 file",
     "usage: widthwise run [CONFIG] [-o FILE] [--set KEY=VALUE]... [options]\n"
     "       mpirun -n RANKS widthwise run ...\n"
     "\n"
     "Without CONFIG the built-in default runs: figure 1 of Li & Liang 2018 for one seed.\n"
     "\n"
     "  -o, --output FILE    the file to make (default: NAME.h5 in the current folder)\n"
     "  --set KEY=VALUE      override a key, e.g. --set network.width=100000; repeatable\n"
     "  --member I           run member I of a sweep alone (default file: NAME-IIII.h5)\n"
     "  --until STEP         stop after that step with a checkpoint (exit code 75); a run with "
     "replicas\n"
     "                       stops after so many of them\n"
     "  --wall-time TIME     end with a checkpoint before TIME is over: MINUTES, H:MM:SS, "
     "D-HH:MM:SS;\n"
     "                       default: what Slurm tells of the job's end; none: no "
     "limit\n" GRID_OPTIONS AUDIT_OPTIONS
     "  --profile[=FILE]     tell at the end where the time went: by phase, and calls of MPI; into "
     "FILE as\n"
     "                       JSON too\n"
     "  --force              replace a file that exists\n"
     "  -q, --quiet          no progress\n"
     "\n"
     "A run ends early, with a checkpoint and exit code 75, on SIGTERM, SIGUSR1 or Ctrl-C, before "
     "its\n"
     "wall time is over, and when a file named `stop` is made or touched beside the output.\n"
     "\n"
     "`widthwise list keys` is the reference of all keys.\n",
     ww_app_run},
    {"resume", "go on with a file after a stop or a death, on any number of ranks",
     "usage: widthwise resume FILE [options]\n"
     "       mpirun -n RANKS widthwise resume FILE\n"
     "\n"
     "Every run in the file that has not ended goes on from its newest good checkpoint. The "
     "results\n"
     "have the same bits as those of a run that was never stopped, on any number of ranks.\n"
     "\n"
     "  --set KEY=VALUE      change a key before going on, e.g. --set training.steps=1000 to make "
     "a "
     "run\n"
     "                       longer; `widthwise list keys` tells which a restart may change\n"
     "  --until STEP         stop after that step with a checkpoint (exit code 75)\n"
     "  --wall-time TIME     end with a checkpoint before TIME is over: MINUTES, H:MM:SS, "
     "D-HH:MM:SS;\n"
     "                       default: what Slurm tells of the job's end; none: no "
     "limit\n" GRID_OPTIONS AUDIT_OPTIONS
     "  --profile[=FILE]     tell at the end where the time went: by phase, and calls of MPI; into "
     "FILE as\n"
     "                       JSON too\n"
     "  --wait-lock SECONDS  when another job is writing the file wait for its end that long "
     "(default: 0)\n"
     "  -q, --quiet          no progress\n"
     "\n"
     "It ends early, with a checkpoint and exit code 75, on SIGTERM, SIGUSR1 or Ctrl-C, before "
     "its\n"
     "wall time is over, and when a file named `stop` is made or touched beside the output.\n",
     ww_app_resume},
    {"gram", "the Gram matrix of a data set: spectrum, projections of labels, complexity",
     "usage: widthwise gram [CONFIG] [-o FILE] [--set KEY=VALUE]... [options]\n"
     "       widthwise gram FILE [--set KEY=VALUE]... [options]\n"
     "       mpirun -n RANKS widthwise gram ...\n"
     "\n"
     "Nothing is trained. With a configuration it makes the file that `run` would make, with what "
     "the\n"
     "Gram matrix of the training set tells: `resume` then trains, and compares. With a FILE it "
     "adds that\n"
     "to all its runs; what is there already is used again. Results of runs that are over are "
     "computed\n"
     "anew, with predictions beside them.\n"
     "\n"
     "  -o, --output FILE    the file to make (default: NAME.h5 in the current folder)\n"
     "  --set KEY=VALUE      override a key, e.g. --set gram.eigenvectors=true; repeatable\n"
     "  --member I           member I of a sweep alone\n"
     "  --wall-time TIME     end before TIME is over: MINUTES, H:MM:SS, D-HH:MM:SS; default: what "
     "Slurm\n"
     "                       tells of the job's end; none: no limit\n"
     "  --profile[=FILE]     tell at the end where the time went: by phase, and calls of MPI; into "
     "FILE as\n"
     "                       JSON too\n"
     "  --wait-lock SECONDS  when another job is writing FILE wait for its end that long "
     "(default: 0)\n"
     "  --force              replace a file that exists\n"
     "  -q, --quiet          no progress\n",
     ww_app_gram_command},
    {"construct", "build weights that a theorem says there are, and check them",
     "usage: widthwise construct fit|bad-fit|local-minimum [CONFIG] [-o FILE] [--set KEY=VALUE]... "
     "[options]\n"
     "       mpirun -n RANKS widthwise construct ...\n"
     "\n"
     "Nothing is trained. FILE is one that `run` could have made, of 0 steps; `run CONFIG --set\n"
     "network.start=file --set network.start_file=FILE` begins with its weights. Output weights "
     "are\n"
     "of one size, half of them positive (model: brutzkus). Where CONFIG has no width and the "
     "default\n"
     "is too small, it is what is needed. Of a run with replicas the first is built.\n"
     "\n"
     "  fit            every train sample gets its label, whatever the labels are\n"
     "  bad-fit        that, and every test sample gets the wrong one\n"
     "  local-minimum  a spurious local minimum of the ReLU loss on a separable train set\n"
     "\n"
     "It ends with what was found: loss, errors, the norm of the gradient, the radius of a ball in "
     "which\n"
     "no activation pattern changes, and the lowest loss of 100 points in it.\n"
     "\n"
     "  -o, --output FILE    the file to make (default: NAME-fit.h5 and so on in the current "
     "folder)\n"
     "  --set KEY=VALUE      override a key\n"
     "  --member I           member I of a sweep alone (default file: NAME-fit-IIII.h5 and so on)\n"
     "  --wall-time TIME     end before TIME is over: MINUTES, H:MM:SS, D-HH:MM:SS; default: what "
     "Slurm\n"
     "                       tells of the job's end; none: no limit\n"
     "  --force              replace a file that exists\n"
     "  -q, --quiet          no progress\n",
     ww_app_construct},
    {"plan", "tell beforehand what a configuration will need",
     "usage: widthwise plan [CONFIG] [--set KEY=VALUE]... [options]\n"
     "       mpirun -n RANKS widthwise plan ...\n"
     "\n"
     "Memory of a rank by purpose, bytes of the file, work, time, and where a condition of the "
     "theory is\n"
     "not met. The time is an estimate from about two seconds of training, measuring and writing "
     "on the\n"
     "ranks it is started on.\n"
     "\n"
     "  --set KEY=VALUE      override a key\n"
     "  -n, --ranks N        for a run on N ranks (default: those it is started on)\n"
     "  --memory-per-node G  the smallest number of ranks that fits into nodes of G gigabytes\n"
     "  --ranks-per-node R   ranks on such a node (default: processors of this machine)\n"
     "  --sample-groups G    groups of ranks that samples are divided over, as of `run`\n"
     "  --divide-data        and inputs over nodes with them\n"
     "  --no-calibration     no time, and memory without that of program and libraries\n"
     "  --tune[=SECONDS]     instead of all that: how long a step takes by each training.engine "
     "that "
     "can be\n"
     "                       taken, in both precisions, on the data set, ranks and threads at "
     "hand, "
     "measured\n"
     "                       in turns for about SECONDS (default: 30), and what a run could "
     "change; "
     "runs of\n"
     "                       the same work once. It only suggests: no file is made, and `auto` "
     "does "
     "not\n"
     "                       depend on it\n",
     ww_app_plan},
    {"theory", "print what the papers predict for a configuration's data, before any training",
     "usage: widthwise theory [CONFIG] [--set KEY=VALUE]... [options]\n"
     "       mpirun -n RANKS widthwise theory ...\n"
     "\n"
     "A table of name, value, formula and source. The data set is loaded and measured, nothing is "
     "trained\n"
     "and no file is made: predictions that need a trajectory are those of a run alone. Constants "
     "that the\n"
     "papers leave open are 1. Of the model zou-gu, and of several hidden layers: table 1, "
     "theorems and\n"
     "lemmas, beside the spectra that they take.\n"
     "\n"
     "  --set KEY=VALUE      override a key\n"
     "  --member I           of a sweep, member I (default: 0)\n"
     "  --gram               spectra and solves of the Gram matrix for more than 2048 samples "
     "too\n",
     ww_app_theory},
    {"show", "tell on one screen what a file holds and how far it is",
     "usage: widthwise show FILE [options]\n"
     "\n"
     "What ran, how far each run is, its key numbers and where it came from. Safe while a job "
     "writes.\n"
     "\n"
     "  --watch[=SECONDS]    look again every SECONDS (default: 2) until all runs have ended and "
     "no "
     "job is\n"
     "                       at them: progress, time left, first and newest values and curves of "
     "loss\n"
     "                       (logarithmic) and accuracy (from 0 to 1). A FILE that is not there "
     "yet is\n"
     "                       waited for. On a terminal the picture stays in place; into a pipe or "
     "a file\n"
     "                       goes what is new. Ctrl-C ends it (exit code 75), the job goes on\n",
     ww_app_show},
    {"verify", "check a file: structure, checksums, which checkpoint is newest",
     "usage: widthwise verify FILE\n"
     "       mpirun -n RANKS widthwise verify FILE\n"
     "\n"
     "Exit code 0 when all that counts is good, 1 with a sentence when it is not. Safe while a job "
     "writes\n"
     "the file; 75 when it writes checkpoints faster than they can be read.\n",
     ww_app_verify},
    {"export", "make a plain copy for programs that load whole files",
     "usage: widthwise export FILE [-o COPY] [options]\n"
     "\n"
     "The copy holds committed rows and results only, without room for more and without "
     "checkpoint\n"
     "slots: small, and right for Octave's `load`. What is copied is held against its checksums. "
     "Safe\n"
     "while a job writes FILE.\n"
     "\n"
     "  -o, --output COPY    the file to make (default: FILE without .h5, and -export.h5)\n"
     "  --weights            with the weights of the newest good checkpoint, and snapshots\n"
     "  --record             with what is recorded for an outside check\n"
     "  --force              replace a file that exists\n",
     ww_app_export},
    {"merge", "make one file of the runs of several, as of a job array",
     "usage: widthwise merge FILE... -o MERGED\n"
     "\n"
     "Runs keep their numbers and everything they have, checkpoints included: MERGED is as if one "
     "job had\n"
     "run them all, and `resume` goes on with those that have not ended. All must be of one "
     "configuration,\n"
     "each in one FILE only, and no job may be writing. FILEs are held against their checksums and "
     "stay as\n"
     "they are; so is MERGED before it gets its name.\n"
     "\n"
     "  -o, --output MERGED  the file to make\n"
     "  --force              replace a file that exists\n",
     ww_app_merge},
    {"list", "list quantities, results, keys, models, sources, or the members of a sweep",
     "usage: widthwise list quantities|results|keys|models|sources\n"
     "       widthwise list members [CONFIG] [--set KEY=VALUE]... [options]\n"
     "\n"
     "  quantities   what can be measured along a trajectory: unit, formula, source\n"
     "  results      what can be computed at the end\n"
     "  keys         every key of a configuration: type, range, default, what it means\n"
     "  models       presets\n"
     "  sources      data sources\n"
     "  members      runs of a sweep: work, memory of a rank, and how ranks will be divided\n"
     "\n"
     "  --set KEY=VALUE      override a key\n"
     "  -n, --ranks N        for a job of N ranks (default: those it is started on)\n"
     "  --memory-per-node G  gigabytes of a node (default: what is free on this machine)\n"
     "  --ranks-per-node R   ranks on such a node (default: processors of this machine)\n",
     ww_app_list},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_usage(FILE *stream)
{
    fprintf(stream,
            "widthwise %s: distributed training of over-parameterized ReLU networks\n\n"
            "usage: widthwise COMMAND ...      (under mpirun or srun for more than one rank)\n\n",
            ww_version_text());
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fprintf(stream,
            "\n`widthwise COMMAND --help` tells more. Exit codes: 0 done, 1 failed, 2 wrong "
            "usage or\nconfiguration, 3 diverged, 75 stopped early with a checkpoint.\n");
}

static ww_status unknown_command(const char *word, ww_error *error)
{
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    const char *nearest = ww_nearest(word, names, COMMAND_COUNT);
    return ww_fail(error, WW_USAGE, "unknown command `%s`%s%s%s; `widthwise --help` lists them",
                   word, nearest != NULL ? "; did you mean `" : "", nearest != NULL ? nearest : "",
                   nearest != NULL ? "`?" : "");
}

static ww_status dispatch(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const bool speaks = parallel->rank == 0;
    if (count < 2) {
        if (speaks)
            print_usage(stderr);
        return WW_USAGE;
    }
    if (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0 ||
        strcmp(words[1], "help") == 0) {
        if (speaks)
            print_usage(stdout);
        return WW_OK;
    }
    if (strcmp(words[1], "--version") == 0) {
        if (speaks)
            printf("widthwise %s\n", ww_version_text());
        return WW_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(words[1], commands[i].name) != 0)
            continue;
        for (int word = 2; word < count; word++)
            if (strcmp(words[word], "--help") == 0 || strcmp(words[word], "-h") == 0) {
                if (speaks)
                    fputs(commands[i].help, stdout);
                return WW_OK;
            }
        return commands[i].run(parallel, count - 2, words + 2, error);
    }
    return unknown_command(words[1], error);
}

ww_status ww_app_main(const ww_parallel *parallel, int count, char **words)
{
    ww_error error = {0};
    const ww_status status = dispatch(parallel, count, words, &error);
    // Divergence and an early stop were already told as the outcome of their member.
    if ((status == WW_FAILED || status == WW_USAGE) && parallel->rank == 0 &&
        error.message[0] != '\0') {
        char line[WW_MESSAGE_SIZE + 16];
        (void)snprintf(line, sizeof line, "widthwise: %s\n", error.message);
        fputs(line, stderr);
    }
    return status;
}
