// The provider as a page: options from the fragment, a view of what it does.
import type { Thread } from "./pool";
import { Provider, type Socket } from "./provider";
import { type Choice, connectAny } from "./web_transport";

const options = new URLSearchParams(location.hash.slice(1));
const yes = (value: string | null) => value !== null && /^(true|t|yes|y|1|on|)$/i.test(value);
const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

// `transport` is the broker's page or WebSocket, or that of its WebTransport, or says which of the two to use.
const transport = options.get("transport") ?? "";
const isMode = transport === "webtransport" || transport === "websocket";
const isSession = /^https:\/\/[^/]+\/(transport|api\/provider\/webtransport)([?#]|$)/.test(transport);
const broker = !isMode && !isSession && transport.replace(/^ws/, "http").replace(/\/api\/provider\/ws.*$/, "") || location.origin;
const choice: Choice = {
    mode: isSession ? "webtransport" : isMode ? transport as Choice["mode"] : "any",
    config: options.get("config") ?? broker + "/api/broker/v1/config",
    url: isSession ? transport : undefined,
    hashes: options.get("certhash")?.split(",").filter((hash) => hash !== ""),
};

function connect(url: string, subprotocol: string): Socket {
    return connectAny(choice, url, () => connectWebSocket(url, subprotocol), log);
}

function connectWebSocket(url: string, subprotocol: string): Socket {
    const socket = new WebSocket(url, subprotocol);
    socket.binaryType = "arraybuffer";
    return {
        send: (bytes) => socket.send(bytes as BufferSource),
        close: () => socket.close(),
        onOpen: (fn) => socket.addEventListener("open", fn),
        onMessage: (fn) => socket.addEventListener("message", (event) => fn(new Uint8Array(event.data))),
        onClose: (fn) => socket.addEventListener("close", (event) => fn(event.reason)),
    };
}

function startThread(): Thread {
    const worker = new Worker("worker.js", { type: "module" });
    return {
        post: (told) => worker.postMessage(told),
        onSaid: (fn) => worker.onmessage = (event) => fn(event.data),
        onError: (fn) => worker.onerror = (event) => fn(event.message),
        end: () => worker.terminate(),
    };
}

function ownName(): string {
    const known = localStorage.getItem("provider");
    if (known) return known;
    const name = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, 21);
    localStorage.setItem("provider", name);
    return name;
}

const maxLines = 200;
function log(text: string) {
    const line = document.createElement("div");
    line.textContent = `${new Date().toLocaleTimeString()} ${text}`;
    const lines = element("log");
    lines.prepend(line);
    while (lines.childElementCount > maxLines) lines.lastElementChild!.remove();
}

const cores = navigator.hardwareConcurrency || 2;
const wanted = options.get("workers");
const workers = wanted === null || wanted === "max" ? cores : Math.max(1, Math.min(64, Number(wanted) || 1));
const provider = new Provider({
    broker, name: ownName(), workers, token: options.get("token") ?? undefined,
}, { connect, startThread, log, pyodide: new URL("pyodide/", location.href).href });

// Once a second, so that drawing costs nothing beside the tasks.
const history: number[] = new Array(60).fill(0);
let before = 0;
setInterval(() => {
    history.push(provider.completed - before);
    history.shift();
    before = provider.completed;
    element("state").textContent = provider.connected ? "connected" : "not connected";
    element("workers").textContent = `${provider.pool.busy} of ${provider.pool.size} workers busy`;
    element("tasks").textContent = `${provider.completed} tasks, ${history[59]} in the last second`;
    element("cluster").textContent = `${provider.providers} providers`;
    const top = Math.max(1, ...history);
    const points = history.map((count, at) => `${at * 5},${60 - count / top * 58}`).join(" ");
    element("line").setAttribute("points", points);
}, 1000);

let started = false, paused = false;
const button = element<HTMLButtonElement>("go");
button.onclick = () => {
    if (!started) {
        // One provider a browser: a second page waits until the first has gone. Pages that came over neither
        // TLS nor from localhost have no locks.
        if (navigator.locks) void navigator.locks.request("provider", () => new Promise<void>(() => provider.start()));
        else provider.start();
        started = true;
    } else {
        provider.setPaused(paused = !paused);
    }
    button.textContent = paused ? "Resume" : "Pause";
};
// Browsers may keep a page that was left as it stands, its socket open: tasks would wait there for nobody.
addEventListener("pagehide", () => provider.stop());
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
if (yes(options.get("autoconnect"))) button.click();
