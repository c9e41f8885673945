"use strict";
// Search and filters over what the page already holds. Without this script everything is there too,
// only all of it at once. Nothing is fetched, stored or made from text.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  function filtering(form) {
    const region = document.getElementById(form.dataset.of);
    const items = all("[data-item]", region);
    const groups = all("[data-group]", region);
    const output = form.querySelector("output");
    const texts = new Map();

    const text = (item) => {
      if (!texts.has(item)) texts.set(item, item.textContent.toLowerCase());
      return texts.get(item);
    };

    const wanted = () => {
      const values = new FormData(form);
      return {
        domain: values.get("domain") || "",
        verb: values.get("verb") || "",
        words: (values.get("text") || "").toLowerCase().split(/\s+/).filter(Boolean),
      };
    };

    function apply() {
      const { domain, verb, words } = wanted();
      let shown = 0;
      for (const item of items) {
        const fits =
          (!domain || item.dataset.domain === domain) &&
          (!verb || item.dataset.verb.split(" ").includes(verb)) &&
          words.every((word) => text(item).includes(word));
        item.hidden = !fits;
        shown += fits;
      }
      for (const group of groups) group.hidden = !group.querySelector("[data-item]:not([hidden])");
      output.value = `${shown} of ${items.length} shown`;
      light(domain);
    }

    function fold(open) {
      for (const item of items) if (!item.hidden) item.open = open;
    }

    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    form.querySelector("[data-do=open]").addEventListener("click", () => fold(true));
    form.querySelector("[data-do=close]").addEventListener("click", () => fold(false));
    form.hidden = false;
    apply();
  }

  // The picture: one domain and its calls stand out, the rest steps back.
  const picture = document.querySelector("svg.topology");
  function light(domain) {
    if (!picture) return;
    picture.classList.toggle("chosen", Boolean(domain));
    for (const part of all("[data-domain]", picture)) {
      part.classList.toggle("lit", part.dataset.domain.split(" ").includes(domain));
    }
  }

  // A link to something folded opens it, and what it is folded in.
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let at = target; at; at = at.parentElement) if (at.localName === "details") at.open = true;
    if (!target) return;
    target.scrollIntoView();
    // What was not drawn before takes its real height now.
    requestAnimationFrame(() => target.scrollIntoView());
  }

  all("form.filters").forEach(filtering);
  window.addEventListener("hashchange", reveal);
  if (location.hash) reveal();
})();
