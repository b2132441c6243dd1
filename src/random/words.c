#include "random/words.h"

#include <Random123/philox.h>

WW_INLINED void fill(ww_stream stream, uint64_t first, size_t count, uint64_t *restrict even,
                     uint64_t *restrict odd)
{
    const philox4x32_key_t key = {{(uint32_t)stream.seed, (uint32_t)(stream.seed >> 32)}};
    for (size_t i = 0; i < count; ++i) {
        const uint64_t block = first + i;
        const philox4x32_ctr_t counter = {
            {(uint32_t)block, (uint32_t)(block >> 32), stream.purpose, stream.substream}};
        const philox4x32_ctr_t result = philox4x32_R(10, counter, key);
        even[i] = result.v[0] | (uint64_t)result.v[1] << 32;
        odd[i] = result.v[2] | (uint64_t)result.v[3] << 32;
    }
}

#define VERSION(name, target)                                                                      \
    target static void fill_##name(ww_stream stream, uint64_t first, size_t count, uint64_t *even, \
                                   uint64_t *odd)                                                  \
    {                                                                                              \
        fill(stream, first, count, even, odd);                                                     \
    }
#define AS_IT_IS
VERSION(plain, AS_IT_IS)
VERSION(avx2, WW_TARGET_AVX2)
VERSION(avx512, WW_TARGET_AVX512)

const ww_words_version ww_words_versions[WW_VERSIONS] = {[WW_VERSION_PLAIN] = fill_plain,
                                                         [WW_VERSION_AVX2] = fill_avx2,
                                                         [WW_VERSION_AVX512] = fill_avx512};

void ww_random_words(ww_stream stream, uint64_t first, size_t count, uint64_t *even, uint64_t *odd)
{
    ww_words_versions[ww_version_best()](stream, first, count, even, odd);
}
