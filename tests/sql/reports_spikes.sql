-- Spikes: an hour against the same hour of the days before, with the history that there is.
BEGIN;
SELECT plan(8);
CREATE FUNCTION pg_temp.hour(at timestamptz, n bigint, the_stream text DEFAULT 's', operator text DEFAULT 'google', kind text DEFAULT 'bounce')
    RETURNS void LANGUAGE sql AS $$
    INSERT INTO bouncemx.event_hourly VALUES (at, 't', the_stream, '', operator, kind::bouncemx.event_kind, 'hard', 'bad_mailbox', 'r', n, n, 0)$$;
-- 28 days of 10, 12, 14, 10, ... at 08:00, and of much more an hour later: the median is 12, the deviation 2.
SELECT pg_temp.hour('2026-06-01 08:00+00'::timestamptz + d * interval '1 day', 10 + 2 * (d % 3)),
       pg_temp.hour('2026-06-01 09:00+00'::timestamptz + d * interval '1 day', 500) FROM generate_series(0, 27) d \g /dev/null
SELECT pg_temp.hour('2026-06-29 08:00+00', 22) \g /dev/null
SELECT is_empty($$SELECT * FROM bouncemx.report_spikes('2026-06-29', '2026-06-30', NULL)$$, 'a little more is no spike: z is 3.4');
SELECT pg_temp.hour('2026-06-29 08:00+00', 3, 'news') \g /dev/null
SELECT results_eq($$SELECT hour, mx_operator, category, events, usual, days, z FROM bouncemx.report_spikes('2026-06-29', '2026-06-30', NULL)$$,
    $$VALUES (timestamptz '2026-06-29 08:00+00', 'google', 'bad_mailbox', 25::bigint, 12::numeric, 28, 4.4)$$, 'far more is one, counted over streams');
SELECT is_empty($$SELECT * FROM bouncemx.report_spikes('2026-06-29', '2026-06-30', 's')$$, 'not of one stream');
SELECT is_empty($$SELECT * FROM bouncemx.report_spikes('2026-06-28', '2026-06-29 08:00', NULL)$$, 'until is not included');
SELECT pg_temp.hour('2026-06-29 08:00+00', 15, 's', 'yahoo'), pg_temp.hour('2026-06-29 08:00+00', 9, 's', 'icloud'),
       pg_temp.hour('2026-06-29 08:00+00', 99, 's', 'mimecast', 'delayed') \g /dev/null
SELECT results_eq($$SELECT mx_operator, usual, days, z FROM bouncemx.report_spikes('2026-06-29', '2026-06-30', NULL) WHERE mx_operator <> 'google'$$,
    $$VALUES ('yahoo', 0::numeric, 28, 10.1)$$, 'hours without a count had none; under ten, or no bounces, are no spike');
SELECT results_eq($$SELECT DISTINCT days, z FROM bouncemx.report_spikes('2026-06-01', '2026-06-08', NULL) ORDER BY 1$$,
    $$SELECT d, NULL::numeric FROM generate_series(0, 6) d$$, 'under 7 days of history there is no z, and it says so');
SELECT is((SELECT usual FROM bouncemx.report_spikes('2026-06-02 08:00', '2026-06-02 09:00', NULL)), 10::numeric, 'but what there is to compare with');
SELECT is((SELECT count(*) FROM bouncemx.v_hourly_spikes), (SELECT count(*) FROM bouncemx.report_spikes('2026-06-01', '2026-06-30', NULL)), 'of all time, as a view');
SELECT * FROM finish();
ROLLBACK;
