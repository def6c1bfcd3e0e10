// What pages do beyond htmx: times in the viewer's zone, copying, and saying when the live connection is lost.
// Everything works without it.
(() => {
  "use strict";

  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  // A time is written in UTC by the server; here it is shown in the viewer's zone, with UTC on hover.
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = time.dateTime.replace("T", " ").replace("Z", " UTC");
      if (!time.hasAttribute("data-keep")) time.textContent = exact.format(at);
      time.setAttribute("data-local", "");
    }
  };

  const copy = async (button) => {
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = button.dataset.copied;
      setTimeout(() => { button.textContent = said; }, 2000);
    } catch {
      getSelection()?.selectAllChildren(document.getElementById(button.dataset.copyFrom) ?? button);
    }
  };

  const connection = (lost) => {
    const banner = document.getElementById("connection");
    if (banner) banner.hidden = !lost;
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("htmx:sseError", () => connection(true));
  document.addEventListener("htmx:sendError", () => connection(true));
  document.addEventListener("htmx:sseOpen", () => connection(false));
  document.addEventListener("htmx:afterSettle", (event) => localise(event.target));
  document.addEventListener("htmx:sseMessage", (event) => localise(event.target));
  localise(document);
})();
