/// Four doubles at a time, and which of them a pattern keeps.
#ifndef WIDTHWISE_TRAIN_LANES_H
#define WIDTHWISE_TRAIN_LANES_H

#include <stdint.h>

typedef double vector __attribute__((vector_size(32)));
typedef int64_t lanes __attribute__((vector_size(32)));

// Lanes that a nibble of a pattern keeps.
#define KEEP(bits)                                                                                 \
    {                                                                                              \
        -((bits)&1), -((bits) >> 1 & 1), -((bits) >> 2 & 1), -((bits) >> 3 & 1)                    \
    }
static const lanes keeps[16] = {KEEP(0),  KEEP(1),  KEEP(2),  KEEP(3), KEEP(4),  KEEP(5),
                                KEEP(6),  KEEP(7),  KEEP(8),  KEEP(9), KEEP(10), KEEP(11),
                                KEEP(12), KEEP(13), KEEP(14), KEEP(15)};

#endif
