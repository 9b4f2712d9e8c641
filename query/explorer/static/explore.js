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

// A page of which a part is still being worked on is asked for again, and its parts that changed are replaced.
async function lookAgain() {
  const answer = document.getElementById("answer");
  if (!answer || !answer.dataset.again) return;
  let seconds = Number(answer.dataset.again);
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    const found = page.getElementById("answer");
    if (found) {
      if (found.textContent !== answer.textContent) answer.replaceWith(document.importNode(found, true));
      else answer.dataset.again = found.dataset.again || "";
      const panel = page.querySelector(".panel");
      if (panel && !document.querySelector(".panel").open) document.querySelector(".panel").replaceWith(document.importNode(panel, true));
      document.dispatchEvent(new Event("shown"));
      if (!found.dataset.again) return;
    }
  } catch {
    seconds *= 5; // the server does not answer
  }
  setTimeout(lookAgain, seconds * 1000);
}

if (document.getElementById("answer")?.dataset.again) setTimeout(lookAgain, 1000);
