/* The machine-readable part of a delivery report. */
#include "tests/support/report_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    report_check_message("From: MAILER-DAEMON@example.com\n"
                         "Content-Type: multipart/report; boundary=b\n\n"
                         "--b\n\nYour message could not be delivered:\n<kim@rcpt.example>: 550 no\n"
                         "--b\nContent-Type: message/delivery-status\n\n",
                         data, size, "\n--b--\n");
    return 0;
}
