// Adds a button to copy each command and question. Every page works without this file.
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
    code.after(button);
    code.dataset.copied = "";
  }
}

addCopyButtons();
document.addEventListener("shown", addCopyButtons); // a part of a page was replaced

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
