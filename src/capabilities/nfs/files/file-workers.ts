// Work on files of shares, each in a child process with a deadline. A call on such a path may block for ever, and takes a thread of Node's pool with it;
// four of them stop every file and every name look-up of a process. So the driver touches no path of a share: it asks here.
//
// A worker that does not end when it is killed hangs in the kernel: it is given up (`abandoned`), and another takes its place, up to a bound.
import { type ChildProcess, fork } from 'node:child_process'
import { extname, join } from 'node:path'
import type { Cancel, Clock } from '#kube/clock.ts'
import type { FileWorkKind, FileWorkOf, FileWorkProgress, FileWorkResult, FromWorker } from './file-work.ts'
import { FileWorkFailed } from './file-work-failed.ts'

/** Works at once. */
const mostAtOnce = 4
const mostWaiting = 1_000
/** Processes that hang: each holds some 50 MB until its server answers, or its mount is taken away by force. */
const mostAbandoned = 8
/** Without work. */
const idleMs = 30_000
/** From the kill of a worker until it counts as one that hangs. */
const killedLimitMs = 2_000
const longestComplaint = 2_000
/** The heap of a worker; what it holds of a file is outside of it. */
const heapMegabytes = 192
const youngMegabytes = 1

export interface RunOptions {
  /** From now on, waiting for a worker included. */
  readonly limitMs: number
  readonly signal: AbortSignal
  /** Whose files they are: one server's works take at most half of the workers, rounded up, so that a dead one leaves some to others. */
  readonly server?: string
  /** At most once a second, for works that take long. */
  readonly onProgress?: (progress: FileWorkProgress) => void
}

export interface FileWorkersOptions {
  readonly clock: Clock
  readonly most?: number
  readonly mostAbandoned?: number
  /** What a worker runs, where it is another program. */
  readonly program?: string
  /** Ends a worker and what it started, by its process id. */
  readonly kill?: (pid: number) => void
}

/** Works that may take minutes leave one worker to the others. */
const longKinds: ReadonlySet<FileWorkKind> = new Set([
  'pack',
  'unpack',
  'verify',
  'copyTree',
  'usage',
  'removeTree',
  'sweep',
  'survey',
])

interface Job {
  readonly work: FileWorkOf<FileWorkKind>
  readonly server: string | undefined
  readonly succeed: (result: FileWorkResult<FileWorkKind>) => void
  readonly fail: (reason: unknown) => void
  readonly onProgress: ((progress: FileWorkProgress) => void) | undefined
}

interface Worker {
  readonly child: ChildProcess
  readonly gone: PromiseWithResolvers<void>
  state: 'idle' | 'working' | 'ending' | 'abandoned'
  job: Job | undefined
  /** Why it was killed in mid-work. */
  killedBecause: unknown
  cancelTimer: Cancel
  complaint: string
}

export class FileWorkers implements AsyncDisposable {
  readonly #clock: Clock
  readonly #most: number
  readonly #mostAbandoned: number
  readonly #program: string
  readonly #kill: (pid: number) => void
  readonly #workers = new Set<Worker>()
  readonly #waiting: Job[] = []
  #isClosed = false

  constructor(options: FileWorkersOptions) {
    this.#clock = options.clock
    this.#most = options.most ?? mostAtOnce
    this.#mostAbandoned = options.mostAbandoned ?? mostAbandoned
    // Beside this file, in the source as in a bundle.
    this.#program = options.program ?? join(import.meta.dirname, `file-work-process${extname(import.meta.filename)}`)
    this.#kill = options.kill ?? killGroup
  }

  /** Workers that were killed and still hang. */
  get abandoned(): number {
    return this.#count(({ state }) => state === 'abandoned')
  }

  /** Works under way, those included whose worker was killed and has not ended. */
  get working(): number {
    return this.#count(isBusy)
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /**
   * Does a work. Where it ends early, by its limit or `signal`, its worker is killed, and the promise waits until that has ended or is abandoned, 2 s at most:
   * so nothing goes on after it but what hangs. Each work can be done again after that.
   * @throws FileWorkFailed with a code of the system or an OwnCode; `signal.reason`
   */
  async run<Kind extends FileWorkKind>(work: FileWorkOf<Kind>, options: RunOptions): Promise<FileWorkResult<Kind>> {
    const { limitMs, signal, server, onProgress } = options
    signal.throwIfAborted()
    this.#refuse(work.kind)
    const { promise, resolve, reject } = Promise.withResolvers<FileWorkResult<Kind>>()
    const job: Job = {
      work,
      server,
      // Our own program's answer to this work.
      succeed: result => resolve(result as FileWorkResult<Kind>),
      fail: reject,
      onProgress,
    }
    const cancel = this.#clock.schedule(limitMs, () => this.#end(job, deadline(work, limitMs)))
    const onAbort = () => this.#end(job, signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    this.#waiting.push(job)
    this.#dispatch()
    try {
      return await promise
    } finally {
      cancel()
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Ends all workers; works under way and those that wait fail. Those that hang are left behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    const why = new FileWorkFailed('WORKER_ENDED', 'the driver ends: no work on files is done any more')
    for (const job of this.#waiting.splice(0)) job.fail(why)
    const ending = [...this.#workers].filter(({ state }) => state !== 'abandoned')
    for (const worker of ending) this.#endWorker(worker, why)
    await Promise.all(ending.map(({ gone }) => gone.promise))
  }

  #count(is: (worker: Worker) => boolean): number {
    return [...this.#workers].filter(is).length
  }

  #refuse(kind: FileWorkKind): void {
    if (this.#isClosed) throw new FileWorkFailed('WORKER_ENDED', `${kind}: the driver ends`)
    if (this.abandoned >= this.#mostAbandoned)
      throw new FileWorkFailed(
        'ABANDONED',
        `${kind}: ${this.abandoned} workers hang in calls that a server does not answer and cannot be ended, no more are started; bring the server back, or unmount its shares by force`,
      )
    if (this.#waiting.length >= mostWaiting)
      throw new FileWorkFailed('OVERLOADED', `${kind}: ${mostWaiting} works on files wait already; try again later`)
  }

  #dispatch(): void {
    while (!this.#isClosed && this.working < this.#most) {
      const at = this.#waiting.findIndex(job => this.#mayStart(job))
      const [job] = at < 0 ? [] : this.#waiting.splice(at, 1)
      if (job === undefined) return
      const worker = [...this.#workers].find(({ state }) => state === 'idle') ?? this.#start()
      worker.cancelTimer()
      worker.state = 'working'
      worker.job = job
      // One that has ended says so by its end.
      worker.child.send(job.work, () => undefined)
    }
  }

  #mayStart({ server, work }: Job): boolean {
    const ofServer = server === undefined ? 0 : this.#count(one => isBusy(one) && one.job?.server === server)
    if (ofServer >= Math.ceil(this.#most / 2)) return false
    const long = this.#count(one => isBusy(one) && one.job !== undefined && longKinds.has(one.job.work.kind))
    return !longKinds.has(work.kind) || long < Math.max(1, this.#most - 1)
  }

  #start(): Worker {
    const execArgv = [
      `--max-old-space-size=${heapMegabytes}`,
      `--max-semi-space-size=${youngMegabytes}`,
      '--disable-warning=ExperimentalWarning',
    ]
    // Its own group, so that a kill reaches what it started; and none of our environment, but where programs are and that they speak no language of people.
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', MALLOC_ARENA_MAX: '1' }
    const child = fork(this.#program, [], { execArgv, env, detached: true, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    const worker: Worker = {
      child,
      gone: Promise.withResolvers(),
      state: 'idle',
      job: undefined,
      killedBecause: undefined,
      cancelTimer: () => undefined,
      complaint: '',
    }
    this.#workers.add(worker)
    child.stderr?.on('data', (chunk: Buffer) => {
      worker.complaint = `${worker.complaint}${chunk.toString('utf8')}`.slice(-longestComplaint)
    })
    child.on('message', (message: FromWorker) => this.#heard(worker, message))
    child.on('error', error => this.#ended(worker, `could not be started: ${error.message}`))
    child.once('exit', (code, signal) => this.#ended(worker, `ended with ${signal ?? `code ${code}`}`))
    return worker
  }

  #heard(worker: Worker, message: FromWorker): void {
    const { job } = worker
    if (job === undefined || worker.state !== 'working') return
    switch (message.kind) {
      case 'progress':
        job.onProgress?.(message.progress)
        return
      case 'result':
        this.#rest(worker)
        job.succeed(message.result)
        break
      case 'failure':
        this.#rest(worker)
        job.fail(new FileWorkFailed(message.code, message.message, { path: message.path }))
        break
    }
    this.#dispatch()
  }

  #rest(worker: Worker): void {
    worker.job = undefined
    worker.state = 'idle'
    worker.cancelTimer = this.#clock.schedule(idleMs, () => this.#endWorker(worker, undefined))
  }

  /** Ends a work before its time. */
  #end(job: Job, reason: unknown): void {
    const at = this.#waiting.indexOf(job)
    if (at >= 0) {
      this.#waiting.splice(at, 1)
      job.fail(reason)
      return
    }
    const worker = [...this.#workers].find(one => one.job === job && one.state === 'working')
    if (worker !== undefined) this.#endWorker(worker, reason)
  }

  #endWorker(worker: Worker, reason: unknown): void {
    if (worker.state === 'ending' || worker.state === 'abandoned') return
    worker.cancelTimer()
    worker.killedBecause ??= reason
    worker.state = 'ending'
    worker.cancelTimer = this.#clock.schedule(killedLimitMs, () => this.#abandon(worker))
    if (worker.child.pid !== undefined) this.#kill(worker.child.pid)
  }

  #abandon(worker: Worker): void {
    worker.state = 'abandoned'
    worker.child.unref()
    worker.child.stderr?.destroy()
    worker.child.channel?.unref()
    worker.gone.resolve()
    this.#settle(worker, worker.killedBecause)
    this.#dispatch()
  }

  /** The process is gone: it was killed, or ended by itself. */
  #ended(worker: Worker, how: string): void {
    if (!this.#workers.delete(worker)) return
    worker.cancelTimer()
    // What it started may outlive it.
    if (worker.child.pid !== undefined) this.#kill(worker.child.pid)
    worker.gone.resolve()
    const words = `the worker ${how} ${worker.complaint.trim()}`.trim()
    this.#settle(worker, worker.killedBecause ?? new FileWorkFailed('WORKER_ENDED', `${worker.job?.work.kind}: ${words}`))
    this.#dispatch()
  }

  #settle(worker: Worker, reason: unknown): void {
    const { job } = worker
    worker.job = undefined
    job?.fail(reason)
  }
}

/** Whether a worker takes up a place: one that hangs does not. */
function isBusy({ state }: Worker): boolean {
  return state === 'working' || state === 'ending'
}

function deadline(work: FileWorkOf<FileWorkKind>, limitMs: number): FileWorkFailed {
  const where = 'root' in work ? work.root : 'path' in work ? work.path : work.archive.root
  return new FileWorkFailed(
    'DEADLINE',
    `${work.kind} in ${where}: not done within ${limitMs / 1_000} s; its server may not answer`,
    {
      path: where,
    },
  )
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // The whole group has ended already.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
