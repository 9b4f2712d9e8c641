// Keeps the numbers of a clean set in step with the controls. Without this file the button of the form does.
"use strict";

{
  const form = document.getElementById("controls");
  const said = document.getElementById("said");
  const slider = document.getElementById("month");
  let isAsking = false, next = null, later = 0;

  const address = (isExact) => {
    const given = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    if (isExact) given.set("exact", "1");
    return `${location.pathname}?${given}`;
  };

  // Returns what stands in place of the numbers where there are none: what is wrong with the controls, or the server.
  const told = (problem) => {
    const found = document.createElement("div");
    found.id = "answer";
    found.append(problem || "The server does not answer.");
    return found;
  };

  // Asks for what the controls say now. While one question is on its way, only the last one of others waits.
  async function show(isExact) {
    clearTimeout(later);
    if (isAsking) { next = { isExact }; return; }
    if (!form.checkValidity()) return;
    isAsking = true;
    try {
      const response = await fetch(address(isExact));
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (!form.dataset.ready && page.getElementById("texts")) { // now the controls know what there is to choose
        location.replace(address(isExact));
        return;
      }
      const old = document.getElementById("answer");
      const found = page.getElementById("answer") || told(page.querySelector(".problem"));
      replacePart(old, found);
      const count = page.getElementById("texts");
      said.textContent = count ? `${count.textContent} ${count.previousElementSibling.textContent}` : found.textContent;
      const panel = page.querySelector(".panel");
      if (panel) replacePart(document.querySelector(".panel"), panel);
      history.replaceState(null, "", address(false));
      if (found.dataset.more) later = setTimeout(() => show(isExact), 600);
    } catch {
      said.textContent = "The server does not answer.";
    } finally {
      isAsking = false;
      if (next) { const { isExact: asked } = next; next = null; show(asked); }
    }
  }

  const month = (day) => Number(day.slice(0, 4)) * 12 + Number(day.slice(5, 7)) - 1;
  if (slider.dataset.first) {
    slider.min = month(slider.dataset.first);
    slider.max = month(slider.dataset.last) + 1;
    const { before } = form.elements;
    const follow = () => { // the slider shows the day, and says it
      slider.value = month(before.value);
      slider.setAttribute("aria-valuetext", before.value);
    };
    follow();
    slider.hidden = false;
    slider.addEventListener("input", () => {
      const at = Number(slider.value);
      before.value = `${Math.floor(at / 12)}-${String((at % 12) + 1).padStart(2, "0")}-01`;
      follow();
    });
    before.addEventListener("input", follow);
  }
  form.addEventListener("input", () => show(false));
  form.addEventListener("change", () => show(true));
  form.addEventListener("submit", (event) => { event.preventDefault(); show(true); });
  if (document.getElementById("answer").dataset.more) later = setTimeout(() => show(location.search.includes("exact=1")), 600);
}
