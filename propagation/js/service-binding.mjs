// The `Service-Binding` header for JavaScript: OpenTelemetry propagator and span processor, in one file to copy.
// Needs nothing but an OpenTelemetry SDK, reads only environment variables, and never throws into the service.
//
//     import { BindingPropagator, BindingSpanProcessor } from './service-binding.mjs';
//     registerOTel({ serviceName: 'shop', propagators: ['auto', new BindingPropagator()],
//       spanProcessors: ['auto', new BindingSpanProcessor()] });
//
// BINDTRACE_BINDINGS="BACKEND_URL=backend,STOCK_URL" says which variables hold bindings; without it, every variable
// that ends in _URL and holds an absolute http(s) URL is one. The same rules in Python: propagation/bindings.py;
// the same vectors: tests/vectors/service_binding.toml. A claim, never a credential. Licence: Apache-2.0.

export const HEADER = 'service-binding';
export const STAMPS = {
  binding: 'bindtrace.binding.name', caller: 'bindtrace.caller.claimed', callee: 'bindtrace.callee.claimed',
  chain: 'bindtrace.chain', hop: 'bindtrace.hop', env: 'bindtrace.env', deployment: 'bindtrace.deployment',
};
/** Resource attributes, best first (propagation/vocabulary.py: RESOURCE_CONCEPTS). */
export const RESOURCE_KEYS = {
  service: ['service.name', 'faas.name', 'cloudflare.script_name', 'istio.canonical_service'],
  environment: ['deployment.environment.name', 'deployment.environment', 'env'],
  deployment: ['vercel.deploymentId', 'vercel.deployment_id', 'deployment.id', 'cloudflare.script_version.id',
    'faas.version', 'istio.canonical_revision', 'service.version'],
};
/** Variables of platforms and tools, and those that are shipped to browsers: never bindings. */
export const NEVER_BINDINGS = ['BINDTRACE_', 'OTEL_', 'VERCEL_', 'GITHUB_', 'NEXT_PUBLIC_', 'NUXT_PUBLIC_', 'PUBLIC_',
  'REACT_APP_', 'VITE_'];

const [MAX_BYTES, MAX_HOP] = [1024, 64];
const STRINGS = ['caller', 'callee', 'env', 'deployment'];
const [SERVER, CLIENT, PRODUCER, CONSUMER] = [1, 2, 3, 4]; // SpanKind
const INBOUND = Symbol.for('bindtrace-binding');
// Every version 1 of @opentelemetry/api finds a context's span by this key; so may we, without importing it.
const SPAN = Symbol.for('OpenTelemetry Context Key SPAN');

const KEY = /[a-z*][a-z0-9_.*-]*/y;
const TOKEN = /^[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*$/;
const TEXT = /^[\x20-\x7e]+$/;
const CHAIN = /^(?!0{32})[0-9a-f]{32}$/;
// RFC 9651 section 4.2.3.1; a sign or digit too many is left over, and what is left over is malformed.
const BARE = new RegExp([
  /(?<string>"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*")/, /(?<token>[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*)/,
  /(?<decimal>-?[0-9]{1,12}\.[0-9]{1,3})/, /(?<integer>-?[0-9]{1,15})/, /(?<bytes>:[A-Za-z0-9+/=]*:)/,
  /(?<boolean>\?[01])/, /(?<date>@-?[0-9]{1,15})/, /(?<display>%"(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*")/,
].map((part) => part.source).join('|'), 'y');

/** The claim in a request's header lines: `{ binding }`, or `{ absent }` with the reason. Never throws. */
export function parse(lines) {
  if (lines.length === 0) return { absent: 'missing' };
  if (lines.length > 1) return { absent: 'duplicate' };
  if (lines[0].length > MAX_BYTES) return { absent: 'too_long' };
  const item = parseItem(lines[0].replace(/^ +| +$/g, ''));
  return item.absent ? item : read(item.name, item.parameters);
}

/** The header's value. Throws RangeError for what it cannot carry: no name, not ASCII, over 1,024 bytes. */
export function serialize({ caller, callee, env, deployment, chain, hop }) {
  const name = callee == null ? caller : `${caller}.${callee}`;
  const parts = [TOKEN.test(name) ? name : quoted(name)];
  for (const [key, value] of Object.entries({ caller, callee, env, deployment })) {
    if (value != null || key === 'caller') parts.push(`${key}=${quoted(value)}`);
  }
  if (!CHAIN.test(chain)) throw new RangeError('the chain is not a trace id of 32 lower-case hex digits');
  parts.push(`chain="${chain}"`);
  if (hop != null) {
    if (!Number.isInteger(hop) || hop < 1 || hop > MAX_HOP) throw new RangeError(`hop ${hop} is not in 1..${MAX_HOP}`);
    parts.push(`hop=${hop}`);
  }
  const line = parts.join(';');
  if (line.length > MAX_BYTES) throw new RangeError(`a header of ${line.length} bytes is over ${MAX_BYTES}`);
  return line;
}

function quoted(text) {
  if (typeof text !== 'string' || !TEXT.test(text)) throw new RangeError('a name must be printable ASCII and not empty');
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

/** RFC 9651 section 4.2.3: a bare item and its parameters, the last of a repeated key winning. */
function parseItem(line) {
  const malformed = { absent: 'malformed' };
  const parameters = Object.create(null);
  const [name, end] = parseBare(line, 0);
  let at = end;
  if (!name) return malformed;
  while (at < line.length) {
    if (/^[ \t]*,/.test(line.slice(at))) return { absent: 'duplicate' };
    if (line[at] !== ';') return malformed;
    do at += 1; while (line[at] === ' ');
    KEY.lastIndex = at;
    const key = KEY.exec(line)?.[0];
    if (key === undefined) return malformed;
    at += key.length;
    let value = { type: 'boolean', text: '?1' };
    if (line[at] === '=') [value, at] = parseBare(line, at + 1);
    if (!value) return malformed;
    parameters[key] = value;
  }
  return { name, parameters };
}

function parseBare(line, at) {
  BARE.lastIndex = at;
  const found = BARE.exec(line);
  if (!found) return [null, at];
  const [type, text] = Object.entries(found.groups).find(([, value]) => value !== undefined);
  return [{ type, text: type === 'string' ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text }, at + text.length];
}

function read(name, parameters) {
  if (name.type !== 'token' && name.type !== 'string') return { absent: 'not_a_name' };
  for (const key of ['caller', 'chain']) if (!parameters[key]) return { absent: `no_${key}` };
  const binding = {};
  for (const key of STRINGS) {
    if (!parameters[key]) continue;
    if (parameters[key].type !== 'string' || !parameters[key].text) return { absent: `bad_${key}` };
    binding[key] = parameters[key].text;
  }
  const { chain, hop } = parameters;
  if (chain.type !== 'string' || !CHAIN.test(chain.text)) return { absent: 'bad_chain' };
  binding.chain = chain.text;
  if (!hop) return { binding };
  binding.hop = Number(hop.text);
  return hop.type === 'integer' && binding.hop >= 1 && binding.hop <= MAX_HOP ? { binding } : { absent: 'bad_hop' };
}

/** Resolves a URL to `{ binding, callee? }` by the variables given: the longest path on a segment's boundary wins. */
export function bindingTable(variables) {
  const listed = (variables.BINDTRACE_BINDINGS ?? '').trim();
  const named = listed
    ? listed.split(',').map((entry) => /^([^=]*)=?(.*)$/s.exec(entry).slice(1).map((part) => part.trim()))
    : Object.keys(variables).filter((name) => name.endsWith('_URL') && !NEVER_BINDINGS.some((p) => name.startsWith(p)))
      .map((name) => [name, '']);
  const rows = [...new Map(named)].flatMap(([binding, callee]) => {
    const address = addressOf(variables[binding]);
    return address ? [{ ...address, binding, callee: callee || undefined }] : [];
  });
  // Of two variables with one URL, the one that says its callee, else the first by name, is taken.
  rows.sort((a, b) => b.path.length - a.path.length || Number(!a.callee) - Number(!b.callee)
    || (a.binding < b.binding ? -1 : 1));
  return (url) => {
    const wanted = addressOf(url);
    return wanted && rows.find((row) => row.origin === wanted.origin && `${wanted.path}/`.startsWith(`${row.path}/`));
  };
}

function addressOf(url) {
  try {
    const { protocol, origin, pathname } = new URL(url);
    return /^https?:$/.test(protocol) ? { origin, path: pathname.replace(/\/+$/, '') } : undefined;
  } catch {
    return undefined;
  }
}

/** What both classes know: this process's variables (read at the first call, when a platform has set them). */
class Bound {
  constructor(variables) {
    this.given = variables;
  }

  get variables() {
    return this.given ?? globalThis.process?.env ?? {};
  }

  resolve(url) {
    this.table ??= bindingTable(this.variables);
    return this.table(url);
  }

  /** What a call in `span` claims; null without a chain (no trace, none inbound) or without a name. */
  outgoing(span, context) {
    const before = context.getValue(INBOUND);
    const traceId = span?.spanContext().traceId;
    if (!before && !CHAIN.test(traceId ?? '')) return null;
    const resource = span?.resource?.attributes ?? environmentResource(this.variables);
    const caller = first(resource, RESOURCE_KEYS.service);
    if (!caller || caller.split(':')[0] === 'unknown_service') return null;
    const calls = span?.kind === CLIENT || span?.kind === PRODUCER;
    const url = calls ? first(span.attributes ?? {}, ['url.full', 'http.url']) : undefined;
    const hop = before ? before.hop && Math.min(before.hop + 1, MAX_HOP) : 1;
    const least = { caller, chain: before?.chain ?? traceId, hop };
    if (!url) return { claim: least, least };
    const to = this.resolve(url);
    const env = first(resource, RESOURCE_KEYS.environment) ?? this.variables.VERCEL_ENV;
    const deployment = first(resource, RESOURCE_KEYS.deployment) ?? this.variables.VERCEL_DEPLOYMENT_ID;
    return { claim: { ...least, callee: to?.callee, env: env || undefined, deployment: deployment || undefined }, least,
      binding: to?.binding };
  }
}

function environmentResource(variables) {
  const attributes = {};
  for (const pair of (variables.OTEL_RESOURCE_ATTRIBUTES ?? '').split(',')) {
    const [key, ...value] = pair.split('=');
    attributes[key.trim()] = quietly(() => decodeURIComponent(value.join('=').trim()));
  }
  return variables.OTEL_SERVICE_NAME ? { ...attributes, 'service.name': variables.OTEL_SERVICE_NAME } : attributes;
}

function first(attributes, keys) {
  const key = keys.find((name) => attributes[name]);
  return key && String(attributes[key]);
}

function quietly(work, otherwise) {
  try {
    return work();
  } catch {
    return otherwise;
  }
}

/** Extracts a caller's claim into the context, and injects this service's own into each call it makes. */
export class BindingPropagator extends Bound {
  fields() {
    return [HEADER];
  }

  extract(context, carrier, getter) {
    return quietly(() => {
      const { binding } = parse([getter.get(carrier, HEADER) ?? []].flat());
      return binding ? context.setValue(INBOUND, binding) : context;
    }, context);
  }

  inject(context, carrier, setter) {
    quietly(() => {
      const span = context.getValue(SPAN);
      const outgoing = this.outgoing(span, context);
      // With all that is known, or with the least where that does not fit, or not at all.
      const line = outgoing && (quietly(() => serialize(outgoing.claim)) ?? serialize(outgoing.least));
      if (!line) return;
      // A plain object keeps `Service-Binding` beside `service-binding`, and two lines are no claim.
      for (const key of Object.keys(carrier)) if (key.toLowerCase() === HEADER) delete carrier[key];
      setter.set(carrier, HEADER, line);
      // A span that our processor stamped before its URL was known.
      const stamped = span?.attributes ?? {};
      if (outgoing.binding && stamped[STAMPS.chain] && !stamped[STAMPS.binding]) {
        stamp(span, { binding: outgoing.binding, callee: outgoing.claim.callee });
      }
    });
  }
}

/** Stamps SERVER and CONSUMER spans with the caller's claim, CLIENT and PRODUCER spans with the own one. */
export class BindingSpanProcessor extends Bound {
  onStart(span, context) {
    quietly(() => {
      if (span.kind === SERVER || span.kind === CONSUMER) stamp(span, context.getValue(INBOUND) ?? {});
      if (span.kind !== CLIENT && span.kind !== PRODUCER) return;
      // No header travels to a database, so there is no hop to number.
      if (first(span.attributes, ['db.system.name', 'db.system'])) return;
      const { binding, claim } = this.outgoing(span, context) ?? { claim: {} };
      stamp(span, { binding, callee: claim.callee, chain: claim.chain, hop: claim.hop });
    });
  }

  onEnd() {}

  async forceFlush() {}

  async shutdown() {}
}

function stamp(span, values) {
  for (const [name, value] of Object.entries(values)) if (value != null) span.setAttribute(STAMPS[name], value);
}
