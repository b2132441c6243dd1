/// What one array of results is: its name, axes, unit and origin. Measured quantities, final
/// results and predictions are all described by fields; the file writes them, `list` prints them.
#ifndef WIDTHWISE_FIELD_H
#define WIDTHWISE_FIELD_H

#include <stdint.h>

enum {
    WW_FIELD_RANK = 2,
    WW_FIELD_AXES = 3 ///< with the axes [records] and [replicas] that a file puts in front
};

/// One array of doubles. In a trajectory every record has one such array.
typedef struct ww_field {
    const char *name;              ///< name of the dataset, [a-z][a-z0-9_]*
    const char *description;       ///< one sentence, with what its axes are
    const char *units;             ///< "1" where it is a pure number
    const char *source;            ///< paper and equation or section, or "" where there is none
    int rank;                      ///< 0 for a scalar
    int64_t extent[WW_FIELD_RANK]; ///< extents of the axes, `rank` of them
} ww_field;

/// Values in one array of `field`.
int64_t ww_field_size(const ww_field *field);

#endif
