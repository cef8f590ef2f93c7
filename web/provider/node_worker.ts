import { parentPort } from "node:worker_threads";
import { perform, type Work } from "./work";

parentPort!.on("message", (work: Work) => perform(work, (said) => parentPort!.postMessage(said)));
