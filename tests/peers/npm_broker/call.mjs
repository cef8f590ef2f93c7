// One call with an independent client: node call.mjs BROKER TRANSPORT METHOD JSON [TIMEOUT_MS]
// TRANSPORT is connect-json, connect-proto, grpc-web, or grpc (HTTP/2, of any certificate). Prints {"ok": ...} or {"code": ..., "message": ...}.
import { fromJson, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Tasks } from "./wasimoff_pb.js";

const [broker, kind, method, text, timeout] = process.argv.slice(2);
const options = { baseUrl: broker + "/api/client", httpVersion: "1.1" };
const transport = kind === "grpc-web" ? createGrpcWebTransport(options)
    : kind === "grpc" ? createGrpcTransport({ baseUrl: options.baseUrl, nodeOptions: { rejectUnauthorized: false } })
    : createConnectTransport({ ...options, useBinaryFormat: kind === "connect-proto" });
const client = createClient(Tasks, transport);
const description = Tasks.method[method];
try {
    const request = fromJson(description.input, JSON.parse(text));
    const answer = await client[method](request, timeout ? { timeoutMs: Number(timeout) } : {});
    console.log(JSON.stringify({ ok: toJson(description.output, answer) }));
} catch (error) {
    const failure = ConnectError.from(error);
    console.log(JSON.stringify({ code: Code[failure.code], message: failure.rawMessage }));
}
