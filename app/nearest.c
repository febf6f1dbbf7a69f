#include "app/nearest.h"

enum { WORD_MAX = 48 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* Optimal string alignment distance: a swap of neighbours is one mistake, not two. */
static unsigned distance(struct str a, struct str b)
{
    unsigned d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a.n; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= b.n; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.n; i++) {
        for (size_t j = 1; j <= b.n; j++) {
            unsigned change = ascii_lower(a.p[i - 1]) != ascii_lower(b.p[j - 1]);
            d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    }
    return d[a.n][b.n];
}

struct str nearest_word(struct str typed, nearest_word_fn word, const void *ctx)
{
    struct str best = {NULL, 0};
    /* A third of the letters may be wrong: more is another word. */
    unsigned best_distance = (unsigned)typed.n / 3 + 2;
    if (typed.n > WORD_MAX)
        return best;
    for (size_t i = 0;; i++) {
        struct str known = word(ctx, i);
        if (str_is_absent(known))
            return best;
        if (known.n == 0 || known.n > WORD_MAX)
            continue;
        unsigned far = distance(typed, known);
        if (far < best_distance && far < known.n) {
            best = known;
            best_distance = far;
        }
    }
}
