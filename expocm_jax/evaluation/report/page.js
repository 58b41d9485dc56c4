// Tables, sorting, and the pictures' cards. All numbers are in the page; nothing is fetched.
"use strict";

const data = JSON.parse(document.getElementById("report").textContent);
const byId = (id) => document.getElementById(id);
const state = {
  protocol: data.protocols.includes("headroom") ? "headroom" : data.protocols[0],
  camera: data.cameras[0], region: "all", method: data.main, ev: 0,
  sort: {metric: null, difference: false}, descending: false,
};
const DASH = "–";

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// ---- numbers

function score(image, method, metric) {
  const key = data.keys.indexOf(`${metric.key}/${state.region}`);
  if (key < 0) return null;
  return data.values[image][data.protocols.indexOf(state.protocol)][data.methods.indexOf(method)][key];
}

function difference(image, method, metric) {
  if (!data.methods.includes("linear")) return null;
  const [ours, linear] = [score(image, method, metric), score(image, "linear", metric)];
  return ours === null || linear === null ? null : ours - linear;
}

// What ranks values: the less, the better; of a metric with a target its distance from that.
function shortfall(value, metric) {
  if (typeof metric.best === "number") return Math.abs(value - metric.best);
  return metric.best === "higher" ? -value : value;
}

function text(value, metric, {signed = false, coarse = 0} = {}) {
  if (value === null || value === undefined) return DASH;
  const digits = metric.digits - coarse;
  if (metric.decibels && !signed && value >= data.cap) return `≥${data.cap}`;
  let out = Math.abs(value).toFixed(digits);
  if (metric.digits === 4) out = out.replace(/^0/, "");
  if (Number(value.toFixed(digits)) === 0) return out;
  return (value < 0 ? "−" : signed ? "+" : "") + out;
}

function tone(image, method, metric) {
  if (!difference(image, method, metric)) return null;
  const [ours, linear] = [method, "linear"].map((m) => shortfall(score(image, m, metric), metric));
  return ours < linear ? "better" : ours > linear ? "worse" : null;
}

function entryOf(table, method, metric) {
  return table[state.camera][state.protocol]?.[method]?.[`${metric.key}/${state.region}`] ?? null;
}

const shownMetrics = (also = []) => data.metrics.filter(
  (m) => data.keys.includes(`${m.key}/${state.region}`) || also.includes(m.key));

// ---- summary tables

function summaryCell(entry, metric, signed, best) {
  if (!entry || entry.mean === null) return make("td", {}, DASH);
  const cell = make("td", {class: best ? "best" : null}, text(entry.mean, metric, {signed}));
  const brackets = signed || typeof metric.best === "number";  // of what may be negative
  const extra = [];
  if (entry.low !== null && entry.high !== null) {
    const [low, high] = [entry.low, entry.high].map((end) => text(end, metric, {signed, coarse: brackets ? 0 : 1}));
    extra.push(brackets ? `[${low}, ${high}]` : `${low}–${high}`);
  }
  if (signed) extra.push(entry.better === null ? DASH : `${Math.round(100 * entry.better)} %`);
  if (entry.distance) extra.push(`off by ${text(entry.distance.mean, metric)}`);
  if (extra.length) cell.append(make("small", {}, extra.join(" ")));
  return cell;
}

function fillSummary(id, table, signed) {
  const published = signed || state.region !== "all" ? [] : Object.keys(data.published);
  const metrics = shownMetrics(published.length ? data.publishedOnly : []);
  const methods = Object.keys(table[state.camera][state.protocol] ?? {});
  const head = make("tr", {}, make("th", {scope: "col"}, "method"),
    ...metrics.map((m) => make("th", {scope: "col"}, m.heading)));
  const rows = methods.map((method) => make("tr", {"data-method": method},
    make("th", {scope: "row"}, method,
      data.labels[method] === method ? null : make("small", {}, data.labels[method])),
    ...metrics.map((metric) => {
      const printed = methods.map((name) => entryOf(table, name, metric)?.mean ?? null)
        .map((mean) => mean === null ? null : shortfall(Number(mean.toFixed(metric.digits)), metric));
      const given = printed.filter((value) => value !== null);
      const entry = entryOf(table, method, metric);
      const best = !signed && new Set(given).size > 1
        && printed[methods.indexOf(method)] === Math.min(...given);
      return summaryCell(entry, metric, signed, best);
    })));
  if (published.length) rows.push(...publishedRows(published, metrics));
  byId(id).replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}

function publishedRows(names, metrics) {
  const head = make("tr", {class: "published-head"},
    make("th", {colspan: metrics.length + 1}, make("span", {}, data.publishedCaption)));
  return [head, ...names.map((name) => make("tr", {class: "published"},
    make("th", {scope: "row"}, name),
    ...metrics.map((m) => make("td", {}, text(data.published[name][m.key], m)))))];
}

// ---- scores per image, in the chosen order

function sortedImages() {
  const order = data.images.map((_, i) => i).filter((i) => data.images[i].camera === state.camera);
  const {metric, difference: paired} = state.sort;
  if (metric === null) return state.descending ? order.reverse() : order;
  const definition = data.metrics.find((m) => m.key === metric);
  const value = data.images.map((_, i) => (paired ? difference : score)(i, state.method, definition));
  const sign = state.descending ? -1 : 1;
  return order.sort((a, b) => {
    if (value[a] === null || value[b] === null) return (value[a] === null) - (value[b] === null);
    return sign * (value[a] - value[b]) || a - b;
  });
}

function sortBy(metric, paired) {
  const same = state.sort.metric === metric && state.sort.difference === paired;
  const best = data.metrics.find((m) => m.key === metric)?.best;
  state.descending = same ? !state.descending : best === "higher";
  state.sort = {metric, difference: paired};
  refresh();
}

function sortHeading(label, metric, paired, describe) {
  const active = state.sort.metric === metric && state.sort.difference === paired;
  const direction = state.descending ? "descending" : "ascending";
  const mark = active ? (state.descending ? " ▼" : " ▲") : "";
  const button = make("button", {type: "button", "aria-label": `Sort by ${describe}`,
    "data-sort": `${metric ?? ""}${paired ? "-difference" : ""}`}, label + mark);
  button.addEventListener("click", () => {
    sortBy(metric, paired);
    byId("scores").querySelector(`[data-sort="${button.dataset.sort}"]`).focus();
  });
  return make("th", {scope: "col", "aria-sort": active ? direction : null}, button);
}

function fillScores(order) {
  const metrics = shownMetrics();
  const first = sortHeading("image", null, false, "the order of the evaluation");
  first.setAttribute("rowspan", 2);
  const groups = make("tr", {}, first,
    ...metrics.map((m) => make("th", {scope: "colgroup", colspan: 2}, m.heading)));
  const sorts = make("tr", {}, ...metrics.flatMap((m) => [
    sortHeading(state.method, m.key, false, `${m.name} of ${state.method}`),
    sortHeading("vs linear", m.key, true, `the difference in ${m.name} against linear`),
  ]));
  const rows = order.map((i) => make("tr", {"data-image": i},
    make("th", {scope: "row"}, make("a", {href: `#image-${i}`}, data.images[i].name)),
    ...metrics.flatMap((m) => {
      const paired = difference(i, state.method, m);
      return [make("td", {}, text(score(i, state.method, m), m)),
        make("td", {class: tone(i, state.method, m)}, text(paired, m, {signed: true}))];
    })));
  byId("scores").replaceChildren(make("thead", {}, groups, sorts), make("tbody", {}, ...rows));
}

function fillOptions(select, options, chosen) {
  select.replaceChildren(...options.map(([value, label]) => make("option", {value}, label)));
  select.value = chosen;
}

function refresh() {
  if (state.sort.metric && !shownMetrics().some((m) => m.key === state.sort.metric)) {
    state.sort = {metric: null, difference: false};
    state.descending = false;
  }
  byId("protocol-text").replaceChildren(make("strong", {}, state.protocol), `: ${data.descriptions[state.protocol]}`);
  fillSummary("summary", data.scores, false);
  fillSummary("paired", data.paired, true);
  const order = sortedImages();
  fillScores(order);
  const options = shownMetrics().flatMap((m) => [[m.key, m.name], [`${m.key}-difference`, `${m.name} vs linear`]]);
  const {metric, difference: paired} = state.sort;
  fillOptions(byId("sort"), [["", "order of evaluation"], ...options], metric ? metric + (paired ? "-difference" : "") : "");
  byId("direction").textContent = state.descending ? "↓" : "↑";
  byId("direction").title = state.descending ? "largest first" : "smallest first";
  orderCards(order);
}
