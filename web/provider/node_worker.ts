import { readlinkSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { worker } from "./work";

// Who computes gives way to who talks, here and in the rest of the machine: on Linux threads have priorities of their own.
const nicer = 5;
try {
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    setPriority(thread, Math.min(getPriority(thread) + nicer, 19));
} catch {
    // Another system, or /proc is not there.
}

parentPort!.on("message", worker((said) => parentPort!.postMessage(said)));
