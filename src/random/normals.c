/// Standard normals by Box and Muller: words (u, v) give r cos a and r sin a with
/// r = sqrt(-2 log u) and the angle a = 2 pi v.
///
/// Both normals have relative errors below 3 * 2^-52, tails and the neighbourhood of 0 included: u
/// and 1 - u are used with all their bits. All arithmetic is add, multiply, divide and square root
/// of IEEE doubles, one rounding each, and integer operations, so a number's bits do not depend on
/// the compiler, its flags (but for those that break IEEE), the vector width or the C library. The
/// polynomials come from coefficients.py.
#include "random/words.h"

#include <math.h>
#include <string.h>

WW_INLINED double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

WW_INLINED uint64_t bits_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// A half word below 2^32 placed in the last bits of 2^52 or 2^84 counts units of 1 or of 2^32.
#define BITS_OF_2_52 UINT64_C(0x4330000000000000)
#define BITS_OF_2_84 UINT64_C(0x4530000000000000)
#define LOW_HALF UINT64_C(0xffffffff)

/// sqrt(-2 log u) of u = (word + 1/2) / 2^64.
///
/// u = 2^e (1 + t) with 1 + t near 1, and t is rounded once only: its high part is exact.
/// log(1 + t) = 2 atanh(s) = 2 s + s p(s^2) with s = t / (2 + t), where 2 s is t - t^2/2 + s t^2/2:
/// so the large terms are exact or rounded once, and only small ones carry the error of s.
WW_INLINED double radius(uint64_t word)
{
    const double high = double_of_bits(BITS_OF_2_84 | word >> 32) - 0x1p84;
    const double low = double_of_bits(BITS_OF_2_52 | (word & LOW_HALF)) - (0x1p52 - 0.5);
    // Biased so that 1 + t lies between sqrt(1/2) and sqrt(2), about.
    const uint64_t exponent = (bits_of_double(high + low) - UINT64_C(0x3fd6a09e00000000)) >> 52;
    const double scale = double_of_bits((1024 - exponent) << 52);
    const double t = (high * scale - 1) + low * scale;
    const double e = double_of_bits(BITS_OF_2_52 | exponent) - (0x1p52 + 65);

    const double s = t / (2 + t);
    const double z = s * s;
    const double w = z * z;
    const double even =
        0x1.99999999952e2p-2 + w * (0x1.c71c62e57ee38p-3 + w * 0x1.39fe605a606bep-3);
    const double odd =
        0x1.5555555555558p-1 +
        w * (0x1.2492492df149bp-2 + w * (0x1.7462b4ab82cacp-3 + w * 0x1.2b584b3502559p-3));
    const double p = z * odd + w * even;
    const double half_square = 0.5 * t * t;
    const double logarithm =
        e * 0x1.62e42fefa3800p-1 -
        ((half_square - (s * (half_square + p) + e * 0x1.ef35793c76730p-45)) - t);
    return sqrt(-2 * logarithm);
}

/// Cosine and sine of 2 pi (word + 1/2) / 2^64, by quarters of a turn around the axes.
WW_INLINED void direction(uint64_t word, double *cosine, double *sine)
{
    const uint64_t turned = word + (UINT64_C(1) << 61);
    const uint64_t quarter = turned >> 62;
    const uint64_t rest = turned & ((UINT64_C(1) << 62) - 1);
    // y in (-1, 1): the angle from the nearest axis is pi y / 4. Exact but for one rounding.
    const double high = double_of_bits(BITS_OF_2_84 | rest >> 32) - (0x1p84 + 0x1p61);
    const double low = double_of_bits(BITS_OF_2_52 | (rest & LOW_HALF)) - (0x1p52 - 0.5);
    const double y = (high + low) * 0x1p-61;

    const double z = y * y;
    const double w = z * z;
    const double sine_rest =
        (-0x1.4abbce625be52p-4 + w * (-0x1.32d2cce500387p-15 + w * -0x1.e3027dea82bd7p-30)) +
        z * (0x1.466bc6775a476p-9 + w * (0x1.50783208843ebp-22 + w * 0x1.e4a9d9166f052p-38));
    const double s = y * 0x1.921fb54442d18p-1 + y * (0x1.1a62633145c07p-55 + z * sine_rest);
    const double cosine_rest =
        (-0x1.3bd3cc9be45dep-2 +
         w * (-0x1.55d3c7e3cb241p-12 + w * (-0x1.a6d1eef479be1p-26 + w * -0x1.b2f3eb054afcdp-42))) +
        z * (0x1.03c1f081b5ac0p-6 + w * (0x1.e1f5068688d5bp-19 + w * 0x1.f9ce245cada0bp-34));
    const double c = 1 + z * cosine_rest;

    // Quarters 0 to 3: (c, s), (-s, c), (-c, -s), (s, -c). On bits, so that no branch is left.
    const uint64_t swap = 0 - (quarter & 1);
    const uint64_t c_bits = bits_of_double(c);
    const uint64_t s_bits = bits_of_double(s);
    const uint64_t difference = (c_bits ^ s_bits) & swap;
    const uint64_t cosine_sign = ((quarter + 1) >> 1) << 63;
    const uint64_t sine_sign = (quarter >> 1) << 63;
    *cosine = double_of_bits((c_bits ^ difference) ^ cosine_sign);
    *sine = double_of_bits((s_bits ^ difference) ^ sine_sign);
}

WW_INLINED void transform(const uint64_t *restrict even, const uint64_t *restrict odd, size_t count,
                          double scale, double *restrict out)
{
    for (size_t i = 0; i < count; ++i) {
        double cosine;
        double sine;
        direction(odd[i], &cosine, &sine);
        const double r = radius(even[i]);
        const double first = r * cosine; // rounded, and then once more: as if scaled later
        const double second = r * sine;
        out[2 * i] = first * scale;
        out[2 * i + 1] = second * scale;
    }
}

#define VERSION(name, target)                                                                      \
    target static void transform_##name(const uint64_t *even, const uint64_t *odd, size_t count,   \
                                        double scale, double *out)                                 \
    {                                                                                              \
        transform(even, odd, count, scale, out);                                                   \
    }
#define AS_IT_IS
VERSION(plain, AS_IT_IS)
VERSION(avx2, WW_TARGET_AVX2)
VERSION(avx512, WW_TARGET_AVX512)

const ww_normals_version ww_normals_versions[WW_VERSIONS] = {[WW_VERSION_PLAIN] = transform_plain,
                                                             [WW_VERSION_AVX2] = transform_avx2,
                                                             [WW_VERSION_AVX512] =
                                                                 transform_avx512};

void ww_normals_of_words(const uint64_t *even, const uint64_t *odd, size_t count, double scale,
                         double *out)
{
    ww_normals_versions[ww_version_best()](even, odd, count, scale, out);
}

/// The normals of whole counter blocks, times `scale`, [2 blocks].
static void normals_of_blocks(ww_stream stream, uint64_t first, size_t blocks, double scale,
                              double *out)
{
    uint64_t even[WW_BLOCKS_AT_ONCE];
    uint64_t odd[WW_BLOCKS_AT_ONCE];
    for (size_t done = 0; done < blocks; done += WW_BLOCKS_AT_ONCE) {
        const size_t now = blocks - done < WW_BLOCKS_AT_ONCE ? blocks - done : WW_BLOCKS_AT_ONCE;
        ww_random_words(stream, first + done, now, even, odd);
        ww_normals_of_words(even, odd, now, scale, out + 2 * done);
    }
}

void ww_scaled_normals(ww_stream stream, uint64_t first, size_t count, double scale, double *out)
{
    double pair[2];
    if (count > 0 && first % 2 == 1) { // the second half of a block
        normals_of_blocks(stream, first / 2, 1, scale, pair);
        *out++ = pair[1];
        ++first;
        --count;
    }
    normals_of_blocks(stream, first / 2, count / 2, scale, out);
    if (count % 2 == 1) { // the first half of a block
        normals_of_blocks(stream, first / 2 + count / 2, 1, scale, pair);
        out[count - 1] = pair[0];
    }
}

void ww_normals(ww_stream stream, uint64_t first, size_t count, double *out)
{
    ww_scaled_normals(stream, first, count, 1.0, out);
}
