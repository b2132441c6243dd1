/// Time: of the clock on the wall, and of processors.
#ifndef WIDTHWISE_CLOCK_H
#define WIDTHWISE_CLOCK_H

#include <stddef.h>

/// Seconds of a clock that never goes back.
double ww_seconds(void);

/// Seconds that processors have worked for this process, all its threads together.
double ww_processor_seconds(void);

/// Now as UTC, ISO 8601, into `text` [size].
void ww_time_text(char *text, size_t size);

/// A duration in words of at most 11 letters, e.g. "2.3 s", "1 h 05 min", "3 days 07 h" or "25
/// days", into `text` [size]; what is longer than 9999 days, or no number, is "> 9999 days".
void ww_duration_text(double seconds, char *text, size_t size);

#endif
