-- Expired exception: a finding was accepted until a day that has passed.
-- severity: medium
-- category: policy
-- status: stable, since 0.1
-- kind: static
-- reads: exceptions
-- parameters: now
-- message: the exception for {rule} ({reason}) ended on {until_day}.
-- why: an exception without an end is a hole that nobody remembers.
-- fix: fix what was found and remove the exception, or renew it with a new date and reason.
-- check: bindtrace check --no-traffic --manifest {file}
-- may be wrong when: never; the date is the author's own.
select
    caller,
    callee,
    null as severity,
    file,
    line,
    json_object('rule', rule, 'reason', reason, 'until_day', strftime(make_timestamp_ns(until_unix_nano::bigint), '%Y-%m-%d'), 'file', file)
        as evidence
from exceptions
where until_unix_nano <= $now
