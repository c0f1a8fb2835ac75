-- Receiver spans: what became of received spans, when it was counted.
-- reads: senders
select
    last_seen_unix_nano as moment,
    0::ubigint as duration_nano,
    spans as weight,
    what as result,
    reason
from bindtrace.main.senders
