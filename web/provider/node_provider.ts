// A provider on Node: node provider.mjs [--broker URL] [--workers N|max] [--name NAME] [--token TOKEN]
// [--python]
import { availableParallelism } from "node:os";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { WebSocket } from "ws";
import type { Thread } from "./pool";
import { Provider, type Socket } from "./provider";

// Node 18 has it only there.
if (!globalThis.crypto) globalThis.crypto = (await import("node:crypto")).webcrypto as Crypto;

const { values } = parseArgs({
    options: {
        broker: { type: "string", default: process.env.WASIMOFF_BROKER ?? "http://localhost:4080" },
        workers: { type: "string", default: process.env.WASIMOFF_WORKERS ?? "max" },
        name: { type: "string", default: `${hostname()}-${process.pid}` },
        token: { type: "string", default: process.env.WASIMOFF_TOKEN },
        // Not by itself: Python on Node reaches what this process can, files and network.
        python: { type: "boolean", default: /^(true|yes|1)$/.test(process.env.WASIMOFF_PYTHON ?? "") },
    },
});

function connect(url: string, subprotocol: string): Socket {
    const socket = new WebSocket(url, subprotocol, { headers: { "user-agent": "strowger-provider" } });
    socket.binaryType = "nodebuffer";
    let failed = "";
    socket.on("error", (error) => failed = error.message);
    return {
        send: (bytes) => socket.send(bytes),
        close: () => socket.close(),
        onOpen: (fn) => socket.on("open", fn),
        onMessage: (fn) => socket.on("message", (data) => fn(data as Buffer)),
        onClose: (fn) => socket.on("close", (code, reason) => fn(failed || `${code} ${reason}`)),
    };
}

function startThread(): Thread {
    const worker = new Worker(fileURLToPath(new URL("./worker.mjs", import.meta.url)));
    return {
        post: (told) => worker.postMessage(told),
        onSaid: (fn) => worker.on("message", fn),
        onError: (fn) => worker.on("error", (error) => fn(String(error))),
        end: () => void worker.terminate(),
    };
}

const workers = values.workers === "max" ? availableParallelism() : Math.max(1, Number(values.workers) || 1);
const log = (text: string) => console.log(text);
const provider = new Provider({ broker: values.broker!, name: values.name!, workers, token: values.token },
    { connect, startThread, log, pyodide: values.python ? new URL("../pyodide/", import.meta.url).href : undefined });
provider.start();
for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => {
        provider.stop();
        setTimeout(() => process.exit(0), 100);
    });
