import { describe, expect, test } from 'vitest'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { silentLog } from '#kube/log.ts'
import type { DisruptionPermit } from '../api.ts'
import type { Arbiter } from '../arbiter/arbiter.ts'
import { rollout, Site } from '../testdata/arbiter-site.ts'
import { servePermitRequests } from './permit-requests.ts'

const { signal } = new AbortController()

/** A leader that serves requests, and somebody who makes them. */
class Desk {
  readonly site = new Site()
  readonly #stop = new AbortController()
  #serving: Promise<void> = Promise.resolve()

  async open(): Promise<Arbiter> {
    const { site } = this
    const arbiter = await site.leader()
    const { informer } = site
    if (informer === undefined) throw new Error('nobody leads')
    this.#serving = servePermitRequests(
      {
        api: site.server.api(),
        permits: informer,
        arbiter,
        state: () => site.state(),
        settings: settingsForServer('v1.36.0'),
        ownNamespace: 'ballast-system',
        events: { emit: event => void site.events.push({ reason: event.reason, note: event.note }) },
        clock: site.server.clock,
        log: silentLog,
      },
      this.#stop.signal,
    )
    return arbiter
  }

  ask(name: string, spec: Partial<DisruptionPermit['spec']> = {}): void {
    const { requester, class: _, verb, purpose, targets, reasons } = rollout('outsider')
    this.site.putByHand({
      apiVersion: 'ballast.dev/v1alpha1',
      kind: 'DisruptionPermit',
      metadata: {
        name,
        namespace: 'shop',
        uid: `uid-${name}`,
        creationTimestamp: new Date(this.site.server.clock.now()).toISOString(),
      },
      spec: {
        requester,
        class: 'correctness',
        verb,
        purpose,
        targets: targets.map(target => ({ ...target })),
        reasons: [...reasons],
        idempotencyKey: name,
        nodes: [],
        joined: [],
        siblings: [],
        deadline: new Date(this.site.server.clock.now() + 900_000).toISOString(),
        ...spec,
      },
    })
  }

  answer(name: string): string {
    const permit = this.site.server.permits.get(`shop/${name}`)
    return `${permit?.status?.decision ?? 'nothing'}${permit?.spec.grant === undefined ? '' : ` ${permit.spec.grant.token}`}`
  }

  async pass(ms: number): Promise<void> {
    await this.site.server.clock.advance(ms)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('closed', 'AbortError'))
    await this.#serving
  }
}

describe('a request', () => {
  test('that may be: the grant is written into it, with what it locks; then it waits no more', async () => {
    await using desk = new Desk()
    const arbiter = await desk.open()
    desk.ask('first')
    await desk.pass(1_000)
    expect(desk.answer('first')).toBe('Granted 1000001')
    expect(desk.site.server.permits.get('shop/first')).toMatchObject({
      metadata: { annotations: { 'ballast.dev/leader-epoch': '1' } },
      spec: { workload: 'shop/StatefulSet/db', siblings: ['uid-db-0', 'uid-db-1'], nodes: ['n1'] },
    })
    expect(arbiter.unfinished('outsider').map(({ name }) => name)).toEqual(['first'])
  })

  test('that a leader granted which ended before it said so is told by the next', async () => {
    await using desk = new Desk()
    await desk.open()
    desk.ask('first')
    await desk.pass(1_000)
    desk.site.editByHand('shop/first', ({ status: _, ...permit }) => permit)
    await desk.pass(1_000)
    expect(desk.answer('first')).toBe('Granted 1000001')
  })

  test('that has to wait says for what and until when, and goes on when its requester gives the lock back', async () => {
    await using desk = new Desk()
    await desk.open()
    desk.ask('first')
    await desk.pass(1_000)
    desk.ask('second')
    await desk.pass(1_000)
    const second = desk.site.server.permits.get('shop/second')?.status
    expect(second).toMatchObject({ decision: 'Queued', reason: expect.stringContaining('is being disrupted by outsider') })
    expect(Date.parse(second?.until ?? '')).toBeGreaterThan(desk.site.server.clock.now())
    const releasedAt = new Date(desk.site.server.clock.now()).toISOString()
    desk.site.editByHand('shop/first', permit => ({ ...permit, status: { ...permit.status, releasedAt, ending: 'done' } }))
    await desk.pass(1_000)
    expect(desk.answer('second')).toBe('Granted 1000002')
    expect(desk.site.server.permits.get('shop/second')?.status?.until).toBeUndefined()
  })

  test('that is wrong is refused with the reason and an event; the next one is served', async () => {
    await using desk = new Desk()
    await desk.open()
    desk.ask('bad', { targets: [{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'x' }] })
    desk.site.putByHand(
      JSON.parse(
        '{"apiVersion":"ballast.dev/v1alpha1","kind":"DisruptionPermit","metadata":{"name":"worse","namespace":"shop"},"spec":{"targets":7}}',
      ),
    )
    desk.ask('good')
    await desk.pass(1_000)
    expect(['bad', 'worse', 'good'].map(name => desk.answer(name))).toEqual(['Denied', 'Denied', 'Granted 1000001'])
    expect(desk.site.server.permits.get('shop/bad')?.status?.reason).toContain('spec.targets[0].kind: Node, expected')
    expect(desk.site.events.map(({ reason }) => reason).filter(reason => reason === 'RequestRefused')).toHaveLength(2)
  })

  test('for what was granted by another object names that', async () => {
    await using desk = new Desk()
    await desk.open()
    desk.ask('first', { idempotencyKey: 'same' })
    await desk.pass(1_000)
    desk.ask('second', { idempotencyKey: 'same' })
    await desk.pass(1_000)
    expect(desk.site.server.permits.get('shop/second')?.status).toMatchObject({ decision: 'Coalesced', coalescedInto: 'first' })
  })

  test('is refused while its requester has a hundred open, and others are served', async () => {
    await using desk = new Desk()
    const arbiter = await desk.open()
    await arbiter.request(rollout('reload'), signal)
    for (let at = 0; at < 101; at++) desk.ask(`many-${String(at).padStart(3, '0')}`)
    desk.ask('another', { requester: 'somebody' })
    await desk.pass(2_000)
    expect(['many-000', 'many-099', 'many-100', 'another'].map(name => desk.answer(name))).toEqual([
      'Queued',
      'Queued',
      'Denied',
      'Queued',
    ])
  })

  test('that was answered is deleted after two days', async () => {
    await using desk = new Desk()
    await desk.open()
    desk.ask('bad', { targets: [] })
    await desk.pass(1_000)
    expect(desk.answer('bad')).toBe('Denied')
    await desk.pass(48 * 3_600_000)
    expect(desk.site.server.permits.has('shop/bad')).toBe(false)
  })

  test('leaves nothing behind that would keep a process from its end', async () => {
    const desk = new Desk()
    await desk.open()
    const before = desk.site.server.clock.pending
    desk.ask('bad', { targets: [] })
    await desk.pass(1_000)
    expect(desk.answer('bad')).toBe('Denied')
    expect(desk.site.server.clock.pending).toBeGreaterThan(before)
    await desk[Symbol.asyncDispose]()
    expect(desk.site.server.clock.pending).toBe(before)
  })
})
