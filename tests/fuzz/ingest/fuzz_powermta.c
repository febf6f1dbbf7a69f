#include "lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lines_check(INGEST_POWERMTA, str_of(data, size));
    return 0;
}
