// Parts of the rater's text pages. Texts are inserted as text, so none can be interpreted as HTML.

export function make(name, text = "", attributes = {}) {
  const element = document.createElement(name);
  element.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
  return element;
}

export function button(text, act, kind = "") {
  const element = make("button", text, { type: "button", class: kind });
  element.addEventListener("click", act);
  return element;
}

export function row(...parts) {
  const element = make("div", "", { class: "row" });
  element.append(...parts);
  return element;
}

// The study's title and the people who run it, if the study names them.
export function identity({ lab, title }) {
  if (!lab && !title) return [];
  const line = make("p", "", { class: "whose" });
  line.append(...[["b", title], ["span", lab]].filter(([, said]) => said).map(([name, said]) => make(name, said)));
  return [line];
}

// A line that names the contact; `text` is in the rater's language and contains `{contact}`.
export function whomToAsk(contact, text) {
  if (!contact) return [];
  const line = make("p", "", { class: "contact" });
  const [before, after] = text.split("{contact}");
  const isAddress = /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(contact);
  line.append(before, isAddress ? make("a", contact, { href: `mailto:${contact}` }) : contact, after);
  return [line];
}

// The consent text. Only what the server has rendered from Markdown is HTML, and only the renderer adds tags to it.
export function prose({ consent: text, consent_html: html }) {
  const box = make("div", html ? "" : text, { class: html ? "prose" : "text" });
  if (html) box.innerHTML = html;
  return box;
}

// A code with a button that copies it.
export function codeBox(code, words) {
  const shown = make("span", code, { class: "code" });
  const said = make("span", "", { role: "status", class: "status" });
  const copyIt = async () => {
    try {
      await navigator.clipboard.writeText(code);
    } catch (error) { // without https, only the old way works
      getSelection().selectAllChildren(shown);
      document.execCommand("copy");
    }
    said.textContent = words.copied;
  };
  return row(shown, button(words.copy, copyIt), said);
}

// Replaces the page with a notice while the server is away, and restores it afterwards.
export class Absence {
  constructor(page) { Object.assign(this, { page, notice: null, before: [] }); }

  get shown() { return this.notice !== null && this.page.firstElementChild === this.notice; }

  begin() {
    if (this.shown) return;
    this.before = [...this.page.childNodes];
    this.page.replaceChildren(document.getElementById("away").content.cloneNode(true));
    this.notice = this.page.firstElementChild;
  }

  end() {
    if (this.shown) {
      this.page.replaceChildren(...this.before);
      this.page.querySelector("h1")?.focus({ preventScroll: true });
    }
    this.notice = null;
  }
}
