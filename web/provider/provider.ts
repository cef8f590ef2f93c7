// A provider: answers the broker's requests, runs its tasks in a pool of workers. What differs between
// browsers and Node (sockets, threads) comes in from outside.
import { create, type DescMessage, fromBinary, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { joined } from "./bytes";
import { Files, refOf } from "./files";
import * as pb from "./generated/wasimoff_pb";
import { Pool, type Thread } from "./pool";
import type { Done, Work, Written } from "./work";

export interface Socket {
    send(bytes: Uint8Array): void;
    close(): void;
    onOpen(fn: () => void): void;
    onMessage(fn: (bytes: Uint8Array) => void): void;
    onClose(fn: (reason: string) => void): void;
}

export interface Environment {
    connect(url: string, subprotocol: string): Socket;
    startThread(): Thread;
    log(text: string): void;
    pyodide?: string; // URL of the folder that Python's runtime lies in; without it there is no Python
    changed?(): void;
}

export interface Settings {
    broker: string; // origin: http://localhost:4080
    name: string;
    workers: number;
    token?: string;
}

const subprotocol = "wasimoff_provider_v1_protobuf";
const firstPause = 250, longestPause = 10_000; // milliseconds between attempts to connect
const resourcesPause = 250; // milliseconds between two messages that say how much the workers want ahead
const outputPause = 20; // milliseconds for which output is gathered

export class Provider {
    readonly pool: Pool;
    readonly files: Files;
    completed = 0;
    providers = 0;
    connected = false;
    private socket?: Socket;
    private sequence = 0n;
    private paused = false;
    private ahead = 0; // that the broker was told
    private told = 0;
    private stopped = false;
    private pause = firstPause;
    private preparing = new Map<string, string | undefined>(); // tasks whose files are fetched: why they were cancelled

    constructor(private settings: Settings, private environment: Environment) {
        this.pool = new Pool(() => environment.startThread());
        this.pool.resize(settings.workers);
        this.files = new Files(settings.broker, (added, removed) =>
            this.event(pb.Event_FileSystemUpdateSchema, { added, removed }));
    }

    start() {
        const url = new URL(this.settings.broker + "/api/provider/ws");
        url.protocol = url.protocol.replace("http", "ws");
        url.searchParams.set("id", this.settings.name);
        if (this.settings.token) url.searchParams.set("token", this.settings.token);
        const socket = this.environment.connect(url.href, subprotocol);
        this.socket = socket;
        socket.onOpen(() => {
            this.connected = true;
            this.pause = firstPause;
            this.environment.log(`connected to ${this.settings.broker}`);
            this.resources();
        });
        socket.onMessage((bytes) => this.receive(bytes));
        socket.onClose((reason) => {
            if (this.connected || reason) this.environment.log(`connection closed ${reason}`);
            this.connected = false;
            this.environment.changed?.();
            if (this.stopped) return;
            setTimeout(() => this.start(), this.pause);
            this.pause = Math.min(this.pause * 2, longestPause);
        });
    }

    stop() {
        this.stopped = true;
        this.socket?.close();
        this.pool.resize(0);
    }

    /** While paused no new tasks come; those that run end as usual. */
    setPaused(paused: boolean) {
        this.paused = paused;
        this.resources();
    }
    setWorkers(count: number) {
        this.pool.resize(count);
        this.resources();
    }

    private resources() {
        const concurrency = this.paused ? 0 : this.pool.size;
        this.ahead = this.pool.ahead;
        this.told = performance.now();
        this.event(pb.Event_ProviderResourcesSchema, { concurrency, tasks: this.pool.busy, ahead: concurrency * this.ahead });
        this.environment.changed?.();
    }

    private send(envelope: MessageInitShape<typeof pb.EnvelopeSchema>) {
        if (this.connected) this.socket!.send(toBinary(pb.EnvelopeSchema, create(pb.EnvelopeSchema, envelope)));
    }

    private event<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>) {
        this.send({ sequence: this.sequence++, type: pb.Envelope_MessageType.Event, payload: pack(schema, create(schema, init)) });
    }

    private receive(bytes: Uint8Array) {
        const envelope = fromBinary(pb.EnvelopeSchema, bytes);
        const name = envelope.payload?.typeUrl.split("/").pop() ?? "";
        if (envelope.type === pb.Envelope_MessageType.Event && name === pb.Event_ClusterInfoSchema.typeName) {
            this.providers = fromBinary(pb.Event_ClusterInfoSchema, envelope.payload!.value).providers ?? 0;
            this.environment.changed?.();
        }
        if (envelope.type !== pb.Envelope_MessageType.Request) return;
        const respond = { sequence: envelope.sequence, type: pb.Envelope_MessageType.Response };
        this.answer(name, envelope.payload?.value ?? new Uint8Array()).then(
            (payload) => this.send({ ...respond, payload }),
            (error) => this.send({ ...respond, error: String(error) }));
    }

    private async answer(name: string, value: Uint8Array) {
        switch (name) {
            case pb.PingSchema.typeName: return pack(pb.PingSchema, create(pb.PingSchema));
            case pb.Filesystem_Listing_RequestSchema.typeName:
                return pack(pb.Filesystem_Listing_ResponseSchema,
                    create(pb.Filesystem_Listing_ResponseSchema, { files: this.files.list() }));
            case pb.Filesystem_Probe_RequestSchema.typeName: {
                const { file = "" } = fromBinary(pb.Filesystem_Probe_RequestSchema, value);
                return pack(pb.Filesystem_Probe_ResponseSchema,
                    create(pb.Filesystem_Probe_ResponseSchema, { ok: this.files.has(file) }));
            }
            case pb.Filesystem_Upload_RequestSchema.typeName: {
                const { upload } = fromBinary(pb.Filesystem_Upload_RequestSchema, value);
                const ref = await this.files.put(upload?.blob ?? new Uint8Array());
                return pack(pb.Filesystem_Upload_ResponseSchema, create(pb.Filesystem_Upload_ResponseSchema, { ref }));
            }
            case pb.Task_CancelSchema.typeName: {
                const cancel = fromBinary(pb.Task_CancelSchema, value);
                const id = cancel.id ?? "", reason = `cancelled: ${cancel.reason}`;
                if (!this.pool.cancel(id, reason) && this.preparing.has(id)) this.preparing.set(id, reason);
                return pack(pb.Task_CancelSchema, cancel);
            }
            case pb.Task_Wasip1_RequestSchema.typeName: return this.wasip1(fromBinary(pb.Task_Wasip1_RequestSchema, value));
            case pb.Task_Pyodide_RequestSchema.typeName: return this.pyodide(fromBinary(pb.Task_Pyodide_RequestSchema, value));
            default: throw new Error(`not implemented: ${name}`);
        }
    }

    private async wasip1({ info, qos, params }: pb.Task_Wasip1_Request) {
        const schema = pb.Task_Wasip1_ResponseSchema;
        const binary = params?.binary;
        if (!params || !binary) throw new Error("no binary in the request");
        const done = await this.perform(info, qos, async () => {
            const key = binary.blob ? await refOf(binary.blob) : binary.ref ?? "";
            const module = await this.files.module(key, binary.blob);
            const { args, envs, artifacts } = params;
            const stdin = params.stdin ?? new Uint8Array();
            return { key, program: { module, args, envs, stdin, rootfs: await this.content(params.rootfs), artifacts } };
        });
        if (!("outcome" in done)) return pack(schema, create(schema, { info, result: failure(done) }));
        const { status, stdout, stderr, artifacts } = done.outcome;
        return pack(schema, create(schema, {
            info, result: { case: "ok", value: { status, stdout, stderr, artifacts: zip(artifacts) } },
        }));
    }

    private async pyodide({ info, qos, params }: pb.Task_Pyodide_Request) {
        const schema = pb.Task_Pyodide_ResponseSchema;
        const home = this.environment.pyodide;
        if (!home) throw new Error("no Python here");
        if (!params?.run.case) throw new Error("neither script nor pickle in the request");
        const { run, packages, envs, stdin, artifacts } = params;
        const done = await this.perform(info, qos, async () => ({
            python: {
                home, packages, envs, stdin, artifacts, rootfs: await this.content(params.rootfs),
                script: run.case === "script" ? run.value : undefined,
                pickle: run.case === "pickle" ? run.value : undefined,
            },
        }));
        if (!("python" in done)) return pack(schema, create(schema, { info, result: failure(done) }));
        const { pickle, stdout, stderr, version } = done.python;
        return pack(schema, create(schema, {
            info, result: { case: "ok", value: { pickle, stdout, stderr, version, artifacts: zip(done.python.artifacts) } },
        }));
    }

    /** Sends what a task writes, gathered for some milliseconds. */
    private teller(id: string) {
        const parts = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
        let timer: ReturnType<typeof setTimeout> | undefined;
        const flush = () => {
            clearTimeout(timer);
            timer = undefined;
            if (parts.stdout.length === 0 && parts.stderr.length === 0) return;
            const [stdout, stderr] = [joined(parts.stdout), joined(parts.stderr)];
            parts.stdout = [];
            parts.stderr = [];
            this.event(pb.Event_TaskOutputSchema, { id, stdout, stderr });
        };
        const wrote = ({ stream, bytes }: Written) => {
            parts[stream].push(bytes);
            timer ??= setTimeout(flush, outputPause);
        };
        return { wrote, flush };
    }

    private content(file: pb.File | undefined) {
        return file && (file.blob ?? this.files.get(file.ref ?? ""));
    }

    /** Runs what `prepare` makes, unless the task is cancelled meanwhile. */
    private async perform(info: pb.Task_Metadata | undefined, qos: pb.Task_QoS | undefined,
        prepare: () => Promise<Work>): Promise<Done> {
        if (qos?.immediate && this.pool.busy >= this.pool.size) return { error: "no idle worker" };
        // Of what has explicit presence, an absent field is undefined.
        const id = info?.id ?? "";
        this.preparing.set(id, undefined);
        let work, cancelled;
        try {
            work = await prepare();
        } finally {
            cancelled = this.preparing.get(id);
            this.preparing.delete(id);
        }
        if (cancelled !== undefined) return { error: cancelled };
        const told = qos?.output ? this.teller(id) : undefined;
        const done = await this.pool.run(id, { ...work, tells: told !== undefined }, told?.wrote, qos?.first);
        told?.flush();
        this.completed++;
        if (this.pool.ahead !== this.ahead && performance.now() - this.told > resourcesPause) this.resources();
        this.environment.changed?.();
        return done;
    }
}

function pack<Desc extends DescMessage>(schema: Desc, message: Message) {
    return { typeUrl: "wasimoff/" + schema.typeName, value: toBinary(schema, message as never) };
}

function failure(done: Done) {
    return { case: "error" as const, value: "error" in done ? done.error : "the worker answered something else" };
}

function zip(blob: Uint8Array | undefined) {
    return blob && { media: "application/zip", blob };
}
