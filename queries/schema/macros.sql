-- Macros: ids and times as every boundary shows them.
create or replace macro trace_hex(id) as replace(id::varchar, '-', '');
create or replace macro span_hex(id) as lower(lpad(to_hex(id), 16, '0'));
create or replace macro in_environment(wanted, one, other) as wanted is null or one = wanted or other = wanted;
create or replace macro ms(nano) as round(nano / 1e6, 3);
