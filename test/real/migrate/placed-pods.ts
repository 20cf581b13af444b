// Pods as processes, each in a network namespace with an address of its own, so that old and new ones of a roll-out work beside each other. What a
// kubelet does is done here: a pod that ends has its grace, one is ready when its probe says so, and none is gone before its process.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '#kube/clock.ts'
import type { PodObject } from '../ballast/tiny-kubelet.ts'
import type { ControlPlane } from '../control-plane/start.ts'
import type { NodeNetwork } from '../mirror/laboratory/network.ts'
import { type Program, startProgram } from '../mirror/laboratory/program.ts'

const lookMs = 100
const standardGraceSeconds = 30
/** A kubelet's three probes, ten seconds apart: for so long one that fails is still taken for ready. */
const unreadyMs = 30_000

const accountFolder = '/run/secrets/kubernetes.io/serviceaccount'
/** `$0` stands for /etc/hosts, `$1` for what is mounted of the ServiceAccount. */
const inside = `mount --bind "$0" /etc/hosts && mount -t tmpfs tmpfs /run && mkdir -p ${accountFolder} && mount --bind "$1" ${accountFolder} && shift && exec "$@"`

interface Container {
  readonly image: string
  readonly args?: readonly string[]
  readonly env?: readonly {
    readonly name: string
    readonly value?: string
    readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } }
  }[]
}

/** What a pod's container starts. */
export interface PlacedProgram {
  /** For messages and counts. */
  readonly kind: 'upstream' | 'ours'
  readonly command: readonly string[]
  readonly isReady: (address: string) => Promise<boolean>
}

export interface PlacedPod {
  readonly name: string
  readonly kind: PlacedProgram['kind']
  readonly place: NodeNetwork
  readonly process: Program
  readonly startedMs: number
  /** When it was told to end. */
  endedMs: number | undefined
}

interface Around {
  readonly plane: ControlPlane
  /** Where pods find the API server: address and port. */
  readonly server: readonly [address: string, port: string]
  readonly directory: string
  readonly places: readonly NodeNetwork[]
  /** Lines of /etc/hosts, in place of the cluster's names. */
  readonly hosts: readonly string[]
  readonly programOf: (container: Container) => PlacedProgram
}

export class PlacedPods implements AsyncDisposable {
  /** All that were started, also those that are gone. */
  readonly all: PlacedPod[] = []
  readonly #around: Around
  readonly #running = new Map<string, PlacedPod & { readonly clean: () => void; readonly ready: () => Promise<boolean> }>()
  readonly #ready = new Map<string, { isReady: boolean; saidMs: number }>()
  readonly #free: NodeNetwork[]
  readonly #hosts: string
  readonly #stop = new AbortController()
  #going: Promise<void> | undefined
  #failure: Error | undefined

  constructor(around: Around) {
    this.#around = around
    this.#free = [...around.places]
    this.#hosts = join(around.directory, 'hosts')
    writeFileSync(this.#hosts, ['127.0.0.1 localhost', ...around.hosts, ''].join('\n'))
  }

  start(): void {
    this.#going = this.#go().catch((cause: Error) => {
      this.#failure = cause
    })
  }

  /** The ends of what processes said. */
  get log(): string {
    return this.all.map(({ name, kind, process }) => `${name} (${kind}): ${process.log().slice(-1_500)}`).join('\n')
  }

  /** @throws Error where pods could not be looked after */
  assertWell(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#going
    await Promise.all(
      Array.from(this.#running.values(), async ({ process, clean }) => {
        await process.kill()
        clean()
      }),
    )
  }

  async #go(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const list = await this.#around.plane.client.want('GET', '/api/v1/pods')
      const pods = Reflect.get(Object(list), 'items') as PodObject[]
      await Promise.all(pods.map(pod => this.#tend(pod)))
      await pause(lookMs)
    }
  }

  async #tend(pod: PodObject): Promise<void> {
    const { namespace, name, uid, deletionTimestamp } = pod.metadata
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`
    const running = this.#running.get(uid)
    if (deletionTimestamp !== undefined) return await this.#letGo(pod, path)
    if (pod.spec.nodeName === undefined) {
      const target = { apiVersion: 'v1', kind: 'Node', name: 'n1' }
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace, uid }, target }
      return tolerated(await this.#around.plane.client.send('POST', `${path}/binding`, binding))
    }
    if (running === undefined) return await this.#begin(pod)
    if (running.process.hasEnded()) throw new Error(`${name} has ended: ${running.process.log()}`)
    await this.#sayReady(pod, path)
  }

  async #begin(pod: PodObject): Promise<void> {
    const { plane, server, programOf } = this.#around
    const { namespace, name, uid } = pod.metadata
    const place = this.#free.shift()
    if (place === undefined) throw new Error(`there is no place for ${name}`)
    const tokens = `/api/v1/namespaces/${namespace}/serviceaccounts/${pod.spec['serviceAccountName']}/token`
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3_600 } }
    const token = String(Reflect.get(Object(Object(await plane.client.want('POST', tokens, review)).status), 'token'))
    const account = this.#account(uid, { token, namespace, 'ca.crt': plane.authority })
    const [container] = pod.spec.containers as readonly unknown[] as readonly Container[]
    if (container === undefined) throw new Error(`${name} has no container`)
    const { kind, command, isReady } = programOf(container)
    const [host = '', port = ''] = server
    const env = {
      ...{ KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, NO_COLOR: '1' },
      ...variablesOf(container, namespace),
    }
    const process = startProgram('sh', ['-c', inside, this.#hosts, account, ...command], { namespace: place.namespace, env })
    const started = { name, kind, place, process, startedMs: Date.now(), endedMs: undefined }
    this.all.push(started)
    const clean = () => rmSync(account, { recursive: true, force: true })
    this.#running.set(uid, Object.assign(started, { clean, ready: () => isReady(place.address) }))
  }

  #account(uid: string, files: Readonly<Record<string, string>>): string {
    const folder = join(this.#around.directory, uid)
    mkdirSync(folder, { mode: 0o700 })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return folder
  }

  async #letGo(pod: PodObject, path: string): Promise<void> {
    const { uid } = pod.metadata
    const running = this.#running.get(uid)
    if (running !== undefined && !running.process.hasEnded()) {
      const grace = Number(pod.spec['terminationGracePeriodSeconds'] ?? standardGraceSeconds)
      if (running.endedMs === undefined) {
        running.endedMs = Date.now()
        running.process.signal('SIGTERM')
      } else if (Date.now() - running.endedMs > grace * 1_000) running.process.signal('SIGKILL')
      return await this.#sayReady(pod, path)
    }
    if (running !== undefined) {
      running.clean()
      this.#free.push(running.place)
    }
    this.#running.delete(uid)
    this.#ready.delete(uid)
    const now = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions: { uid } }
    tolerated(await this.#around.plane.client.send('DELETE', path, now))
  }

  async #sayReady(pod: PodObject, path: string): Promise<void> {
    const { uid } = pod.metadata
    const running = this.#running.get(uid)
    if (running === undefined) return
    const state = this.#ready.get(uid) ?? { isReady: false, saidMs: 0 }
    this.#ready.set(uid, state)
    const nowMs = systemClock.elapsed()
    if (await running.ready()) Object.assign(state, { isReady: true, saidMs: nowMs })
    else if (nowMs - state.saidMs > unreadyMs) state.isReady = false
    const known = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status
    if (known === (state.isReady ? 'True' : 'False')) return
    const now = `${new Date().toISOString().slice(0, 19)}Z`
    const { address } = running.place
    tolerated(
      await this.#around.plane.client.send('PATCH', `${path}/status`, {
        metadata: { uid },
        status: {
          phase: 'Running',
          startTime: now,
          podIP: address,
          podIPs: [{ ip: address }],
          conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(type => ({
            type,
            status: state.isReady || type === 'PodScheduled' || type === 'Initialized' ? 'True' : 'False',
            lastTransitionTime: now,
          })),
        },
      }),
    )
  }
}

function variablesOf({ env = [] }: Container, namespace: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    env.map(({ name, value = '', valueFrom }) => [
      name,
      valueFrom?.fieldRef?.fieldPath === 'metadata.namespace' ? namespace : value,
    ]),
  )
}

/** A pod may be gone, or changed, before it is written. */
function tolerated({ status, body }: { readonly status: number; readonly body: unknown }): void {
  if (status >= 300 && status !== 404 && status !== 409) throw new Error(`${status} ${JSON.stringify(body)}`)
}
