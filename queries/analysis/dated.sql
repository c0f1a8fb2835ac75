-- Dated: every call with the policy that it is judged by: that of its own deployment, else that of its time.
-- reads: placed, policy_periods, policy_of_calls
create or replace temp table periods as
select * from policy_periods;
create or replace temp table judged_by as
select period, coalesce(deployment, '') as deployment, revision from policy_of_calls;
create or replace temp view dated as
with deployments as (
    select distinct deployment from judged_by where deployment <> ''
)
select
    p.*,
    q.since_unix_nano as period,
    coalesce(own.deployment, its.deployment, '') as policy_deployment
from placed as p
join periods as q
    on p.start_time_unix_nano >= q.since_unix_nano and p.start_time_unix_nano < q.until_unix_nano
left join deployments as own on own.deployment = p.caller_deployment
left join deployments as its on its.deployment = p.callee_deployment
