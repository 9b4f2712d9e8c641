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
