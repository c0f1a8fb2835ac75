-- Deployed: the revisions that judge the calls of one deployment, where manifests name deployments.
-- reads: policy_of_calls
-- only where: select 1 from manifests where deployment is not null
insert into judged_by
select distinct period, deployment, revision
from policy_of_calls
where deployment is not null
