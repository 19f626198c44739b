// The rater's pages: consent, instructions, pairs, and the ways in which a session ends. Which one comes the server says
// (see arrival.py); so a reload, or the same link on another day, finds the page that is due.

import { Player, fill } from "./player.js";
import { form } from "./questions.js";
import { Refused, Server } from "./server.js";

const MONTH = 30 * 24 * 3600; // how long a browser is known again, in seconds
const page = document.getElementById("page");
const link = Object.fromEntries(new URLSearchParams(location.search));
const server = new Server();
let here = null; // what the server said on arrival
let player = null;

// -- building blocks; texts are put in as text, so none can be taken for HTML --

function make(name, text = "", attributes = {}) {
  const element = document.createElement(name);
  element.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
  return element;
}

function button(text, act, kind = "") {
  const element = make("button", text, { type: "button", class: kind });
  element.addEventListener("click", act);
  return element;
}

function row(...parts) {
  const element = make("div", "", { class: "row" });
  element.append(...parts);
  return element;
}

// A page with a title, paragraphs and whatever else; whoever cannot see it is told of it by the focus on its title.
function show(title, text, ...parts) {
  if (player) { player.stop(); player = null; }
  delete page.dataset.layout;
  page.removeAttribute("aria-busy");
  page.className = "page";
  const heading = make("h1", title, { tabindex: "-1" });
  page.replaceChildren(heading, ...(text ? [make("div", text, { class: "text" })] : []), ...parts);
  mark();
  window.scrollTo(0, 0);
  heading.focus({ preventScroll: true });
}

// What stands below every page of a study whose answers do not count; in a preview, the way to all other pages. It is
// no part of the page, so that clips are as large as in the study itself.
function mark() {
  const foot = document.getElementById("foot");
  if (!here || !here.mark || foot.childElementCount) return;
  foot.append(make("p", here.texts.mark[here.mark], { class: "mark" }), ...(here.preview ? [menu()] : []));
}

function menu() {
  const { texts, study } = here;
  const parts = Object.keys(study.parts);
  const screened = study.can_be_ineligible ? ["ineligible"] : [];
  const ends = ["done", "withdrawn", "excluded", ...screened, "full", "broken", "paused", "closed"].map((state) => [texts[state].title, () => end(state)]);
  const pages = [
    [texts.consent_page.title, consent], [texts.declined.title, declined],
    ...parts.map((part) => [texts.asked[part], async () => { await arrive("enrol"); asked(part); }]), [texts.instructions.title, () => instructions()],
    [study.question, async () => { await arrive("enrol"); await examples(); rate(); }],
    [texts.leave.title, leave], [texts.confirm.title, () => withdraw(leave)], ...ends, [texts.later.title, later],
  ];
  const list = make("nav", "", { class: "row", "aria-label": texts.mark.preview });
  list.append(...pages.map(([name, open]) => button(name, open, "quiet")));
  return list;
}

const later = () => show(here.texts.later.title, here.texts.later.text);

function away() {
  if (page.dataset.away) return;
  page.dataset.away = "yes";
  page.replaceChildren(document.getElementById("away").content.cloneNode(true));
}

// A call to which there will be an answer; until then a page says that the server is away.
async function ask(name, body = {}) {
  const reply = await server.insist(name, { link, ...body }, away);
  delete page.dataset.away;
  return reply;
}

// -- pages --

function consent() {
  const { texts, study } = here;
  const words = texts.consent_page;
  const agreed = make("input", "", { type: "checkbox", id: "agree" });
  const label = make("label", "", { class: "agree", for: "agree" });
  label.append(agreed, make("span", words.agree));
  const go = button(words.continue, async () => {
    go.disabled = true;
    await arrive("enrol");
    if (here.keep) remember();
  }, "main");
  go.disabled = true;
  agreed.addEventListener("change", () => { go.disabled = !agreed.checked; });
  const kept = URL.createObjectURL(new Blob([`${study.consent}\n\n(${study.consent_version})\n`], { type: "text/plain" }));
  const decline = button(words.decline, () => declined(), "quiet");
  show(words.title, study.consent, label, row(go, decline),
    row(make("a", words.download, { href: kept, download: words.file })));
}

function declined() {
  const words = here.texts.declined;
  show(words.title, words.text, row(button(words.back, consent, "quiet")));
}

// Lets this browser find its session again without an id in the address.
function remember() {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `rater=${server.token}; path=/; max-age=${MONTH}; SameSite=Lax${secure}`;
}

// Questions before or after the clips.
function asked(part) {
  const { texts, study } = here;
  const send = async (answers, waiting) => {
    try {
      follow(await server.insist("reply", { link, part, answers }, waiting));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refused(error);
    }
  };
  show(texts.asked[part], "", form(texts.asked, study.parts[part], send), row(button(texts.trial.stop, leave, "quiet")));
}

// In a preview: what stands before the clips is answered by itself.
async function examples() {
  while (here.view && here.view.state === "asked") here.view = await ask("reply", { part: here.view.part, example: true });
}

function instructions(begun = false) {
  const { study, texts } = here;
  const words = texts.instructions;
  const list = make("ol");
  words.steps.forEach((step) => list.append(make("li", fill(step, study))));
  const count = study.questions.length;
  const several = count > 1 ? [make("p", fill(words.several, { count, all: study.questions.join(" ") }))] : [];
  const practice = study.practice ? [make("p", fill(words.practice, study))] : [];
  const go = button(begun ? words.go_on : words.begin, () => rate(), "main");
  show(words.title, "", list, ...several, ...practice, make("p", fill(words.rest, study)), row(go));
  if (here.view && here.view.trials.length) server.clips(here.view.trials[0]); // it loads while this is read
}

function rate() {
  const { study, texts } = here;
  page.className = "trial";
  const foot = make("div", "", { class: "foot" });
  foot.append(button(texts.trial.stop, leave, "quiet"), button(texts.trial.help, () => instructions(true), "quiet"));
  page.replaceChildren(document.getElementById("trial").content.cloneNode(true), foot);
  mark();
  player = new Player({ root: page, server, study, texts: texts.trial, finished: end });
  const view = here.view;
  here.view = null; // good for the first time; after that the server is asked where the session stands
  if (view) player.show(view); else player.resume();
}

function leave() {
  const words = here.texts.leave;
  show(words.title, words.text, row(button(words.go_on, rate, "main"), button(words.withdraw, () => withdraw(leave))));
}

// Asks once more: it cannot be undone.
function withdraw(back) {
  const words = here.texts.confirm;
  const yes = button(words.yes, async () => { yes.disabled = true; end((await ask("withdraw")).state); });
  show(words.title, words.text, row(button(words.no, back, "main"), yes));
}

// The last page of a session; its code exists only since the session has ended so.
async function end(state, said) {
  if (state === "refused") { refused(said); return; }
  if (state === "asked") { asked(said.part); return; }
  const words = here.texts[state];
  const told = await ask("end");
  const parts = [];
  const code = told.code || (here.preview ? "EXAMPLE" : "");
  if (code && words.code) parts.push(make("p", words.code), make("p", code, { class: "code" }));
  if (told.url) parts.push(row(make("a", words.back, { href: told.url, class: "button main" })));
  if (words.again) parts.push(row(button(words.again, () => arrive("hello"), "main")));
  if (state === "done") {
    parts.push(row(button(here.texts.leave.withdraw, () => withdraw(() => end("done")), "quiet")));
  }
  show(words.title, words.text, ...parts);
}

function refused(error) {
  show(error.said.title || "", error.said.message || "");
}

// -- where a visit begins --

async function arrive(name, body = {}) {
  try {
    here = await ask(name, body);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refused(error);
    return;
  }
  server.token = here.token;
  server.shown = here.study.clips;
  document.documentElement.lang = here.language;
  document.title = here.texts.title;
  if (here.view) follow(here.view); else consent();
}

// Shows the page that is due.
function follow(view) {
  here.view = view;
  if (view.state !== "rating") end(view.state, view);
  else if (view.answered === 0) instructions();
  else rate();
}

const cookie = document.cookie.match(/(?:^|; )rater=([\w-]{43})(?:;|$)/);
server.token = cookie ? cookie[1] : "";
arrive("hello");
