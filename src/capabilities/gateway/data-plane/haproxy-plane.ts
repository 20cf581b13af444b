// HAProxy as data plane: a process beside the gateway that has its port, and is told which routes are ready. Here alone it is acted on.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createNetServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cancel, Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { type AdminSocket, adminSocket, complaintOf, linesOf } from './admin-socket.ts'
import { CarriedTally, carriedCounts } from './carried-counts.ts'
import { CarriedLines, type CarriedRequest } from './carried-lines.ts'
import {
  decideSockets,
  endingCommand,
  type HaproxyOptions,
  haproxyAnswers,
  haproxyConfiguration,
  planeFiles,
} from './haproxy-configuration.ts'
import { haproxyProgram } from './haproxy-program.ts'
import { mapChanges, mapCommand, mapText, noMaps, type PlaneMaps, planeMaps } from './plane-maps.ts'
import type { WarmRoute } from './warm-routes.ts'

/** The data plane is asked so often what it carries. */
const lookMs = 250
/** Between two looks at all routes at least so many times what a look took. */
const restShare = 9
/** One that was asked so often in a row and said nothing hangs: it is ended. */
const mostSilences = 3
/** It is tried so often whether it answers, and for so long, while it starts. */
const startLookMs = 20
const longestStartMs = 10_000
/** What it says when it fails. */
const mostSaid = 4_000

interface PlaneOptions extends Omit<HaproxyOptions, 'directory' | 'tells'> {
  readonly clock: Clock
  readonly log: Log
  readonly counts: ConstructorParameters<typeof CarriedTally>[0]
  /** Routes that need no decision at this moment. */
  readonly warmRoutes: () => Iterable<WarmRoute>
  /** Told of each request that was carried; absent: nobody counts them. */
  readonly onCarried?: (request: CarriedRequest) => void
  /** Where another HAProxy that has the port hands its listening sockets over. */
  readonly heirOf?: string | undefined
  /** Makes the gateway itself listen at paths: for requests that it decides about, and for those whose pod was not reached. */
  readonly openDoors: (paths: { readonly decide: readonly string[]; readonly again: string }) => Promise<void>
  /** It ended by itself: nobody has the port any more. */
  readonly onGone: (why: string) => void
}

export class HaproxyPlane implements AsyncDisposable {
  readonly #options: PlaneOptions
  readonly #directory: string
  readonly #admin: AdminSocket
  readonly #tally: CarriedTally
  readonly #ended = Promise.withResolvers<void>()
  readonly #readers = new Set<Socket>()
  #child: ChildProcess | undefined
  #lines: Server | undefined
  #said = ''
  #told: PlaneMaps = noMaps
  /** What it says is not known any more: a command failed. */
  #isUnsure = false
  #isTelling = false
  /** To look at all routes takes a share of the time at most, however many requests come and go that wait. */
  #nextTellMs = 0
  #hasNews = false
  #cancelTell: Cancel | undefined
  #cancelLook: Cancel | undefined
  #silences = 0
  #isEnding = false
  #isGone = false

  /** @throws Error where HAProxy does not start: what it said */
  static async start(options: PlaneOptions): Promise<HaproxyPlane> {
    const plane = new HaproxyPlane(options, await mkdtemp(join(tmpdir(), 'ballast-gateway-')))
    try {
      await plane.#start()
    } catch (error) {
      await plane[Symbol.asyncDispose]()
      throw error
    }
    return plane
  }

  private constructor(options: PlaneOptions, directory: string) {
    this.#options = options
    this.#directory = directory
    this.#admin = adminSocket(join(directory, planeFiles.admin), options.clock)
    this.#tally = new CarriedTally(options.counts)
  }

  /** Where it hands its listening sockets over. */
  get heritage(): string {
    return join(this.#directory, planeFiles.admin)
  }

  /** Something changed that routes are judged by. */
  changed(): void {
    this.#hasNews = true
    if (this.#isTelling || this.#isGone) return
    const waitMs = Math.max(0, this.#nextTellMs - this.#options.clock.elapsed())
    this.#cancelTell ??= this.#options.clock.schedule(waitMs, () => {
      this.#cancelTell = undefined
      void this.#tell()
    })
  }

  /** Connections are taken as before, and end with their next answer. */
  async ends(): Promise<void> {
    try {
      const complaint = complaintOf(await this.#admin.ask(endingCommand))
      if (complaint !== undefined) throw new Error(complaint)
    } catch (error) {
      if (!this.#isGone) this.#options.log.warn({ why: messageOf(error) }, 'HAProxy keeps connections until it ends')
    }
    // It says nothing any more once it takes no connection: what it carries then is counted until it ends.
    if (!this.#isGone) await this.#lookOnce()
  }

  /** No connection is taken any more; resolves when all requests have been answered, at the latest after `mostMs` or when `signal` aborts. */
  async drain(mostMs: number, signal: AbortSignal): Promise<void> {
    this.#isEnding = true
    this.#child?.kill('SIGUSR1')
    const over = Promise.withResolvers<void>()
    const late = this.#options.clock.schedule(mostMs, () => over.resolve())
    const onAbort = () => over.resolve()
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    await Promise.race([this.#ended.promise, over.promise])
    signal.removeEventListener('abort', onAbort)
    late()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    this.#stopLooking()
    if (this.#child !== undefined && !this.#isGone) {
      this.#child.kill('SIGKILL')
      await this.#ended.promise
    }
    this.#lines?.close()
    for (const reader of this.#readers) reader.destroy()
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #start(): Promise<void> {
    const { onCarried, openDoors, warmRoutes } = this.#options
    const at = (name: keyof typeof planeFiles) => join(this.#directory, planeFiles[name])
    await openDoors({ decide: decideSockets.map(name => join(this.#directory, name)), again: at('again') })
    if (onCarried !== undefined) await this.#readLines(at('lines'), onCarried)
    this.#told = planeMaps(warmRoutes())
    for (const map of ['hosts', 'sizes', 'targets', 'waits'] as const) await writeFile(at(map), mapText(this.#told[map]))
    for (const [name, text] of haproxyAnswers()) await writeFile(join(this.#directory, name), text)
    const tells = onCarried !== undefined
    await writeFile(at('configuration'), haproxyConfiguration({ ...this.#options, directory: this.#directory, tells }))
    // Routes and pods may have changed since they were written: the difference is told once it answers.
    this.#spawn(at('configuration'))
    await this.#answers()
    this.#look()
    this.changed()
  }

  /** In a container HAProxy ends with the first process; elsewhere a shell that reads from us sees our end, however it comes. */
  #guard(child: ChildProcess): void {
    if (process.pid === 1 || child.pid === undefined) return
    const script = 'read -r _; kill -9 "$0"; rm -rf -- "$1"'
    const guard = spawn('/bin/sh', ['-c', script, String(child.pid), this.#directory], { stdio: ['pipe', 'ignore', 'ignore'] })
    guard.on('error', error => this.#options.log.debug({ why: messageOf(error) }, 'nobody ends HAProxy if the gateway is killed'))
    guard.unref()
    child.on('exit', () => guard.kill('SIGKILL'))
  }

  #spawn(file: string): void {
    const { heirOf } = this.#options
    const inherits = heirOf === undefined ? [] : ['-x', heirOf]
    const child = spawn(haproxyProgram, ['-db', '-f', file, ...inherits], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    this.#guard(child)
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.#said = (this.#said + chunk.toString('utf8')).slice(-mostSaid)
        this.#options.log.debug({ said: chunk.toString('utf8').trim().slice(0, mostSaid) }, 'HAProxy says')
      })
    let why = ''
    child.on('error', error => {
      why = messageOf(error)
      if (child.pid === undefined) this.#gone(why)
    })
    child.on('exit', (code, killer) => {
      why ||= code === null ? `it was ended by ${killer}` : `it ended with ${code}`
      this.#gone(why)
    })
  }

  #gone(how: string): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#stopLooking()
    // What it carried is gone with it.
    this.#tally.take([], this.#options.clock.elapsed())
    this.#ended.resolve()
    const said = this.#said.trim()
    if (!this.#isEnding) this.#options.onGone(said === '' ? how : `${how}: ${said}`)
  }

  /** Waits until HAProxy answers. @throws Error where it ended, or does not answer in time */
  async #answers(): Promise<void> {
    const { clock } = this.#options
    const untilMs = clock.elapsed() + longestStartMs
    // Nobody else is to be told of an end before it had begun.
    this.#isEnding = true
    for (;;) {
      try {
        await this.#admin.ask('show version')
        this.#isEnding = false
        return
      } catch (error) {
        if (this.#isGone) throw new Error(`HAProxy did not start: ${this.#said.trim() || messageOf(error)}`)
        if (clock.elapsed() >= untilMs) throw new Error(`HAProxy does not answer: ${messageOf(error)}`)
      }
      await Promise.race([clock.after(startLookMs), this.#ended.promise])
    }
  }

  async #readLines(path: string, onCarried: (request: CarriedRequest) => void): Promise<void> {
    const server = createNetServer(socket => {
      const lines = new CarriedLines()
      this.#readers.add(socket)
      socket.on('data', chunk => {
        for (const request of lines.read(chunk)) onCarried(request)
      })
      socket.on('error', error => this.#options.log.debug({ why: messageOf(error) }, "HAProxy's lines broke off"))
      socket.on('close', () => this.#readers.delete(socket))
    })
    this.#lines = server
    server.listen(path)
    await once(server, 'listening')
  }

  /** Tells what changed, one batch after the other. */
  async #tell(): Promise<void> {
    const { clock } = this.#options
    this.#isTelling = true
    try {
      while (this.#hasNews && !this.#isGone) {
        this.#hasNews = false
        const startMs = clock.elapsed()
        const wanted = planeMaps(this.#options.warmRoutes())
        const tookMs = clock.elapsed() - startMs
        await this.#tellOnce(wanted)
        this.#nextTellMs = startMs + tookMs * restShare
        if (clock.elapsed() < this.#nextTellMs) break
      }
    } catch (error) {
      this.#nextTellMs = clock.elapsed() + lookMs
      this.#isUnsure = true
      this.#hasNews = true
      if (!this.#isGone && !this.#isEnding)
        this.#options.log.warn({ why: messageOf(error) }, 'HAProxy was not told which routes are ready: it is told again')
    } finally {
      this.#isTelling = false
    }
    if (this.#hasNews && !this.#isGone && !this.#isUnsure) this.changed()
  }

  /** @throws Error where HAProxy did not follow */
  async #tellOnce(wanted: PlaneMaps): Promise<void> {
    if (this.#isUnsure) await this.#forget()
    const commands = mapChanges(this.#told, wanted).map(change => mapCommand(change, this.#directory))
    this.#isUnsure = commands.length > 0
    for (const line of linesOf(commands)) {
      const complaint = complaintOf(await this.#admin.ask(line))
      if (complaint !== undefined) throw new Error(complaint)
    }
    this.#told = wanted
    this.#isUnsure = false
  }

  /** Every request asks the gateway until it is told anew. */
  async #forget(): Promise<void> {
    for (const map of ['hosts', 'sizes', 'targets', 'waits'] as const) {
      const complaint = complaintOf(await this.#admin.ask(`clear map ${join(this.#directory, planeFiles[map])}`))
      if (complaint !== undefined) throw new Error(complaint)
    }
    this.#told = noMaps
  }

  #look(): void {
    this.#cancelLook = this.#options.clock.schedule(lookMs, () => {
      void this.#lookOnce().then(() => {
        if (!this.#isGone) this.#look()
      })
    })
  }

  async #lookOnce(): Promise<void> {
    const { clock, log } = this.#options
    try {
      this.#tally.take(carriedCounts(await this.#admin.ask('show table routes')), clock.elapsed())
      this.#silences = 0
      if (this.#hasNews) this.changed()
    } catch (error) {
      if (this.#isGone || this.#isEnding) return
      log.warn({ why: messageOf(error) }, 'HAProxy does not say what it carries')
      // Clients wait in vain as well.
      if (++this.#silences >= mostSilences) this.#child?.kill('SIGKILL')
    }
  }

  #stopLooking(): void {
    this.#cancelLook?.()
    this.#cancelTell?.()
    this.#cancelTell = undefined
  }
}
