// Adds a button to copy each command and question, and spares the keyboard what does not scroll. Every page works without it.
"use strict";

function addCopyButtons() {
  if (!navigator.clipboard) return;
  for (const code of document.querySelectorAll("pre.code:not([data-copied])")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${code.getAttribute("aria-label")}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    const box = document.createElement("div");
    box.className = "copied";
    code.replaceWith(box);
    box.append(code, button);
    code.dataset.copied = "";
  }
}

// A box that scrolls is a stop for the keyboard; one that shows all of itself need not be.
function markScrolling() {
  for (const box of document.querySelectorAll(".wide, .text, pre.code")) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

function prepare() {
  addCopyButtons();
  markScrolling();
}

prepare();
document.addEventListener("shown", prepare); // a part of a page was replaced
document.addEventListener("toggle", markScrolling, true); // what was folded has no size
addEventListener("resize", markScrolling);

// Puts a newer part of the page in place of the old one. What was unfolded stays so, and the keyboard stays where it was.
function replacePart(old, found) {
  const named = (each) => [
    each.closest("section")?.getAttribute("aria-labelledby"), each.localName,
    each.getAttribute("href") || each.getAttribute("aria-label") || each.textContent,
  ].join(" ");
  const fresh = document.importNode(found, true);
  const unfolded = new Set([...old.querySelectorAll("details[open] > summary")].map(named));
  for (const each of fresh.querySelectorAll("details > summary")) each.parentElement.open = unfolded.has(named(each));
  const focused = old.contains(document.activeElement) ? named(document.activeElement) : null;
  old.replaceWith(fresh);
  document.dispatchEvent(new Event("shown"));
  if (focused === null) return;
  const same = [...fresh.querySelectorAll("a, button, summary, [tabindex]")].find((each) => named(each) === focused);
  same?.focus({ preventScroll: true });
}

// A page of which a part is still being worked on is asked for again, and its parts that changed are replaced.
async function lookAgain() {
  const answer = document.getElementById("answer");
  if (!answer || !answer.dataset.again) return;
  let seconds = Number(answer.dataset.again);
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    const found = page.getElementById("answer");
    if (found) {
      if (found.textContent !== answer.textContent) replacePart(answer, found);
      else answer.dataset.again = found.dataset.again || "";
      const panel = page.querySelector(".panel");
      if (panel) replacePart(document.querySelector(".panel"), panel);
      if (!found.dataset.again) return;
    }
  } catch {
    seconds *= 5; // the server does not answer
  }
  setTimeout(lookAgain, seconds * 1000);
}

if (document.getElementById("answer")?.dataset.again) setTimeout(lookAgain, 1000);
