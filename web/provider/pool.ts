// The workers: each runs one task at a time; killing one ends its task and starts another worker. Short tasks are posted ahead
// to busy workers, so that these need not wait for the next one, and can be taken back until they begin.
import { Either, Lane, type Report } from "./lane";
import type { Done, Posted, Said, Told, Work, Written } from "./work";

export interface Thread {
    post(told: Told): void;
    onSaid(fn: (said: Said) => void): void;
    onError(fn: (error: string) => void): void;
    end(): void;
}

interface Task {
    id: string;
    ticket: number;
    work: Work;
    first: boolean; // before all that wait
    finish: (done: Done) => void;
    wrote?: (written: Written) => void;
    second?: { worker: Worker; ticket: number; either: Either }; // that may begin it, too
}

interface Worker {
    thread: Thread;
    lane?: Lane;
    modules: Set<string>; // that it has already been given
    tasks: Task[]; // in the order in which it runs them; without a lane one at most
    tickets: number;
    answered: boolean;
}

// As many as a worker keeps.
const maxModules = 64;
// Milliseconds of work that a busy worker is given ahead, up to how long a task may take for that, and how many these may be.
const aheadFor = 50, longestAhead = 25, mostAhead = 16;
// Milliseconds after which results are read of a worker that still has something to do.
const lookEvery = 20;
// One whose task runs longer than this gives back what waits behind it; one that has work for this long shares it with idle ones.
const tooLong = 2 * aheadFor, worthMoving = 5;
const averageOver = 16;
const maxTicket = 2 ** 30;

export class Pool {
    private workers: Worker[] = [];
    private waiting: Task[] = [];
    private mean = Infinity; // milliseconds a task
    private timer?: ReturnType<typeof setTimeout>;

    constructor(private start: () => Thread) {}

    get size() { return this.workers.length; }
    get busy() { return this.workers.filter((worker) => worker.tasks.length > 0).length; }
    /** Tasks that each worker wants ahead: none, or a power of two. */
    get ahead() {
        if (!this.workers[0]?.lane || this.mean > longestAhead) return 0;
        return Math.min(mostAhead, 2 ** Math.round(Math.log2(aheadFor / Math.max(this.mean, 1))));
    }

    resize(count: number) {
        while (this.workers.length < count) this.workers.push(this.make());
        while (this.workers.length > count) {
            this.kill(this.workers.at(-1)!, "the worker was stopped");
            this.workers.pop();
        }
        this.next();
    }

    run(id: string, work: Work, wrote?: (written: Written) => void, first = false): Promise<Done> {
        return new Promise((finish) => {
            this.waiting.push({ id, ticket: 0, work, first, finish, wrote });
            if (first) this.firstGoFirst();
            this.next();
        });
    }

    cancel(id: string, reason: string): boolean {
        for (const worker of this.workers) this.read(worker);
        const named = (task: Task) => task.id === id;
        let at = this.workers.findIndex((worker) => worker.tasks.some(named));
        if (at >= 0) this.takeBack(this.workers[at]);
        const queued = this.waiting.findIndex(named);
        if (queued >= 0) this.waiting.splice(queued, 1)[0].finish({ error: reason });
        at = this.workers.findIndex((worker) => worker.tasks.some(named));
        if (at >= 0) {
            this.kill(this.workers[at], reason);
            this.workers[at] = this.make();
        }
        this.next();
        return queued >= 0 || at >= 0;
    }

    private make(): Worker {
        const worker: Worker = { thread: this.start(), lane: Lane.make(), modules: new Set(), tasks: [], tickets: 0, answered: false };
        if (worker.lane) worker.thread.post({ memory: worker.lane.memory });
        worker.thread.onSaid((said) => {
            worker.answered = true;
            this.settle();
            if ("stream" in said) {
                worker.tasks.find((task) => task.ticket === said.ticket)?.wrote?.(said);
                return;
            }
            if ("read" in said) this.read(worker);
            else this.done(worker, said);
            this.next();
        });
        worker.thread.onError((error) => {
            this.settle();
            this.takeBack(worker);
            for (const task of worker.tasks.splice(0)) task.finish({ error });
            // One that never began would fail again.
            const at = this.workers.indexOf(worker);
            if (at >= 0 && worker.answered) {
                worker.thread.end();
                this.workers[at] = this.make();
            }
            this.next();
        });
        return worker;
    }

    private kill(worker: Worker, reason: string) {
        this.read(worker);
        this.takeBack(worker);
        for (const { tasks } of this.workers)
            for (const task of tasks) if (task.second?.worker === worker) task.second = undefined;
        worker.thread.end();
        for (const task of worker.tasks.splice(0)) task.finish({ error: reason });
    }

    private read(worker: Worker) {
        this.settle();
        for (const report of worker.lane?.read() ?? []) this.done(worker, report);
    }

    /** What the second of two workers has begun is its own. */
    private settle() {
        for (const first of this.workers)
            for (const task of first.tasks.filter(({ second }) => second?.either.who === 2)) {
                const { worker, ticket } = task.second!;
                first.tasks.splice(first.tasks.indexOf(task), 1);
                worker.tasks.unshift(task);
                task.ticket = ticket;
                task.second = undefined;
            }
    }

    private done(worker: Worker, { ticket, took, done }: Report) {
        const at = worker.tasks.findIndex((task) => task.ticket === ticket);
        if (at < 0) return;
        const [task] = worker.tasks.splice(at, 1);
        this.mean = Number.isFinite(this.mean) ? this.mean + (took - this.mean) / averageOver : took;
        // An interpreter keeps what a task did to it.
        if ("python" in task.work) {
            worker.thread.end();
            const place = this.workers.indexOf(worker);
            if (place >= 0) this.workers[place] = this.make();
        }
        task.finish(done);
    }

    /** What a worker has not begun waits again. */
    private takeBack(worker: Worker, which = (task: Task) => true) {
        const { lane } = worker;
        if (!lane) return;
        const ours = ({ ticket, second }: Task) => second ? second.either.claim(Either.taken) : lane.claim(ticket);
        const back = worker.tasks.filter((task) => which(task) && ours(task));
        for (const task of back) task.second = undefined;
        worker.tasks = worker.tasks.filter((task) => !back.includes(task));
        this.waiting.unshift(...back);
        this.firstGoFirst();
        this.settle();
    }

    private firstGoFirst() {
        if (this.waiting.some((task) => task.first)) this.waiting.sort((a, b) => Number(b.first) - Number(a.first));
    }

    private next() {
        for (const worker of this.workers)
            if (worker.tasks.length > 1 && worker.lane!.running() > tooLong) this.takeBack(worker);
        for (const worker of this.workers)
            if (worker.tasks.length === 0) this.employ(worker);
        this.postAhead();
        if (this.workers.some((worker) => worker.tasks.length > 1)) this.timer ??= setTimeout(() => this.look(), lookEvery);
    }

    private look() {
        this.timer = undefined;
        for (const worker of this.workers) this.read(worker);
        this.next();
    }

    private employ(idle: Worker) {
        if (this.waiting.length === 0) {
            const most = least(this.workers, (worker) => -worker.tasks.length);
            if ((most.tasks.length - 1) * this.mean > worthMoving) this.takeBack(most);
        }
        const task = this.waiting.shift();
        if (!task) return;
        idle.lane?.begin();
        this.post(idle, [task]);
    }

    private postAhead() {
        const room = this.ahead > 0 ? this.ahead + 1 : 0;
        const takers = this.workers.filter(({ lane, tasks }) =>
            room > 0 && tasks.length > 0 && !isPython(tasks[0]) && lane!.running() <= tooLong);
        if (takers.length === 0) return;
        // Each to the two workers whose tasks began longest ago, before what waits there.
        while (this.waiting.length > 0 && this.waiting[0].first && !isPython(this.waiting[0])) {
            const order = (worker: Worker) => firsts(worker) * tooLong - worker.lane!.running();
            const [taker, other] = [...takers].sort((a, b) => order(a) - order(b));
            if (firsts(taker) >= mostAhead) return;
            const task = this.waiting.shift()!;
            for (const worker of [taker, other]) if (worker) this.takeBack(worker, ({ first }) => !first);
            const either = other && new Either();
            this.post(taker, [task], either);
            if (!either) continue;
            const [ticket] = this.send(other, [task], { memory: either.memory, who: 2 });
            task.second = { worker: other, ticket, either };
        }
        const given = new Map<Worker, Task[]>(takers.map((taker) => [taker, []]));
        const load = (worker: Worker) => worker.tasks.length + given.get(worker)!.length;
        while (this.waiting.length > 0 && !isPython(this.waiting[0])) {
            const taker = least(takers, load);
            if (load(taker) >= room) break;
            given.get(taker)!.push(this.waiting.shift()!);
        }
        for (const [worker, tasks] of given) if (tasks.length > 0) this.post(worker, tasks);
    }

    private post(worker: Worker, tasks: Task[], either?: Either) {
        const tickets = this.send(worker, tasks, either && { memory: either.memory, who: 1 });
        tasks.forEach((task, at) => task.ticket = tickets[at]);
        worker.tasks.push(...tasks);
    }

    private send(worker: Worker, tasks: Task[], either?: Posted["either"]): number[] {
        const posted = tasks.map(({ work, first }) => {
            worker.tickets = worker.tickets % maxTicket + 1;
            worker.lane?.offer(worker.tickets);
            return { ticket: worker.tickets, work: this.unknown(worker, work), soon: first, either };
        });
        worker.thread.post({ tasks: posted });
        return posted.map(({ ticket }) => ticket);
    }

    /** Without the module, if the worker has it. */
    private unknown(worker: Worker, work: Work): Work {
        if ("python" in work) return work;
        const known = worker.modules.delete(work.key);
        worker.modules.add(work.key);
        if (worker.modules.size > maxModules) worker.modules.delete(worker.modules.values().next().value!);
        return known ? { ...work, program: { ...work.program, module: undefined } } : work;
    }
}

function isPython({ work }: Task) { return "python" in work; }

function firsts({ tasks }: Worker) { return tasks.filter((task) => task.first).length; }

function least<Item>(items: Item[], value: (item: Item) => number): Item {
    return items.reduce((best, item) => value(item) < value(best) ? item : best);
}
