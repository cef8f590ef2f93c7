// Requests over one HTTP/2 connection with Node's client: node http2.mjs URL CA, then a request a line on standard input:
// {"id", "method", "path", "headers", "body" (base64), "cancel" (milliseconds)}. Prints an answer a line as they come:
// {"id", "status", "body" (base64), "trailers", "error" (HTTP/2's code, when it was reset)}.
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import { createInterface } from "node:readline";

const [url, ca] = process.argv.slice(2);
const session = connect(url, { ca: readFileSync(ca) });
const say = (answer) => console.log(JSON.stringify(answer));
session.on("error", (error) => say({ session: error.message }));
session.on("close", () => say({ session: "closed" }));
session.on("connect", () => say({ session: session.alpnProtocol }));
createInterface({ input: process.stdin }).on("line", (line) => {
    const { id, method = "GET", path, headers = {}, body, cancel } = JSON.parse(line);
    const stream = session.request({ ":method": method, ":path": path, ...headers }, { endStream: body === undefined });
    const answer = { id };
    const parts = [];
    stream.on("response", (fields) => { answer.status = fields[":status"]; answer.headers = fields; });
    stream.on("trailers", (fields) => { answer.trailers = fields; });
    stream.on("data", (part) => parts.push(part));
    stream.on("error", () => {});
    stream.on("close", () => say({
        ...answer, body: Buffer.concat(parts).toString("base64"), error: stream.rstCode || undefined,
    }));
    if (body !== undefined) stream.end(Buffer.from(body, "base64"));
    if (cancel !== undefined) setTimeout(() => stream.close(8), cancel);
});
