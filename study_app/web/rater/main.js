// The rater's pages: consent, instructions, practice, trials, and the final pages. The server decides which page is
// next (see rater_api.py), so a reload, or the same link on another day, shows the right page.

import { Player } from "./player.js";
import { form } from "./questionnaire.js";
import { Refused, Server } from "./api_client.js";
import { Absence, button, codeBox, identity, make, prose, row, whomToAsk } from "./text_page.js";
import { fill } from "./trial_page.js";

const AGAIN_MS = 15000; // between two checks for a free pair while a rater waits
const COMPREHENSION = "comprehension"; // the part with questions about the instructions
const FINAL = ["done", "withdrawn", "excluded", "ineligible", "full", "closed"]; // nothing is left to do on these pages
const page = document.getElementById("page");
const link = Object.fromEntries(new URLSearchParams(location.search));
const server = new Server();
const absence = new Absence(page);
let here = null; // the server's reply on arrival
let player = null;
let chosen = ""; // language that the rater has chosen on this visit
let card = null; // measurements of the screen, or {} if the rater skipped them
let refusals = 0;
let arrivals = 0;

// Shows a text page: the study's identity, a title, paragraphs, other parts, and the contact. Focusing the title
// announces the page to screen readers.
function show(title, text, ...parts) {
  const asks = parts.some((part) => part.className === "act"); // the consent page already names the contact
  if (player) { player.stop(); player = null; }
  delete page.dataset.layout;
  page.removeAttribute("aria-busy");
  page.className = "page";
  document.documentElement.dataset.room = "text";
  const study = here && here.study;
  const heading = make("h1", title, { tabindex: "-1" });
  const whose = study ? identity(study) : [];
  const contact = study && !asks ? whomToAsk(study.contact, here.texts.contact) : [];
  page.replaceChildren(...whose, heading, ...(text ? [make("div", text, { class: "text" })] : []), ...parts, ...contact);
  mark();
  window.scrollTo(0, 0);
  heading.focus({ preventScroll: true });
}

// Adds a notice below every page of a study whose answers do not count and, in a preview, a menu of all other pages.
// They are outside the page, so that clips are as large as in the study itself.
function mark() {
  const foot = document.getElementById("foot");
  if (!here || !here.mark || foot.childElementCount) return;
  foot.append(make("p", here.texts.mark[here.mark], { class: "mark" }), ...(here.preview ? [menu()] : []));
}

function menu() {
  const { texts, study } = here;
  const parts = Object.keys(study.parts).map((part) => [part, [texts.asked[part], async () => { await arrive("enrol"); asked(part); }]]);
  const questions = (...names) => parts.filter(([part]) => names.includes(part)).map(([, entry]) => entry);
  const checks = study.comprehension.length ? [[texts.comprehension.title, () => comprehension()]] : [];
  const rested = study.practice ? [[texts.between.title, between]] : [];
  const screened = study.can_be_ineligible ? ["ineligible"] : [];
  const ends = ["done", "withdrawn", "excluded", ...screened, "full", "waiting", "broken", "paused", "closed"].map((state) => [texts[state].title, () => end(state)]);
  const pages = [
    [texts.consent_page.title, consent], [texts.declined.title, declined],
    ...questions("screening", "demographic"), [texts.instructions.title, () => instructions()], ...checks,
    ...(study.card ? [[texts.card.title, () => measure(measure)]] : []),
    [study.question, async () => { await arrive("enrol"); await examples(); rate(); }],
    ...rested, [texts.leave.title, leave], [texts.confirm.title, () => withdraw(leave)], ...questions("closing"), ...ends, [texts.later.title, later],
  ];
  const list = make("nav", "", { class: "row", "aria-label": texts.mark.preview });
  list.append(...pages.map(([name, open]) => button(name, open, "quiet")));
  return list;
}

const later = () => show(here.texts.later.title, here.texts.later.text);

// Repeats a call until the server answers. Until then, a page explains that the server is away.
async function ask(name, body = {}, wanted = () => true) {
  try {
    return await server.insist(name, { link, language: chosen, ...body }, () => { if (wanted()) absence.begin(); });
  } finally {
    absence.end();
  }
}

// -- pages --

function consent() {
  const { texts, study } = here;
  const words = texts.consent_page;
  const agreed = make("input", "", { type: "checkbox", id: "agree" });
  const label = make("label", "", { class: "agree", for: "agree", id: "agree-line" });
  label.append(agreed, make("span", fill(study.age ? words.agree : words.agree_any_age, study)));
  const hint = make("p", words.hint, { class: "hint", id: "hint" });
  const go = button(words.continue, async () => {
    if (!agreed.checked) { hint.classList.add("problem"); agreed.focus(); return; }
    go.disabled = true;
    await arrive("enrol");
  }, "main");
  const changed = () => {
    go.setAttribute("aria-disabled", String(!agreed.checked));
    hint.classList.toggle("met", agreed.checked);
    if (agreed.checked) go.removeAttribute("aria-describedby"); else go.setAttribute("aria-describedby", hint.id);
  };
  agreed.addEventListener("change", changed);
  changed();
  const decline = button(words.decline, declined, "quiet");
  const told = [["contact", study.contact], ["ethics", study.ethics]].filter(([, said]) => said);
  const lines = told.map(([name, said]) => make("p", fill(words[name], { [name]: said })));
  const codes = make("p", words.codes);
  const act = make("div", "", { class: "act" }); // visible however long the text is
  act.append(label, row(go, decline, hint));
  show(words.title, "", ...tongues(), prose(study), ...lines, codes, row(copy(words.download)), act);
}

// A link that downloads the consent text with the contacts, its version, and when the rater agreed, if they did.
function copy(name) {
  const { texts, study, agreed } = here;
  const words = texts.consent_page;
  const keep = make("a", name, { href: "#", download: study.consent_html ? words.file.replace(/\.txt$/, ".md") : words.file });
  keep.addEventListener("click", () => {
    const time = (agreed ? new Date(agreed) : new Date()).toLocaleString(here.language, { dateStyle: "long", timeStyle: "long" });
    const lines = [
      study.consent, study.contact && fill(words.contact, study), study.ethics && fill(words.ethics, study),
      fill(words.version, { version: study.consent_version }), fill(agreed ? words.agreed : words.not_agreed, { time }),
    ];
    keep.href = URL.createObjectURL(new Blob([`${lines.filter(Boolean).join("\n\n")}\n`], { type: "text/plain" }));
  });
  return keep;
}

// A list of the study's other languages, each by its own name.
function tongues() {
  const others = Object.entries(here.languages).filter(([code]) => code !== here.language);
  if (!others.length) return [];
  const list = make("nav", "", { class: "row tongues", "aria-label": here.texts.languages });
  const change = (code) => { chosen = code; arrive("hello"); };
  list.append(...others.map(([code, name]) => {
    const other = button(name, () => change(code), "quiet");
    other.lang = code;
    return other;
  }));
  return [list];
}

// Stores nothing about a visitor who does not agree; the server only counts the refusal, once per visit.
function declined() {
  const words = here.texts.declined;
  const code = make("div");
  show(words.title, words.text, code, row(button(words.back, consent, "quiet")));
  if (refusals || here.view) return;
  refusals += 1;
  ask("decline").then((told) => { if (told.code) code.append(make("p", words.code), make("p", told.code, { class: "code" })); });
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
  show(texts.asked[part], "", ...tongues(), form(texts.asked, study.parts[part], send), row(button(texts.trial.stop, leave, "quiet")));
}

// In a preview, answers the questions before the clips with examples.
async function examples() {
  while (here.view && here.view.state === "asked") here.view = await ask("reply", { part: here.view.part, example: true });
}

function instructions(begun = false, said = "") {
  const { study, texts } = here;
  const words = texts.instructions;
  const list = make("ol", "", { class: "steps" });
  const layout = window.innerHeight > window.innerWidth ? "stacked" : "beside";
  const how = words.how[window.matchMedia("(hover: none)").matches ? "touch" : layout];
  const values = { ...study, how, placed: words.placed[layout] };
  words.steps.forEach((step) => list.append(make("li", fill(step, values))));
  const count = study.questions.length;
  const several = count > 1 ? [make("p", fill(words.several, { count, all: study.questions.join(" ") }))] : [];
  const practice = study.practice ? [make("p", fill(words.practice, study))] : [];
  const checked = here.view && here.view.part === COMPREHENSION;
  const go = button(begun ? words.go_on : words.begin, () => (checked ? comprehension() : measure(rate)), "main");
  const again = said ? [make("p", said, { class: "notice", role: "alert" })] : [];
  const rest = make("p", fill(words.rest, study));
  show(words.title, "", ...tongues(), ...again, list, ...several, ...practice, rest, row(go), row(copy(words.copy)));
  if (here.view && here.view.trials.length) server.clips(here.view.trials[0]); // loads while the rater reads this page
}

// Questions about the instructions. After a wrong answer, the rater reads the instructions once more.
function comprehension() {
  const { texts, study } = here;
  const words = texts.comprehension;
  const send = async (answers, waiting) => {
    try {
      here.view = await server.insist("reply", { link, part: COMPREHENSION, answers }, waiting);
    } catch (error) {
      if (error instanceof Refused) { refused(error); return; }
      throw error;
    }
    if (here.view.part === COMPREHENSION) instructions(false, words.again);
    else if (here.view.state === "rating") measure(rate);
    else follow(here.view);
  };
  show(words.title, words.text, form(texts.asked, study.comprehension, send));
}

// Between practice and the pairs that count.
function between() {
  const { texts, study } = here;
  const words = texts.between;
  show(words.title, fill(words.text, { pairs: study.total - study.practice }), row(button(words.go, rate, "main start")));
  if (here.view && here.view.trials.length) server.clips(here.view.trials[0]);
}

// Measures the size of the screen's pixels, if the study requires it and it is not known yet.
async function measure(then) {
  if (!here.study.card || (card && then === rate)) { then(); return; }
  const words = here.texts.card;
  const { measuring } = await import("./screen_calibration.js"); // most studies do not need it
  const { parts, read } = measuring(make, words, here.study.distance, fill);
  const wrong = make("p", "", { class: "wrong", role: "alert" });
  const go = button(words.go, () => {
    const measured = read();
    if (measured) { card = measured; rate(); } else wrong.textContent = words.wrong;
  }, "main");
  const skip = button(words.skip, () => { card = {}; rate(); }, "quiet");
  show(words.title, "", ...parts, wrong, row(go, skip));
}

function rate() {
  arrivals += 1; // a reply that comes later must not replace the trial
  if (player) player.stop();
  const { study, texts } = here;
  page.className = "trial";
  document.documentElement.dataset.room = "clips";
  const foot = make("div", "", { class: "foot" });
  const halt = button(texts.trial.pause, () => player.toggle(), "quiet halt");
  foot.append(halt, button(texts.trial.stop, leave, "quiet"), button(texts.trial.help, () => instructions(true), "quiet"));
  page.replaceChildren(document.getElementById("trial").content.cloneNode(true), foot);
  mark();
  player = new Player({ root: page, server, study, texts: { ...texts.trial, loading: texts.loading, slow: texts.slow }, finished: end, card: card || {} });
  const view = here.view;
  here.view = null; // valid once; afterwards, the player requests the session's state from the server
  if (view) player.show(view); else player.resume();
}

function leave() {
  const words = here.texts.leave;
  show(words.title, words.text, row(button(words.go_on, rate, "main"), button(words.withdraw, () => withdraw(leave))));
}

// Asks for confirmation, because a withdrawal cannot be undone. In a browser other than the one in which the rater
// agreed, their code is required.
function withdraw(back) {
  const words = here.texts.confirm;
  const code = make("input", "", { type: "text", id: "code", autocomplete: "off" });
  const label = make("label", words.code, { for: "code", hidden: "" });
  const wrong = make("p", "", { class: "wrong", role: "alert" });
  code.hidden = true;
  const yes = button(words.yes, async () => {
    yes.disabled = true;
    try {
      end((await ask("withdraw", { code: code.value })).state);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      wrong.textContent = error.said.message || "";
      yes.disabled = label.hidden = code.hidden = false;
    }
  });
  show(words.title, words.text, label, code, wrong, row(button(words.no, back, "main"), yes));
}

// The last page of a session. Its code exists only after the session has ended in this way.
async function end(state, said) {
  if (state === "refused") { refused(said); return; }
  if (state === "asked" || state === "between") { follow(said); return; }
  if (state === "failed") { failed(said); return; }
  const words = here.texts[state];
  if (state === "waiting") { wait(words); return; }
  const told = await ask("end");
  const parts = told.elsewhere && words.code ? [make("p", here.texts.elsewhere)] : [];
  const code = told.code || (here.preview ? "EXAMPLE" : "");
  if (code && words.code) parts.push(make("p", words.code, { class: "label" }), codeBox(code, here.texts.code));
  if (told.url) parts.push(row(make("a", words.back, { href: told.url, class: "button main" })));
  if (words.again) parts.push(row(button(words.again, () => arrive("hello"), "main")));
  if (FINAL.includes(state)) parts.push(make("p", here.texts.code.close));
  if (state === "done") {
    parts.push(make("hr"), row(button(here.texts.leave.withdraw, () => withdraw(() => end("done")), "quiet")));
  }
  show(words.title, words.text, ...parts);
}

// Checks automatically whether another rater has given a pair back.
function wait(words) {
  show(words.title, words.text, row(button(words.again, () => arrive("hello"), "main")));
  const shown = page.firstElementChild;
  if (!here.preview) setTimeout(() => { if (page.firstElementChild === shown) arrive("hello"); }, AGAIN_MS);
}

// The server fails repeatedly at a call: shows what to report to the people who run the study.
function failed(error) {
  const words = here.texts.failed;
  show(words.title, words.text, make("p", words.code, { class: "label" }), codeBox(`${error.status} ${error.call || ""}`, here.texts.code),
    row(button(here.texts.broken.again, () => arrive("hello"), "main")));
}

function refused(error) {
  if (error.status >= 500 && here) { failed(error); return; }
  document.documentElement.lang = error.said.language || "en";
  show(error.said.title || "", error.said.message || "");
}

// -- start of a visit --

// Only the reply to the latest call counts: an older one that comes late must not take the rater out of a trial.
async function arrive(name, body = {}) {
  const arrival = (arrivals += 1);
  try {
    const reply = await ask(name, body, () => arrival === arrivals);
    if (arrival !== arrivals) return;
    here = reply;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (arrival === arrivals) refused(error);
    return;
  }
  server.token = here.token;
  server.expect(here.study);
  document.documentElement.lang = here.language;
  document.title = here.study.title || here.texts.title;
  if (here.view) follow(here.view); else consent();
}

// Shows the page for the session's state.
function follow(view) {
  here.view = view;
  const counts = view.place && view.place[0] === "pair" && view.place[1] === 1;
  if (view.state === "asked" && view.part !== COMPREHENSION) asked(view.part);
  else if (view.part === COMPREHENSION || (view.state === "rating" && view.answered === 0)) instructions();
  else if (view.state !== "rating") end(view.state, view);
  else if (counts && here.study.practice) between();
  else measure(rate);
}

// Version 0.2 stored the session in this cookie. Today's cookie cannot be read by scripts.
const cookie = document.cookie.match(/(?:^|; )rater=([\w-]{43})(?:;|$)/);
server.token = cookie ? cookie[1] : "";
arrive("hello");
