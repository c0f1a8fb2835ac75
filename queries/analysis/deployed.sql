-- Deployed: the revisions that calls of a deployment are judged by, where manifests are of one.
-- reads: policy_of_calls
-- only where: select 1 from manifests where deployment is not null
insert into judged_by
select distinct period, deployment, revision
from policy_of_calls
where deployment is not null
