// The workers: each runs one task at a time; killing one ends its task and starts another worker.
import type { Done, Work, Written } from "./work";

export interface Thread {
    post(work: Work): void;
    onSaid(fn: (said: Done | Written) => void): void;
    end(): void;
}

interface Worker {
    thread: Thread;
    modules: Set<string>; // that it has already been given
    task?: string;
    finish?: (done: Done) => void;
    wrote?: (written: Written) => void;
    once?: boolean; // of use for this task only: an interpreter keeps what a task did to it
}

interface Waiting {
    task: string;
    work: Work;
    finish: (done: Done) => void;
    wrote?: (written: Written) => void;
}

// As many as a worker keeps.
const maxModules = 64;

export class Pool {
    private workers: Worker[] = [];
    private waiting: Waiting[] = [];

    constructor(private start: () => Thread) {}

    get size() { return this.workers.length; }
    get busy() { return this.workers.filter((worker) => worker.task !== undefined).length; }

    resize(count: number) {
        while (this.workers.length < count) this.workers.push(this.make());
        while (this.workers.length > count) this.kill(this.workers.pop()!, "the worker was stopped");
        this.next();
    }

    /** `first`: before all that wait. */
    run(task: string, work: Work, wrote?: (written: Written) => void, first = false): Promise<Done> {
        return new Promise((finish) => {
            const waiting = { task, work, finish, wrote };
            if (first) this.waiting.unshift(waiting);
            else this.waiting.push(waiting);
            this.next();
        });
    }

    cancel(task: string, reason: string): boolean {
        const queued = this.waiting.findIndex((waiting) => waiting.task === task);
        if (queued >= 0) {
            this.waiting.splice(queued, 1)[0].finish({ error: reason });
            return true;
        }
        const at = this.workers.findIndex((worker) => worker.task === task);
        if (at < 0) return false;
        this.kill(this.workers[at], reason);
        this.workers[at] = this.make();
        this.next();
        return true;
    }

    private make(): Worker {
        const worker: Worker = { thread: this.start(), modules: new Set() };
        worker.thread.onSaid((done) => {
            if ("stream" in done) return worker.wrote?.(done);
            const finish = worker.finish;
            worker.task = worker.finish = worker.wrote = undefined;
            if (worker.once) {
                worker.thread.end();
                const at = this.workers.indexOf(worker);
                if (at >= 0) this.workers[at] = this.make();
            }
            finish?.(done);
            this.next();
        });
        return worker;
    }

    private kill(worker: Worker, reason: string) {
        worker.thread.end();
        const finish = worker.finish;
        worker.task = worker.finish = worker.wrote = undefined;
        finish?.({ error: reason });
    }

    private next() {
        for (const worker of this.workers) {
            if (worker.task !== undefined || this.waiting.length === 0) continue;
            const { task, work, finish, wrote } = this.waiting.shift()!;
            worker.task = task;
            worker.finish = finish;
            worker.wrote = wrote;
            if ("python" in work) {
                worker.once = true;
                worker.thread.post(work);
                continue;
            }
            const known = worker.modules.delete(work.key);
            worker.modules.add(work.key);
            if (worker.modules.size > maxModules) worker.modules.delete(worker.modules.values().next().value!);
            worker.thread.post(known ? { ...work, program: { ...work.program, module: undefined } } : work);
        }
    }
}
