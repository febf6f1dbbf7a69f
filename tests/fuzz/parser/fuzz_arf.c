/* The machine-readable part of a feedback report. */
#include "tests/support/report_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    report_check_message("Content-Type: multipart/report; boundary=b\n\n"
                         "--b\n\nA complaint.\n"
                         "--b\nContent-Type: message/feedback-report\n\n",
                         data, size, "\n--b--\n");
    return 0;
}
