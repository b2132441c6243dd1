/// Checks every state that a crash can leave of a logged run.
///
///     crash_replay LOG FOLDER FILE SCRATCH CONFIG REFERENCE --modes kill,power,nodes,torn
///                  [--every K] [--phase I] [--seeds N] [--without-sync]
///                  [--longer REFERENCE --longer-from RECORD --setting KEY=VALUE]
///
/// LOG was written by write_log.c while jobs wrote FILE (a name) in FOLDER. For each K-th record
/// (from number I on) the files are made in SCRATCH as a crash at that moment leaves them, and
/// then: the file opens, `verify` finds it good and names a checkpoint at least as new as the
/// newest that was acknowledged, `resume` goes on from there and ends with the bits of REFERENCE.
/// From a record on it is resumed with a setting that makes the run longer, and compared with
/// another reference. Prints what was counted; exit code 1 when any state fails.
#include "crash_model.h"

#include "app/app.h"
#include "store/hdf5_tools.h"
#include "store/page.h"
#include "widthwise/store.h"

#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_DATASETS = 512, TEXT_SIZE = 1 << 16 };

typedef struct reference {
    size_t count;
    char *paths[MOST_DATASETS];
    crash_bytes bytes[MOST_DATASETS];
} reference;

typedef struct options {
    const char *log, *folder, *file, *scratch, *config, *reference, *longer, *setting;
    size_t from, every, phase, seeds;
    bool modes[CRASH_MODES], syncs;
} options;

typedef struct counts {
    long states, without_file, opened, verified, lost, resumed, equal;
} counts;

typedef struct replay {
    options given;
    ww_parallel parallel;
    crash_log log;
    reference reference, longer;
    char logged_path[1024], state_path[1024];
    int64_t commit_offset;
    char text[TEXT_SIZE]; ///< what the last command printed
    counts counts[CRASH_MODES];
    const char *mode; ///< for messages
    size_t position;
    uint64_t seed;
} replay;

static void give_up(const char *what, const char *which)
{
    fprintf(stderr, "crash_replay: %s %s\n", what, which);
    exit(1);
}

static crash_bytes read_dataset(hid_t file, const char *path)
{
    const hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    const hid_t type = H5Dget_type(dataset);
    const hid_t space = H5Dget_space(dataset);
    crash_bytes bytes = {NULL, (size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type)};
    bytes.data = calloc(bytes.size + 1, 1);
    if (dataset < 0 || bytes.data == NULL ||
        H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data) < 0)
        give_up("cannot read", path);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(dataset);
    return bytes;
}

static void keep(reference *all, hid_t file, const char *path, const char *name)
{
    if (all->count == MOST_DATASETS)
        give_up("too many datasets at", path);
    all->paths[all->count] = strdup(name);
    all->bytes[all->count++] = read_dataset(file, path);
}

static herr_t visit(hid_t root, const char *name, const H5O_info_t *info, void *context)
{
    const bool compared = strncmp(name, "runs/", 5) == 0 || strncmp(name, "record/", 7) == 0 ||
                          strncmp(name, "snapshots/", 10) == 0;
    if (info->type == H5O_TYPE_DATASET && compared)
        keep(context, root, name, name);
    return 0;
}

/// All that must be equal: results, record, snapshots, and the newest checkpoint wherever it lies.
static void read_reference(const char *path, reference *all)
{
    *all = (reference){0};
    hid_t file = H5I_INVALID_HID;
    ww_error error = {0};
    if (ww_file_open_reading(path, &file, &error) != WW_OK ||
        H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, visit, all) < 0)
        give_up("cannot read", path);
    ww_file_summary summary;
    if (ww_store_summarize(path, &summary, &error) != WW_OK)
        give_up("cannot read", error.message);
    for (int64_t i = 0; i < summary.member_count; i++) {
        const ww_member_summary *member = &summary.members[i];
        const int slot = !member->slot_valid[0]   ? 1
                         : !member->slot_valid[1] ? 0
                                                  : member->slot_step[1] > member->slot_step[0];
        char group[128];
        ww_names parts = {0};
        (void)snprintf(group, sizeof group, "/state/run%04lld/checkpoint%d",
                       (long long)member->index, slot);
        if (ww_names_read(file, path, group, &parts, &error) != WW_OK)
            give_up("cannot read", error.message);
        for (size_t part = 0; part < parts.count; part++) {
            char name[256];
            char place[256];
            (void)snprintf(name, sizeof name, "newest checkpoint of run%04lld/%s",
                           (long long)member->index, parts.names[part]);
            (void)snprintf(place, sizeof place, "%s/%s", group, parts.names[part]);
            keep(all, file, place, name);
        }
        ww_names_free(&parts);
    }
    ww_file_summary_free(&summary);
    ww_file_close(&file);
}

static void free_reference(reference *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->paths[i]);
        free(all->bytes[i].data);
    }
}

static const char *first_difference(const reference *a, const reference *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if (i >= b->count || strcmp(a->paths[i], b->paths[i]) != 0)
            return "the list of datasets";
        if (a->bytes[i].size != b->bytes[i].size ||
            memcmp(a->bytes[i].data, b->bytes[i].data, a->bytes[i].size) != 0)
            return a->paths[i];
    }
    return a->count == b->count ? NULL : "the list of datasets";
}

/// Runs a command of the program in this process; what it prints goes to `text`.
static ww_status command(replay *self, int count, const char *const *words)
{
    char *copies[8] = {NULL};
    copies[0] = strdup("widthwise");
    for (int i = 0; i < count; i++)
        copies[i + 1] = strdup(words[i]);
    char name[1100];
    (void)snprintf(name, sizeof name, "%s.said", self->given.scratch);
    fflush(NULL);
    const int output = dup(STDOUT_FILENO);
    const int errors = dup(STDERR_FILENO);
    const int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    const ww_status status = ww_app_main(&self->parallel, count + 1, copies);
    fflush(NULL);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    close(output);
    close(errors);
    const ssize_t bytes = pread(file, self->text, sizeof self->text - 1, 0);
    self->text[bytes < 0 ? 0 : bytes] = '\0';
    close(file);
    for (int i = 0; i <= count; i++)
        free(copies[i]);
    return status;
}

/// The number behind `words` in what was printed, -1 where they are not there.
static long number_after(const char *text, const char *words)
{
    const char *found = strstr(text, words);
    return found == NULL ? -1 : strtol(found + strlen(words), NULL, 10);
}

static void complain(const replay *self, const char *what)
{
    fprintf(stderr, "%s, record %zu of %zu, seed %llu: %s\n%s\n", self->mode, self->position,
            self->log.count, (unsigned long long)self->seed, what, self->text);
}

/// What the newest page says that is certain to have survived.
static ww_page acknowledged(const replay *self, const crash_model *model, crash_mode mode,
                            bool *committed)
{
    crash_bytes bytes = crash_model_certain(model, mode, self->logged_path);
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES] = {false};
    const size_t page_bytes = WW_PAGE_WORDS * sizeof(int64_t);
    for (int p = 0; p < WW_PAGES; p++) {
        const size_t place = (size_t)self->commit_offset + (size_t)p * page_bytes;
        if (place + page_bytes > bytes.size)
            continue;
        int64_t words[WW_PAGE_WORDS];
        memcpy(words, bytes.data + place, page_bytes);
        valid[p] = ww_page_decode(words, p, &pages[p]);
    }
    free(bytes.data);
    const int newest = ww_page_newest(pages, valid);
    *committed = newest >= 0;
    return newest >= 0 ? pages[newest] : ww_page_first();
}

/// The file as it has ended now against what it has to be.
static bool is_equal(replay *self, counts *found, const reference *expected)
{
    reference ended;
    read_reference(self->state_path, &ended);
    const char *difference = first_difference(expected, &ended);
    free_reference(&ended);
    if (difference != NULL) {
        complain(self, difference);
        return false;
    }
    found->equal++;
    return true;
}

/// A state without the file: nothing may have been acknowledged, and a new run is not disturbed by
/// what is left.
static bool check_absence(replay *self, counts *found, bool committed)
{
    if (committed) {
        complain(self, "the file is gone");
        return false;
    }
    const char *const run[] = {"run", self->given.config, "-o", self->state_path, "-q"};
    if (command(self, 5, run) != WW_OK) {
        complain(self, "a new run fails");
        return false;
    }
    return is_equal(self, found, &self->reference);
}

static bool check_file(replay *self, counts *found, const ww_page *page)
{
    const int slot = ww_page_newest_slot(page);
    const long step = slot < 0 ? -1 : (long)page->slot[slot].step;
    const char *const show[] = {"show", self->state_path};
    const char *const verify[] = {"verify", self->state_path};
    if (command(self, 2, verify) != WW_OK) {
        complain(self, "verify finds fault");
        return false;
    }
    found->verified++;
    if (number_after(self->text, "newest good checkpoint: slot ") >= 0) {
        const char *behind = strstr(self->text, "newest good checkpoint: slot ");
        if (number_after(behind, ", step ") < step) {
            found->lost++;
            complain(self, "verify knows only an older checkpoint");
            return false;
        }
    } else if (step >= 0) {
        found->lost++;
        complain(self, "verify knows no checkpoint");
        return false;
    }
    if (command(self, 2, show) != WW_OK) {
        complain(self, "it does not open");
        return false;
    }
    found->opened++;
    const bool longer = self->given.longer != NULL && self->position >= self->given.from;
    const char *const resume[] = {"resume", self->state_path, "--set", self->given.setting};
    if (command(self, longer ? 4 : 2, resume) != WW_OK) {
        complain(self, "resume fails");
        return false;
    }
    found->resumed++;
    if (strstr(self->text, "nothing left to do") == NULL &&
        number_after(self->text, "going on from step ") < step) {
        found->lost++;
        complain(self, "resume goes on from an older checkpoint");
        return false;
    }
    return is_equal(self, found, longer ? &self->longer : &self->reference);
}

static bool check_state(replay *self, const crash_model *model, crash_mode mode, uint64_t seed)
{
    counts *found = &self->counts[mode];
    self->mode = crash_mode_names[mode];
    self->position = crash_model_position(model);
    self->seed = seed;
    self->text[0] = '\0';
    bool committed = false;
    const ww_page page = acknowledged(self, model, mode, &committed);
    crash_model_leave(model, mode, seed * 1000003 + self->position, self->given.folder,
                      self->given.scratch);
    found->states++;
    if (access(self->state_path, F_OK) == 0)
        return check_file(self, found, &page);
    found->without_file++;
    return check_absence(self, found, committed);
}

/// Where the commit pages lie: a place that never moves.
static int64_t find_commit(const char *path)
{
    hid_t file = H5I_INVALID_HID;
    ww_error error = {0};
    if (ww_file_open_reading(path, &file, &error) != WW_OK)
        give_up("cannot read", path);
    const hid_t dataset = H5Dopen2(file, "/state/run0000/commit", H5P_DEFAULT);
    const haddr_t offset = H5Dget_offset(dataset);
    H5Dclose(dataset);
    ww_file_close(&file);
    if (offset == HADDR_UNDEF)
        give_up("no commit pages in", path);
    return (int64_t)offset;
}

static long replay_all(replay *self)
{
    const options *given = &self->given;
    long failed = 0;
    crash_model *model = crash_model_begin(&self->log, given->syncs);
    do {
        const size_t position = crash_model_position(model);
        if (position % given->every != given->phase)
            continue;
        for (crash_mode mode = CRASH_KILL; mode < CRASH_MODES; mode++)
            for (uint64_t seed = 0; given->modes[mode] && seed < given->seeds; seed++)
                failed += !check_state(self, model, mode, seed);
    } while (failed < 5 && crash_model_next(model));
    crash_model_end(model);
    return failed;
}

static size_t number(const char *text)
{
    return text == NULL ? 0 : (size_t)strtoull(text, NULL, 10);
}

static options parse(int count, char **words)
{
    options given = {.every = 1, .seeds = 1, .syncs = true};
    const char **operands[] = {&given.log,     &given.folder, &given.file,
                               &given.scratch, &given.config, &given.reference};
    size_t operand = 0;
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? words[i + 1] : NULL;
        if (strcmp(words[i], "--without-sync") == 0) {
            given.syncs = false;
            continue;
        }
        if (words[i][0] != '-') {
            if (operand == sizeof operands / sizeof operands[0])
                give_up("too many words:", words[i]);
            *operands[operand++] = words[i];
            continue;
        }
        i++;
        if (value == NULL)
            give_up("a value is missing for", words[i - 1]);
        else if (strcmp(words[i - 1], "--modes") == 0)
            for (crash_mode mode = CRASH_KILL; mode < CRASH_MODES; mode++)
                given.modes[mode] = strstr(value, crash_mode_names[mode]) != NULL;
        else if (strcmp(words[i - 1], "--every") == 0)
            given.every = number(value);
        else if (strcmp(words[i - 1], "--phase") == 0)
            given.phase = number(value);
        else if (strcmp(words[i - 1], "--seeds") == 0)
            given.seeds = number(value);
        else if (strcmp(words[i - 1], "--longer-from") == 0)
            given.from = number(value);
        else if (strcmp(words[i - 1], "--longer") == 0)
            given.longer = value;
        else if (strcmp(words[i - 1], "--setting") == 0)
            given.setting = value;
        else
            give_up("unknown option", words[i - 1]);
    }
    if (operand < sizeof operands / sizeof operands[0])
        give_up("six words are wanted, see the head of", "crash_replay.c");
    return given;
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    replay *self = calloc(1, sizeof *self);
    ww_error error = {0};
    if (self == NULL || ww_parallel_create(MPI_COMM_WORLD, &self->parallel, &error) != WW_OK)
        give_up("cannot begin:", error.message);
    self->given = parse(count, words);
    const options *given = &self->given;
    self->log = crash_log_read(given->log);
    (void)snprintf(self->logged_path, sizeof self->logged_path, "%s/%s", given->folder,
                   given->file);
    (void)snprintf(self->state_path, sizeof self->state_path, "%s/%s", given->scratch, given->file);
    read_reference(given->reference, &self->reference);
    if (given->longer != NULL)
        read_reference(given->longer, &self->longer);
    self->commit_offset = find_commit(self->logged_path);
    const long failed = replay_all(self);
    for (crash_mode mode = CRASH_KILL; mode < CRASH_MODES; mode++) {
        const counts *found = &self->counts[mode];
        if (given->modes[mode])
            printf("%s states %ld without_file %ld opened %ld verified %ld lost %ld resumed %ld "
                   "equal %ld\n",
                   crash_mode_names[mode], found->states, found->without_file, found->opened,
                   found->verified, found->lost, found->resumed, found->equal);
    }
    free_reference(&self->reference);
    free_reference(&self->longer);
    crash_log_free(&self->log);
    ww_parallel_destroy(&self->parallel);
    free(self);
    MPI_Finalize();
    return failed == 0 ? 0 : 1;
}
