/* generator_options.h - the generator's command line. */
#ifndef BENCH_GENERATOR_OPTIONS_H
#define BENCH_GENERATOR_OPTIONS_H

#include <stdbool.h>

enum generator_tls { GENERATOR_PLAIN, GENERATOR_STARTTLS, GENERATOR_IMPLICIT };

struct generator_options {
    const char *address, *from, *to, *template_path;
    unsigned port, connections;
    unsigned long messages, per_connection, first, rate;
    double seconds;
    enum generator_tls tls;
    bool pipeline, bdat, resume, hold, sign;
};

/* Ends the program where they make no sense. */
void generator_options_read(struct generator_options *o, int argc, char **argv);

#endif
