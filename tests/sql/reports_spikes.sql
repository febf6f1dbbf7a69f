-- Spikes: an hour against the same hour of the days before, with the history that there is.
BEGIN;
SELECT plan(10);
CREATE FUNCTION pg_temp.hour(at timestamptz, n bigint, the_stream text DEFAULT 's', operator text DEFAULT 'google', kind text DEFAULT 'bounce')
    RETURNS void LANGUAGE sql AS $$
    INSERT INTO bouncemx.event_hourly VALUES (at, 't', the_stream, operator, kind::bouncemx.event_kind, 'hard', 'bad_mailbox', n, n, 0);
    INSERT INTO bouncemx.bounce_hourly AS b SELECT at, operator, 'bad_mailbox', n WHERE kind = 'bounce'
    ON CONFLICT (hour, mx_operator, category) DO UPDATE SET events = b.events + excluded.events$$;
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
-- 28 days of 99 and 101: the deviation is 1, so 199 is far away, but not twice as many.
SELECT pg_temp.hour('2026-06-01 20:00+00'::timestamptz + d * interval '1 day', 99 + 2 * (d % 2), 's', 'yahoo') FROM generate_series(0, 27) d \g /dev/null
SELECT pg_temp.hour('2026-06-29 20:00+00', 199, 's', 'yahoo') \g /dev/null
SELECT is_empty($$SELECT * FROM bouncemx.report_spikes('2026-06-29 20:00', '2026-06-29 21:00', NULL)$$, 'what is steady and grows a little is no spike');
SELECT pg_temp.hour('2026-06-29 20:00+00', 1, 'news', 'yahoo') \g /dev/null
SELECT results_eq($$SELECT events, usual, z FROM bouncemx.report_spikes('2026-06-29 20:30', '2026-06-29 20:31', NULL)$$, $$VALUES (200::bigint, 100::numeric, 67.5)$$, 'twice as many are; an hour counts when a part of it is asked for');
SELECT is((SELECT count(*) FROM bouncemx.v_hourly_spikes), (SELECT count(*) FROM bouncemx.report_spikes('2026-06-01', '2026-06-30', NULL)), 'of all time, as a view');
SELECT * FROM finish();
ROLLBACK;
