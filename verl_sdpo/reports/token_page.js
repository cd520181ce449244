// Copyright 2026 The verl_sdpo authors
// SPDX-License-Identifier: Apache-2.0
"use strict";
(() => {
  const NATS_OF_FULL_COLOUR = 2, LEVELS = 8, PER_NAT = 1000;
  const $ = (id) => document.getElementById(id);
  const read = (id) => JSON.parse($(id).textContent);
  const page = read("page"), index = read("index"), vocabulary = read("vocabulary");
  const list = $("responses"), panel = $("panel");
  // By article: the number of its response, and what was unpacked while it is near the screen.
  const numbers = new WeakMap(), details = new WeakMap();
  let current = null; // {article, token}

  // Text always goes in as text. Nothing here reads HTML.
  function make(tag, options = {}, ...children) {
    const element = document.createElement(tag);
    if (options.class) element.className = options.class;
    if (options.text !== undefined) element.textContent = options.text;
    element.append(...children);
    return element;
  }

  async function unpacked(number) {
    const bytes = Uint8Array.from(atob($(`response-${number}`).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  // Numbers

  // Null is a number that is not finite, or, of a response without a target, none.
  const BROKEN = "not finite";
  const nats = (number) => (number === null ? null : -number / PER_NAT);
  const minus = (left, right) => (left === null || right === null ? null : left - right);
  const percent = (logProb) => {
    if (logProb === null) return BROKEN;
    const share = 100 * Math.exp(logProb);
    if (share >= 99.95 && share < 99.995) return share.toFixed(2) + " %";
    return (share >= 1 ? share.toFixed(1) : share.toPrecision(2)) + " %";
  };
  const signed = (value) => value === null ? BROKEN : (value > 0 ? "+" : value < 0 ? "\u2212" : "") + Math.abs(value).toFixed(3);
  const short = (value, missing = BROKEN) => (value === null ? missing : value.toPrecision(3));
  const inNats = (text) => (text === BROKEN ? text : `${text} nat`);

  function colour(gap) {
    if (gap === null) return "broken";
    const level = Math.min(LEVELS, Math.round((Math.abs(gap) / NATS_OF_FULL_COLOUR) * LEVELS));
    return level === 0 ? "" : (gap > 0 ? "up" : "down") + level;
  }

  // What cannot be seen is written out, so that it can be pointed at and told apart.
  function visible(text, newline = "\u21b5\n") {
    return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (letter) =>
      letter === "\n" ? newline : letter === "\t" ? "\u21e5\t" : `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}`);
  }
  const quoted = (text) => visible(text, "\u21b5").replace(/ /g, "\u2423");

  // A response

  function tokens(detail) {
    const box = make("div", { class: "tokens" });
    detail.pieces.forEach((piece, place) => {
      const span = make("span", { text: piece === "" ? "\u00b7" : visible(piece) });
      span.dataset.place = place;
      if (!detail.counts[place]) span.className = "skipped";
      else span.className = colour(minus(nats(detail.teacher[place]), nats(detail.student[place])));
      box.append(span);
    });
    if (detail.pieces.length === 0) box.append(make("em", { text: "The response is empty." }));
    return box;
  }

  function section(title, text) {
    return make("section", {}, make("h3", { text: title }), make("pre", { text: visible(text, "\n") }));
  }

  function context(detail) {
    const box = make("div", { class: "context" }), shown = detail.shown;
    box.append(section("Prompt", detail.question));
    if (shown === null) box.append(make("p", { text: "No target: the teacher had nothing to show, so this response is not learned from." }));
    if (shown?.demonstration != null) box.append(section("Demonstration, as the teacher read it", shown.demonstration));
    if (shown?.feedback != null) box.append(section("Feedback, as the teacher read it", shown.feedback));
    else if (detail.feedback != null) box.append(section("Feedback, which the teacher was not shown", detail.feedback));
    if (shown?.privileged_context != null) box.append(section("Privileged context, as the teacher read it", shown.privileged_context));
    if (detail.teacher_prompt !== null) {
      box.append(make("details", {}, make("summary", { text: "The teacher\u2019s whole prompt" }), section("", detail.teacher_prompt)));
    }
    return box;
  }

  function article(entry, number) {
    const missing = entry.finite ? "none" : BROKEN;
    const head = make("h2", {},
      make("span", { class: "verdict", text: `${entry.success ? "\u2713 success" : "\u2717 failure"}` }),
      make("span", { text: `score ${entry.score ?? BROKEN}` }),
      make("span", { text: `divergence ${short(entry.divergence, missing)}` }),
      make("span", { text: `widest gap ${short(entry.widest, missing)}` }),
      make("span", { text: `${entry.tokens} tokens` }),
      make("span", { class: "uid", text: `question ${entry.uid}` }));
    const element = make("article", {}, head, make("div", { class: "body" }));
    element.tabIndex = 0;
    numbers.set(element, number);
    return element;
  }

  // Only what is near the screen has tokens in it.

  async function fill(element) {
    if (details.has(element)) return;
    details.set(element, null);
    const detail = await unpacked(numbers.get(element));
    if (!details.has(element)) return;
    details.set(element, detail);
    const body = element.lastElementChild;
    body.replaceChildren(tokens(detail), context(detail));
    body.style.minHeight = "";
    body.firstElementChild.tabIndex = -1;
  }

  function empty(element) {
    if (!details.has(element) || current?.article === element) return;
    const body = element.lastElementChild;
    body.style.minHeight = `${body.offsetHeight}px`;
    body.replaceChildren();
    details.delete(element);
  }

  const failed = (error) => {
    $("fault").hidden = false;
    $("fault").textContent = `The page cannot be read: ${error}`;
  };
  const observer = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      if (isIntersecting) fill(target).catch(failed);
      else empty(target);
    }
  }, { rootMargin: "800px" });

  // Which, in which order

  const FILTERS = {
    all: () => true,
    success: (entry) => entry.success,
    failure: (entry) => !entry.success,
    target: (entry) => entry.target,
  };
  const KEYS = {
    divergence: (entry) => entry.divergence,
    sum: (entry) => (entry.divergence === null ? null : entry.divergence * entry.counted),
    widest: (entry) => entry.widest,
    score: (entry) => entry.score,
    tokens: (entry) => entry.tokens,
  };

  const articles = index.map(article);

  function order(left, right) {
    const name = $("sort").value;
    if (name === "question") {
      const [a, b] = [index[left].uid, index[right].uid];
      return a < b ? -1 : a > b ? 1 : left - right;
    }
    const [a, b] = [KEYS[name](index[left]), KEYS[name](index[right])];
    // Without a number comes last.
    return (a === null) - (b === null) || b - a || left - right;
  }

  function arrange() {
    close();
    const chosen = [...index.keys()].filter((number) => FILTERS[$("filter").value](index[number])).sort(order);
    list.replaceChildren(...chosen.map((number) => articles[number]));
    $("count").textContent = `${chosen.length} of ${index.length} responses`;
    window.scrollTo(0, 0);
  }

  // One token

  function table(caption, own, others, othersName, sampled) {
    const rows = make("tbody");
    // An id that the other list has not is less probable there than all that it has.
    const least = others[others.length - 1];
    for (let place = 0; place < own.length; place += 2) {
      const found = others.findIndex((value, at) => at % 2 === 0 && value === own[place]);
      const other = found < 0 ? `< ${percent(nats(least))}` : percent(nats(others[found + 1]));
      rows.append(make("tr", { class: own[place] === sampled ? "sampled" : "" },
        make("td", {}, make("code", { text: quoted(vocabulary[own[place]]) })),
        make("td", { text: percent(nats(own[place + 1])) }),
        make("td", { text: other })));
    }
    const head = make("tr", {}, make("th", { text: "token" }), make("th", { text: "its own" }), make("th", { text: othersName }));
    return make("table", {}, make("caption", { text: caption }), make("thead", {}, head), rows);
  }

  function describe(detail, place) {
    const title = make("p", {}, make("code", { text: `\u201c${quoted(detail.pieces[place])}\u201d` }),
      ` id ${detail.ids[place]}, token ${place + 1} of ${detail.ids.length}`);
    if (detail.pieces[place] === "") title.append(": part of a character that a later token completes");
    if (!detail.student) return [title, make("p", { text: "The response has no target." })];
    const student = nats(detail.student[place]), teacher = nats(detail.teacher[place]);
    const numbers = make("p", {
      text: `student ${percent(student)}, teacher ${percent(teacher)}: gap ${inNats(signed(minus(teacher, student)))}; divergence ${inNats(short(detail.divergence[place]))}`,
    });
    const parts = [title, numbers];
    if (!detail.counts[place]) parts.push(make("p", { text: "Does not count in the loss." }));
    const ofStudent = detail.student_top[place], ofTeacher = detail.teacher_top[place], sampled = detail.ids[place];
    parts.push(make("div", { class: "lists" },
      table("Student prefers", ofStudent, ofTeacher, "teacher\u2019s", sampled),
      table("Teacher prefers", ofTeacher, ofStudent, "student\u2019s", sampled)));
    return parts;
  }

  function open(element, span) {
    const detail = details.get(element);
    if (!detail) return;
    current?.token.classList.remove("current");
    current = { article: element, token: span };
    span.classList.add("current");
    panel.replaceChildren(...describe(detail, Number(span.dataset.place)));
    panel.hidden = false;
    // Below the token where there is room, else above it.
    const at = span.getClientRects()[0] ?? span.getBoundingClientRect(), size = panel.getBoundingClientRect();
    const below = at.bottom + 8, above = at.top - 8 - size.height;
    const top = below + size.height <= innerHeight || above < 0 ? below : above;
    panel.style.top = `${Math.max(4, Math.min(top, innerHeight - size.height - 4))}px`;
    panel.style.left = `${Math.max(4, Math.min(at.left, innerWidth - size.width - 4))}px`;
  }

  function close() {
    panel.hidden = true;
    current?.token.classList.remove("current");
    const left = current?.article;
    current = null;
    // Kept while it was looked at, however far it was.
    if (left && !left.isConnected) empty(left);
  }

  list.addEventListener("pointerover", (event) => {
    const span = event.target.closest(".tokens span");
    if (span) open(span.closest("article"), span);
    else if (!panel.hidden) close();
  });
  list.addEventListener("pointerleave", close);

  function step(element, by) {
    const spans = element.querySelectorAll(".tokens span");
    if (spans.length === 0) return;
    const from = current?.article === element ? Number(current.token.dataset.place) + by : by > 0 ? 0 : spans.length - 1;
    const span = spans[Math.max(0, Math.min(spans.length - 1, from))];
    span.scrollIntoView({ block: "nearest" });
    open(element, span);
  }

  function go(element, by) {
    const next = element ? (by > 0 ? element.nextElementSibling : element.previousElementSibling) : list.firstElementChild;
    if (!next) return;
    close();
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("select")) return;
    const element = document.activeElement.closest("article");
    if (event.key === "Escape") close();
    else if (event.key === "j") go(element, 1);
    else if (event.key === "k") go(element, -1);
    else if (element && event.key === "ArrowRight") step(element, 1);
    else if (element && event.key === "ArrowLeft") step(element, -1);
    else return;
    event.preventDefault();
  });

  $("filter").addEventListener("change", arrange);
  $("sort").addEventListener("change", arrange);

  document.title = page.title;
  $("title").textContent = page.title;
  $("about").append(...page.about.map((sentence) => make("li", { text: sentence })));
  if (typeof DecompressionStream === "undefined") failed("this browser is older than 2023 and has no DecompressionStream");
  else {
    arrange();
    articles.forEach((element) => observer.observe(element));
  }
})();
