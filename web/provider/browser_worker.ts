import { perform, type Work } from "./work";

self.onmessage = (event: MessageEvent<Work>) => self.postMessage(perform(event.data));
