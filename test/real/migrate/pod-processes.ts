// What kubelets would do on a real control plane that has none: for each program that has a pod a process runs, with the pod's flags and its
// ServiceAccount's token, and the pod is ready when the process says so. All of them share an address of this machine.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { systemClock } from '#kube/clock.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import type { PodObject } from '../ballast/tiny-kubelet.ts'
import { PartUnavailable } from '../cache.ts'
import type { ControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import type { Kubectl } from '../helm/lifecycle.ts'
import { ended } from '../metrics/servers.ts'

const limitMs = 180_000

/** A program that pods run. */
export interface PodProgram {
  readonly isOf: (pod: PodObject) => boolean
  /** What to start, with the arguments of its container; `undefined`: what the pod mounts is not there yet. */
  readonly start: (
    args: readonly string[],
    kubeconfig: string,
  ) => Promise<{ readonly program: string; readonly words: readonly string[] } | undefined>
  readonly readyUrl: string
  /** What a pod would find in its file system. */
  readonly env?: Readonly<Record<string, string>>
}

interface Running {
  readonly child: ChildProcess
  readonly lines: string[]
  readonly clean: () => void
}

export class PodProcesses<Side extends string> implements AsyncDisposable {
  readonly address: string
  readonly #plane: ControlPlane
  readonly #kubectl: Kubectl
  readonly #programs: Readonly<Record<Side, PodProgram>>
  /** One process a side stands for all of its pods. */
  readonly #running = new Map<Side, Running>()
  readonly #log: string[] = []
  readonly #stop = new AbortController()
  readonly #going: Promise<void>[] = []
  readonly #probe = new Agent({ connect: { rejectUnauthorized: false } })
  #failure: Error | undefined

  /** @throws PartUnavailable where the machine has no address but loopback */
  constructor(plane: ControlPlane, kubectl: Kubectl, programs: (address: string) => Readonly<Record<Side, PodProgram>>) {
    this.#plane = plane
    this.#kubectl = kubectl
    this.address = ownAddress()
    this.#programs = programs(this.address)
  }

  /** Begins to look after pods of all namespaces. */
  start(): void {
    this.go(() => this.#reconcile(), 200)
  }

  runs(side: Side): boolean {
    return this.#running.has(side)
  }

  /** The ends of what processes said: those that are over, then those that run. */
  get log(): string {
    const running = Array.from(this.#running, ([side, { lines }]) => `${side}: ${lines.join('').slice(-2_500)}`)
    return [this.#log.join('\n').slice(-4_000), ...running].join('\n')
  }

  async until(what: string, holds: () => boolean | Promise<boolean>, said: () => string = () => ''): Promise<void> {
    const untilMs = systemClock.elapsed() + limitMs
    while (!(await holds())) {
      if (this.#failure !== undefined) throw this.#failure
      if (systemClock.elapsed() > untilMs) throw new Error(`not after ${limitMs / 1_000} s: ${what}\n${said()}\n${this.log}`)
      await pause(200)
    }
  }

  /** Does something again and again until the end; where it fails, whoever waits hears of it. */
  go(act: () => Promise<void>, everyMs: number): void {
    const going = async () => {
      while (!this.#stop.signal.aborted) {
        await act()
        await pause(everyMs)
      }
    }
    this.#going.push(
      going().catch((cause: Error) => {
        if (!this.#stop.signal.aborted) this.#failure ??= cause
      }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#going)
    for (const side of [...this.#running.keys()]) await this.#end(side)
    await this.#probe.destroy()
  }

  get #sides(): readonly Side[] {
    return Object.keys(this.#programs) as Side[]
  }

  async #reconcile(): Promise<void> {
    const list = await this.#plane.client.want('GET', '/api/v1/pods')
    const all = Reflect.get(Object(list), 'items') as PodObject[]
    const isEnding = (pod: PodObject) => pod.metadata.deletionTimestamp !== undefined
    for (const side of this.#sides) {
      const [pod] = all.filter(one => this.#programs[side].isOf(one) && !isEnding(one) && one.spec.nodeName !== undefined)
      const running = this.#running.get(side)
      if (running !== undefined && (pod === undefined || running.child.exitCode !== null)) await this.#end(side)
      if (pod === undefined || this.#running.has(side)) continue
      const started = await this.#start(side, pod)
      if (started !== undefined) this.#running.set(side, started)
    }
    for (const pod of all) await this.#tend(pod, isEnding(pod))
  }

  /** Binds it, says how it is, lets it go. */
  async #tend(pod: PodObject, isEnding: boolean): Promise<void> {
    const { client } = this.#plane
    const { namespace, name, uid } = pod.metadata
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`
    if (isEnding)
      return tolerated(await client.send('DELETE', path, { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 }))
    if (pod.spec.nodeName === undefined)
      return tolerated(
        await client.send('POST', `${path}/binding`, {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name, namespace, uid },
          target: { apiVersion: 'v1', kind: 'Node', name: 'n1' },
        }),
      )
    const side = this.#sides.find(one => this.#programs[one].isOf(pod))
    const isReady = side === undefined || (this.#running.has(side) && (await this.#isReady(side)))
    const known = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status
    if (known === (isReady ? 'True' : 'False')) return
    const now = `${new Date().toISOString().slice(0, 19)}Z`
    tolerated(
      await client.send('PATCH', `${path}/status`, {
        metadata: { uid },
        status: {
          phase: 'Running',
          startTime: now,
          podIP: this.address,
          podIPs: [{ ip: this.address }],
          conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(type => ({
            type,
            status: isReady || type === 'PodScheduled' || type === 'Initialized' ? 'True' : 'False',
            lastTransitionTime: now,
          })),
        },
      }),
    )
  }

  async #isReady(side: Side): Promise<boolean> {
    return request(this.#programs[side].readyUrl, { dispatcher: this.#probe, headersTimeout: 2_000 }).then(
      async ({ statusCode, body }) => {
        await body.dump()
        return statusCode === 200
      },
      () => false,
    )
  }

  async #start(side: Side, pod: PodObject): Promise<Running | undefined> {
    const { namespace, name } = pod.metadata
    const account = String(pod.spec['serviceAccountName'])
    const token = (await this.#kubectl(['create', 'token', account, '-n', namespace])).trim()
    const kubeconfig = tokenKubeconfig(readFileSync(this.#plane.kubeconfig, 'utf8'), token)
    const [container] = pod.spec.containers as readonly {
      readonly args?: readonly string[]
      readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[]
    }[]
    const started = await this.#programs[side].start(container?.args ?? [], kubeconfig.file)
    if (started === undefined) {
      kubeconfig[Symbol.dispose]()
      return undefined
    }
    const told = (container?.env ?? []).filter(({ valueFrom }) => valueFrom === undefined)
    const child = spawn(started.program, started.words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...{ PATH: '/usr/bin:/bin', NO_COLOR: '1', BALLAST_POD_NAME: name, BALLAST_POD_NAMESPACE: namespace },
        ...{ POD_NAME: name, POD_NAMESPACE: namespace },
        ...this.#programs[side].env,
        ...Object.fromEntries(told.map(({ name: key, value = '' }) => [key, value])),
      },
    })
    const lines: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => lines.push(text))
    const isOver = atEnd(() => child.kill('SIGKILL'))
    const clean = () => {
      isOver()
      kubeconfig[Symbol.dispose]()
    }
    return { child, lines, clean }
  }

  async #end(side: Side): Promise<void> {
    const running = this.#running.get(side)
    if (running === undefined) return
    const { child, lines, clean } = running
    this.#running.delete(side)
    await ended(child)
    clean()
    this.#log.push(`${side} ended with ${child.exitCode ?? child.signalCode}: ${lines.join('').slice(-3_000)}`)
  }
}

/** An address of this machine that API servers may proxy to: loopback is none. @throws PartUnavailable */
function ownAddress(): string {
  const found = Object.values(networkInterfaces())
    .flatMap(all => all ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)
  if (found === undefined) throw new PartUnavailable('this machine has no address but loopback')
  return found.address
}

/** A pod may be gone, or changed, before it is written. */
function tolerated({ status, body }: { readonly status: number; readonly body: unknown }): void {
  if (status >= 300 && status !== 404 && status !== 409) throw new Error(`${status} ${JSON.stringify(body)}`)
}
