import { perform, type Work } from "./work";

self.onmessage = (event: MessageEvent<Work>) => perform(event.data, (said) => self.postMessage(said));
