// How large a pixel is on this screen: a rater makes a frame as wide as a bank card, whose size is the same everywhere
// (ISO/IEC 7810 ID-1), and says how far the eyes are from the screen, unless the study has stated it.

const CARD_MM = { width: 85.6, height: 53.98 };
const LEAST = 120, MOST = 900, USUAL = 323; // CSS pixels of the frame's width; USUAL is right at 96 to the inch
const DISTANCE = { least: 10, most: 300 }; // centimetres

// Puts what is measured on a page: its parts, and `read`, which gives { dots_per_mm, distance_cm } or null where the
// distance makes no sense. `make` builds elements, `stated` is the distance that the study asks for, or null.
export function measuring(make, words, stated, fill) {
  const frame = make("div", "", { class: "card", role: "img", "aria-label": words.frame });
  const widest = Math.min(MOST, document.documentElement.clientWidth - 40);
  const slider = make("input", "", {
    type: "range", min: Math.min(LEAST, widest), max: widest, step: "any", value: Math.min(USUAL, widest), id: "width",
  });
  const draw = () => {
    frame.style.width = `${slider.value}px`;
    frame.style.height = `${(slider.value * CARD_MM.height) / CARD_MM.width}px`;
  };
  slider.addEventListener("input", draw);
  slider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    slider.value = Number(slider.value) + step;
    draw();
  });
  draw();
  const parts = [make("p", words.text), frame, make("label", words.width, { for: "width" }), slider];
  let far = null;
  if (stated) parts.push(make("p", fill(words.stated, { distance: stated })));
  else {
    far = make("input", "", { type: "number", id: "far", min: DISTANCE.least, max: DISTANCE.most, inputmode: "decimal" });
    parts.push(make("label", words.distance, { for: "far" }), far);
  }
  const read = () => {
    const distance_cm = stated || Number(far.value);
    if (!(distance_cm >= DISTANCE.least && distance_cm <= DISTANCE.most) && !stated) return null;
    // in the screen's own pixels, so that it holds when somebody zooms
    return { dots_per_mm: (Number(slider.value) * (window.devicePixelRatio || 1)) / CARD_MM.width, distance_cm };
  };
  return { parts, read };
}
