/**
 * The page's script: values of a chart on hover and by arrow keys, and folded parts opened for print. It is plain
 * ECMAScript 2020, sets text only through textContent, and the page is complete without it.
 */
export const pageScript = `"use strict";
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);

  for (const chart of document.querySelectorAll("svg.chart")) {
    const hits = [...chart.querySelectorAll(".hit")].map((node) => {
      const title = node.querySelector("title");
      const text = title.textContent;
      title.remove();
      return { node, text, x: node.cx.baseVal.value, y: node.cy.baseVal.value };
    });
    if (hits.length === 0) continue;
    const byX = [...hits].sort((a, b) => a.x - b.x || a.y - b.y);
    let active = null;
    const hide = () => {
      if (active) active.node.classList.remove("on");
      active = null;
      tip.hidden = true;
    };
    const show = (hit) => {
      if (active) active.node.classList.remove("on");
      active = hit;
      hit.node.classList.add("on");
      tip.textContent = hit.text;
      tip.hidden = false;
      const box = hit.node.getBoundingClientRect();
      const half = tip.offsetWidth / 2;
      const left = Math.min(Math.max(box.left + box.width / 2, half + 8), document.documentElement.clientWidth - half - 8);
      const above = box.top > tip.offsetHeight + 16;
      tip.style.left = left + window.scrollX - half + "px";
      tip.style.top = (above ? box.top - tip.offsetHeight - 8 : box.bottom + 8) + window.scrollY + "px";
    };
    chart.addEventListener("pointermove", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
      let best = null;
      let least = Infinity;
      for (const hit of hits) {
        const far = Math.hypot(hit.x - at.x, (hit.y - at.y) * 0.6);
        if (far < least) [best, least] = [hit, far];
      }
      if (least < 60) show(best);
      else hide();
    });
    chart.addEventListener("pointerleave", hide);
    chart.addEventListener("blur", hide);
    chart.setAttribute("tabindex", "0");
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (step === undefined) return;
      event.preventDefault();
      const next = active ? byX.indexOf(active) + step : step > 0 ? 0 : byX.length - 1;
      show(byX[(next + byX.length) % byX.length]);
    });
  }

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const part of opened) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of opened) part.open = false;
  });
})();
`;
