// A Node.js service as its users write it: set up by OTEL_* alone. Makes traces and prints what it made.
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { SpanKind, SpanStatusCode, context, trace } = require('@opentelemetry/api');

async function main(count) {
  const sdk = new NodeSDK();
  sdk.start();
  const tracer = trace.getTracer('node-sender', '1.2.3');
  const made = [];
  const note = (span, parent, kind) => made.push({
    trace_id: span.spanContext().traceId, span_id: span.spanContext().spanId,
    parent_span_id: parent ? parent.spanContext().spanId : '', kind,
  });
  for (let i = 0; i < count; i++) {
    const server = tracer.startSpan('GET /cart', {
      kind: SpanKind.SERVER,
      attributes: { 'http.request.method': 'GET', 'http.response.status_code': 200, ratio: 0.5, big: 9007199254740991,
        negative: -3, ok: true, list: ['a', 'b'], numbers: [1, 2], text: 'ünïcødé \u{1F980}' },
    });
    note(server, null, 2);
    const client = tracer.startSpan('GET', {
      kind: SpanKind.CLIENT, links: [{ context: server.spanContext(), attributes: { why: 'test' } }],
    }, trace.setSpan(context.active(), server));
    note(client, server, 3);
    client.addEvent('retry', { attempt: i });
    client.recordException(new Error('refused'));
    client.setStatus({ code: SpanStatusCode.ERROR, message: 'refused' });
    client.end();
    server.end();
  }
  await sdk.shutdown();
  console.log(JSON.stringify(made));
}

main(Number(process.argv[2]));
