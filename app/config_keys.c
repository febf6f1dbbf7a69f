#include "app/config_keys.h"

#include "resolver/resolver.h"
#include "spool/spool.h"

#include <stddef.h>

#define AT(member)          offsetof(struct config, member)
#define AT_LISTEN(member)   offsetof(struct config_listen, member)
#define AT_DOMAIN(member)   offsetof(struct config_domain, member)
#define AT_CERT(member)     offsetof(struct config_certificate, member)
#define AT_RULE(member)     offsetof(struct config_rule, member)
#define AT_KEY(member)      offsetof(struct config_key_file, member)
#define AT_PATT(member)     offsetof(struct config_pattern, member)
#define AT_HEADER(member)   offsetof(struct config_header, member)
#define AT_SOURCE(member)   offsetof(struct config_source, member)
#define AT_NETWORK(member)  offsetof(struct config_network, member)
#define AT_RESOLVER(member) offsetof(struct config_resolver, member)

#define KiB UINT64_C(1024)
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)
#define TiB (1024 * GiB)
#define MS  UINT64_C(1000)
#define SEC (1000 * MS)
#define MIN (60 * SEC)
#define HR  (60 * MIN)
#define DAY (24 * HR)

const struct config_section config_sections[] = {
    {"tls", "Encryption of SMTP; docs/tls.md."},
    {"tokens", "Signed return paths; docs/return-path.md."},
    {"spool", "The journal: what was answered 250 and is not in PostgreSQL yet."},
    {"database", "PostgreSQL, written to by the processor and by commands."},
    {"retention",
     "How long what is kept in PostgreSQL. The list itself is kept, until what it says ends."},
    {"keeper", "What one process of the whole installation does for the database: docs/feed.md."},
    {"processor", "Reading, classifying and writing what the journal holds."},
    {"people", "Mail that a person must see, on its way there; docs/operations.md."},
    {"attribution", "Whose address a report is about; docs/attribution.md."},
    {"feedback", "Complaints of mailbox providers that prove themselves; docs/feedback.md."},
    {"receiver", "The SMTP side."},
    {"limits", "What one client, and all of them together, may ask of the receiver."},
    {"log", "One event, one line, on standard error."},
    {NULL, NULL},
};

const struct config_list config_lists[] = {
    {"listen", AT(listen), AT(listen_n), sizeof(struct config_listen),
     offsetof(struct config_listen, line), 1, 64, "[{address: 0.0.0.0}, {address: '::'}]",
     "0.0.0.0|::", "Addresses and ports on which SMTP is spoken."},
    {"domains", AT(domains), AT(domains_n), sizeof(struct config_domain),
     offsetof(struct config_domain, line), 1, 10000, NULL, "bounces.example.com",
     "The return-path and feedback-loop domains that this host is MX for. At least one."},
    {"patterns", AT(patterns), AT(patterns_n), sizeof(struct config_pattern),
     offsetof(struct config_pattern, line), 0, 100, "[]", NULL,
     "Return paths of your own making that name whom the mail went to, and are not VERP:\n"
     "{name: WORD, match: REGEX, domain: DOMAIN}. Tried on the local part, in this order, before\n"
     "VERP. What each may capture: docs/return-path.md. They are not signed: nothing proves them."},
    {"tokens.keys", AT(tokens.keys), AT(tokens.keys_n), sizeof(struct config_key_file),
     offsetof(struct config_key_file, line), 0, 32, "[]", NULL,
     "Keys {id: a, file: FILE, until: DATE}. The first whose until has not passed signs, all of\n"
     "them are accepted. id: one character, a to z or 2 to 7, never used again for another key.\n"
     "file: 32 to 128 octets as hex or base64 on one line, of mode 0600, or 0640; `bouncemx token\n"
     "key FILE` makes one. until (or never): the last day on which its tokens are accepted.\n"
     "SIGHUP reads the files anew."},
    {"tls.certificates", AT(certificates), AT(certificates_n), sizeof(struct config_certificate),
     offsetof(struct config_certificate, line), 0, 1000, "[]", NULL,
     "Pairs {certificate: FILE, key: FILE}. A client that names a host gets the first one for\n"
     "it, any other the first of all."},
    {"processor.rules", AT(processor.rules), AT(processor.rules_n), sizeof(struct config_rule),
     offsetof(struct config_rule, line), 0, 100, "[]", NULL,
     "Rule files of your own, or directories of *.rules files; read before the shipped rules."},
    {"attribution.token_headers", AT(attribution.token_headers), AT(attribution.token_headers_n),
     sizeof(struct config_header), offsetof(struct config_header, line), 0, 16, "[]", NULL,
     "Header fields of your own, such as X-Recipient-Token, into which your mail puts a signed\n"
     "token: complaints come with the message's header, often with all addresses blacked out."},
    {"feedback.sources", AT(feedback.sources), AT(feedback.sources_n), sizeof(struct config_source),
     offsetof(struct config_source, line), 0, 1000, "[]", NULL,
     "Providers whose feedback reports count as theirs when they have signed them, such as\n"
     "{domain: arf.mail.yahoo.com}."},
    {"feedback.resolvers", AT(feedback.resolvers), AT(feedback.resolvers_n),
     sizeof(struct config_resolver), offsetof(struct config_resolver, line), 0,
     RESOLVER_SERVERS_MAX, "[]", NULL,
     "DNS servers to ask for their keys, such as 192.0.2.53 or ::1@5353. None: those of\n"
     "/etc/resolv.conf."},
    {"receiver.proxy_from", AT(receiver.proxy_list), AT(receiver.proxy_n),
     sizeof(struct config_network), offsetof(struct config_network, line), 0, 1000, "[]", NULL,
     "Addresses and networks of proxies: where listen[].proxy is true, they alone may connect,\n"
     "and say in a PROXY header (versions 1 and 2) whom they speak for."},
    {"receiver.xclient_from", AT(receiver.xclient_list), AT(receiver.xclient_n),
     sizeof(struct config_network), offsetof(struct config_network, line), 0, 1000, "[]", NULL,
     "Addresses and networks that may use XCLIENT to say whom they speak for."},
};
const size_t config_lists_n = sizeof(config_lists) / sizeof(config_lists[0]);

const struct config_key config_keys[] = {
    {"node", CONFIG_NAME, AT(node), CONFIG_DEF_HOSTNAME, 1, 64,
     .text = "This host's name in the database: each MX its own, and the same after a reinstall."},
    {"hostname", CONFIG_HOST, AT(hostname), CONFIG_DEF_HOSTNAME,
     .text = "Name in the greeting and in answers to EHLO: that of the MX record."},

    {"listen[].address", CONFIG_IP, AT_LISTEN(address), NULL, .text = "IPv4 or IPv6 address."},
    {"listen[].port", CONFIG_COUNT, AT_LISTEN(port), "25", 1, 65535, .text = "TCP port."},
    {"listen[].tls", CONFIG_WORD, AT_LISTEN(tls), "none", .words = "none|starttls|implicit",
     .text = "none; starttls: when the client asks for it; implicit: from the first byte on. Both\n"
             "need tls.certificates."},
    {"listen[].proxy", CONFIG_BOOL, AT_LISTEN(proxy), "false",
     .text = "true: each connection comes from one of receiver.proxy_from and begins with a PROXY\n"
             "header, before any TLS. All others are refused."},

    {"domains[].name", CONFIG_DOMAIN, AT_DOMAIN(name), NULL, .text = "The domain."},
    {"domains[].accept", CONFIG_WORD, AT_DOMAIN(accept), "any", .words = "verp|any|signed",
     .text = "any: every local part; verp: role addresses, and those that name a recipient\n"
             "(prefix+user=domain@...); signed: role addresses, and valid tokens of tokens.keys."},
    {"domains[].open", CONFIG_LOCAL, AT_DOMAIN(open), "[]", .several = true,
     .text = "Local parts that are taken without a signature as well, such as fbl: the mail of\n"
             "feedback loops comes to a fixed address, and is attributed by what it returns."},
    {"domains[].tenant", CONFIG_NAME, AT_DOMAIN(tenant), "main", 1, 64,
     .text = "Whose mail this is: suppressions of one tenant do not touch another's."},
    {"domains[].stream", CONFIG_NAME, AT_DOMAIN(stream), "default", 1, 64,
     .text = "Kind of mail within the tenant: complaints and unsubscribes count for it alone."},
    {"domains[].trust_unverified", CONFIG_BOOL, AT_DOMAIN(trust_unverified), "false",
     .text = "true: unsigned reports may suppress addresses as well: two of them, a day apart.\n"
             "Anybody can forge such, so only for lists whose return paths can't be signed yet."},
    {"domains[].people", CONFIG_WORD, AT_DOMAIN(people), "other", .words = "role|other|reports",
     .text = "What goes to a person. role: mail to postmaster, abuse and other role addresses;\n"
             "other: also what is no report, such as replies and the enrolment mails of feedback\n"
             "loops; reports: also authentication and aggregate (DMARC, TLS) reports."},
    {"domains[].maildir", CONFIG_FOLDER, AT_DOMAIN(maildir), "default", .nothing = "default",
     .text = "The Maildir where it lands. Default: mail/ and the domain, in spool.directory."},
    {"domains[].relay", CONFIG_TEXT, AT_DOMAIN(relay), "none", 1, 300, .nothing = "none",
     .text = "Or the mail server, HOST:PORT, that gets it by SMTP,"},
    {"domains[].relay_to", CONFIG_TEXT, AT_DOMAIN(relay_to), "none", 1, 254, .nothing = "none",
     .text = "for this address."},

    {"tls.certificates[].certificate", CONFIG_FILE, AT_CERT(certificate), NULL,
     .text = "PEM: the certificate, then those that it was signed with."},
    {"tls.certificates[].key", CONFIG_FILE, AT_CERT(key), NULL,
     .text =
         "PEM: its private key, without a passphrase. Of mode 0600, or 0640 when root owns it."},
    {"tls.require", CONFIG_BOOL, AT(tls_require), "false",
     .text = "true: no mail without encryption. Senders that have none can bring no bounces then."},

    {"tokens.keys[].id", CONFIG_KEY_ID, AT_KEY(id), NULL,
     .text = "One character, a to z or 2 to 7; never used again for another key."},
    {"tokens.keys[].file", CONFIG_FILE, AT_KEY(file), NULL,
     .text = "32 to 128 octets as hex or base64 on one line; of mode 0600, or 0640."},
    {"tokens.keys[].until", CONFIG_DATE, AT_KEY(until), "never", .nothing = "never",
     .text = "The last day (UTC) on which its tokens are accepted."},
    {"tokens.bounce_days", CONFIG_COUNT, AT(tokens.bounce_days), "30", 1, 3650,
     .text = "How many days the return path of a bounce is valid,"},
    {"tokens.complaint_days", CONFIG_COUNT, AT(tokens.complaint_days), "400", 1, 3650,
     .text = "and that of a complaint or an unsubscribe."},

    {"patterns[].name", CONFIG_NAME, AT_PATT(name), NULL, 1, 64,
     .text = "What it is called in messages."},
    {"patterns[].match", CONFIG_TEXT, AT_PATT(match), NULL, 1, 1000,
     .text = "A regular expression with named groups."},
    {"patterns[].domain", CONFIG_DOMAIN, AT_PATT(domain), "any", .nothing = "any",
     .text = "The one of domains that it is for."},

    {"spool.directory", CONFIG_FOLDER, AT(spool.directory), "/var/spool/bouncemx",
     .text = "Where it lies; on a disk that honours fdatasync. Made when missing."},
    {"spool.max_bytes", CONFIG_SIZE, AT(spool.max_bytes), "10GiB", 64 * KiB, 1024 * TiB,
     .zero = true, .text = "Size of all segments together; over it mail is answered 452."},
    {"spool.segment_bytes", CONFIG_SIZE, AT(spool.segment_bytes), "64MiB", 16 * KiB, 4 * GiB,
     .text = "Size of one segment file."},
    {"spool.keep_bytes", CONFIG_SIZE, AT(spool.keep_bytes), "1MiB", KiB, 32 * MiB,
     .text = "How much of a message is kept: what a report says stands at its front.\n"
             "At most half a segment."},
    {"spool.keep_processed", CONFIG_TIME, AT(spool.keep_processed), "24h", 0, 366 * DAY,
     .text = "How long processed segments stay, so that a database that went back in time (a\n"
             "restore, a failover) is fed again. 0: not at all."},

    {"database.conninfo", CONFIG_TEXT, AT(database.conninfo), "dbname=bouncemx", 1, 4096,
     .secret = true,
     .text = "libpq connection string. Several hosts: target_session_attrs=read-write."},
    {"database.batch_events", CONFIG_COUNT, AT(database.batch_events), "1000", 1, 10000,
     .text = "A batch is written when it holds so many events,"},
    {"database.batch_bytes", CONFIG_SIZE, AT(database.batch_bytes), "16MiB", 4 * KiB, GiB,
     .text = "or so many octets of mail,"},
    {"database.batch_wait", CONFIG_TIME, AT(database.batch_wait), "50ms", 0, MIN,
     .text = "or is so old."},
    {"database.retry_min", CONFIG_TIME, AT(database.retry_min), "100ms", MS, HR,
     .text = "First pause after the server was away; it doubles, with jitter,"},
    {"database.retry_max", CONFIG_TIME, AT(database.retry_max), "10s", MS, HR,
     .text = "up to this."},

    {"retention.evidence", CONFIG_TIME, AT(retention.evidence), "30d", SEC, 36500 * DAY,
     .zero = true, .text = "Raw mail, by days."},
    {"retention.events", CONFIG_TIME, AT(retention.events), "400d", SEC, 36500 * DAY, .zero = true,
     .text = "Messages and events, by weeks."},
    {"retention.feed", CONFIG_TIME, AT(retention.feed), "400d", SEC, 36500 * DAY, .zero = true,
     .text = "Changes of the list, and audit. A reader of the feed who was away for longer has to\n"
             "export again."},

    {"keeper.feed", CONFIG_TIME, AT(keeper.feed), "100ms", MS, MIN,
     .text = "How often it looks for committed changes that have no number in the feed yet."},
    {"keeper.batch", CONFIG_COUNT, AT(keeper.batch), "50000", 1, 1000000,
     .text = "How many of them get their numbers in one transaction."},
    {"keeper.breaker", CONFIG_TIME, AT(keeper.breaker), "1s", 10 * MS, HR,
     .text = "How often the circuit breaker is judged."},
    {"keeper.list", CONFIG_TIME, AT(keeper.list), "1m", 10 * MS, DAY,
     .text =
         "How often suppressions whose time is over are taken off the list, and events let act\n"
         "that waited for their row in table sent."},
    {"keeper.partitions", CONFIG_TIME, AT(keeper.partitions), "1h", 10 * MS, DAY,
     .text = "How often partitions are made ahead, and what is old is dropped."},
    {"keeper.silence", CONFIG_TIME, AT(keeper.silence), "30s", 100 * MS, HR,
     .text = "The server ends the session of a keeper that hangs for so long (at least ten times\n"
             "keeper.feed), or whose host is gone: then another takes its place."},

    {"processor.workers", CONFIG_COUNT, AT(processor.workers), "2", 1, 64,
     .text = "Worker processes."},
    {"processor.watchdog", CONFIG_TIME, AT(processor.watchdog), "30s", 100 * MS, HR,
     .text = "A worker that has one message in hand for longer is killed; a message that does it\n"
             "twice is set aside."},
    {"processor.poll", CONFIG_TIME, AT(processor.poll), "20ms", MS, MIN,
     .text = "How often an idle worker looks for new mail."},

    {"people.max_bytes", CONFIG_SIZE, AT(people.max_bytes), "1GiB", 64 * KiB, TiB, .zero = true,
     .text = "What may wait to be delivered: more is set aside in the database. And what each\n"
             "Maildir in spool.directory may hold: more waits."},
    {"people.retry_min", CONFIG_TIME, AT(people.retry_min), "10s", 10 * MS, HR,
     .text = "First pause after a delivery failed; it grows,"},
    {"people.retry_max", CONFIG_TIME, AT(people.retry_max), "30m", 10 * MS, DAY,
     .text = "up to this. It is tried for ever."},
    {"people.timeout", CONFIG_TIME, AT(people.timeout), "1m", 100 * MS, HR,
     .text = "For relaying one message."},

    {"receiver.threads", CONFIG_COUNT, AT(receiver.threads), "2", 1, 64,
     .text = "Threads, each with its own journal lane."},
    {"receiver.user", CONFIG_NAME, AT(receiver.user), "", 0, 32,
     .text =
         "Started as root: the user that receiver and processor become for good, once the ports\n"
         "are bound. Empty: nobody is become. Started as a user: no effect."},
    {"receiver.stop_grace", CONFIG_TIME, AT(receiver.stop_grace), "10s", 0, HR,
     .text = "At the stop, how long a message in DATA may go on."},
    {"receiver.bare_newlines", CONFIG_WORD, AT(receiver.bare_newlines), "refuse",
     .words = "refuse|accept",
     .text = "A CR or LF that stands alone in a message. refuse: the message is answered 550;\n"
             "accept: it is content. It never ends a line or the message."},
    {"receiver.greeting_delay", CONFIG_TIME, AT(receiver.greeting_delay), "0", 0, 5 * MIN,
     .text =
         "The greeting waits so long, and a client that speaks before it is answered 421. 0: it\n"
         "comes at once, and such clients are only counted. Not with implicit TLS."},

    {"limits.message_bytes", CONFIG_SIZE, AT(limits.message_bytes), "10MiB", KiB, TiB, .zero = true,
     .text = "Size of a message (SIZE of RFC 1870)."},
    {"limits.recipients", CONFIG_COUNT, AT(limits.recipients), "100", 1, SPOOL_RECIPIENTS_MAX,
     .text = "Recipients of one message."},
    {"limits.null_sender_recipients", CONFIG_COUNT, AT(limits.null_sender_recipients), "100", 1,
     SPOOL_RECIPIENTS_MAX,
     .text = "Recipients of one message with the null reverse-path, as reports have it: each\n"
             "return path gets a report of its own. More are answered 452."},
    {"limits.connections", CONFIG_COUNT, AT(limits.connections), "20000", 1, 1000000, .zero = true,
     .text = "Connections at a time."},
    {"limits.connections_per_address", CONFIG_COUNT, AT(limits.connections_per_address), "200", 1,
     1000000, .zero = true, .text = "Connections at a time from one address; an IPv6 /64 is one."},
    {"limits.messages_per_minute", CONFIG_COUNT, AT(limits.messages_per_minute), "0", 1, 1000000,
     .zero = true, .text = "Messages a minute from one address; more are answered 451."},
    {"limits.recipients_per_minute", CONFIG_COUNT, AT(limits.recipients_per_minute), "0", 1,
     100000000, .zero = true,
     .text = "Recipients a minute from one address; more are answered 451."},
    {"limits.bad_commands", CONFIG_COUNT, AT(limits.bad_commands), "20", 1, 1000000, .zero = true,
     .text = "Commands that are none, in one session; then 421."},
    {"limits.unknown_recipients", CONFIG_COUNT, AT(limits.unknown_recipients), "20", 1, 1000000,
     .zero = true,
     .text = "Refused recipients in one session; half of them are answered at once, the others\n"
             "a second apart, then 421."},
    {"limits.proxy_timeout", CONFIG_TIME, AT(limits.proxy_timeout), "5s", 10 * MS, HR, .zero = true,
     .text = "For the PROXY header."},
    {"limits.command_timeout", CONFIG_TIME, AT(limits.command_timeout), "5m", 10 * MS, DAY,
     .zero = true,
     .text = "From one command's end to the next command's end (RFC 5321 4.5.3.2: 5m)."},
    {"limits.data_timeout", CONFIG_TIME, AT(limits.data_timeout), "10m", 10 * MS, DAY, .zero = true,
     .text = "For one whole message."},
    {"limits.data_min_rate", CONFIG_SIZE, AT(limits.data_min_rate), "100B", 1, GiB, .zero = true,
     .text = "Octets a second below which a sender is cut, over a tenth of data_timeout."},
    {"limits.session_timeout", CONFIG_TIME, AT(limits.session_timeout), "1h", 10 * MS, 30 * DAY,
     .zero = true, .text = "For one connection."},
    {"limits.body_memory", CONFIG_SIZE, AT(limits.body_memory), "256MiB", 64 * KiB, TiB,
     .zero = true, .text = "All bodies in memory together."},

    {"log.level", CONFIG_WORD, AT(log.level), "info", .words = "debug|info|warning|error",
     .text = "debug, info, warning or error."},
    {"log.addresses", CONFIG_WORD, AT(log.addresses), "redacted", .words = "redacted|full",
     .text = "redacted: j***@example.com; full: mail addresses as they are."},
    {"receiver.proxy_from[]", CONFIG_NETWORK, AT_NETWORK(network), NULL, .text = "Who."},
    {"receiver.xclient_from[]", CONFIG_NETWORK, AT_NETWORK(network), NULL, .text = "Who."},
    {"processor.rules[]", CONFIG_PATH, AT_RULE(path), NULL, .text = "A rule file or a directory."},
    {"feedback.sources[].domain", CONFIG_DOMAIN, AT_SOURCE(domain), NULL,
     .text = "d= of its DKIM signatures, exactly."},
    {"feedback.resolvers[]", CONFIG_TEXT, AT_RESOLVER(server), NULL, 2, 64,
     .text = "ADDRESS or ADDRESS@PORT."},
    {"feedback.timeout", CONFIG_TIME, AT(feedback.timeout), "2s", 10 * MS, 10 * SEC,
     .text =
         "How long one report may wait for its keys. A report whose key did not come counts as\n"
         "unsigned."},
    {"attribution.token_headers[]", CONFIG_NAME, AT_HEADER(name), NULL, 1, 64,
     .text = "The name of a header field."},
};
const size_t config_keys_n = sizeof(config_keys) / sizeof(config_keys[0]);
