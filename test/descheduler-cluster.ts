// A twin and the drop-in descheduler in one process on one virtual clock: what it logs, writes and evicts, and a hand that can kill it.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { vi } from 'vitest'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import { defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import { type Clock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { klog } from '#process/drop-ins/klog.ts'
import { startTwin, type Twin, type TwinOptions } from '#twin/twin.ts'
import { runDescheduler } from '../src/capabilities/deschedule/compat/run/descheduler.ts'
import type { DeschedulerOptions } from '../src/capabilities/deschedule/compat/run/descheduler-options.ts'

export const startMs = Date.parse('2026-03-02T04:00:00Z')

/** One run of the process. */
export interface DeschedulerRun {
  /** Lines of the log. */
  readonly lines: readonly string[]
  readonly log: string
  /** How it ended: `undefined` while it runs. */
  readonly end: { readonly error?: unknown } | undefined
  /** The text of /metrics. */
  metrics(): Promise<string>
  /** As SIGTERM does. */
  stop(): void
  /** As SIGKILL does: nothing it sends arrives, nothing is answered. */
  kill(): void
}

export interface RunOptions {
  readonly policy: object | string
  readonly settings?: Partial<DeschedulerOptions['settings']>
  readonly coordination?: Partial<DeschedulerOptions['coordination']>
  readonly arbiter?: Partial<DeschedulerOptions['arbiterPolicy']>
  readonly hasPermits?: boolean
  readonly verbosity?: number
  readonly format?: 'text' | 'json'
  /** Default: the administrator. */
  readonly token?: string
  readonly name?: string
  /** Hear of the cycles. */
  readonly listeners?: DeschedulerOptions['listeners']
  /** Serves metrics on a free port. */
  readonly isServing?: boolean
  /** What its clock says, in milliseconds since 1970; durations stay those of the cluster's. */
  readonly now?: () => number
  /** Stands between the process and the server. */
  readonly between?: (transport: Transport) => Transport
}

const serving: NonNullable<DeschedulerOptions['settings']['serving']> = {
  address: '127.0.0.1',
  port: 0,
  certificateDirectory: '',
  certificateFile: '',
  keyFile: '',
  minVersion: '',
  cipherSuites: [],
  http2: false,
  metrics: true,
}
/** The pair is self-signed. */
const insecure = new Agent({ connect: { rejectUnauthorized: false } })
const { signal: never } = new AbortController()
const realLimitMs = 200_000
/** Kubelets have started what was loaded, and the disruption controller has judged its budgets. */
const settleMs = 30_000

export class DeschedulerCluster implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly twin: Twin
  readonly admin: Api
  readonly #directory = mkdtempSync(join(tmpdir(), 'ballast-descheduler-'))
  readonly #runs: DeschedulerRun[] = []
  #files = 0

  private constructor(twin: Twin, clock: VirtualClock) {
    this.twin = twin
    this.clock = clock
    this.admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test admin' })
  }

  static async start(objects: readonly KubeObject[], options: Partial<TwinOptions> = {}): Promise<DeschedulerCluster> {
    const clock = new VirtualClock(startMs - settleMs)
    const twin = await startTwin({ clock, wire: clock, objects, ...options })
    await clock.advance(settleMs)
    return new DeschedulerCluster(twin, clock)
  }

  /** Starts a process. */
  run(options: RunOptions): DeschedulerRun {
    const file = join(this.#directory, `policy-${++this.#files}.yaml`)
    this.write(file, options.policy)
    const clock = options.now === undefined ? this.clock : withTime(this.clock, options.now)
    const stop = new AbortController()
    const dead = new AbortController()
    const lines: string[] = []
    const { verbosity = 2, format = 'text', name = `descheduler-${this.#files}` } = options
    const log = klog({
      program: 'descheduler',
      format,
      verbosity,
      clock,
      processId: 1,
      write: line => {
        if (!dead.signal.aborted) lines.push(line)
      },
    })
    const outer = this.twin.transport(options.token === undefined ? { admin: true } : { token: options.token })
    const transport = mortal(options.between?.(outer) ?? outer, dead.signal)
    const api = openApi(transport, { clock, userAgent: 'ballast descheduler', log: log.machinery })
    let port = 0
    const state: { end: DeschedulerRun['end'] } = { end: undefined }
    const lack = options.hasPermits === true ? undefined : 'the test wants it so'
    runDescheduler(
      {
        settings: {
          policyConfigFile: file,
          deschedulingIntervalMs: 0,
          dryRun: false,
          evictionsInBackground: false,
          ...(options.isServing === true && { serving }),
          ...options.settings,
        },
        api,
        coordination: {
          ...{ enforce: false, unlabelled: 'none', requirePDB: true, kedaPresence: 'exclude' },
          ...options.coordination,
        },
        arbiterPolicy: { ...defaultPolicy, modes: { deschedule: 'observe' }, ...options.arbiter },
        ownerLabel: defaultOwnerLabel,
        identity: { name, namespace: 'kube-system' },
        permitsLack: async () => lack,
        log,
        clock,
        random: seededRandom(this.#files),
        environment: {},
        version: '0.1.0',
        onServing: given => (port = given),
        ...(options.listeners !== undefined && { listeners: options.listeners }),
      },
      AbortSignal.any([stop.signal, dead.signal]),
    ).then(
      () => (state.end = {}),
      (error: unknown) => (state.end = { error }),
    )
    const run: DeschedulerRun = {
      lines,
      get log() {
        return lines.join('\n')
      },
      get end() {
        return state.end
      },
      metrics: async () => {
        const answer = await request(`https://127.0.0.1:${port}/metrics`, { dispatcher: insecure })
        return await answer.body.text()
      },
      stop: () => stop.abort(new DOMException('stopped by SIGTERM', 'AbortError')),
      kill: () => dead.abort(new Error('killed')),
    }
    this.#runs.push(run)
    return run
  }

  /** The policy file of the last run. */
  get policyFile(): string {
    return join(this.#directory, `policy-${this.#files}.yaml`)
  }

  /** Writes a policy where `file` is, in one step as a ConfigMap's link is swapped. */
  write(file: string, policy: object | string): void {
    const given = typeof policy === 'string' ? policy : JSON.stringify(policy)
    writeFileSync(`${file}.new`, given)
    renameSync(`${file}.new`, file)
  }

  /** Virtual time passes until `holds`. @throws Error after 200 s of real time */
  async until(holds: () => boolean | Promise<boolean>, stepMs = 20): Promise<void> {
    await vi.waitUntil(
      async () => {
        await this.clock.advance(stepMs)
        return await holds()
      },
      { timeout: realLimitMs, interval: 1 },
    )
  }

  /** Until the run has ended. @throws what it threw */
  async ended(run: DeschedulerRun, stepMs?: number): Promise<void> {
    await this.until(() => run.end !== undefined, stepMs)
    if (run.end?.error !== undefined) throw run.end.error
  }

  /** Lets `ms` of virtual time pass. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms)
  }

  pods(): readonly Pod[] {
    // The twin's store holds what the API server validated.
    return this.twin.access.list('pods') as readonly Pod[]
  }

  /** Pods that are there and do not leave: `name` → node. */
  standing(): Readonly<Record<string, string>> {
    const standing = this.pods().filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    return Object.fromEntries(standing.map(({ metadata, spec }) => [metadata.name, spec.nodeName ?? '']))
  }

  /** Evictions as the server answered them: `200 web-1`. */
  get evictions(): readonly string[] {
    return this.twin.requests.entries
      .filter(({ path }) => path.endsWith('/eviction'))
      .map(({ code, path }) => `${code} ${path.split('/').at(-2)}`)
  }

  permits(): readonly DisruptionPermit[] {
    const { group, resource } = disruptionPermits
    return this.twin.access.list(`${resource}.${group}`) as readonly DisruptionPermit[]
  }

  /** `Normal LowNodeUtilization web-1: …` of Events about pods in `events.k8s.io`. */
  async events(): Promise<readonly (KubeObject & { readonly line: string })[]> {
    const { items } = await this.admin.resource<KubeObject & EventFields>(builtIn.events).list({ signal: never })
    return items
      .filter(({ reportingController }) => /descheduler|ballast/.test(reportingController ?? ''))
      .map(item => ({ ...item, line: `${item.type} ${item.reason} ${item.regarding?.name}: ${item.note}` }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const run of this.#runs) run.kill()
    await this.twin.stop()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

interface EventFields {
  readonly type?: string
  readonly reason?: string
  readonly note?: string
  readonly reportingController?: string
  readonly regarding?: { readonly name?: string }
}

function withTime(clock: VirtualClock, now: () => number): Clock {
  return {
    now,
    elapsed: () => clock.elapsed(),
    schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
    at: (wallMs, callback) => clock.schedule(wallMs - now(), callback),
    after: (delayMs, signal) => clock.after(delayMs, signal),
    hold: () => clock.hold(),
  }
}

/** Dead, it sends nothing and hears nothing. */
function mortal(inner: Transport, dead: AbortSignal): Transport {
  const alive = <T>(answer: T): T => {
    dead.throwIfAborted()
    return answer
  }
  return {
    request: async request => {
      dead.throwIfAborted()
      return alive(await inner.request(request))
    },
    stream: async request => {
      dead.throwIfAborted()
      return alive(await inner.stream({ ...request, signal: AbortSignal.any([request.signal, dead]) }))
    },
    close: () => inner.close(),
  }
}
