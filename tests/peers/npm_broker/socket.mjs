// A raw WebSocket: node socket.mjs URL SUBPROTOCOL. Each line of input is sent as it is (text), or its base64 as a
// binary message after "binary "; prints a line of JSON for each message and for the end.
import readline from "node:readline";
import WebSocket from "ws";

const [url, subprotocol] = process.argv.slice(2);
const socket = new WebSocket(url, subprotocol ? [subprotocol] : [], { headers: { "user-agent": "peer" } });
const say = (value) => console.log(JSON.stringify(value));
socket.on("open", () => {
    say({ open: socket.protocol });
    const lines = readline.createInterface({ input: process.stdin });
    lines.on("line", (line) => socket.send(line.startsWith("binary ") ? Buffer.from(line.slice(7), "base64") : line));
    lines.on("close", () => socket.close());
});
socket.on("message", (data, binary) => say(binary ? { binary: data.toString("base64") } : { text: data.toString() }));
socket.on("unexpected-response", (_, response) => { say({ refused: response.statusCode }); process.exit(0); });
socket.on("error", (error) => say({ error: error.message }));
socket.on("close", (code, reason) => { say({ closed: code, reason: reason.toString() }); process.exit(0); });
