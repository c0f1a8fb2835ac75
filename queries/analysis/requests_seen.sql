-- Requests seen: each distinct call for which a grant or policy asks more than who calls whom, to be ruled on once.
-- reads: dated, asked, pairs
create or replace temp table requests_seen as
select distinct
    q.pair, p.asked_method, p.asked_path, p.asked_host, p.asked_address, p.asked_identity, p.protection, p.caller,
    p.callee_service, p.period, p.policy_deployment
from (select pair, unnest(shapes) as shape from pairs) as q
join dated as p using (shape)
where p.callee_service is not null and (select anything from asked)
