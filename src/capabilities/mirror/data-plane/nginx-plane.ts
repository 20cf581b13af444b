// nginx as data plane: a process beside the agent that has the ports, asks the agent about each request, and carries the bytes. Here alone it
// is acted on.
import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type RequestListener, request as requestHttp, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cancel, Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { PeerIdentity } from '../contract.ts'
import { BodyOrders } from './body-orders.ts'
import { openInnerDoor } from './inner-door.ts'
import { drainSeconds, nginxConfiguration, type PlaneOptions, planeFiles } from './nginx-configuration.ts'
import { nginxProgram } from './nginx-program.ts'
import { ToldBodies } from './told-bodies.ts'
import { groupOf } from './worker-bytes.ts'

/** It is tried so often whether it answers, and for so long, while it starts. */
const startLookMs = 20
const longestStartMs = 10_000
const answerMs = 2_000
/** Where it ended by itself it is started again after so long, and ever later. */
const firstAgainMs = 200
const lastAgainMs = 10_000
/** What it says when it fails. */
const mostSaid = 4_000

interface Options extends Omit<PlaneOptions, 'directory' | 'isRoot' | 'peers'> {
  /** Where other agents ask with mutual TLS; undefined: nowhere. */
  readonly peers: PlaneOptions['peers']
  /** Answers what came to containerd's ports, and to the port of the peers. */
  readonly onRegistry: RequestListener
  readonly onPeers: RequestListener
  /** Told of each request that was too many. */
  readonly onTurnedAway: () => void
  readonly clock: Clock
  readonly log: Log
}

export class NginxPlane implements AsyncDisposable {
  readonly orders: BodyOrders
  readonly #options: Options
  readonly #directory: string
  readonly #doors: Server[] = []
  readonly #told: ToldBodies
  #identity: PeerIdentity | undefined
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #isUp = false
  #isEnding = false
  #againMs = firstAgainMs
  #cancelAgain: Cancel | undefined
  #changing: Promise<void> = Promise.resolve()
  #said = ''

  /** @param identity for the port of the peers; it opens with the first that comes. @throws Error where nginx does not start: what it said */
  static async start(options: Options, identity: PeerIdentity | undefined): Promise<NginxPlane> {
    const plane = new NginxPlane(options, await mkdtemp(join(tmpdir(), 'ballast-mirror-')), identity)
    try {
      await plane.#open()
    } catch (error) {
      await plane[Symbol.asyncDispose]()
      throw error
    }
    return plane
  }

  private constructor(options: Options, directory: string, identity: PeerIdentity | undefined) {
    this.#options = options
    this.#directory = directory
    this.#identity = identity
    this.orders = new BodyOrders(options.clock)
    this.#told = new ToldBodies(this.#at('told'), () => this.#child?.kill('SIGUSR1'))
  }

  /** Whether it has its ports. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** Hears what nginx said of bodies since the last time. */
  hear(): void {
    try {
      for (const { order, ...carried } of this.#told.read())
        if (order === 0) this.#options.onTurnedAway()
        else this.orders.end(order, carried)
    } catch (error) {
      this.#options.log.warn({ why: messageOf(error) }, 'what nginx says of bodies cannot be read')
    }
  }

  /** Connections from now on; those that carry something go on with what they have. */
  use(identity: PeerIdentity): void {
    this.#identity = identity
    this.#changing = this.#changing.then(() => this.#changed())
  }

  /** Ends one of its processes, with all that this one carries: clients ask again from where they are. */
  endWorker(worker: number): void {
    // Numbers of processes are used again: another's is left alone.
    if (groupOf(worker) !== this.#child?.pid) return
    try {
      process.kill(worker, 'SIGTERM')
    } catch (error) {
      // It ended meanwhile.
      this.#options.log.debug({ worker, why: messageOf(error) }, 'a process of nginx was not ended')
    }
  }

  /** No connection is taken any more; what is being carried ends, within 30 s. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    this.#cancelAgain?.()
    await this.#changing
    const child = this.#child
    if (child !== undefined) {
      child.kill('SIGQUIT')
      const late = this.#options.clock.schedule((drainSeconds + 1) * 1_000, () => child.kill('SIGTERM'))
      await this.#ended
      late()
    }
    this.hear()
    this.orders.endAll()
    this.#told.close()
    await Promise.all(
      this.#doors.map(door => {
        const { promise, resolve } = Promise.withResolvers<void>()
        door.close(() => resolve())
        door.closeAllConnections()
        return promise
      }),
    )
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #open(): Promise<void> {
    const { onRegistry, onPeers } = this.#options
    this.#doors.push(await openInnerDoor(this.#at('registry'), onRegistry))
    this.#doors.push(await openInnerDoor(this.#at('peers'), onPeers))
    await this.#write()
    this.#spawn()
    await this.#answers()
    this.#isUp = true
  }

  #at(name: keyof typeof planeFiles): string {
    return join(this.#directory, planeFiles[name])
  }

  async #write(): Promise<void> {
    const identity = this.#identity
    if (identity !== undefined) {
      await writeFile(this.#at('ca'), identity.ca, { mode: 0o600 })
      await writeFile(this.#at('certificate'), identity.certificate, { mode: 0o600 })
      await writeFile(this.#at('key'), identity.key, { mode: 0o600 })
    }
    const { peers, ...rest } = this.#options
    const options = { ...rest, peers: identity === undefined ? undefined : peers, directory: this.#directory }
    await writeFile(this.#at('configuration'), nginxConfiguration({ ...options, isRoot: process.getuid?.() === 0 }))
  }

  async #changed(): Promise<void> {
    if (this.#isEnding) return
    try {
      await this.#write()
      // One that is not running reads it when it starts.
      this.#child?.kill('SIGHUP')
    } catch (error) {
      this.#options.log.error({ why: messageOf(error) }, 'nginx could not be told of the certificate')
    }
  }

  #spawn(): void {
    const { log, clock } = this.#options
    // One that was killed leaves its socket behind, and the next could not have it.
    rmSync(this.#at('alive'), { force: true })
    const child = spawn(nginxProgram, ['-e', 'stderr', '-p', this.#directory, '-c', this.#at('configuration')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Its processes are a group of their own, so that none of them outlives the first: it would keep the ports.
      detached: true,
    })
    this.#child = child
    this.#said = ''
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ended = promise
    this.#guard(child)
    const says = (text: string) => {
      this.#said = `${this.#said}${text}\n`.slice(-mostSaid)
      const said = { said: text.slice(0, mostSaid) }
      // One that runs says so of a configuration that it does not take, such as where the port for other agents is taken: nothing else tells of it.
      if (this.#isUp && text.includes('[emerg]'))
        log.error(said, 'nginx does not take its configuration, and goes on with the former one')
      else log.debug(said, 'nginx says')
    }
    child.stderr?.on('data', (chunk: Buffer) => says(chunk.toString('utf8').trim()))
    let isGone = false
    const gone = (why: string) => {
      if (isGone) return
      isGone = true
      this.#child = undefined
      const wasUp = this.#isUp
      this.#isUp = false
      endGroup(child)
      this.hear()
      this.orders.endAll()
      resolve()
      if (this.#isEnding || !wasUp) return
      log.error({ why, said: this.#said.trim() }, 'nginx ended by itself and is started again')
      this.#cancelAgain = clock.schedule(this.#againMs, () => void this.#again())
      this.#againMs = Math.min(lastAgainMs, this.#againMs * 2)
    }
    child.on('error', error => gone(messageOf(error)))
    child.on('exit', (code, killer) => gone(code === null ? `it was ended by ${killer}` : `it ended with ${code}`))
  }

  async #again(): Promise<void> {
    const { clock, log } = this.#options
    if (this.#isEnding) return
    this.#spawn()
    try {
      await this.#answers()
      this.#isUp = true
      this.#againMs = firstAgainMs
      log.info({}, 'nginx runs again')
    } catch (error) {
      this.#child?.kill('SIGKILL')
      await this.#ended
      if (this.#isEnding) return
      log.error({ why: messageOf(error) }, 'nginx could not be started again')
      this.#cancelAgain = clock.schedule(this.#againMs, () => void this.#again())
      this.#againMs = Math.min(lastAgainMs, this.#againMs * 2)
    }
  }

  /**
   * In a container nginx ends with the first process; elsewhere a shell that reads from us sees our end, however it comes. It is in a group of
   * its own, so that nobody ends it together with us.
   */
  #guard(child: ChildProcess): void {
    if (process.pid === 1 || child.pid === undefined) return
    const script = 'read -r _; kill -TERM "-$0"; rm -rf -- "$1"'
    const guard = spawn('/bin/sh', ['-c', script, String(child.pid), this.#directory], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    guard.on('error', error => this.#options.log.debug({ why: messageOf(error) }, 'nobody ends nginx if the agent is killed'))
    guard.unref()
    child.on('exit', () => guard.kill('SIGKILL'))
  }

  /** Waits until it has its ports. @throws Error where it ended, or does not answer in time */
  async #answers(): Promise<void> {
    const { clock } = this.#options
    const untilMs = clock.elapsed() + longestStartMs
    let isGone = false
    const gone = this.#ended.then(() => {
      isGone = true
    })
    for (;;) {
      if (await isAnswered(this.#at('alive'))) return
      if (isGone) throw new Error(`nginx did not start: ${this.#said.trim()}`)
      if (clock.elapsed() >= untilMs) throw new Error(`nginx does not answer: ${this.#said.trim()}`)
      await Promise.race([clock.after(startLookMs), gone])
    }
  }
}

/** Ends what is left of the processes of one that has ended; regularly that is nothing. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // ESRCH: none is left
  }
}

async function isAnswered(socketPath: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const asking = requestHttp({ socketPath, path: '/', agent: false, timeout: answerMs }, response => {
    response.resume()
    resolve(response.statusCode === 204)
  })
  asking.on('error', () => resolve(false)) // not yet
  asking.on('timeout', () => asking.destroy())
  asking.end()
  return await promise
}
