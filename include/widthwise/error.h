/// Errors: what every function that can fail returns, and how all ranks agree on it.
///
/// Two kinds of error are kept apart. A *programming* error (a broken precondition inside this
/// code) aborts with file and line through WW_ASSERT. An error of the *environment* or of the user
/// (no such file, disk full, a wrong key) comes back as a ww_status with one sentence in a
/// ww_error: what is wrong, where, and what to do. A status is also the exit code of the program.
///
/// A collective function returns the same status on all ranks of its communicator: whatever is
/// done on one rank is followed by ww_agree (parallel.h), so no rank waits for one that has left.
#ifndef WIDTHWISE_ERROR_H
#define WIDTHWISE_ERROR_H

#include <stdbool.h>

/// Results of a call, and exit codes of the program.
typedef enum ww_status {
    WW_OK = 0,     ///< done
    WW_FAILED = 1, ///< the run failed; the message says what to do
    WW_USAGE = 2,  ///< wrong usage, configuration or input data; nothing was written
    WW_DIVERGED =
        3,          ///< the loss is not finite or a sum left its range; the last checkpoint is kept
    WW_STOPPED = 75 ///< stopped early with a checkpoint; `resume` goes on
} ww_status;

enum { WW_MESSAGE_SIZE = 8192 };

/// One error: its status and one sentence for the user. Starts as zeroes ({0}).
typedef struct ww_error {
    ww_status status;
    char message[WW_MESSAGE_SIZE];
} ww_error;

/// Stores status and sentence (printf style) in `error` (may be NULL) and returns `status`, so that
/// a caller writes `return ww_fail(error, WW_USAGE, "...");`. Not collective.
ww_status ww_fail(ww_error *error, ww_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/// Puts a sentence in front of the one already in `error`, to say where it happened.
void ww_error_prefix(ww_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/// Ends the program with file and line: a precondition inside this code is broken.
_Noreturn void ww_abort(const char *file, int line, const char *condition);

#define WW_ASSERT(condition)                                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ww_abort(__FILE__, __LINE__, #condition);                                              \
    } while (0)

/// Hands a failure up to the caller.
#define WW_TRY(call)                                                                               \
    do {                                                                                           \
        const ww_status ww_try_status_ = (call);                                                   \
        if (ww_try_status_ != WW_OK)                                                               \
            return ww_try_status_;                                                                 \
    } while (0)

#endif
