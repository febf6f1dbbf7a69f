/* steps.h - private to db/: the files of migrations/, put into the program by cmake/Steps.cmake. */
#ifndef DB_STEPS_H
#define DB_STEPS_H

struct db_step {
    unsigned number; /* from 1, without gaps */
    const char *name;
    const char *checksum; /* SHA-256 of sql, hex */
    const char *sql;
};

extern const struct db_step db_steps[];
extern const unsigned db_steps_n;

#endif
