#include "app/replay_answer.h"

#include "app/json.h"
#include "app/table.h"

#include <stdlib.h>

static const char *const names[REPLAY_COLUMNS] = {
#define X(id, name) name,
    DB_REPLAY_COLUMNS(X)
#undef X
};

/* Its category, else its kind. */
static struct str word_of(const struct str texts[REPLAY_COLUMNS])
{
    return str_is_absent(texts[REPLAY_CATEGORY]) ? texts[REPLAY_KIND] : texts[REPLAY_CATEGORY];
}

void replay_count(struct replay_answer *r, const struct replay_change *c)
{
    struct str was = word_of(c->was), is = word_of(c->event.texts);
    size_t i = 0;
    while (i < r->pairs_n &&
           !(str_eq(str_c(r->pairs[i].was), was) && str_eq(str_c(r->pairs[i].is), is)))
        i++;
    if (i == REPLAY_PAIRS_MAX)
        return;
    if (i == r->pairs_n) {
        snprintf(r->pairs[i].was, REPLAY_WORD, "%.*s", STR_ARG(was));
        snprintf(r->pairs[i].is, REPLAY_WORD, "%.*s", STR_ARG(is));
        r->pairs_n++;
    }
    r->pairs[i].events++;
}

int replay_print_change(const struct replay_change *c, struct str effect)
{
    char id[ID_TEXT], key[REPLAY_WORD];
    struct json *o = json_new();
    json_text(o, "id", str_c(id_format(c->event.id, id)));
    json_text(o, "received_at", c->time);
    json_text(o, "tenant", c->tenant);
    json_text(o, "stream", c->stream);
    json_text(o, "address", c->address);
    for (size_t i = 0; i < REPLAY_COMPARED; i++) {
        if (str_eq(c->was[i], c->event.texts[i]) &&
            str_is_absent(c->was[i]) == str_is_absent(c->event.texts[i]))
            continue;
        snprintf(key, sizeof(key), "%s_was", names[i]);
        json_text(o, key, c->was[i]);
        json_text(o, names[i], c->event.texts[i]);
    }
    json_text(o, "effect_was", c->effect);
    json_text(o, "effect", effect);
    return json_print(o, stdout);
}

static int most_first(const void *a, const void *b)
{
    const struct replay_pair *p = a, *q = b;
    if (p->events != q->events)
        return p->events < q->events ? 1 : -1;
    int order = strcmp(p->was, q->was);
    return order ? order : strcmp(p->is, q->is);
}

static int print_pairs(const struct replay_answer *r)
{
    static const char *const columns[] = {"NOW", "WOULD BE", ">EVENTS"};
    struct table *t = table_new(columns, 3);
    struct replay_pair *pairs = calloc(r->pairs_n + 1, sizeof(*pairs));
    int rc = t && pairs ? 0 : -1;
    if (rc == 0) {
        memcpy(pairs, r->pairs, r->pairs_n * sizeof(*pairs));
        qsort(pairs, r->pairs_n, sizeof(*pairs), most_first);
    }
    for (size_t i = 0; rc == 0 && i < r->pairs_n; i++) {
        char number[24];
        snprintf(number, sizeof(number), "%llu", (unsigned long long)pairs[i].events);
        rc = table_row(t, (struct str[]){str_c(pairs[i].was), str_c(pairs[i].is), str_c(number)});
    }
    if (rc == 0 && r->pairs_n)
        table_flush(t, stdout);
    table_free(t);
    free(pairs);
    return rc;
}

int replay_print(const struct replay_answer *r, bool applied, bool as_json)
{
    const struct {
        const char *name, *text;
        uint64_t n;
        bool always;
    } counts[] = {
        {"messages", "messages read", r->messages, true},
        {"events", "events", r->events, true},
        {"changed", applied ? "events changed" : "events would change", r->done.changed, true},
        {"came", applied ? "rows of the list came" : "rows of the list would come", r->done.came,
         true},
        {"gone", applied ? "rows of the list went" : "rows of the list would go", r->done.gone,
         true},
        {"altered", "rows of the list stay, with other words, end or event", r->done.altered,
         false},
        {"skipped", "messages skipped: this program has no reader for them", r->skipped, false},
        {"reshaped", "messages left alone: other recipients are read in them today", r->reshaped,
         false},
        {"unreadable", "messages left alone: they need more memory than one may have",
         r->unreadable, false},
    };
    size_t n = sizeof(counts) / sizeof(counts[0]);
    if (as_json) {
        struct json *o = json_new();
        json_bool(o, "applied", applied);
        for (size_t i = 0; i < n; i++)
            json_int(o, counts[i].name, (int64_t)counts[i].n);
        return json_print(o, stdout);
    }
    if (print_pairs(r) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (counts[i].always || counts[i].n)
            printf("%10llu %s\n", (unsigned long long)counts[i].n, counts[i].text);
    if (!applied)
        puts("Nothing was written: this was a dry run. --apply does it.");
    return 0;
}
