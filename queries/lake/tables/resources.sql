-- Resources that sealed spans name.
create table if not exists lake.main.resources as
select * exclude (load_id) from bindtrace.main.resources limit 0
