// A Node.js service set up by the page's own code (otel.mjs): calls as carriers. Prints each case's headers and trace id.
import { context, propagation, ROOT_CONTEXT, SpanKind, trace, TraceFlags } from '@opentelemetry/api';
import { sdk } from './otel.mjs';

const tracer = trace.getTracer('cases');
const said = {};

function served(headers) {
  const before = propagation.extract(ROOT_CONTEXT, headers);
  const span = tracer.startSpan('serve', { kind: SpanKind.SERVER }, before);
  span.end();
  return trace.setSpan(before, span);
}

function called(name, from, { url, late, attributes, carrier = {} } = {}) {
  const own = { case: name, ...(url && { 'url.full': url }), ...attributes };
  const span = tracer.startSpan('call', { kind: SpanKind.CLIENT, attributes: own }, from);
  if (late) span.setAttribute('url.full', late);
  propagation.inject(trace.setSpan(from, span), carrier);
  span.end();
  said[name] = { headers: carrier, trace: span.spanContext().traceId };
}

const ledger = process.env.LEDGER_URL;
called('first', ROOT_CONTEXT, { url: `${ledger}/entries?x=1` });
called('elsewhere', ROOT_CONTEXT, { url: 'https://api.example/' });
called('late', ROOT_CONTEXT, { late: ledger });
called('old-names', ROOT_CONTEXT, { attributes: { 'http.url': ledger } });
called('database', ROOT_CONTEXT, { attributes: { 'db.system.name': 'postgresql' } });
called('spelled', ROOT_CONTEXT, { url: ledger, carrier: { 'Service-Binding': 'x;caller="forwarded"' } });
called('next', served({ 'service-binding': process.env.INBOUND }), { url: ledger });
called('deepest', served({ 'service-binding': process.env.DEEPEST }), { url: ledger });
called('malformed', served({ 'service-binding': 'x; y = z' }), { url: ledger });
called('twice', served({ 'service-binding': [process.env.INBOUND, process.env.INBOUND] }), { url: ledger });

const unsampled = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.NONE };
const carrier = {};
context.with(trace.setSpanContext(ROOT_CONTEXT, unsampled), () => propagation.inject(context.active(), carrier));
said.unsampled = { headers: carrier, trace: unsampled.traceId };
const nothing = {};
propagation.inject(ROOT_CONTEXT, nothing);
said.untraced = { headers: nothing };

await sdk.shutdown();
console.log(JSON.stringify(said));
