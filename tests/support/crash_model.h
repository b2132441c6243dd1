/// What a crash leaves of the files that a log of writes (write_log.c) tells of.
///
/// A model follows the log record by record. For each file it knows the contents as every process
/// sees them, and what is certain to be on the disk: only what a sync covered. From that it makes
/// the states that a crash can leave.
#ifndef WIDTHWISE_TESTS_CRASH_MODEL_H
#define WIDTHWISE_TESTS_CRASH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The kinds of records, as write_log.c has them.
enum { LOG_CREATE = 1, LOG_WRITE, LOG_TRUNCATE, LOG_SYNC, LOG_RENAME, LOG_UNLINK, LOG_SYNC_FOLDER };

typedef struct crash_record {
    int kind;
    int64_t process, offset, bytes;
    const char *path, *second;
    const unsigned char *data;
} crash_record;

typedef struct crash_log {
    crash_record *records;
    size_t count;
    unsigned char *bytes; ///< the whole file
} crash_log;

/// Ends the program with a sentence when the log cannot be read or is not whole.
crash_log crash_log_read(const char *path);
void crash_log_free(crash_log *log);

typedef enum crash_mode {
    CRASH_KILL,  ///< the processes die: all writes stay but the one in flight, which is cut
    CRASH_POWER, ///< the machine dies: what no sync covered survives by pages, or not
    CRASH_NODES, ///< the same, where the sync of a process covers its own writes alone
    CRASH_TORN,  ///< of the last writes that no sync covered, some pages are old and some new
    CRASH_MODES
} crash_mode;

extern const char *const crash_mode_names[CRASH_MODES];

typedef struct crash_model crash_model;

/// `syncs` false: as if no sync ever came, for a test of the test.
crash_model *crash_model_begin(const crash_log *log, bool syncs);
void crash_model_end(crash_model *model);

/// Follows the next record; false after the last.
bool crash_model_next(crash_model *model);
/// Records followed so far.
size_t crash_model_position(const crash_model *model);

/// Contents of a file.
typedef struct crash_bytes {
    unsigned char *data;
    size_t size;
} crash_bytes;

/// Makes the files in `folder` (which is emptied first) that a crash of `mode` at this moment would
/// leave; `folder` stands for the one that was logged, `logged`. `seed` decides what survives.
void crash_model_leave(const crash_model *model, crash_mode mode, uint64_t seed, const char *logged,
                       const char *folder);

/// Contents of file `path` that are certain to survive a crash of `mode`: size 0 where there is no
/// such file. Free `data`.
crash_bytes crash_model_certain(const crash_model *model, crash_mode mode, const char *path);

#endif
