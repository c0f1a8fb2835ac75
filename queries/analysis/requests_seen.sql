-- Requests seen: each distinct call for which a grant or policy asks more than who calls whom, to be ruled on once.
-- reads: dated, asked, pairs
create or replace temp table requests_seen as
select distinct
    q.pair, p.asked_method, p.asked_path, p.asked_host, p.asked_address, p.asked_identity, p.protection, p.caller,
    p.callee_service, p.period, p.policy_deployment
from dated as p
join pairs as q
    on q.caller is not distinct from p.caller
    and q.callee_service = p.callee_service
    and q.caller_scope is not distinct from p.caller_scope
    and q.scope is not distinct from p.scope
    and q.caller_env is not distinct from p.caller_env
    and q.callee_env is not distinct from p.callee_env
    and q.message = p.message
    and q.period = p.period
    and q.policy_deployment = p.policy_deployment
where (select anything from asked)
