// Answers about propagation/js/service-binding.mjs, for test_javascript.py: questions as JSON on stdin, answers on stdout.
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

const ours = await import(pathToFileURL(process.argv[2]));
const asked = JSON.parse(await text(process.stdin));

const written = (binding) => {
  try {
    return ours.serialize(binding);
  } catch (refused) {
    return { refused: refused instanceof RangeError };
  }
};
const resolved = ({ variables, url }) => {
  const row = ours.bindingTable(variables)(url);
  return row ? [row.binding, row.callee ?? null] : null;
};

console.log(JSON.stringify({
  parse: asked.parse.map(ours.parse),
  serialize: asked.serialize.map(written),
  resolve: asked.resolve.map(resolved),
  words: { HEADER: ours.HEADER, STAMPS: ours.STAMPS, RESOURCE_KEYS: ours.RESOURCE_KEYS, NEVER: ours.NEVER_BINDINGS },
}));
