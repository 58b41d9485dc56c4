// Tables, sorting, and the pictures' cards. All numbers are in the page; nothing is fetched.
"use strict";

const data = JSON.parse(document.getElementById("report").textContent);
const byId = (id) => document.getElementById(id);
const state = {
  protocol: data.protocols.includes("headroom") ? "headroom" : data.protocols[0],
  region: "all", method: data.main, ev: 0,
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

function text(value, metric, {signed = false, coarse = 0} = {}) {
  if (value === null || value === undefined) return DASH;
  const digits = metric.digits - coarse;
  if (metric.decibels && !signed && value >= data.cap) return `≥${data.cap}`;
  let out = Math.abs(value).toFixed(digits);
  if (metric.digits === 4) out = out.replace(/^0/, "");
  if (Number(value.toFixed(digits)) === 0) return out;
  return (value < 0 ? "−" : signed ? "+" : "") + out;
}

function tone(value, metric) {
  if (!value) return null;
  return value > 0 === metric.higher ? "better" : "worse";
}

function entryOf(table, method, metric) {
  return table[state.protocol]?.[method]?.[`${metric.key}/${state.region}`] ?? null;
}

const shownMetrics = (also = []) => data.metrics.filter(
  (m) => data.keys.includes(`${m.key}/${state.region}`) || also.includes(m.key));
const heading = (metric) => `${metric.name} ${metric.higher ? "↑" : "↓"}`;

// ---- summary tables

function summaryCell(entry, metric, signed, best) {
  if (!entry || entry.mean === null) return make("td", {}, DASH);
  const cell = make("td", {class: best ? "best" : null}, text(entry.mean, metric, {signed}));
  const ends = entry.low === null || entry.high === null ? [] : [entry.low, entry.high];
  let extra = ends.map((end) => text(end, metric, {signed, coarse: signed ? 0 : 1})).join(signed ? ", " : "–");
  if (signed && extra) extra = `[${extra}]`;
  if (signed) extra += entry.better === null ? ` ${DASH}` : ` ${Math.round(100 * entry.better)} %`;
  if (extra) cell.append(make("small", {}, extra));
  return cell;
}

function fillSummary(id, table, signed) {
  const published = signed || state.region !== "all" ? [] : Object.keys(data.published);
  const metrics = shownMetrics(published.length ? data.publishedOnly : []);
  const methods = Object.keys(table[state.protocol] ?? {});
  const head = make("tr", {}, make("th", {scope: "col"}, "method"),
    ...metrics.map((m) => make("th", {scope: "col"}, heading(m))));
  const rows = methods.map((method) => make("tr", {"data-method": method},
    make("th", {scope: "row"}, method,
      data.labels[method] === method ? null : make("small", {}, data.labels[method])),
    ...metrics.map((metric) => {
      const printed = methods.map((name) => entryOf(table, name, metric)?.mean ?? null)
        .filter((mean) => mean !== null).map((mean) => Number(mean.toFixed(metric.digits)));
      const top = metric.higher ? Math.max(...printed) : Math.min(...printed);
      const entry = entryOf(table, method, metric);
      const best = !signed && new Set(printed).size > 1
        && entry?.mean != null && Number(entry.mean.toFixed(metric.digits)) === top;
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
  const order = data.images.map((_, index) => index);
  const {metric, difference: paired} = state.sort;
  if (metric === null) return state.descending ? order.reverse() : order;
  const definition = data.metrics.find((m) => m.key === metric);
  const value = order.map((i) => (paired ? difference : score)(i, state.method, definition));
  const sign = state.descending ? -1 : 1;
  return order.sort((a, b) => {
    if (value[a] === null || value[b] === null) return (value[a] === null) - (value[b] === null);
    return sign * (value[a] - value[b]) || a - b;
  });
}

function sortBy(metric, paired) {
  const same = state.sort.metric === metric && state.sort.difference === paired;
  const higher = data.metrics.find((m) => m.key === metric)?.higher ?? false;
  state.descending = same ? !state.descending : higher;
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
    ...metrics.map((m) => make("th", {scope: "colgroup", colspan: 2}, heading(m))));
  const sorts = make("tr", {}, ...metrics.flatMap((m) => [
    sortHeading(state.method, m.key, false, `${m.name} of ${state.method}`),
    sortHeading("vs linear", m.key, true, `the difference in ${m.name} against linear`),
  ]));
  const rows = order.map((i) => make("tr", {"data-image": i},
    make("th", {scope: "row"}, make("a", {href: `#image-${i}`}, data.images[i].name)),
    ...metrics.flatMap((m) => {
      const paired = difference(i, state.method, m);
      return [make("td", {}, text(score(i, state.method, m), m)),
        make("td", {class: tone(paired, m)}, text(paired, m, {signed: true}))];
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
