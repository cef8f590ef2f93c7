// Files by content, kept in memory: fetched from the broker when a task needs them, and checked.
import { sha256 } from "@noble/hashes/sha2.js";

const maxBytes = 512 << 20;
const maxModules = 64;

export async function refOf(bytes: Uint8Array): Promise<string> {
    // Browsers have it for pages that came over TLS or from localhost only.
    const digest = crypto.subtle
        ? new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource))
        : sha256(bytes);
    return "sha256:" + Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Files {
    private contents = new Map<string, Uint8Array>();
    private modules = new Map<string, WebAssembly.Module>();
    private fetching = new Map<string, Promise<Uint8Array>>();
    private bytes = 0;

    constructor(private origin: string, private changed: (added: string[], removed: string[]) => void) {}

    list(): string[] { return [...this.contents.keys()]; }
    has(ref: string): boolean { return this.contents.has(ref); }

    async put(bytes: Uint8Array): Promise<string> {
        const ref = await refOf(bytes);
        this.keep(ref, bytes);
        return ref;
    }

    async get(ref: string): Promise<Uint8Array> {
        const known = this.contents.get(ref);
        if (known) {
            this.contents.delete(ref); // and to the end
            this.contents.set(ref, known);
            return known;
        }
        let coming = this.fetching.get(ref);
        if (!coming) {
            coming = this.fetchFile(ref).finally(() => this.fetching.delete(ref));
            this.fetching.set(ref, coming);
        }
        return coming;
    }

    async module(ref: string, bytes?: Uint8Array): Promise<WebAssembly.Module> {
        let module = this.modules.get(ref);
        if (!module) {
            module = await WebAssembly.compile((bytes ?? await this.get(ref)) as BufferSource);
            this.modules.set(ref, module);
            if (this.modules.size > maxModules) this.modules.delete(this.modules.keys().next().value!);
        }
        return module;
    }

    private async fetchFile(ref: string): Promise<Uint8Array> {
        const answer = await fetch(`${this.origin}/api/storage/${ref}`);
        if (!answer.ok) throw new Error(`file not found: ${ref} (${answer.status})`);
        const bytes = new Uint8Array(await answer.arrayBuffer());
        // What a header calls it does not count, else a bad answer would stay under a good name.
        if (await refOf(bytes) !== ref) throw new Error(`file ${ref} came with other content`);
        this.keep(ref, bytes);
        return bytes;
    }

    private keep(ref: string, bytes: Uint8Array) {
        if (this.contents.has(ref)) return;
        this.contents.set(ref, bytes);
        this.bytes += bytes.length;
        const removed: string[] = [];
        for (const [oldest, content] of this.contents) {
            if (this.bytes <= maxBytes || oldest === ref) break;
            this.contents.delete(oldest);
            this.bytes -= content.length;
            removed.push(oldest);
        }
        this.changed([ref], removed);
    }
}
