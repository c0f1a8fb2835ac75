// What a hosts file would say: the names of the platform lead to this machine.
const dns = require('node:dns');
const { lookup } = dns;
dns.lookup = (name, ...rest) => lookup(/\.(vercel\.app|platform\.example)$/.test(name) ? '127.0.0.1' : name, ...rest);
