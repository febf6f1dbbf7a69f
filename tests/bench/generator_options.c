#include "generator_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(int status)
{
    fputs("usage: generator --port N --template FILE [--address A] [--connections N]\n"
          "    [--messages N | --seconds S] [--per-connection N] [--rate N] [--pipeline]\n"
          "    [--bdat] [--first N] [--from ADDRESS] [--to ADDRESS | --sign RECIPIENT]\n"
          "    [--tls starttls|implicit [--resume]]\n"
          "   or: generator --port N --hold [--connections N] [--tls ...]\n"
          "    greets, prints {\"holding\": N} and keeps them open until standard input ends\n",
          status ? stderr : stdout);
    exit(status);
}

static enum generator_tls tls_read(const char *text)
{
    if (strcmp(text, "starttls") == 0)
        return GENERATOR_STARTTLS;
    if (strcmp(text, "implicit") != 0)
        usage(2);
    return GENERATOR_IMPLICIT;
}

static void option_take(struct generator_options *o, int which, const char *value)
{
    switch (which) {
    case 'p':
        o->port = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'f':
        o->template_path = value;
        break;
    case 'a':
        o->address = value;
        break;
    case 'c':
        o->connections = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'm':
        o->messages = strtoul(value, NULL, 10);
        break;
    case 's':
        o->seconds = strtod(value, NULL);
        break;
    case 'k':
        o->per_connection = strtoul(value, NULL, 10);
        break;
    case 'r':
        o->rate = strtoul(value, NULL, 10);
        break;
    case 'P':
        o->pipeline = true;
        break;
    case 'B':
        o->bdat = true;
        break;
    case 'n':
        o->first = strtoul(value, NULL, 10);
        break;
    case 'F':
        o->from = value;
        break;
    case 't':
        o->to = value;
        break;
    case 'S':
        o->to = value;
        o->sign = true;
        break;
    case 'T':
        o->tls = tls_read(value);
        break;
    case 'R':
        o->resume = true;
        break;
    case 'H':
        o->hold = true;
        break;
    case 'h':
        usage(0);
        break;
    default:
        usage(2);
    }
}

void generator_options_read(struct generator_options *o, int argc, char **argv)
{
    static const struct option known[] = {{"port", 1, 0, 'p'},
                                          {"template", 1, 0, 'f'},
                                          {"address", 1, 0, 'a'},
                                          {"connections", 1, 0, 'c'},
                                          {"messages", 1, 0, 'm'},
                                          {"seconds", 1, 0, 's'},
                                          {"rate", 1, 0, 'r'},
                                          {"pipeline", 0, 0, 'P'},
                                          {"per-connection", 1, 0, 'k'},
                                          {"bdat", 0, 0, 'B'},
                                          {"first", 1, 0, 'n'},
                                          {"from", 1, 0, 'F'},
                                          {"to", 1, 0, 't'},
                                          {"tls", 1, 0, 'T'},
                                          {"resume", 0, 0, 'R'},
                                          {"sign", 1, 0, 'S'},
                                          {"hold", 0, 0, 'H'},
                                          {"help", 0, 0, 'h'},
                                          {0, 0, 0, 0}};
    for (int which; (which = getopt_long(argc, argv, "", known, NULL)) != -1;)
        option_take(o, which, optarg);
    bool ends = o->messages || o->seconds > 0 || o->hold;
    if (!o->port || (!o->template_path && !o->hold) || o->connections == 0 ||
        o->connections > 20000 || !ends)
        usage(2);
}
