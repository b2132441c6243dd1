#include "random/words.h"

#include <Random123/philox.h>

WW_VECTOR_VARIANTS
static void fill(ww_stream stream, uint64_t first, size_t count, uint64_t *restrict even,
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

void ww_random_words(ww_stream stream, uint64_t first, size_t count, uint64_t *even, uint64_t *odd)
{
    fill(stream, first, count, even, odd);
}
