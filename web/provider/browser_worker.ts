import { type Told, worker } from "./work";

const hear = worker((said) => self.postMessage(said));
self.onmessage = (event: MessageEvent<Told>) => hear(event.data);
