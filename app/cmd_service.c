/* serve, receive, process, drain: the table; each lives in its own file. */
#include "app/service.h"

const struct command commands_service[] = {
    {"serve",
     "",
     0,
     0,
     "Run all roles, and start again what dies",
     "Starts receive, process and maintain --follow as processes of their own. SIGTERM or Ctrl-C "
     "stops the receiver\n"
     "(a message in DATA may finish within receiver.stop_grace), then the processor; a second\n"
     "signal stops at once. What was answered 250 stands in the journal in every case.\n"
     "Refuses a schema that does not go with this program; PostgreSQL being away is no reason to "
     "refuse\n"
     "mail. A receiver that was stopped by `drain` stays stopped. SIGHUP makes all roles read\n"
     "configuration, certificates and rules anew; a mistake keeps the old ones.",
     {COMMAND_CONFIG,
      {"--migrate", NULL, "bring the schema to this program's version first"},
      OPTION_READY},
     serve_run},
    {"receive",
     "",
     0,
     0,
     "Run the SMTP side alone",
     "Accepts mail for the configured domains into the journal. Needs no database. One receiver\n"
     "for a spool directory; stops and reloads as serve does. Takes the sockets of LISTEN_FDS, if\n"
     "there are any, and becomes receiver.user when it is started as root.",
     {COMMAND_CONFIG, OPTION_READY},
     receive_run},
    {"process",
     "",
     0,
     0,
     "Run the processing side alone",
     "Reads the journal and writes PostgreSQL, with processor.workers processes. Listens on\n"
     "nothing. A message that kills its worker twice, or is in hand for longer than\n"
     "processor.watchdog twice, is set aside (see bouncemx set-aside --help).",
     {COMMAND_CONFIG, {"--worker", "I/N", NULL}, OPTION_READY},
     process_run},
    {"drain",
     "",
     0,
     0,
     "Stop accepting, empty the journal, say when the host can be removed",
     "Tells this host's receiver to stop (senders go to another MX, or try again later) and waits\n"
     "until the processor has written all that the journal holds. Exit code 0: nothing is left\n"
     "here; 1: it says what is. Messages set aside stand in PostgreSQL and stay there.",
     {COMMAND_CONFIG, {"--timeout", "TIME", "give up after it (default 10m; 0: never)"}},
     drain_run},
    {.name = NULL},
};
