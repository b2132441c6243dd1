#include "train/activations.h"

#include <string.h>

// Eight flags go into a byte, and back, by one product of 64 bits.
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first of eight bytes is the lowest");
enum { FLAGS = 8 };

const ww_activation_methods *ww_activations_of(bool single)
{
    return single ? &ww_activations_single : &ww_activations_double;
}

void ww_pack_patterns(const uint8_t *active, int64_t units, int64_t samples, uint8_t *patterns,
                      int64_t stride)
{
    for (int64_t unit = 0; unit < units; unit++)
        for (int64_t start = 0; start < samples; start += FLAGS) {
            const int64_t left = samples - start;
            uint64_t flags = 0;
            memcpy(&flags, active + unit * samples + start, left < FLAGS ? (size_t)left : FLAGS);
            // Flag i, at bit 8 i, comes to bit 56 + i by the shift of 56 - 7 i, and there alone.
            patterns[unit * stride + start / FLAGS] =
                (uint8_t)(flags * UINT64_C(0x0102040810204080) >> 56);
        }
}

void ww_unpack_patterns(const uint8_t *patterns, int64_t stride, int64_t units, int64_t samples,
                        uint8_t *active)
{
    for (int64_t unit = 0; unit < units; unit++)
        for (int64_t start = 0; start < samples; start += FLAGS) {
            const int64_t left = samples - start;
            const uint64_t bits = patterns[unit * stride + start / FLAGS];
            // Byte i keeps bit i, which the sum carries to its highest place.
            const uint64_t kept =
                (bits * UINT64_C(0x0101010101010101)) & UINT64_C(0x8040201008040201);
            const uint64_t flags =
                ((kept + UINT64_C(0x7f7f7f7f7f7f7f7f)) >> 7) & UINT64_C(0x0101010101010101);
            memcpy(active + unit * samples + start, &flags, left < FLAGS ? (size_t)left : FLAGS);
        }
}
