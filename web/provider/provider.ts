// A provider: answers the broker's requests, runs its tasks in a pool of workers. What differs between
// browsers and Node (sockets, threads) comes in from outside.
import { create, type DescMessage, fromBinary, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Files, refOf } from "./files";
import * as pb from "./generated/wasimoff_pb";
import { Pool, type Thread } from "./pool";

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

export class Provider {
    readonly pool: Pool;
    readonly files: Files;
    completed = 0;
    providers = 0;
    connected = false;
    private socket?: Socket;
    private sequence = 0n;
    private paused = false;
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
        this.event(pb.Event_ProviderResourcesSchema, { concurrency, tasks: this.pool.busy });
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
            default: throw new Error(`not implemented: ${name}`);
        }
    }

    private async wasip1({ info, qos, params }: pb.Task_Wasip1_Request) {
        const binary = params?.binary;
        if (!params || !binary) throw new Error("no binary in the request");
        if (qos?.immediate && this.pool.busy >= this.pool.size) return failure(info, "no idle worker");
        // Of what has explicit presence, an absent field is undefined.
        const id = info?.id ?? "";
        this.preparing.set(id, undefined);
        let key, module, rootfs, cancelled;
        try {
            key = binary.blob ? await refOf(binary.blob) : binary.ref ?? "";
            module = await this.files.module(key, binary.blob);
            rootfs = params.rootfs && (params.rootfs.blob ?? await this.files.get(params.rootfs.ref ?? ""));
        } finally {
            cancelled = this.preparing.get(id);
            this.preparing.delete(id);
        }
        if (cancelled !== undefined) return failure(info, cancelled);
        const { args, envs, artifacts } = params;
        const stdin = params.stdin ?? new Uint8Array();
        const done = await this.pool.run(id, { key, program: { module, args, envs, stdin, rootfs, artifacts } });
        this.completed++;
        this.environment.changed?.();
        if ("error" in done) return failure(info, done.error);
        const { status, stdout, stderr } = done.outcome;
        const zip = done.outcome.artifacts && { media: "application/zip", blob: done.outcome.artifacts };
        return pack(pb.Task_Wasip1_ResponseSchema, create(pb.Task_Wasip1_ResponseSchema, {
            info, result: { case: "ok", value: { status, stdout, stderr, artifacts: zip } },
        }));
    }
}

function pack<Desc extends DescMessage>(schema: Desc, message: Message) {
    return { typeUrl: "wasimoff/" + schema.typeName, value: toBinary(schema, message as never) };
}

function failure(info: pb.Task_Metadata | undefined, error: string) {
    return pack(pb.Task_Wasip1_ResponseSchema,
        create(pb.Task_Wasip1_ResponseSchema, { info, result: { case: "error", value: error } }));
}
