// The provider's socket on a WebTransport stream: each message after its length in four bytes, the most
// significant one first, on a stream that we open. Where there is none, the WebSocket.
import type { Socket } from "./provider";

export interface Choice {
    mode: "any" | "webtransport" | "websocket";
    config: string; // URL of the broker's configuration
    url?: string; // of the broker's WebTransport, else as its configuration says
    hashes?: string[]; // of its certificate, else as its configuration says
}

const patience = 5000; // milliseconds to be ready, where UDP may be filtered
const longestMessage = 1 << 30;
const path = "/api/provider/webtransport";

function bytesOf(hash: string): Uint8Array<ArrayBuffer> {
    const pairs = hash.match(/[0-9a-f]{2}/gi) ?? [];
    return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

async function open(choice: Choice, socketUrl: string): Promise<WebTransport> {
    let { url, hashes } = choice;
    if (!url || !hashes) {
        const answer = await fetch(choice.config, { signal: AbortSignal.timeout(patience), cache: "no-store" });
        if (!answer.ok) throw new Error(`no WebTransport here (${answer.status})`);
        const config = await answer.json();
        url ??= config.transport as string;
        hashes ??= (config.certhashes ?? (config.certhash ? [config.certhash] : [])) as string[];
    }
    const target = new URL(url);
    const given = target.searchParams;
    target.pathname = path;
    new URL(socketUrl).searchParams.forEach((value, name) => given.set(name, value));
    const serverCertificateHashes = hashes!.map((hash) => ({ algorithm: "sha-256", value: bytesOf(hash) }));
    const transport = new WebTransport(target.href, hashes!.length ? { serverCertificateHashes } : {});
    transport.closed.catch(() => undefined); // told below
    const late = new Promise<never>((_, fail) => setTimeout(() => fail(new Error("WebTransport does not answer")), patience));
    try {
        await Promise.race([transport.ready, late]);
    } catch (error) {
        transport.close();
        throw error;
    }
    return transport;
}

/** Calls `fn` with each message; ends with the stream. */
async function read(readable: ReadableStream<Uint8Array>, fn: (bytes: Uint8Array) => void) {
    const reader = readable.getReader();
    let parts: Uint8Array[] = [], held = 0, wanted = 4, inMessage = false;
    const take = (count: number) => {
        const out = new Uint8Array(count);
        let at = 0;
        while (at < count) {
            const part = parts[0], used = Math.min(part.length, count - at);
            out.set(part.subarray(0, used), at);
            at += used;
            if (used === part.length) parts.shift();
            else parts[0] = part.subarray(used);
        }
        held -= count;
        return out;
    };
    for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        parts.push(value);
        held += value.length;
        while (held >= wanted) {
            const bytes = take(wanted);
            if (inMessage) fn(bytes);
            else if ((wanted = new DataView(bytes.buffer).getUint32(0)) > longestMessage) throw new Error("a message beyond all bounds");
            inMessage = !inMessage;
            if (!inMessage) wanted = 4;
        }
    }
}

export function connectAny(choice: Choice, url: string, webSocket: () => Socket, log: (text: string) => void): Socket {
    if (choice.mode === "websocket" || typeof WebTransport === "undefined") return webSocket();
    let opened = () => {}, message = (_: Uint8Array) => {}, closed = (_: string) => {};
    let inner: Socket | undefined, transport: WebTransport | undefined;
    let writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
    let over = false;
    const end = (reason: string) => {
        if (over) return;
        over = true;
        transport?.close();
        closed(reason);
    };
    const begin = async () => {
        try {
            transport = await open(choice, url);
        } catch (error) {
            if (choice.mode === "webtransport") return end(String(error));
            if (over) return;
            log(`WebSocket it is: ${error}`);
            inner = webSocket();
            inner.onOpen(opened);
            inner.onMessage(message);
            inner.onClose(end);
            return;
        }
        if (over) return transport.close();
        transport.closed.then(({ reason }) => end(reason ?? ""), (error) => end(String(error)));
        const stream = await transport.createBidirectionalStream();
        writer = stream.writable.getWriter();
        opened();
        read(stream.readable, message).then(() => end(""), (error) => end(String(error)));
    };
    void begin().catch((error) => end(String(error)));
    return {
        send(bytes) {
            if (inner) return inner.send(bytes);
            const framed = new Uint8Array(4 + bytes.length);
            new DataView(framed.buffer).setUint32(0, bytes.length);
            framed.set(bytes, 4);
            writer?.write(framed).catch((error) => end(String(error)));
        },
        close() {
            if (inner) inner.close();
            else end("");
        },
        onOpen: (fn) => { opened = fn; },
        onMessage: (fn) => { message = fn; },
        onClose: (fn) => { closed = fn; },
    };
}
