/// What an audit (audit.h) found, as it is told and written to files.
#ifndef WIDTHWISE_AUDIT_FOUND_H
#define WIDTHWISE_AUDIT_FOUND_H

#include <stdint.h>

typedef enum ww_audit_verdict {
    WW_AUDIT_NONE = 0,  ///< nothing was compared
    WW_AUDIT_HOLDS = 1, ///< no mismatch, and outputs that differ by no more than rounding explains
    WW_AUDIT_FAILS = 2
} ww_audit_verdict;

/// What was found, of all ranks: the same on any number of them.
typedef struct ww_audit {
    ww_audit_verdict verdict;
    int64_t first_step, last_step; ///< steps made when the weights were those that were looked at
    int64_t pairs;                 ///< of a unit and a train sample, at each of these steps
    int64_t mismatches;            ///< of these, patterns that the weights do not have
    int64_t undecided;             ///< and those too near to 0 to tell
    double difference;             ///< largest of outputs, by the largest output, or by 1
} ww_audit;

#endif
