import { parentPort } from "node:worker_threads";
import { worker } from "./work";

parentPort!.on("message", worker((said) => parentPort!.postMessage(said)));
