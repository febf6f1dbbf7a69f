/* The text of a notice without a machine-readable part. */
#include "tests/support/report_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    report_check_message("From: MAILER-DAEMON@example.com\nTo: news@sender.example\n"
                         "Subject: failure notice\n\n",
                         data, size, "");
    report_check_message("From: MAILER-DAEMON@example.com\nSubject: Undeliverable\n"
                         "X-Failed-Recipients: kim@rcpt.example\n"
                         "Content-Type: text/html; charset=iso-2022-jp\n\n",
                         data, size, "");
    return 0;
}
