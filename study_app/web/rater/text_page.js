// Parts of the rater's pages of text. Texts are put in as text, so none can be taken for HTML.

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

// The study's title and the people who run it, where the study says so.
export function identity({ lab, title }) {
  if (!lab && !title) return [];
  const line = make("p", "", { class: "whose" });
  line.append(...[["b", title], ["span", lab]].filter(([, said]) => said).map(([name, said]) => make(name, said)));
  return [line];
}

// Whom to ask, in a line of the language's with `{contact}`.
export function whomToAsk(contact, text) {
  if (!contact) return [];
  const line = make("p", "", { class: "contact" });
  const [before, after] = text.split("{contact}");
  const isAddress = /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(contact);
  line.append(before, isAddress ? make("a", contact, { href: `mailto:${contact}` }) : contact, after);
  return [line];
}

// The consent text. Only what the server has made of Markdown is HTML; there are no tags of anybody else's in it.
export function prose({ consent: text, consent_html: html }) {
  const box = make("div", html ? "" : text, { class: html ? "prose" : "text" });
  if (html) box.innerHTML = html;
  return box;
}

// A code, and a button that copies it.
export function codeBox(code, words) {
  const shown = make("span", code, { class: "code" });
  const said = make("span", "", { role: "status", class: "status" });
  const copyIt = async () => {
    try {
      await navigator.clipboard.writeText(code);
    } catch (error) { // without https there is only the old way
      getSelection().selectAllChildren(shown);
      document.execCommand("copy");
    }
    said.textContent = words.copied;
  };
  return row(shown, button(words.copy, copyIt), said);
}
