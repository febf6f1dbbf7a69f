/* A whole message, as it came. */
#include "tests/support/report_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    report_check_message("", data, size, "");
    return 0;
}
