// The public edge, which sends no spans: TLS, and the rewrites of vercel.json. Arguments: folder of edge.pem, three ports.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const [folder, port, frontend, backend] = process.argv.slice(2);
const tls = { cert: readFileSync(`${folder}/edge.pem`), key: readFileSync(`${folder}/edge.key`) };

https.createServer(tls, (incoming, outgoing) => {
  const { method, url: path } = incoming;
  const headers = { ...incoming.headers, 'x-forwarded-for': '76.76.21.21', 'x-forwarded-proto': 'https' };
  const to = path.startsWith('/api/') ? backend : frontend;
  const passed = http.request({ host: '127.0.0.1', port: to, method, path, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  passed.on('error', () => outgoing.writeHead(502).end());
  incoming.pipe(passed);
}).listen(Number(port), '127.0.0.1');
