// Memory that the thread that talks shares with one worker: who of the two has a task that was posted ahead, and the results of
// short ones, which the other reads in bulk instead of being woken for each. Pages that are not isolated (neither TLS nor
// localhost, or another server's) have no such memory.
import type { Done } from "./work";

export interface Report {
    ticket: number;
    took: number; // milliseconds of running
    done: Done;
}

const slots = 64;
const ringSize = 1 << 18; // larger results are posted
const wordPosted = 0, wordBegun = 1, wordWritten = 2, wordRead = 3, wordsBefore = 4;
const header = 6; // words before the bytes of a result: ticket, took, status, lengths of stdout, stderr and artifacts
const noArtifacts = -1;

const now = () => Date.now() & 0x7fff_ffff;

/** Of a task that two workers have been given: whoever of them begins it, or takes it back for both. */
export class Either {
    static readonly taken = 3;
    private word: Int32Array;

    constructor(readonly memory = new SharedArrayBuffer(4)) { this.word = new Int32Array(memory); }

    /** As 1 or 2, a worker, or as `taken`. */
    claim(who: number): boolean { return Atomics.compareExchange(this.word, 0, 0, who) === 0; }
    get who() { return Atomics.load(this.word, 0); }
}

export class Lane {
    private words: Int32Array;
    private ring: Uint8Array;

    constructor(readonly memory: SharedArrayBuffer) {
        this.words = new Int32Array(memory, 0, wordsBefore + slots);
        this.ring = new Uint8Array(memory, 4 * (wordsBefore + slots), ringSize);
    }

    /** Undefined where memory cannot be shared. */
    static make(): Lane | undefined {
        if (typeof SharedArrayBuffer === "undefined") return undefined;
        return new Lane(new SharedArrayBuffer(4 * (wordsBefore + slots) + ringSize));
    }

    // --- of the thread that talks

    /** Says that a task is about to be posted. At most `slots` tickets in a row may be out, and none is 0. */
    offer(ticket: number) {
        Atomics.store(this.words, wordsBefore + ticket % slots, ticket);
        Atomics.add(this.words, wordPosted, 1);
    }

    /** Whoever claims a ticket first has it: the worker runs the task, or the other takes it back. */
    claim(ticket: number): boolean {
        return Atomics.compareExchange(this.words, wordsBefore + ticket % slots, ticket, 0) === ticket;
    }

    /** Milliseconds since the worker began its last task. */
    running(): number {
        return (now() - Atomics.load(this.words, wordBegun)) & 0x7fff_ffff;
    }

    /** The results since the last time. */
    read(): Report[] {
        const reports: Report[] = [];
        const end = Atomics.load(this.words, wordWritten);
        let at = Atomics.load(this.words, wordRead);
        while (at !== end) {
            const [ticket, took, status, out, err, zip] = new Int32Array(this.bytes(at, 4 * header).buffer);
            at = (at + 4 * header) | 0;
            const next = (length: number) => {
                const bytes = this.bytes(at, length);
                at = (at + length) | 0;
                return bytes;
            };
            const stdout = next(out), stderr = next(err);
            const artifacts = zip === noArtifacts ? undefined : next(zip);
            reports.push({ ticket, took: took / 1000, done: { outcome: { status, stdout, stderr, artifacts } } });
        }
        Atomics.store(this.words, wordRead, at);
        return reports;
    }

    // --- of the worker

    posted(): number { return Atomics.load(this.words, wordPosted); }
    begin() { Atomics.store(this.words, wordBegun, now()); }

    /** False when it has no room, or is none of the usual kind. */
    write({ ticket, took, done }: Report): boolean {
        if (!("outcome" in done)) return false;
        const { status, stdout, stderr, artifacts } = done.outcome;
        const parts = artifacts ? [stdout, stderr, artifacts] : [stdout, stderr];
        const length = parts.reduce((sum, part) => sum + part.length, 4 * header);
        let at = Atomics.load(this.words, wordWritten);
        if (ringSize - ((at - Atomics.load(this.words, wordRead)) | 0) < length) return false;
        const first = new Int32Array([ticket, took * 1000, status, stdout.length, stderr.length, artifacts ? artifacts.length : noArtifacts]);
        for (const part of [new Uint8Array(first.buffer), ...parts]) {
            const from = at & (ringSize - 1), fits = Math.min(part.length, ringSize - from);
            this.ring.set(part.subarray(0, fits), from);
            this.ring.set(part.subarray(fits), 0);
            at = (at + part.length) | 0;
        }
        Atomics.store(this.words, wordWritten, at);
        return true;
    }

    // A copy: what is shared cannot be sent.
    private bytes(at: number, length: number): Uint8Array {
        const copy = new Uint8Array(length);
        const from = at & (ringSize - 1), fits = Math.min(length, ringSize - from);
        copy.set(this.ring.subarray(from, from + fits));
        copy.set(this.ring.subarray(0, length - fits), fits);
        return copy;
    }
}
