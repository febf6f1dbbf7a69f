#include "tests/support/report_json.h"

#include <inttypes.h>

static void put_str(FILE *f, struct str s)
{
    fputc('"', f);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20)
            fprintf(f, "\\u%04x", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

struct object {
    FILE *f;
    const char *indent; /* NULL: all in one line */
    bool any;
};

static void key(struct object *o, const char *name)
{
    if (o->any)
        fputc(',', o->f);
    if (o->indent)
        fprintf(o->f, "\n%s", o->indent);
    o->any = true;
    fprintf(o->f, "\"%s\": ", name);
}

static void member(struct object *o, const char *name, struct str value)
{
    if (str_is_absent(value))
        return;
    key(o, name);
    put_str(o->f, value);
}

static void recipient(FILE *f, const struct report_recipient *to, bool pretty)
{
    struct object o = {.f = f, .indent = pretty ? "      " : NULL};
    struct str address =
        to->original_recipient.n > 0 ? to->original_recipient : to->final_recipient;
    fputc('{', f);
    if (!pretty)
        member(&o, "address", address);
    member(&o, "original_recipient", to->original_recipient);
    member(&o, "final_recipient", to->final_recipient);
    member(&o, "action", to->action ? str_c(report_action_name(to->action)) : str_c(NULL));
    member(&o, "status", to->status);
    if (to->reply_code) {
        key(&o, "reply_code");
        fprintf(f, "%u", to->reply_code);
    }
    member(&o, "command", to->command ? str_c(smtp_command_name(to->command)) : str_c(NULL));
    member(&o, "diagnostic", to->diagnostic);
    member(&o, "remote_mta", to->remote_mta);
    member(&o, "last_attempt", to->last_attempt);
    member(&o, "guessed", to->guessed ? STR("true") : (struct str){NULL, 0});
    member(&o, "retry_until", to->retry_until);
    member(&o, "final_log_id", to->final_log_id);
    fputs(pretty ? "\n    }" : "}", f);
}

static void original(FILE *f, const struct report_original *from, bool pretty)
{
    struct object o = {.f = f, .indent = pretty ? "    " : NULL};
    fputc('{', f);
    member(&o, "message_id", from->message_id);
    member(&o, "from", from->from);
    member(&o, "to", from->to);
    member(&o, "mail_from", from->mail_from);
    member(&o, "return_path", from->return_path);
    member(&o, "date", from->date);
    if (from->subject_hash) {
        key(&o, "subject_hash");
        fprintf(f, "\"%016" PRIx64 "\"", from->subject_hash);
    }
    member(&o, "feedback_id", from->feedback_id);
    member(&o, "list_id", from->list_id);
    member(&o, "list_unsubscribe", from->list_unsubscribe);
    member(&o, "cfbl_address", from->cfbl_address);
    member(&o, "cfbl_feedback_id", from->cfbl_feedback_id);
    member(&o, "dkim_domain", from->dkim_domain);
    fputs(pretty ? "\n  }" : "}", f);
}

void report_json(FILE *f, const char *file, const struct report *r, bool pretty)
{
    struct object o = {.f = f, .indent = pretty ? "  " : NULL};
    fputc('{', f);
    member(&o, "file", str_c(file));
    member(&o, "kind", str_c(report_kind_name(r->kind)));
    member(&o, "reader", str_c(r->reader));
    member(&o, "subject", r->subject);
    member(&o, "from", r->from);
    member(&o, "reporting_mta", r->reporting_mta);
    member(&o, "arrival_date", r->arrival_date);
    member(&o, "envelope_id", r->envelope_id);
    member(&o, "feedback_type", r->feedback_type);
    member(&o, "user_agent", r->user_agent);
    member(&o, "source_ip", r->source_ip);
    if (r->recipients_cut) {
        key(&o, "recipients_cut");
        fputs("true", f);
    }
    key(&o, "recipients");
    fputc('[', f);
    for (size_t i = 0; i < r->recipients_n; i++) {
        fputs(i > 0 ? "," : "", f);
        fputs(pretty ? "\n    " : "", f);
        recipient(f, &r->recipients[i], pretty);
    }
    fputs(pretty && r->recipients_n > 0 ? "\n  ]" : "]", f);
    key(&o, "original");
    original(f, &r->original, pretty);
    fputs(pretty ? "\n}\n" : "}\n", f);
}
