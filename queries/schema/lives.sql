-- Lives of the collector: from when to when its storage is known to have run, so that its silence has a reason.
create table if not exists lives (
    started_unix_nano ubigint not null,
    alive_unix_nano ubigint not null  -- noted every minute, and at an orderly end
);
