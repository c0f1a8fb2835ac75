// Calls by a service in Node.js, which has nothing but the code of docs/callers.md; one JSON line of what came of each.
import { randomBytes } from 'node:crypto';

const [page, invitation, url, stranger] = process.argv.slice(2);
const { Caller } = await import(page);
const caller = await Caller.join(invitation);
const binding = (hop) => `orders.inventory;caller="orders";callee="inventory";chain="${randomBytes(16).toString('hex')}";hop=${hop}`;

const calls = {
  'mtls': () => caller.call(url, 'inventory', { headers: { 'service-binding': binding(1) } }),
  'wpt': () => caller.call(url, 'inventory', { proof: 'wpt' }),
  'wpt beside an access token': () => caller.call(url, 'inventory', { proof: 'wpt', method: 'POST', headers: { authorization: 'Bearer abc' } }),
  'renewed, mtls': async () => { await caller.renew(); return caller.call(url, 'inventory'); },
  'renewed, wpt': () => caller.call(url, 'inventory', { proof: 'wpt' }),
  'a service without a binding': () => caller.call(url, 'billing'),
  'another service at the address': () => caller.call(stranger, 'inventory'),
  'a token with a longer signature': () => { caller.tokens = caller.tokens.map((held) => ({ ...held, token: `${held.token}A` })); return caller.call(url, 'inventory'); },
};
const outcomes = {};
for (const [name, call] of Object.entries(calls)) {
  try {
    const { status, text } = await call();
    outcomes[name] = status === 200 ? 200 : [status, JSON.parse(text).reason];
  } catch (error) {
    outcomes[name] = error.message;
  }
}
console.log(JSON.stringify(outcomes));
process.exit(0);
