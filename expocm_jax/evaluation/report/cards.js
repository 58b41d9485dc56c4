// One card a picture: decoded when it comes into view, given back when it leaves.
"use strict";

const PANELS = [
  ["input", "input"], ["output", "output"], ["reference", "ground truth"],
  ["masks", "masks"], ["error", "error"],
];
const cards = new Map(); // image index -> card
const inView = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const card = cards.get(Number(entry.target.dataset.image));
    card.visible = entry.isIntersecting;
    if (card.visible) show(card);
    else release(card);
  }
}, {rootMargin: "400px"});

function makeCard(index) {
  const source = byId(`picture-${index}`);
  const packed = source ? JSON.parse(source.textContent) : null;
  const canvases = {};
  const figures = !packed ? [] : PANELS.map(([key, label]) => {
    const canvas = make("canvas", {role: "img", "data-panel": key,
      "aria-label": `${label} of ${data.images[index].name}`, width: 1, height: 1,
      style: `aspect-ratio: ${packed.size[1]} / ${packed.size[0]}`});
    canvases[key] = canvas;
    const name = key === "output" ? `output, ${data.main}` : label;
    return make("figure", {}, canvas, make("figcaption", {}, make("span", {}, name), caption(key)));
  });
  const line = make("p", {class: "line"});
  const node = make("article", {id: `image-${index}`, "data-image": index},
    make("h3", {}, data.images[index].name), line, make("div", {class: "panels"}, ...figures));
  return {index, node, line, size: packed?.size, canvases, visible: false, ev: null, pixels: null};
}

function caption(key) {
  if (key === "masks") {
    return make("span", {class: "swatches"}, ...["over", "good", "under"].map((name, i) =>
      make("i", {style: `--swatch: rgb(${MASK_COLORS[i]})`}, name)));
  }
  if (key !== "error") return null;
  const stops = HEAT.map((color) => `rgb(${color})`).join(", ");
  return make("span", {class: "legend", "data-top": `≥${ERROR_TOP}`},
    make("span", {style: `background: linear-gradient(90deg, ${stops})`}));
}

async function show(card) {
  if (!card.size) return;
  try {
    if (!card.pixels) {
      // The promise stands in for the pixels, so that a second call does not decode again.
      card.pixels = decodePicture(JSON.parse(byId(`picture-${card.index}`).textContent));
      paintOnce(card, await card.pixels);
    }
    paintEach(card, await card.pixels);
  } catch (error) {
    card.node.lastChild.replaceChildren(
      make("p", {class: "note"}, `This browser cannot show the pictures (lossless WebP): ${error}`));
  }
}

function paintOnce(card, {masks, output, reference}) {
  if (!card.visible) return;
  paintMasks(card.canvases.masks, card.size, masks);
  const error = card.canvases.error;
  const mean = paintError(error, card.size, output, reference, data.headroom, data.mu);
  error.nextSibling.firstChild.textContent = `error, mean ${text(mean, {digits: 4})}`;
  card.ev = null;
}

function paintEach(card, pixels) {
  if (!pixels || !card.visible || card.ev === state.ev) return;
  for (const key of ["input", "output", "reference"]) {
    paintExposed(card.canvases[key], card.size, pixels[key], state.ev);
  }
  card.ev = state.ev;
  card.node.dataset.ev = state.ev;
}

function release(card) {
  card.pixels = null;
  card.ev = null;
  delete card.node.dataset.ev;
  for (const canvas of Object.values(card.canvases)) canvas.width = canvas.height = 1;
}

function orderCards(order) {
  for (const index of order) {
    if (!cards.has(index)) {
      const card = makeCard(index);
      cards.set(index, card);
      inView.observe(card.node);
    }
    const card = cards.get(index);
    card.line.replaceChildren(...shownMetrics().map((metric) => {
      const paired = difference(index, state.method, metric);
      const extra = state.method === "linear" || paired === null ? null
        : make("span", {class: tone(index, state.method, metric)}, ` ${text(paired, metric, {signed: true})}`);
      return make("span", {}, `${metric.name} `, make("b", {}, text(score(index, state.method, metric), metric)), extra);
    }));
  }
  byId("pictures").replaceChildren(...order.filter((i) => cards.get(i).size).map((i) => cards.get(i).node));
}

// ---- controls and the fixed texts

function exposureText(ev) {
  return `${ev > 0 ? "+" : ev < 0 ? "−" : ""}${Math.abs(ev)} EV`;
}

function start() {
  prepareCodes(data.codes);
  const selects = {
    camera: data.cameras.map((name) => [name, name]),
    protocol: data.protocols.map((name) => [name, name]),
    region: data.regions, method: data.methods.map((name) => [name, name]),
  };
  for (const [name, options] of Object.entries(selects)) {
    fillOptions(byId(name), options, state[name]);
    byId(name).addEventListener("change", (event) => {
      state[name] = event.target.value;
      refresh();
    });
  }
  byId("camera").parentElement.style.display = data.cameras.length > 1 ? "" : "none";
  byId("sort").addEventListener("change", (event) => {
    const [metric, paired] = event.target.value.split("-");
    state.sort = {metric: undefined, difference: false};
    sortBy(metric || null, Boolean(paired));
  });
  byId("direction").addEventListener("click", () => {
    state.descending = !state.descending;
    refresh();
  });
  let waiting = false;
  byId("ev").addEventListener("input", (event) => {
    state.ev = Number(event.target.value);
    byId("ev-value").textContent = exposureText(state.ev);
    event.target.setAttribute("aria-valuetext", exposureText(state.ev));
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      for (const card of cards.values()) if (card.visible) show(card);
    });
  });
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("extent").textContent = data.extent;
  byId("summary-notes").replaceChildren(...data.notes.map((note) => make("li", {}, note)));
  byId("pictures-note").textContent = data.picturesNote;
  byId("about").replaceChildren(...data.about.flatMap(([term, lines]) =>
    [make("dt", {}, term), ...lines.map((line) => make("dd", {style: "grid-column: 2"}, line))]));
  refresh();
}

start();
