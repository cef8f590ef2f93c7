// How often a WASI program that needs nothing can be run with nothing around it: node compute.mjs FILE WORKERS SECONDS.
import { readFileSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

if (isMainThread) {
    const [file, workers, seconds] = process.argv.slice(2);
    const workerData = { bytes: readFileSync(file), seconds: Number(seconds) };
    let rate = 0, left = Number(workers);
    for (let i = left; i > 0; --i)
        new Worker(new URL(import.meta.url), { workerData }).on("message", (mine) => {
            rate += mine;
            if (--left === 0) console.log(rate);
        });
} else {
    const module = new WebAssembly.Module(workerData.bytes);
    const run = () => new WebAssembly.Instance(module, {}).exports._start();
    for (let i = 0; i < 20; ++i) run(); // until it is compiled well
    const began = performance.now();
    let count = 0, now = began;
    for (; now - began < workerData.seconds * 1000; now = performance.now(), ++count) run();
    parentPort.postMessage(count / (now - began) * 1000);
}
