// The part of an API server that leaders need, with a judge: each write that reaches it is held against what must never happen.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import type { DisruptionPermit } from '../api.ts'
import type { LossyWorld } from './lossy-world.ts'

/** Leave to act, as somebody got it. */
interface HandedOut {
  readonly name: string
  /** Member of a permit that several share. */
  readonly member: number | undefined
  readonly workload: string
  readonly token: number
  readonly epoch: number
}

function seatKey({ name, member }: Pick<HandedOut, 'name' | 'member'>): string {
  return member === undefined ? name : `${name}#${member}`
}

type Change = { readonly type: 'put' | 'gone'; readonly object: KubeObject }

interface ServerFlags {
  /** Lists of permits are answered as a cache would: with what was there some writes ago. */
  readonly isListStale: boolean
}

export const workloads = ['a', 'b', 'c'] as const
const podsPerWorkload = 2

export class JudgedServer {
  /** What happened that must not. */
  readonly violations: string[] = []
  readonly counts = { grants: 0, effects: 0, releases: 0, leaders: 0 }
  readonly #world: LossyWorld
  readonly #flags: ServerFlags
  readonly #permits = new Map<string, DisruptionPermit>()
  readonly #pods = new Map<string, KubeObject>()
  #lease: KubeObject | undefined
  #version = 0
  #uid = 0
  readonly #past: (readonly DisruptionPermit[])[] = []
  readonly #watchers = new Set<(change: Change) => void>()
  /** Permits that were handed out to somebody, by name and member, with their workload. */
  readonly #handedOut = new Map<string, Pick<HandedOut, 'name' | 'member' | 'workload'>>()
  readonly #letGo = new Set<string>()
  readonly #tokens = new Set<number>()
  readonly #highestTokens = new Map<string, number>()
  #highestEpoch = 0

  constructor(world: LossyWorld, flags: ServerFlags) {
    this.#world = world
    this.#flags = flags
    for (const workload of workloads) for (let at = 0; at < podsPerWorkload; at++) this.#addPod(workload, at)
  }

  get leaseHolder(): string {
    const spec: { readonly holderIdentity?: string } = typeof this.#lease?.['spec'] === 'object' && this.#lease['spec'] !== null ? this.#lease['spec'] : {}
    return spec.holderIdentity ?? ''
  }

  /** Tells `watcher` each change from now on; the order is kept, the delay is the watcher's. */
  watch(watcher: (change: Change) => void): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  everything(): readonly KubeObject[] {
    return [...this.#permits.values(), ...this.#pods.values()]
  }

  deleteLease(): void {
    this.#lease = undefined
  }

  /** Somebody holds leave to act from now on. */
  handOut({ name, member, workload, token, epoch }: HandedOut): void {
    this.counts.grants++
    if (!this.#permits.has(name)) this.#blame(`permit ${name} was handed out and is not recorded`)
    const key = seatKey({ name, member })
    for (const [other, held] of this.#handedOut) {
      if (held.workload === workload && other !== key && this.#isOut(held))
        this.#blame(`permit ${key} was handed out while ${other} is out on workload ${workload}`)
    }
    // Wishes that are asked for together are answered together: one by one their tokens rise on each workload.
    const before = this.#highestTokens.get(workload) ?? 0
    if (token <= before) this.#blame(`token ${token} of ${key} is not above ${before} of workload ${workload}`)
    if (epoch < this.#highestEpoch) this.#blame(`epoch ${epoch} of ${key} is below ${this.#highestEpoch}`)
    if (this.#tokens.has(token)) this.#blame(`token ${token} of ${key} was given before`)
    this.#tokens.add(token)
    this.#highestTokens.set(workload, token)
    this.#highestEpoch = Math.max(this.#highestEpoch, epoch)
    this.#handedOut.set(key, { name, member, workload })
  }

  /** The former holder does nothing more under it: a member's end is written later than it holds. */
  letGo(seat: Pick<HandedOut, 'name' | 'member'>): void {
    this.#letGo.add(seatKey(seat))
  }

  #isOut({ name, member }: Pick<HandedOut, 'name' | 'member'>): boolean {
    const status = this.#permits.get(name)?.status
    const isKnown = this.#permits.has(name)
    const isEnded = status?.releasedAt !== undefined || status?.members?.some(one => one.member === member) === true
    return isKnown && !isEnded && !(member !== undefined && this.#letGo.has(seatKey({ name, member })))
  }

  answer({ verb, path, body }: TransportRequest): TransportResponse {
    const sent: unknown = body === undefined ? undefined : JSON.parse(String(body))
    if (path.includes('/events')) return answer(201, sent)
    if (path.includes('/leases')) return this.#leases(verb, sent as KubeObject | undefined)
    if (isEviction(sent)) return this.#evict(sent)
    if (path.includes('/pods/')) return answered(this.#pods.get(path.slice(path.lastIndexOf('/') + 1)))
    const [, name, subresource] = /\/disruptionpermits(?:\/([^/]+))?(?:\/(status))?$/.exec(path) ?? []
    const known = name === undefined ? undefined : this.#permits.get(name)
    switch (verb) {
      case 'GET':
        return name === undefined ? this.#list() : answered(known)
      case 'POST':
        return this.#create(sent as DisruptionPermit)
      case 'PATCH':
        return known === undefined ? refused(404, 'NotFound') : this.#patch(known, sent as Partial<DisruptionPermit>, subresource)
      default:
        return refused(405, 'MethodNotAllowed')
    }
  }

  #list(): TransportResponse {
    const items = this.#flags.isListStale ? (this.#past.at(-8) ?? []) : [...this.#permits.values()]
    return answer(200, { kind: 'DisruptionPermitList', apiVersion: 'ballast.dev/v1alpha1', metadata: { resourceVersion: String(this.#version) }, items })
  }

  #create(permit: DisruptionPermit): TransportResponse {
    const { name } = permit.metadata
    if (this.#permits.has(name)) return refused(409, 'AlreadyExists')
    return answer(201, this.#store({ ...permit, metadata: { ...permit.metadata, uid: `permit-${++this.#uid}` } }))
  }

  #patch(known: DisruptionPermit, sent: Partial<DisruptionPermit>, subresource: string | undefined): TransportResponse {
    if (subresource === 'status') {
      if (known.status?.releasedAt !== undefined) return refused(422, 'Invalid')
      this.counts.releases++
      return answer(200, this.#store({ ...known, status: { ...known.status, ...sent.status } }))
    }
    if (sent.metadata?.resourceVersion !== known.metadata.resourceVersion) return refused(409, 'Conflict')
    return answer(200, this.#store({ ...known, spec: { ...known.spec, ...sent.spec } }))
  }

  #store(permit: DisruptionPermit): DisruptionPermit {
    const stored = { ...permit, metadata: { ...permit.metadata, resourceVersion: this.#next() } }
    this.#past.push([...this.#permits.values()])
    if (this.#past.length > 16) this.#past.shift()
    this.#permits.set(stored.metadata.name, stored)
    this.#tell({ type: 'put', object: stored })
    this.#forget()
    return stored
  }

  /** What was released long ago is of no use to anybody: the simulation stays small. */
  #forget(): void {
    if (this.#permits.size <= 60) return
    for (const [name, permit] of this.#permits) {
      if (this.#permits.size <= 30) return
      if (permit.status?.releasedAt === undefined) continue
      this.#permits.delete(name)
      for (const [key, held] of this.#handedOut) if (held.name === name) this.#handedOut.delete(key)
      this.#tell({ type: 'gone', object: permit })
    }
  }

  #evict(eviction: Eviction): TransportResponse {
    const { name } = eviction.metadata
    const pod = this.#pods.get(name)
    if (pod === undefined) return refused(404, 'NotFound')
    const { uid = '' } = pod.metadata
    if (eviction.deleteOptions.preconditions.uid !== uid) return refused(409, 'Conflict')
    const workload = name.slice(0, 1)
    const leave = [...this.#permits.values()].filter(
      ({ spec, status }) => status?.releasedAt === undefined && spec.targets.some(target => target.uid === uid),
    )
    this.counts.effects++
    if (leave.length === 0) this.#blame(`pod ${name} was evicted, and no permit that is out speaks of it`)
    const missing = podsPerWorkload - [...this.#pods.values()].filter(one => one.metadata.name.startsWith(workload)).length
    if (missing > 0) this.#blame(`pod ${name} was evicted while another of workload ${workload} is missing`)
    this.#pods.delete(name)
    this.#tell({ type: 'gone', object: pod })
    const at = Number(name.slice(2))
    this.#world.schedule(2_000 + this.#world.random() * 20_000, () => this.#addPod(workload, at))
    return answer(201, { kind: 'Status', status: 'Success' })
  }

  #addPod(workload: string, at: number): void {
    const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: workload, uid: `uid-${workload}`, controller: true }
    const pod: KubeObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `${workload}-${at}`, namespace: 'shop', uid: `pod-${++this.#uid}`, resourceVersion: this.#next(), ownerReferences: [owner] },
      spec: { nodeName: `n-${workload}`, containers: [{ name: 'main' }] },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    }
    this.#pods.set(pod.metadata.name, pod)
    this.#tell({ type: 'put', object: pod })
  }

  #leases(verb: string, sent: KubeObject | undefined): TransportResponse {
    if (verb === 'GET') return answered(this.#lease)
    if (sent === undefined) return refused(400, 'BadRequest')
    if (verb === 'POST' && this.#lease !== undefined) return refused(409, 'AlreadyExists')
    if (verb === 'PUT' && this.#lease === undefined) return refused(404, 'NotFound')
    if (verb === 'PUT' && sent.metadata.resourceVersion !== this.#lease?.metadata.resourceVersion) return refused(409, 'Conflict')
    this.#lease = { ...sent, metadata: { ...sent.metadata, resourceVersion: this.#next() } }
    return answer(200, this.#lease)
  }

  #tell(change: Change): void {
    for (const watcher of this.#watchers) watcher(change)
  }

  #blame(what: string): void {
    this.violations.push(`step ${this.#world.steps}: ${what}`)
  }

  #next(): string {
    return String(++this.#version)
  }
}

interface Eviction {
  readonly metadata: { readonly name: string }
  readonly deleteOptions: { readonly preconditions: { readonly uid: string } }
}

/** Nothing else that is sent here says how to delete. */
function isEviction(sent: unknown): sent is Eviction {
  return typeof sent === 'object' && sent !== null && 'deleteOptions' in sent
}

function answered(object: KubeObject | undefined): TransportResponse {
  return object === undefined ? refused(404, 'NotFound') : answer(200, object)
}

function refused(code: number, reason: string): TransportResponse {
  return answer(code, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message: reason })
}

function answer(status: number, body: unknown): TransportResponse {
  return { status, headers: {}, body: new TextEncoder().encode(JSON.stringify(body)) }
}
