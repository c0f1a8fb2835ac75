// instrumentation.js as @vercel/otel's own page has it: nothing of ours.
import { registerOTel } from '@vercel/otel';

export function register() {
  registerOTel({
    serviceName: 'frontend',
    instrumentationConfig: { fetch: { propagateContextUrls: (process.env.PROPAGATE ?? '').split(',').filter(Boolean) } },
  });
}
