import { parentPort } from "node:worker_threads";
import { perform, type Work } from "./work";

parentPort!.on("message", (work: Work) => parentPort!.postMessage(perform(work)));
