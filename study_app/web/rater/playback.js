// Plays the clips of a trial repeatedly. One animation callback draws all of them, so neither can start or move before
// the other.

const GAP_MS = 300; // veil between two plays, so that the jump back to the first frame does not look like motion
const VEIL = "rgba(169, 169, 169, 0.6)";

export class Playback {
  // Calls `ended` after each play with the number of frames that were drawn in it.
  constructor(canvases, { frames, rate, size, width }, ended) {
    Object.assign(this, { frames, rate, size, width, ended, sheets: [], started: null, suspended: false });
    canvases.forEach((canvas) => Object.assign(canvas, { width, height: size }));
    this.pens = canvases.map((canvas) => canvas.getContext("2d"));
  }

  play(sheets, paused) {
    this.sheets.forEach(({ picture }) => picture.close());
    Object.assign(this, { sheets, paused, plays: 0, first: null, last: null });
    this.request = requestAnimationFrame((now) => this.frame(now));
  }

  stop() { cancelAnimationFrame(this.request); }

  clear() {
    this.stop();
    this.restart();
    this.pens.forEach((pen) => pen.clearRect(0, 0, this.width, this.size));
  }

  restart() { this.started = null; } // the next callback draws the first frame

  // A pause counts from the last callback, so that the frame that is shown stays, however slow the browser is.
  pause(paused) { this.paused = paused; }

  // While suspended, draws nothing. Afterwards, the clips play from their first frame.
  suspend(suspended) {
    if (this.suspended && !suspended) this.restart();
    this.suspended = suspended;
  }

  // Milliseconds since the clips were first shown, excluding pauses.
  elapsed() { return performance.now() - this.first; }

  frame(now) {
    this.request = requestAnimationFrame((next) => this.frame(next));
    if (this.suspended) return;
    const paused = this.paused ? now - (this.last ?? now) : 0;
    const begins = this.started === null;
    this.last = now;
    if (begins) this.begin(now); else this.started += paused;
    this.first += paused;
    if (this.paused && !begins) return;
    const since = now - this.started;
    const period = (1000 * this.frames) / this.rate + GAP_MS;
    const turn = Math.floor(since / period);
    const index = Math.min(this.frames, Math.floor(((since % period) * this.rate) / 1000));
    if (turn !== this.turn && index < this.frames) this.repeat(turn); // counted at its first drawn frame
    if (index !== this.shown) this.draw(index);
  }

  begin(now) {
    Object.assign(this, { started: now, turn: 0, drawn: 0, shown: -1 });
    this.first ??= now;
  }

  repeat(turn) {
    this.plays += 1;
    this.ended(this.drawn);
    Object.assign(this, { turn, drawn: 0, shown: -1 });
  }

  // Draws one frame of each clip from its sheet, which contains all frames row by row; after the last frame, a veil.
  draw(index) {
    const { frames, size, width } = this;
    const columns = Math.ceil(Math.sqrt(frames));
    const x = (index % columns) * width, y = Math.floor(index / columns) * size;
    this.pens.forEach((pen, at) => {
      if (index < frames) {
        const sheet = this.sheets[at];
        pen.drawImage(sheet.picture, sheet.x + x, sheet.y + y, width, size, 0, 0, width, size);
      } else {
        pen.fillStyle = VEIL;
        pen.fillRect(0, 0, width, size);
      }
    });
    if (index < frames) this.drawn += 1;
    this.shown = index;
  }
}
