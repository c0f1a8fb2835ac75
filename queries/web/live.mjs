// Fetches the page that is shown again every few seconds and puts its main part in the place of the old one.
// Nothing is made from strings: the answer is parsed as a document, and its nodes are moved.
const EVERY_MS = 5000;
const state = document.getElementById("live");

const open = () => new Set([...document.querySelectorAll("main details[open]")].map((one) => one.id));

async function renew() {
  if (document.hidden || document.querySelector("main :focus-visible")) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) throw new Error(`the collector says ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  const opened = open();
  const main = document.querySelector("main");
  main.replaceChildren(...document.importNode(fresh, true).childNodes);
  for (const one of main.querySelectorAll("details")) one.open = opened.has(one.id);
}

async function turn() {
  try {
    await renew();
    state.textContent = `live · ${new Date().toLocaleTimeString()}`;
  } catch (error) {
    state.textContent = `not live: ${error.message}`;
  }
  setTimeout(turn, EVERY_MS);
}

if (state) setTimeout(turn, EVERY_MS);
