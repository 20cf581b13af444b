// A drain that another process asked for gives way to a pod: the permit ends, the node takes pods again, in this order, whoever is killed between.
import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { TransportRequest } from '#kube/client/transport.ts'
import type { EmittedEvent } from '#kube/events/event-object.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject, ManagedFieldsEntry } from '#kube/objects/objects.ts'
import type { Intent } from '../intent.ts'
import { unschedulable } from '../observed/unschedulable-pods.ts'
import { Site, words } from '../testdata/arbiter-site.ts'
import { startMs } from '../testdata/scripted-api.ts'
import { yieldDrains } from './yield-drains.ts'

const { signal } = new AbortController()
const text = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')
const look = 10_000

interface Cordon {
  readonly manager: string
  readonly atMs: number
}

/** n1 is full, n2 is not; a pod waits for 600m since before the test. */
class DrainSite extends Site {
  readonly told: EmittedEvent[] = []
  readonly logged: { readonly facts: object; readonly message: string }[] = []
  readonly counted: string[] = []
  readonly nodeWrites: unknown[] = []
  cordon: Cordon | undefined
  /** Seconds; `undefined`: it is not there. */
  waits: number | undefined = 90
  /** How the server answers to a change of n2. */
  answers: 'well' | 'forbidden' | 'broken' = 'well'
  isStale = false
  /** What runs on n1. */
  load = '900m'
  #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  override objects(): readonly KubeObject[] {
    const node = (name: string, spec: object, managedFields: readonly ManagedFieldsEntry[]): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, uid: `uid-${name}`, resourceVersion: '5', managedFields },
      spec,
      status: { allocatable: { cpu: '1', memory: '8Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] },
    })
    const pod = (name: string, cpu: string, on?: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'shop', uid: `uid-${name}` },
      spec: { containers: [{ name: 'main', resources: { requests: { cpu } } }], ...(on === undefined ? {} : { nodeName: on }) },
      status:
        on === undefined
          ? {
              phase: 'Pending',
              conditions: [
                {
                  type: 'PodScheduled',
                  status: 'False',
                  reason: 'Unschedulable',
                  lastTransitionTime: text(startMs - (this.waits ?? 0) * 1_000),
                },
              ],
            }
          : { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    })
    const { cordon } = this
    const signed: readonly ManagedFieldsEntry[] | undefined = cordon && [
      {
        manager: cordon.manager,
        operation: 'Update',
        apiVersion: 'v1',
        time: text(cordon.atMs),
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:spec': { 'f:unschedulable': {} } },
      },
    ]
    return [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      node('n1', {}, []),
      node('n2', cordon === undefined ? {} : { unschedulable: true }, signed ?? []),
      pod('a', this.load, 'n1'),
      ...(this.waits === undefined ? [] : [pod('big', '600m')]),
    ]
  }

  /** A leader that lets drains give way. */
  async lead() {
    const arbiter = await this.leader()
    const { clock } = this.server
    this.server.answersChange = sent => this.#change(sent)
    this.#stop = new AbortController()
    const waiting = () => Array.from(this.state().pods.values()).flatMap(({ object }) => unschedulable(object) ?? [])
    const log = {
      ...silentLog,
      info: (facts: object, message: string) => void this.logged.push({ facts, message }),
      warn: (facts: object, message: string) => void this.logged.push({ facts, message }),
    }
    this.#running = yieldDrains(
      {
        arbiter,
        view: { state: () => buildClusterState([...this.objects()]).state, staleness: () => (this.isStale ? 'old' : undefined) },
        waiting,
        policy: () => this.policy,
        effects: this.effects(),
        events: { emit: event => void this.told.push(event) },
        counted: ({ name }) => void this.counted.push(name),
        clock,
        log,
      },
      this.#stop.signal,
    )
    return arbiter
  }

  async die(): Promise<void> {
    this.#stop.abort(new DOMException('killed', 'AbortError'))
    await this.#running
  }

  /** The first permit, and whether n2 takes pods. */
  stands(): string {
    const [permit] = this.server.permits.values()
    return `${permit?.status?.ending ?? 'out'}, ${this.cordon === undefined ? 'open' : 'cordoned'}`
  }

  #change({ verb, path, body }: TransportRequest) {
    if (verb !== 'PATCH' || path !== '/api/v1/nodes/n2') return undefined
    if (this.answers === 'broken') throw new ConnectionError('reset')
    if (this.answers === 'forbidden')
      return { status: 403, body: { kind: 'Status', status: 'Failure', code: 403, reason: 'Forbidden', message: 'you may not' } }
    this.nodeWrites.push(JSON.parse(String(body)))
    this.server.writes.push('open n2')
    this.cordon = undefined
    return { status: 200, body: this.objects()[2] }
  }
}

function drain(change: Partial<Intent> = {}): Intent {
  return {
    requester: 'outsider',
    verb: 'drain',
    purpose: 'drain',
    class: 'cost',
    targets: [{ apiVersion: 'v1', kind: 'Node', name: 'n2', uid: 'uid-n2' }],
    workload: undefined,
    disrupts: [],
    reasons: [{ code: 'cost', message: 'n2 is hardly used' }],
    idempotencyKey: 'drain-n2',
    deadlineMs: startMs + 3_600_000,
    timeToLiveMs: 3_600_000,
    proof: { snapshotHash: '', nodes: ['n1'] },
    ...change,
  }
}

/** A site with a drain of n2 that is out, and whose requester has cordoned it; then the pod comes. */
async function drained(change: Partial<Intent> = {}): Promise<DrainSite> {
  const site = new DrainSite()
  site.waits = undefined
  site.policy = { ...site.policy, mergeWindowMs: 0 }
  const arbiter = await site.leader()
  expect(words(await arbiter.request(drain(change), signal))).toBe('granted drain-n2-1000001')
  site.cordon = { manager: 'outsider', atMs: startMs }
  site.waits = 90
  return site
}

describe('a drain with a pod that fits only on its node', () => {
  test('ends first, then its node takes pods again; log, event and count say so (7.2 case 29)', async () => {
    const site = await drained()
    await site.lead()
    await site.server.clock.advance(look)
    expect(site.stands()).toBe('yielded, open')
    expect(site.server.writes.slice(-2)).toEqual(['release drain-n2-1000001', 'open n2'])
    expect(site.nodeWrites).toEqual([{ metadata: { uid: 'uid-n2', resourceVersion: '5' }, spec: { unschedulable: null } }])
    const why = 'pod shop/big waits for a node since 2026-03-02T03:58:30Z and fits only on n2'
    expect(site.server.permits.get('ballast-system/drain-n2-1000001')?.status).toMatchObject({ ending: 'yielded', reason: why })
    expect(site.told).toEqual([
      expect.objectContaining({
        type: 'Normal',
        reason: 'DrainGaveWay',
        regarding: expect.objectContaining({ kind: 'Node', name: 'n2', uid: 'uid-n2' }),
        related: expect.objectContaining({ kind: 'Pod', name: 'big' }),
        note: `the drain of outsider (class cost, permit ballast-system/drain-n2-1000001) ended: ${why}`,
      }),
    ])
    expect(site.logged.map(({ message }) => message)).toEqual([
      'a drain gave way to a pod',
      'the node of a drain that gave way takes pods again',
    ])
    expect(site.counted).toEqual(['drain-n2-1000001'])
    await site.die()
  })

  test('is not granted again while the pod waits: the gate says why, and when to ask', async () => {
    const site = await drained()
    const arbiter = await site.lead()
    await site.server.clock.advance(look)
    const reply = await arbiter.request(drain({ idempotencyKey: 'again' }), signal)
    if (reply.kind === 'granted' || reply.verdict.kind !== 'defer') throw new Error(words(reply))
    expect(reply.sentence).toContain(
      'gate pending-pods is red: pod shop/big waits for a node and could run on n2, which would be emptied',
    )
    expect(reply.verdict.untilMs).toBeGreaterThan(site.server.clock.now())
    site.waits = undefined
    expect(words(await arbiter.request(drain({ idempotencyKey: 'again' }), signal))).toBe('granted drain-n2-2000001')
    await site.die()
  })

  test.each(['correctness', 'availability', 'capacity'] as const)('goes on where it is of class %s', async name => {
    const site = await drained({ class: name })
    await site.lead()
    await site.server.clock.advance(3 * look)
    expect([site.stands(), site.told]).toEqual(['out, cordoned', []])
    await site.die()
  })

  test('is left alone by who does not know how the cluster stands', async () => {
    const site = await drained()
    site.isStale = true
    await site.lead()
    await site.server.clock.advance(2 * look)
    expect(site.stands()).toBe('out, cordoned')
    site.isStale = false
    await site.server.clock.advance(look)
    expect(site.stands()).toBe('yielded, open')
    await site.die()
  })
})

test('what nobody had to give way in is worked out anew after a minute, and at once where another pod waits', async () => {
  const site = await drained()
  site.load = '100m'
  await site.lead()
  await site.server.clock.advance(look)
  site.load = '900m'
  await site.server.clock.advance(5 * look)
  expect(site.stands()).toBe('out, cordoned')
  await site.server.clock.advance(look)
  expect(site.stands()).toBe('yielded, open')
  await site.die()
})

describe('a leader that ends', () => {
  test('before anything was written: the next one does it all', async () => {
    const site = await drained()
    await site.lead()
    await site.die()
    await site.lead()
    await site.server.clock.advance(look)
    expect(site.stands()).toBe('yielded, open')
    await site.die()
  })

  test('between the end of the permit and the opening: the next one opens the node, though the pod is gone by then', async () => {
    const site = await drained()
    site.answers = 'broken'
    await site.lead()
    await site.server.clock.advance(look)
    expect(site.stands()).toBe('yielded, cordoned')
    await site.die()
    site.waits = undefined
    site.answers = 'well'
    await site.lead()
    await site.server.clock.advance(look)
    expect(site.stands()).toBe('yielded, open')
    expect(site.told.map(({ reason }) => reason)).toEqual(['DrainGaveWay'])
    await site.die()
  })

  test.each<[string, Cordon, number]>([
    ['that somebody set afterwards', { manager: 'kubectl', atMs: startMs + 60_000 }, look],
    ['that is older than the drain', { manager: 'kubectl', atMs: startMs - 60_000 }, look],
    ['of a drain that gave way two hours ago', { manager: 'outsider', atMs: startMs }, 7_200_000],
  ])('leaves a next one that keeps a cordon %s', async (_what, cordon, laterMs) => {
    const site = await drained()
    site.answers = 'broken'
    await site.lead()
    await site.server.clock.advance(look)
    await site.die()
    site.answers = 'well'
    site.waits = undefined
    site.cordon = cordon
    await site.server.clock.advance(laterMs)
    await site.lead()
    await site.server.clock.advance(2 * look)
    expect([site.stands(), site.nodeWrites]).toEqual(['yielded, cordoned', []])
    await site.die()
  })
})

describe('opening the node', () => {
  test('is tried again until the server does it', async () => {
    const site = await drained()
    site.answers = 'broken'
    await site.lead()
    await site.server.clock.advance(3 * look)
    expect(site.stands()).toBe('yielded, cordoned')
    site.answers = 'well'
    await site.server.clock.advance(look)
    expect([site.stands(), site.counted.length]).toEqual(['yielded, open', 1])
    await site.die()
  })

  test('that is not allowed is told once: the drain has ended all the same', async () => {
    const site = await drained()
    site.answers = 'forbidden'
    await site.lead()
    await site.server.clock.advance(3 * look)
    expect(site.stands()).toBe('yielded, cordoned')
    expect(site.told.map(({ type, reason, note }) => `${type} ${reason}: ${note}`).slice(1)).toEqual([
      'Warning CordonLeft: the drain of outsider gave way, but the cordon could not be taken off: you may not; kubectl uncordon n2',
    ])
    await site.die()
  })

  test('is left to who empties the node by then for a better reason', async () => {
    const site = await drained()
    site.answers = 'broken'
    const arbiter = await site.lead()
    await site.server.clock.advance(look)
    const urgent = drain({ requester: 'rescue', class: 'safety', idempotencyKey: 'fails' })
    expect(words(await arbiter.request(urgent, signal))).toMatch(/^granted/)
    site.answers = 'well'
    await site.server.clock.advance(2 * look)
    expect([site.stands(), site.nodeWrites]).toEqual(['yielded, cordoned', []])
    await site.die()
  })
})
