-- Findings of days whose hops were dropped, as they were worded then.
create table if not exists lake.main.findings (
    day date not null,
    finding varchar not null  -- a JSON object, as the report `findings` has it
)
