-- Open proofs: what callers signed whose callee was not seen, so that a callee that comes later finds them.
-- reads: nodes, touched, unanswered, halves, trace_links
-- only where: select 1 from nodes where proof_sha256 is not null
insert into trace_links
select distinct md5(n.proof_sha256)::uuid as chain, t.trace_id, t.last_load_id as load_id
from unanswered as u
join nodes as n using (node)
join touched as t on t.trace = n.trace
anti join halves as h on h.caller_node = u.node
anti join trace_links as l on l.chain = md5(n.proof_sha256)::uuid and l.trace_id = t.trace_id
where n.proof_sha256 is not null and not u.edge
