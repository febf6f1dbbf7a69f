#include "app/command.h"

#include <locale.h>
#include <signal.h>

int main(int argc, char **argv)
{
    /* Width of characters in tables; everything else is ASCII by design. */
    setlocale(LC_CTYPE, "C.UTF-8");
    /* A reader that went away is an error of the write, not our death. */
    signal(SIGPIPE, SIG_IGN);
    return command_main(argc, argv);
}
