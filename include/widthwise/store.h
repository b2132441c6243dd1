/// The HDF5 file of an experiment, written so that nothing is lost when a job dies at any moment.
///
/// Rank 0 makes the whole skeleton serially under a temporary name, syncs it and renames it into
/// place; from then on only raw data of contiguous, preallocated datasets is written, never
/// metadata. Every member commits on its own through two pages of 4 KiB that are written in turn
/// and closed by a checksum; a reader takes the newest page that checks. Weights go to two
/// checkpoint slots in turn, so one whole checkpoint always stands. hdf5-schema/ has the layout.
#ifndef WIDTHWISE_STORE_H
#define WIDTHWISE_STORE_H

#include "widthwise/audit_found.h"
#include "widthwise/error.h"
#include "widthwise/field.h"
#include "widthwise/parallel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    WW_SCHEMA_VERSION = 1,
    WW_PROVENANCE_ROWS = 256, ///< starts and restarts that a new file has room for
    WW_PROVENANCE_TEXT = 256, ///< bytes of one text in a provenance row
    WW_OUTCOME_TEXT = 1024    ///< bytes of the sentence that says why a member failed or diverged
};

/// How far a member is. Stored in its commit page.
typedef enum ww_run_state {
    WW_RUN_WAITING = 0,  ///< not begun
    WW_RUN_RUNNING = 1,  ///< begun, and not ended (or its job died)
    WW_RUN_DONE = 2,     ///< all steps done, or its stop rule reached, results written
    WW_RUN_DIVERGED = 3, ///< loss not finite or a sum out of range
    WW_RUN_STOPPED = 4,  ///< stopped early with a checkpoint
    WW_RUN_FAILED = 5,   ///< something of its surroundings was wrong; `resume` tries again
    WW_RUN_STATES = 6    ///< number of states
} ww_run_state;

/// What a commit page has of audits.
typedef enum ww_audit_kind {
    WW_AUDIT_AT_END = 0,   ///< of what the engine believed last: ww_audit_engine
    WW_AUDIT_OF_STEPS = 1, ///< of steps beside `dense`: ww_check
    WW_AUDIT_KINDS = 2
} ww_audit_kind;

/// A state in words.
const char *ww_run_state_name(ww_run_state state);

/// Scalar facts about a member, stored under /runs/runNNNN/parameters, one dataset each.
typedef struct ww_fact {
    const char *name;
    const char *description;
    const char *units;
    bool is_text, is_integer; ///< neither: a double
    bool changes;             ///< ww_store_reshape may give it another value
    double real;
    int64_t integer;
    const char *text;
} ww_fact;

/// What the file reserves for one member. Pointers are borrowed.
typedef struct ww_member_layout {
    int64_t index;                     ///< number NNNN in runNNNN
    const char *config_text;           ///< resolved YAML
    const char *label;                 ///< what is swept, or ""
    int64_t width, dimension, outputs; ///< m, d, k
    int64_t depth;                     ///< L
    int64_t train, test;               ///< samples n
    bool has_targets;                  ///< record/*_targets, with the data
    bool has_labels;                   ///< record/*_labels and *_components likewise
    const int64_t *file_mark; ///< [2] of the file that this job began with; NULL: any file will do
    uint64_t data_hash; ///< of the data set; 0: not loaded. A restart on other data is refused
    int64_t batch;      ///< columns of record/batches (B)
    int64_t steps;      ///< T
    int64_t replicas;   ///< R; more than 1: rows are replicas, and there are no checkpoints
    int64_t records;    ///< rows of the trajectory (of each replica): of steps 0, every, ..., T
    const ww_field *trajectory;
    size_t trajectory_count;
    const ww_field *final; ///< results at the end
    size_t final_count;
    const ww_field *theory; ///< predictions
    size_t theory_count;
    const ww_field *gram; ///< what is known of the Gram matrix
    size_t gram_count;
    bool keeps_eigenvectors; ///< of it, [n, n]
    /// Targets of the train set that are computed, not loaded, stand in the file from the start.
    bool has_train_targets;
    const double *train_targets; ///< [n, targets], for ww_store_create; NULL: not at hand
    int64_t targets;             ///< of a sample
    const ww_fact *facts;
    size_t fact_count;
    bool trains_output;            ///< snapshots have the output weights too
    int64_t state_columns;         ///< that the engine keeps of each unit in a checkpoint
    size_t carry_count;            ///< doubles that cumulative quantities keep in a checkpoint
    const int64_t *snapshot_steps; ///< [snapshot_count], rising
    size_t snapshot_count;
    int record; ///< bits WW_RECORD_* of config.h
} ww_member_layout;

/// Where and with what the program was started. Texts are cut at WW_PROVENANCE_TEXT - 1 bytes.
typedef struct ww_provenance {
    char host[WW_PROVENANCE_TEXT];
    char started[WW_PROVENANCE_TEXT]; ///< UTC, ISO 8601
    char version[WW_PROVENANCE_TEXT]; ///< of this program, with commit
    char compiler[WW_PROVENANCE_TEXT];
    char flags[WW_PROVENANCE_TEXT];
    char libraries[WW_PROVENANCE_TEXT];  ///< "HDF5 1.10.8, Open MPI 4.1.4, OpenBLAS 0.3.21,
                                         ///< glibc 2.36"
    char arithmetic[WW_PROVENANCE_TEXT]; ///< what the bits depend on: BLAS core and C library
    char command[WW_PROVENANCE_TEXT];
    int64_t ranks;
    int64_t first_run;  ///< member it begins or goes on with
    int64_t first_step; ///< step it begins at
    int64_t threads;    ///< of each rank; 0: the file was made before this was written down
} ww_provenance;

/// Makes the file with all members' skeletons and its first provenance row. Refuses (WW_USAGE) a
/// path that exists unless `force`; with `force` still refuses one that another job is writing.
/// The data of trajectories is NaN (step: -1) from the start. Until the rename there is no file.
/// Collective; rank 0 works.
ww_status ww_store_create(const char *path, bool force, const ww_provenance *provenance,
                          const ww_member_layout *members, size_t member_count,
                          const ww_parallel *parallel, ww_error *error);

/// Values of a checkpoint that belong to one unit: its row of the hidden weights of each layer, its
/// output weights, and what the engine keeps of it. Pure.
int64_t ww_store_unit_values(const ww_member_layout *layout);

/// What a file says of one member without reading its weights.
typedef struct ww_member_summary {
    int64_t index;
    char *config_text, *label;
    ww_run_state state;
    int64_t generation;           ///< of the newest commit page that checks
    int64_t rows;                 ///< committed rows of the trajectory, or replicas
    int64_t last_step;            ///< step of the last committed row, -1 without rows
    char reason[WW_OUTCOME_TEXT]; ///< why it failed or diverged, else ""
    bool slot_valid[2];           ///< what the page says, contents not read
    int64_t slot_step[2];
    bool final_valid, theory_valid, record_valid, gram_valid;
    bool trained;       ///< training is over
    uint64_t data_hash; ///< of the data set that it was begun with; 0: not known
    int64_t snapshots;  ///< snapshots taken
    bool page_valid[2];
    ww_audit audits[WW_AUDIT_KINDS]; ///< the last ones
} ww_member_summary;

typedef struct ww_file_summary {
    int64_t schema_version;
    int64_t member_count;
    ww_member_summary *members;
    int64_t attempt_count;       ///< provenance rows in use
    ww_provenance first, newest; ///< the first row and the last
} ww_file_summary;

/// Reads a file's summary serially (one rank, no lock taken, safe while a job writes). Errors: no
/// such file, not an HDF5 file, another program's file, a newer schema. Not collective.
ww_status ww_store_summarize(const char *path, ww_file_summary *summary, ww_error *error);
/// The same on all ranks: rank 0 reads, all get the result. Collective.
ww_status ww_store_summarize_all(const char *path, const ww_parallel *parallel,
                                 ww_file_summary *summary, ww_error *error);
void ww_file_summary_free(ww_file_summary *summary);

/// Gets one number: `group` is "trajectory" (the last committed row), "final", "theory" or "gram".
/// Of a run with replicas `value` is the mean over those that are done (each at its own last row)
/// and that have a finite value, and `deviation` their standard deviation; else it is 0.
typedef void (*ww_scalar_visitor)(void *context, const char *group, const char *name, double value,
                                  double deviation);
/// Calls `visit` for every committed scalar of member `index`, in the order of the groups above and
/// of names. Serial, safe while a job writes. Not collective.
ww_status ww_store_visit_scalars(const char *path, int64_t index, ww_scalar_visitor visit,
                                 void *context, ww_error *error);

/// The facts `names` [count] of a run, /runs/run0000/parameters/NAME, which are whole numbers, into
/// `values` [count]. WW_FAILED: one is not there. Not collective.
ww_status ww_store_read_facts(const char *path, int64_t index, const char *const *names,
                              size_t count, int64_t *values, ww_error *error);

/// The lock of the only writer. Starts as zeroes but for what is wanted.
typedef struct ww_store_lock {
    /// How long to try again, once a second, while another job has it; the same on all ranks.
    double wait_seconds;
    /// Gets a sentence that the user should read at once: that it waits, that the file system
    /// knows no locks. Called on rank 0. NULL: nothing is said.
    void (*say)(const char *sentence);
    /// Whether to wait no longer. Called on rank 0 once a second. NULL: only time decides.
    bool (*gives_up)(void);
    int descriptor; ///< on rank 0, else -1
    bool recovered; ///< a change that was cut short has been undone; on rank 0
} ww_store_lock;

/// Takes it on rank 0; WW_FAILED with a sentence when another job has it. Undoes a change of
/// structure that was cut short. The lock ends with ww_store_unlock or with the process.
/// Collective.
ww_status ww_store_lock_take(const char *path, const ww_parallel *parallel, ww_store_lock *lock,
                             ww_error *error);
void ww_store_unlock(ww_store_lock *lock);

/// Holds everything in the file that is not data (the structure that HDF5 reads) against its
/// checksum: before anything is written to a file from an earlier job, since a damaged address
/// would lead the writes astray. WW_USAGE and WW_FAILED as ww_store_summarize. Collective.
ww_status ww_store_check_structure(const char *path, const ww_parallel *parallel, ww_error *error);

/// Puts a file back to what it was when a change of its structure was cut short (FILE.undo stands
/// beside it); `*recovered` tells whether there was one. Takes the lock for as long as that takes:
/// WW_FAILED when another job has it. ww_store_lock_take does the same on its way. Collective.
ww_status ww_store_recover(const char *path, const ww_parallel *parallel, bool *recovered,
                           ww_error *error);

/// New layouts for members that are in the file.
typedef struct ww_store_changes {
    const ww_member_layout *layouts; ///< [count]
    size_t count;
    /// Batch of step `step` of layout number `member`, into indices [B]: for record/batches, whose
    /// rows follow the steps. Called on rank 0.
    void (*batch)(void *context, size_t member, int64_t step, int64_t *indices);
    void *batch_context;
} ww_store_changes;

/// Brings members to new layouts, all of them or none: more or fewer steps, other final results,
/// another resolved configuration. Rows stay, results and predictions count no more, a member that
/// was done is as if stopped early. Weights are neither copied nor touched. Refused with WW_USAGE:
/// fewer steps than a member has made, quantities that its rows lack; with WW_FAILED: whatever else
/// differs from the file. The caller holds the lock, and nothing has the file open. Collective;
/// rank 0 works.
ww_status ww_store_reshape(const char *path, const ww_store_changes *changes,
                           const ww_parallel *parallel, ww_error *error);

/// Adds a provenance row for a restart; the caller holds the lock, and nothing has the file open.
/// Where all rows are in use their number is doubled first. Collective.
ww_status ww_store_add_attempt(const char *path, const ww_provenance *provenance,
                               const ww_parallel *parallel, ww_error *error);

/// One member of a file, open for writing by all ranks of `parallel`.
typedef struct ww_store ww_store;

/// Opens member `layout->index`. Checks that all its datasets have the layout's types and extents.
/// `tiling` divides the units of all weights over ranks. Collective.
ww_status ww_store_open(const char *path, const ww_member_layout *layout,
                        const ww_parallel *parallel, const ww_tiling *tiling, ww_store **store,
                        ww_error *error);
/// Collective. NULL is allowed.
void ww_store_close(ww_store *store);

/// Weights and cumulative quantities of a member at one step.
typedef struct ww_weights_source {
    /// Hidden weights of tile `tile` (global index, owned by this rank) of layer `layer`, 1 .. L:
    /// [tile units, d], or [tile units, m] from the second layer on. Layer by layer, in the order
    /// of tiles; used before the next call.
    const double *(*tile)(void *context, int64_t layer, int64_t tile);
    void *context;
    const double *output_weights; ///< [local units, k] of this rank (units distributed)
    const double *carry;          ///< [carry_count], the same on all ranks
    /// What the engine keeps of tile `tile`, [tile units, state_columns]; NULL without columns.
    const double *(*state_tile)(void *context, int64_t tile);
} ww_weights_source;

/// Where ww_store_restore puts them.
typedef struct ww_weights_target {
    /// Gets the hidden weights of a tile of this rank, as ww_weights_source.tile gives them.
    void (*put)(void *context, int64_t layer, int64_t tile, const double *values);
    void *context;
    double *output_weights; ///< [local units, k] of this rank (units distributed)
    double *carry;          ///< [carry_count]
    /// Gets what the engine keeps of a tile, [tile units, state_columns].
    void (*put_state)(void *context, int64_t tile, const double *values);
} ww_weights_target;

/// Finds the newest checkpoint whose page and hash check, together with the rows and snapshots
/// before it; reads it, and rolls the committed rows back to it (that roll-back is committed before
/// any row is written again). What is damaged is said in `notice` [notice_size] ("" when all is
/// well), and an older checkpoint is used. *step is -1 when there is no checkpoint, or none that
/// lies before damaged rows or snapshots: the caller begins at 0, and where there is a notice the
/// target may hold anything. WW_FAILED when checkpoints are there and the weights of all are
/// damaged. Collective.
ww_status ww_store_restore(ww_store *store, const ww_weights_target *target, int64_t *step,
                           char *notice, size_t notice_size, ww_error *error);

/// Adds a row to the trajectory: `values` holds the fields' arrays one after the other, the same on
/// all ranks. It is kept in memory until the next commit. Collective.
ww_status ww_store_append(ww_store *store, int64_t step, const double *values, ww_error *error);

/// Writes and commits the rows appended since the last commit, if there are any. Collective.
ww_status ww_store_commit_rows(ww_store *store, ww_error *error);

/// Writes a checkpoint of `step` into the older slot and commits it with all rows, as `state`. One
/// that is there of a later step counts no more. Collective.
ww_status ww_store_checkpoint(ww_store *store, int64_t step, const ww_weights_source *source,
                              ww_run_state state, ww_error *error);

/// 64-bit words of one replica: its state and steps (int64), then the steps of its records (int64)
/// and its trajectory, field by field, each [records, ...], then final results and predictions
/// (double). As ww_store_append_replicas wants them.
int64_t ww_store_replica_words(const ww_member_layout *layout);

/// For a member with replicas: finds out how many count, `*done`, and of these how many diverged,
/// and makes the rest blank. Damage is said in `notice` as by ww_store_restore; then all begin
/// anew. Collective.
ww_status ww_store_restore_replicas(ww_store *store, int64_t *done, int64_t *diverged, char *notice,
                                    size_t notice_size, ww_error *error);

/// Adds `count` replicas, which follow those that are there. `words` [count, replica words] on rank
/// 0. They count from the next commit (ww_store_commit_rows, ww_store_finish). Collective.
ww_status ww_store_append_replicas(ww_store *store, int64_t count, const int64_t *words,
                                   ww_error *error);

/// Keeps the hidden weights, and output weights that are trained, of snapshot `index` of the layout
/// for good. Counts from the next commit. Collective.
ww_status ww_store_snapshot(ww_store *store, size_t index, const ww_weights_source *source,
                            ww_error *error);

/// What an outside check needs to replay the run. NULL members are not recorded.
typedef struct ww_replay_record {
    const double *train_inputs;      ///< [n, d], replicated
    const int64_t *train_labels;     ///< [n]
    const int64_t *train_components; ///< [n]
    const double *test_inputs;
    const int64_t *test_labels;
    const int64_t *test_components;
    const double *train_targets; ///< [n, k], where the data have targets
    const double *test_targets;
    const ww_weights_source *initial_weights; ///< weights at step 0
    /// Batch of step `step`, into indices [B]: called for rows of [T + 1, B], each rank for its
    /// share, so that no rank holds them all.
    void (*batch)(void *context, int64_t step, int64_t *indices);
    void *batch_context;
} ww_replay_record;

/// Writes the record and commits it. One that was there, and is damaged, can only be written again
/// as it was: WW_FAILED where its hash would be another. Collective.
ww_status ww_store_write_record(ww_store *store, const ww_replay_record *record, ww_error *error);
bool ww_store_has_record(const ww_store *store);
/// Reads a record that is there back: `*holds` is false when it fails its hash. The caller, while
/// it has the initial weights, then writes it again. WW_FAILED when it cannot, because the data are
/// not those that the run was begun with. Collective.
ww_status ww_store_check_record(ww_store *store, bool *holds, ww_error *error);

/// Writes one final result (or prediction), `values` of the field's size, the same on all ranks.
/// Counts from ww_store_finish. Collective.
ww_status ww_store_write_final(ww_store *store, size_t field, const double *values,
                               ww_error *error);
ww_status ww_store_write_theory(ww_store *store, size_t field, const double *values,
                                ww_error *error);

/// What stands in the file about the Gram matrix. Keys tell what it was computed of and asked for.
typedef struct ww_gram_state {
    bool valid, spectrum_valid;
    uint64_t key, spectrum_key;
} ww_gram_state;

/// WW_FAILED where the data are not those that the run was begun with, as ww_store_restore finds
/// out too. The same on all ranks.
ww_status ww_store_agree_data(const ww_store *store, ww_error *error);

/// Holds what is there against its hashes: what is damaged is not valid. Collective.
ww_status ww_store_check_gram(ww_store *store, ww_gram_state *state, ww_error *error);

/// Takes back what is there, for something else to be written in its place; the spectrum only where
/// `spectrum_too`. Collective.
ww_status ww_store_begin_gram(ww_store *store, bool spectrum_too, ww_error *error);

/// Reads or writes one field of the Gram matrix, `values` of the field's size, the same on all
/// ranks. Collective.
ww_status ww_store_read_gram(ww_store *store, size_t field, double *values, ww_error *error);
ww_status ww_store_write_gram(ww_store *store, size_t field, const double *values, ww_error *error);

/// Reads or writes eigenvectors `first` .. `first + count - 1` of this rank, `rows` [count, n].
/// Writing takes them into account once all ranks together have written all. Collective.
ww_status ww_store_read_eigenvectors(ww_store *store, int64_t first, int64_t count, double *rows,
                                     ww_error *error);
ww_status ww_store_write_eigenvectors(ww_store *store, int64_t first, int64_t count,
                                      const double *rows, ww_error *error);

/// Commits what was written since ww_store_begin_gram, with its keys: every field that was taken
/// back must have been. The state of the run stays as it is. Collective.
ww_status ww_store_commit_gram(ww_store *store, uint64_t spectrum_key, uint64_t key,
                               ww_error *error);

/// Reads the train targets of member `index` that were computed when the file was made, `targets`
/// [count], on all ranks. WW_FAILED when they are not there or damaged. No member need be open.
/// Collective.
ww_status ww_store_read_train_targets(const char *path, int64_t index, int64_t count,
                                      const ww_parallel *parallel, double *targets,
                                      ww_error *error);

/// A run in a file, and the shape that its weights have to have; one hidden layer.
typedef struct ww_start_source {
    const char *path;
    int64_t index;                     ///< number NNNN in runNNNN
    int64_t width, dimension, outputs; ///< m, d, k
} ww_start_source;

/// Where weights that a run begins with are put, each rank its own units.
typedef struct ww_start_target {
    const ww_tiling *tiling; ///< of `width` units
    double *hidden_weights;  ///< [local units, d]
    double *output_weights;  ///< [local units, k]
} ww_start_target;

/// Whether that run can be begun from: WW_USAGE where there is no such file or run, it has another
/// shape, replicas, or no checkpoint yet. Weights are not read. Collective.
ww_status ww_store_check_start(const ww_start_source *source, const ww_parallel *parallel,
                               ww_error *error);

/// Reads the weights of its newest checkpoint that is whole. Errors as above; WW_FAILED: none is
/// whole. Safe while a job writes the file. No member need be open. Collective.
ww_status ww_store_read_start(const ww_start_source *source, const ww_start_target *target,
                              const ww_parallel *parallel, ww_error *error);

/// What a run has recorded of its own initial weights.
typedef enum ww_start_found { WW_START_NONE, WW_START_WHOLE, WW_START_DAMAGED } ww_start_found;

/// Reads the initial weights that the run itself has recorded (WW_RECORD_INITIAL_WEIGHTS): only
/// where they are WW_START_WHOLE does the target hold anything. Collective.
ww_status ww_store_read_recorded_start(const ww_start_source *source, const ww_start_target *target,
                                       const ww_parallel *parallel, ww_start_found *found,
                                       ww_error *error);

/// Whether snapshot `index` of the layout was taken; and its weights of the first hidden layer, of
/// tile `tile` of this rank, `weights` [tile units, d]. Not collective.
bool ww_store_has_snapshot(const ww_store *store, size_t index);
ww_status ww_store_read_snapshot(const ww_store *store, size_t index, int64_t tile, double *weights,
                                 ww_error *error);

/// Commits rows, final results and predictions with `state`, and `reason`, one sentence on why a
/// member diverged ("" where it did not; cut at WW_OUTCOME_TEXT - 1 bytes). Before a member counts
/// as done or diverged all that the file holds of it is read back once: rows, results, predictions,
/// record, snapshots and the newest checkpoint; WW_FAILED names what was damaged since it was
/// written. Collective.
ww_status ww_store_finish(ww_store *store, ww_run_state state, const char *reason, ww_error *error);

/// Commits what an audit found, whatever it is, with the rows there are. Collective.
ww_status ww_store_write_audit(ww_store *store, ww_audit_kind kind, const ww_audit *audit,
                               ww_error *error);

/// Reads what tells a file from all others, into `mark` [2]. Not collective.
ww_status ww_store_identify(const char *path, int64_t mark[2], ww_error *error);

/// Marks member `index`, which nothing has open, as WW_RUN_FAILED with the reason, if `path` is
/// still the file of that mark. What is committed of the member stays. The job holds the lock. Not
/// collective: one rank calls it.
ww_status ww_store_mark_failed(const char *path, const int64_t mark[2], int64_t index,
                               const char *reason, ww_error *error);

/// Reads committed rows back: `values` [rows] of scalar field `field` of the trajectory, on all
/// ranks; rows appended and not yet committed count too. Collective.
ww_status ww_store_read_scalar(ww_store *store, size_t field, double *values, ww_error *error);
/// Reads field `field` of row `row`, committed or not, `values` of the field's size, on all ranks.
/// Collective.
ww_status ww_store_read_row(ww_store *store, size_t field, int64_t row, double *values,
                            ww_error *error);
/// Steps of the rows, [rows], and their number.
ww_status ww_store_read_steps(ww_store *store, int64_t *steps, ww_error *error);
int64_t ww_store_rows(const ww_store *store);

/// What ww_store_export takes besides trajectories and results.
typedef struct ww_export_choice {
    bool weights; ///< of the newest good checkpoint, and snapshots
    bool record;  ///< what an outside check needs to replay the run
} ww_export_choice;

/// Makes a plain copy of a file for programs that load whole files: only what is committed, rows of
/// trajectories cut to their number, no checkpoint slots (hdf5-schema/ has its layout). What is
/// copied is held against its hashes; damage is WW_FAILED with what is damaged, and no copy. Where
/// the newest checkpoint is damaged the older one is taken, which a line in `report` says. Safe
/// while a job writes. Until the copy is complete there is no file at `target`; one that exists is
/// refused (WW_USAGE) unless `force`. Serial. Not collective.
ww_status ww_store_export(const char *path, const char *target, bool force,
                          const ww_export_choice *choice, FILE *report, ww_error *error);

/// Makes one file of the members of several, `paths` [count], as if they had been run into one:
/// members keep their numbers and all that they hold, weights and commit pages included; the rows
/// of provenance come in the order of `paths`; the file has a mark of its own. `ww_store_*` works
/// on it as on any other.
///
/// Nobody may write the inputs meanwhile: their locks are taken, and changes of structure that were
/// cut short are undone, which a line in `report` says. Every input is held against its checksums
/// as ww_store_verify does, and the new file too before it gets its name. Until then there is no
/// file at `target`; one that exists is refused unless `force`. Refused with WW_USAGE: an input
/// that is no file of this program, or an export; one that is named twice, or is the target, by
/// whatever name; members with one number, or with the same values of all that is swept; members of
/// different configurations (ww_config_compare_members). WW_FAILED: damage, an input that another
/// job writes, what cannot be read or written. A line in `report` says where inputs were computed
/// with unlike arithmetic. Large data is copied a little at a time; memory grows with the number of
/// members only. Serial. Not collective.
ww_status ww_store_merge(const char *const *paths, size_t count, const char *target, bool force,
                         FILE *report, ww_error *error);

/// Checks everything that a file says of itself: structure, pages, rows, results, records,
/// snapshots and both checkpoints against their hashes. Prints a line for each member to `report`
/// (rank 0 only) and names the newest good checkpoint. WW_FAILED when a member has neither a good
/// page nor a good checkpoint where it ought to have one, or committed data fails its hash; bad
/// spare slots are reported, not failed. Safe while a job writes: WW_STOPPED when nothing is found
/// to be damaged, but checkpoints are written faster than they can be read. Collective.
ww_status ww_store_verify(const char *path, const ww_parallel *parallel, FILE *report,
                          ww_error *error);

#endif
