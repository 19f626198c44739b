// Takes a rater through the trials. Each trial shows two clips to compare, or one to rate, and asks one or more questions.
//
//   LOADING → PLAYING → OPEN → SAVING → (REVIEW, after practice) → LOADING (the next trial)
//                       ↑  ↓
//                      BETWEEN
//
// Every state can end in STOPPED.

import { Refused, pause } from "./api_client.js";
import { Playback } from "./playback.js";
import { TrialPage } from "./trial_page.js";

const LOADING = "loading"; // the clips of a trial are being fetched
const PLAYING = "playing"; // they play for the first time, and no answer is possible yet
const OPEN = "open"; // they repeat, and the rater can answer
const BETWEEN = "between"; // a question is answered, and the next one about the same clips is about to open
const SAVING = "saving"; // all questions are answered, and the answers are sent until the server acknowledges them
const REVIEW = "review"; // the clips of a practice trial keep playing, and the rater reads which one was altered
const STOPPED = "stopped"; // another page is shown

const SIDES = ["left", "right"];
const SEEN = 0.5; // share of the frames that must be drawn for a play to count as seen
const PLAYS = 3; // answers open after this number of plays, however slow the browser is
const BETWEEN_MS = 400; // from an answer to the next question, so that a double click counts as one answer

export class Player {
  // Calls `finished` when no trial is left, with the state of the session and the server's reply.
  constructor({ root, server, study, texts, finished, card }) {
    Object.assign(this, { server, study, texts, finished, card, state: LOADING, answers: [] });
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches; // clips wait until the rater plays them
    this.page = new TrialPage(root, study, texts);
    this.playback = new Playback(this.page.canvases, study, (drawn) => this.played(drawn));
    this.fit();
    this.listeners = new AbortController();
    const listen = (target, name, act) => target.addEventListener(name, act, { signal: this.listeners.signal });
    listen(window, "resize", () => this.fit());
    listen(document, "keydown", (event) => this.key(event));
    listen(window, "blur", () => this.left());
    listen(window, "focus", () => { this.away = false; });
    listen(document, "visibilitychange", () => this.visibility());
    this.page.buttons.forEach((button) => listen(button, "click", () => this.choose(button.dataset.side)));
    if (this.page.canvases.length > 1) {
      this.page.canvases.forEach((canvas, at) => listen(canvas, "click", () => this.choose(SIDES[at])));
    }
    listen(this.page.go, "click", () => this.go());
  }

  // -- states --

  enter(state) {
    this.state = state;
    this.page.enable(state === OPEN);
    this.page.offer(""); // shows the answers, not a button in their place
    this.page.busy(state === LOADING || state === PLAYING);
  }

  stop() {
    this.state = STOPPED;
    this.playback.stop();
    this.listeners.abort();
  }

  // Requests the session's state from the server and shows it.
  async resume() {
    if (this.state === STOPPED) return;
    this.page.say(this.texts.loading);
    try {
      this.show(await this.server.insist("state", {}, () => this.page.say(this.texts.slow)));
    } catch (error) {
      if (this.state !== STOPPED) this.finished("refused", error);
    }
  }

  // Shows the state that the server has returned: a trial, or the end of the session.
  async show(view) {
    if (this.state === STOPPED) return;
    this.playback.clear();
    if (view.state !== "rating") { this.page.say(""); this.finished(view.state, view); return; }
    const practises = view.place[0] === "practice";
    if (this.practises && !practises) { this.finished("between", view); return; }
    this.practises = practises;
    const [trial, ...later] = view.trials;
    Object.assign(this, { trial, answers: [] });
    this.enter(LOADING);
    this.page.showProgress(view);
    this.page.showQuestion(1);
    this.page.say(this.texts.loading);
    const { sheets, gone, reason } = await this.server.clipsNow(trial);
    if (this.state !== LOADING) return;
    this.server.forget(trial);
    if (gone) {
      await pause(300);
      this.resume();
    } else if (sheets) {
      this.play(sheets);
      later.forEach((next) => this.server.clips(next)); // they load while this trial is shown
    } else {
      this.page.say(this.texts.skipped);
      this.send("skip", { trial, reason: `clips did not load: ${reason}` }, this.texts.trying);
    }
  }

  play(sheets) {
    this.away = false;
    this.counts = { replays: 0, losses: 0, dropped: 0, pauses: 0 };
    this.enter(PLAYING);
    this.playback.play(sheets, this.calm);
    this.page.labelPause(this.calm);
    if (this.calm) this.page.offer(this.texts.play, true);
    this.page.say(this.calm ? this.texts.ready : this.texts.watch);
  }

  // A play has ended, and the next one begins. Answers open after a play that was seen, never while the clips are veiled.
  played(drawn) {
    if (this.state !== PLAYING) { this.counts.replays += 1; return; }
    const { frames } = this.study;
    if (drawn < SEEN * frames && this.playback.plays < PLAYS) return;
    this.counts.dropped = Math.max(0, frames - drawn);
    this.enter(OPEN);
    this.page.invite();
  }

  async choose(answer) {
    if (this.state !== OPEN || this.playback.suspended) return;
    this.answers.push({ chosen: answer, response_ms: Math.max(0, Math.round(this.playback.elapsed())) });
    this.page.highlight(answer);
    if (this.answers.length === this.study.questions.length) { this.save(); return; }
    this.enter(BETWEEN);
    await pause(BETWEEN_MS);
    if (this.state !== BETWEEN) return;
    this.page.showQuestion(this.answers.length + 1);
    this.page.sayQuestion();
    this.enter(OPEN);
  }

  save() {
    this.enter(SAVING);
    this.page.say(this.texts.saving);
    const [first, ...further] = this.answers;
    const { replays, losses, dropped, pauses } = this.counts;
    const screen = { ...this.page.screen(), dropped, pauses, ...this.card };
    this.send("vote", { trial: this.trial, ...first, further, replays, focus_losses: losses, screen }, this.texts.unsaved);
  }

  // Sends what happened in a trial until the server acknowledges it, then shows what is next.
  async send(name, body, waiting) {
    let view = null;
    try {
      view = await this.server.insist(name, body, () => this.page.say(waiting));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status >= 500) { this.finished("failed", error); return; }
    }
    if (this.state === STOPPED) return;
    if (view && view.feedback) this.review(view);
    else if (view) this.show(view);
    else this.resume(); // refused: the trial went to another rater meanwhile
  }

  // Shows the feedback on a practice trial while its clips keep playing.
  review(view) {
    this.enter(REVIEW);
    Object.assign(this, { next: view, reviewed: performance.now() });
    this.page.progress(view);
    this.page.review(this.texts[view.feedback], SIDES.indexOf(view.altered));
    this.page.offer(this.texts.next, true);
    this.page.go.classList.add("next");
  }

  // Acts on the button in place of the answers: pauses or plays the clips, or continues after practice.
  go() {
    if (this.state !== REVIEW) { this.toggle(); return; }
    if (performance.now() - this.reviewed < BETWEEN_MS) return; // the second click of a double click
    this.page.review("", -1);
    this.page.go.classList.remove("next");
    this.show(this.next);
  }

  // -- actions of the rater --

  get shows() { return [PLAYING, OPEN, REVIEW].includes(this.state); }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const active = document.activeElement;
    const choosing = this.page.buttons.includes(active);
    if (event.repeat && choosing && ["Enter", " "].includes(event.key)) event.preventDefault(); // held down: no answer
    const elsewhere = active && !choosing && active.matches("button, a, input, select, textarea, summary");
    const answer = this.page.keys[event.key];
    if (!answer || elsewhere) return;
    event.preventDefault();
    if (!event.repeat) this.choose(answer);
  }

  // Pauses or plays the clips.
  toggle() {
    if (!this.shows) return;
    const paused = !this.playback.paused;
    this.playback.pause(paused);
    this.page.labelPause(paused);
    if (this.state === PLAYING) this.page.offer(paused ? this.texts.play : "");
    if (paused) this.counts.pauses += 1;
    else if (this.state === PLAYING) this.page.say(this.texts.watch);
  }

  left() {
    if (this.away || !this.shows || this.playback.started === null) return;
    this.away = true;
    this.counts.losses += 1;
  }

  visibility() {
    if (document.hidden) { this.left(); return; }
    this.away = false;
    if (this.state === PLAYING) this.playback.restart(); // the first play was not seen
  }

  fit() {
    this.playback.suspend(this.page.fit());
    if (this.state === OPEN) this.page.invite();
  }
}
