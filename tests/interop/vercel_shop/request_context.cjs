// What Vercel's runtime gives its functions, with the headers of one request: the platform alone has it.
const headers = { host: 'shop.example', 'service-binding': process.env.RECEIVED };
globalThis[Symbol.for('@vercel/request-context')] = { get: () => ({ headers, waitUntil: (work) => void work() }) };
