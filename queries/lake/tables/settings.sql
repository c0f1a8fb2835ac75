-- Settings: what manifests and bindtrace.toml say, so that a lake is read without a collector; a table's rows as JSON.
create table if not exists lake.main.settings (
    "table" varchar not null,
    rows varchar not null
)
