// What pages do beyond htmx: times in the viewer's zone, copying, and saying when the live connection is lost.
// Everything works without it.
(() => {
  "use strict";

  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
  const precise = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  // A time is written in UTC by the server; here it is shown in the viewer's zone, with UTC on hover.
  const localise = (root) => {
    count();
    for (const time of root.querySelectorAll("time[datetime]:not([data-local]):not([data-ago])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = time.dateTime.replace("T", " ").replace("Z", " UTC");
      const form = time.hasAttribute("data-clock") ? clock : time.hasAttribute("data-precise") ? precise : exact;
      if (!time.hasAttribute("data-keep")) time.textContent = form.format(at);
      time.setAttribute("data-local", "");
    }
  };

  // The two largest units that say something, as the server writes them.
  const lasting = (seconds) => {
    const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
    if (d) return h ? `${d} d ${h} h` : `${d} d`;
    if (h) return m ? `${h} h ${m} min` : `${h} h`;
    return m ? `${m} min` : `${Math.floor(seconds)} s`;
  };

  // How long ago something was goes on counting between two messages of the server.
  const count = () => {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const at = new Date(time.dateTime);
      time.title ||= time.dateTime.replace("T", " ").replace("Z", " UTC");
      if (!Number.isNaN(at.getTime())) time.textContent = `${lasting(Math.max(0, (Date.now() - at) / 1000))} ago`;
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

  // A press becomes a click only where what was pressed is still there when it is let go: parts that come meanwhile wait.
  let pressed = false;
  const held = new Set();
  const press = (event) => { if (!event.key || event.key === " ") pressed = true; };
  const letGo = () => {
    if (!pressed) return;
    pressed = false;
    // After the click, which follows at once.
    setTimeout(() => {
      const messages = [...held];
      held.clear();
      for (const { target, type, data } of messages) target.dispatchEvent(new MessageEvent(type, { data }));
    });
  };
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    if (!pressed && !held.size) return;
    event.preventDefault();
    held.add(event.detail);
  });
  for (const begins of ["pointerdown", "keydown"]) addEventListener(begins, press, true);
  for (const ends of ["pointerup", "pointercancel", "keyup", "dragend"]) addEventListener(ends, letGo, true);
  // The window's own; a press takes the focus from what had it, too.
  addEventListener("blur", letGo);
  // Let go outside of the window.
  addEventListener("pointermove", (event) => { if (!event.buttons) letGo(); }, true);

  // The file of an export that was started here is saved once, however often the page is told that it is ready.
  const saved = new Set();
  const save = () => {
    for (const link of document.querySelectorAll("a[data-save]")) {
      if (saved.has(link.href)) continue;
      saved.add(link.href);
      link.click();
    }
  };

  // A reload is not to save the file again.
  const forget = () => {
    const address = new URL(location.href);
    if (!address.searchParams.has("save")) return;
    address.searchParams.delete("save");
    history.replaceState(history.state, "", address);
  };

  // A short break isn't worth a word: the stream comes back by itself.
  let soon = 0;
  const connection = (lost) => {
    const banner = document.getElementById("connection");
    if (!banner) return;
    if (lost) {
      soon ||= setTimeout(() => { banner.hidden = false; }, 1500);
      return;
    }
    clearTimeout(soon);
    soon = 0;
    banner.hidden = true;
  };

  // A stream that is refused may be so because nobody is signed in any more.
  const askWhether = async () => {
    try {
      const answer = await fetch(location.href, { method: "HEAD", headers: { Accept: "application/json" } });
      const over = answer.status === 401;
      document.getElementById("signed-out").hidden = !over;
      if (over) connection(false);
    } catch {
      // No connection: that is said already, and it is tried again.
    }
  };

  // A walk through an export's revisions: slider and timeline follow the state that is shown.
  const follow = () => {
    const state = document.getElementById("state");
    const slider = document.getElementById("revision");
    if (!state?.dataset.revision || slider?.type !== "range") return;
    const revision = state.dataset.revision;
    slider.setAttribute("aria-valuetext", state.dataset.says);
    document.getElementById("at").value = state.dataset.at;
    if (document.activeElement !== slider) {
      slider.value = revision;
      document.getElementById("said").textContent = state.dataset.says;
    }
    for (const step of document.querySelectorAll("[data-step]")) {
      if (step.dataset.step === revision) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    }
  };

  // Closed before a page is left, for browsers call an open stream lost then.
  const streams = new Set();
  const openStream = htmx.createEventSource;
  htmx.createEventSource = (address) => {
    const stream = openStream(address);
    for (const old of streams) if (old.readyState === EventSource.CLOSED) streams.delete(old);
    streams.add(stream);
    return stream;
  };
  const closeStreams = () => { for (const stream of streams) stream.close(); };
  addEventListener("pagehide", closeStreams);
  // Signing out ends them at the server, which may be quicker than the browser leaves the page.
  document.addEventListener("submit", (event) => {
    if (event.target.getAttribute("action") === "/sign-out") closeStreams();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("htmx:sseError", (event) => {
    connection(true);
    if (event.detail?.source?.readyState === EventSource.CLOSED) askWhether();
  });
  document.addEventListener("htmx:sendError", () => connection(true));
  document.addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status === 401) askWhether(); });
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful && !streams.size) connection(false); });
  document.addEventListener("htmx:sseOpen", () => connection(false));
  document.addEventListener("htmx:afterSettle", (event) => { localise(event.target); follow(); });
  document.addEventListener("htmx:sseMessage", (event) => {
    localise(event.target);
    save();
  });
  document.documentElement.classList.add("has-script");
  localise(document);
  save();
  forget();
  setInterval(count, 1000);
})();
