import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Intent } from '../intent.ts'
import type { ArbiterPolicy } from '../policy/arbiter-policy.ts'
import {
  accountIn,
  ago,
  cluster,
  deployment,
  event,
  hour,
  minute,
  nowMs,
  permit,
  policy,
  shortAnswers,
  shortEntries,
} from './testdata/shop.ts'
import { VerdictEvents } from './verdict-events.ts'

const open = ['move Granted', 'restart Granted', 'resize Granted', 'isolate Granted', 'drain Granted']

interface Situation {
  readonly objects: readonly KubeObject[]
  readonly policy?: Partial<ArbiterPolicy>
  readonly entries: readonly string[]
  readonly now: readonly string[]
}

const situations: Readonly<Record<string, Situation>> = {
  'never touched': { objects: deployment(), entries: [], now: open },
  'moved ten minutes ago': {
    objects: [...deployment({ on: ['n3', 'n2'] }), permit()],
    entries: ['-10 min deschedule Granted done: evict Pod shop/cart-5d8f-z'],
    now: [
      'move Queued cool-down +351 min',
      'restart Granted',
      'resize Queued cool-down +111 min',
      'isolate Granted',
      'drain Queued cool-down +111 min',
    ],
  },
  'moved yesterday': {
    objects: [...deployment(), permit({ grantedAgo: 25 * hour })],
    entries: ['-1500 min deschedule Granted done: evict Pod shop/cart-5d8f-z'],
    now: open,
  },
  'of another owner': {
    objects: deployment({ owner: 'none' }),
    entries: [],
    now: ['move Denied owner', 'restart Granted', 'resize Denied owner', 'isolate Granted', 'drain Denied owner'],
  },
  'without a budget': {
    objects: deployment({ budget: false }),
    entries: [],
    now: ['move Denied budget-required', 'restart Granted', 'resize Granted', 'isolate Granted', 'drain Granted'],
  },
  'under a permit that is out': {
    objects: [...deployment(), permit({ grantedAgo: minute, releasedAgo: undefined })],
    entries: ['-1 min deschedule Granted under-way: evict Pod shop/cart-5d8f-z'],
    now: [
      'move Queued lock +9 min',
      'restart Queued lock +9 min',
      'resize Queued lock +9 min',
      'isolate Queued lock +9 min',
      'drain Queued lock +9 min',
    ],
  },
  frozen: {
    objects: deployment({ annotations: { 'ballast.dev/freeze': 'audit' } }),
    entries: [],
    now: ['move Denied freeze', 'restart Denied freeze', 'resize Denied freeze', 'isolate Denied freeze', 'drain Denied freeze'],
  },
  'frozen for an hour': {
    objects: deployment({ annotations: { 'ballast.dev/freeze': ago(-hour) } }),
    entries: [],
    now: [
      'move Queued freeze +60 min',
      'restart Queued freeze +60 min',
      'resize Queued freeze +60 min',
      'isolate Queued freeze +60 min',
      'drain Queued freeze +60 min',
    ],
  },
  'scaled to nothing': {
    objects: deployment({ on: [], replicas: 0 }),
    entries: [],
    now: ['restart NoOp nothing-runs', 'resize NoOp nothing-runs'],
  },
  'with a wish that went along': {
    objects: [
      ...deployment(),
      permit({
        verb: 'restart',
        requester: 'reload',
        class: 'correctness',
        grantedAgo: 25 * hour,
        target: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'deployment-cart' },
        joined: [
          {
            requester: 'rightsize',
            class: 'cost',
            verb: 'resize',
            purpose: 'resize',
            idempotencyKey: 'r',
            reasons: [{ code: 'r', message: 'it needs more' }],
          },
        ],
      }),
    ],
    entries: [
      '-1500 min reload Granted done: restart Deployment shop/cart',
      '-1500 min rightsize Coalesced done: resize shop/Deployment/cart',
    ],
    now: open,
  },
  'under the requests of other processes': {
    objects: [...deployment(), request('Denied', 'it belongs to keda'), request('Queued', 'waits for its window')],
    entries: [
      '-5 min provision Denied not-done: drain Pod shop/cart-5d8f-a',
      '-5 min provision Queued waits: drain Pod shop/cart-5d8f-a',
    ],
    now: open,
  },
  'back at its source twice': {
    objects: [
      ...deployment(),
      permit({ name: 'evict-cart-1', grantedAgo: 12 * hour, landing: 'back', reason: 'landed on n1' }),
      permit({ name: 'evict-cart-2', grantedAgo: 30 * minute, landing: 'back', reason: 'landed on n1' }),
    ],
    entries: [
      '-720 min deschedule Granted done: evict Pod shop/cart-5d8f-z',
      '-30 min deschedule Granted done: evict Pod shop/cart-5d8f-z',
    ],
    now: [
      'move Queued cool-down +331 min',
      'restart Granted',
      'resize Queued cool-down +91 min',
      'isolate Granted',
      'drain Queued cool-down +91 min',
    ],
  },
}

function request(decision: string, reason: string): KubeObject {
  const { spec, ...object } = permit({
    name: `ask-${decision.toLowerCase()}`,
    verb: 'drain',
    requester: 'provision',
    grantedAgo: 5 * minute,
    target: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'cart-5d8f-a', uid: 'pod-cart-0' },
  })
  const { grant: _grant, ...asked } = typeof spec === 'object' && spec !== null && 'grant' in spec ? spec : { grant: undefined }
  return { ...object, spec: asked, status: { decision, reason } }
}

describe('a workload', () => {
  test.each(Object.entries(situations))('%s', (_name, { objects, policy, entries, now }) => {
    const account = accountIn(cluster(...objects), 'deploy/cart', policy === undefined ? {} : { policy })
    expect({ entries: shortEntries(account), now: shortAnswers(account) }).toEqual({ entries, now })
  })

  test('of a mode that only notes: what holds and what is noted', () => {
    const account = accountIn(cluster(...deployment({ owner: 'none' })), 'deploy/cart', {
      policy: { modes: { deschedule: 'observe' } },
    })
    const [move] = account.now
    expect(move).toMatchObject({ decision: 'Granted', mode: 'observe' })
    expect(move?.objections.map(({ rule, holds }) => [rule, holds])).toEqual([['owner', false]])
    expect(account.obstacles.flatMap(({ before }) => before.map(({ question }) => question))).not.toContain('move')
  })

  test.each([
    ['exclude', ['move Denied owner', 'restart Granted', 'resize Granted', 'isolate Denied owner', 'drain Denied owner']],
    ['ignore', ['move Granted', 'restart Granted', 'resize Granted', 'isolate Granted', 'drain Denied owner']],
  ])('that a ScaledObject targets, where the policy says kedaPresence: %s', (kedaPresence, answers) => {
    const scaled = {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name: 'cart', namespace: 'shop', uid: 'scaled-cart' },
      spec: { scaleTargetRef: { name: 'cart' } },
    }
    const objects = cluster(...deployment(), scaled, policy({ coordination: { kedaPresence } }))
    expect(shortAnswers(accountIn(objects, 'deploy/cart'))).toEqual(answers)
  })

  test('names each obstacle once, with what it stands before and from when it lets pass', () => {
    const account = accountIn(cluster(...deployment({ on: ['n3', 'n2'] }), permit()), 'deploy/cart')
    expect(account.obstacles).toEqual([
      {
        rule: 'cool-down',
        reason: 'CoolDown',
        sentence: expect.stringContaining('was replaced by deschedule under permit evict-cart-7'),
        wayOut: expect.any(String),
        before: [
          { question: 'move', fromMs: nowMs - 9 * minute + 6 * hour },
          { question: 'resize', fromMs: nowMs - 9 * minute + 2 * hour },
          { question: 'drain', fromMs: nowMs - 9 * minute + 2 * hour },
        ],
      },
    ])
  })
})

describe('what was refused', () => {
  const wish: Intent = {
    requester: 'deschedule',
    verb: 'evict',
    purpose: 'move',
    class: 'balance',
    targets: [{ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'cart-5d8f-a', uid: 'pod-cart-0' }],
    workload: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'deployment-cart' },
    disrupts: [],
    reasons: [],
    idempotencyKey: 'plan-1/m01',
    deadlineMs: nowMs,
    timeToLiveMs: 600_000,
  }

  /** The event that the arbiter leaves, as the API server keeps it. */
  function toldBy(verdict: Parameters<VerdictEvents['tell']>[0]['verdict']): KubeObject {
    const events: KubeObject[] = []
    new VerdictEvents({
      emit: ({ reason, note, controller = '', annotations = {} }) =>
        events.push(event({ agoMs: 20 * minute, reason, note, controller, annotations })),
    }).tell({ intent: wish, verdict, waitedMs: 90_000 })
    return events[0] ?? expect.fail('nothing was told')
  }

  test('keeps rule, data and way out in the event', () => {
    const workload = 'shop/Deployment/cart'
    const observation = {
      kind: 'drain',
      workload,
      namespace: 'shop',
      nodes: ['n1'],
      atMs: nowMs - hour,
      by: 'kubectl drain',
      evidence: '',
    } as const
    const told = toldBy({
      kind: 'defer',
      objection: { rule: 'cool-down', workload, cause: { kind: 'observed', observation } },
      untilMs: nowMs + hour,
    })
    const [entry, ...others] = accountIn(cluster(...deployment(), told), 'deploy/cart').entries
    expect(others).toEqual([])
    expect(entry).toMatchObject({
      who: 'deschedule',
      what: 'evict Pod shop/cart-5d8f-a',
      decision: 'Queued',
      outcome: 'waits',
      rule: 'cool-down',
      reason: 'CoolDown',
      sentence: expect.stringContaining('kubectl drain'),
      wayOut: expect.any(String),
      data: { until: ago(-hour), cause: { observation: { by: 'kubectl drain' } } },
    })
  })

  test('an annotation that somebody else wrote leaves the sentence', () => {
    const told = event({
      agoMs: minute,
      reason: 'DisruptionDenied',
      note: 'no [NotOurs]',
      controller: 'ballast.dev/deschedule',
      annotations: { 'ballast.dev/verdict': '{"rule":7}' },
    })
    const [entry] = accountIn(cluster(...deployment(), told), 'deploy/cart').entries
    expect(entry).toMatchObject({ decision: undefined, sentence: 'no', reason: 'NotOurs' })
  })
})

describe('others', () => {
  const killed = (agoMs: number, name = 'cart-5d8f-z') =>
    event({ agoMs, reason: 'Killing', note: 'Stopping container main', regarding: { kind: 'Pod', name, uid: 'pod-gone' } })

  test('that take a pod are observed, and count in the cool-down', () => {
    const account = accountIn(
      cluster(...deployment({ newestMade: ago(20 * minute - 10_000) }), killed(20 * minute)),
      'deploy/cart',
    )
    expect(shortEntries(account)).toEqual(['-20 min somebody Observed done: took a pod of shop/Deployment/cart'])
    expect(shortAnswers(account)[0]).toBe('move Queued cool-down +340 min')
  })

  test('that do what our permit asked for are no others', () => {
    const account = accountIn(cluster(...deployment({ on: ['n3', 'n2'] }), permit(), killed(10 * minute - 2_000)), 'deploy/cart')
    expect(shortEntries(account)).toEqual(['-10 min deschedule Granted done: evict Pod shop/cart-5d8f-z'])
  })

  test('of another workload are not told of', () => {
    const account = accountIn(
      cluster(...deployment(), ...deployment({ name: 'cart-api' }), killed(20 * minute, 'cart-api-5d8f-z')),
      'deploy/cart',
    )
    expect(account.entries).toEqual([])
  })
})

describe('a permit', () => {
  test('of an earlier leader says so', () => {
    const account = accountIn(
      cluster(
        ...deployment(),
        permit({ name: 'old', grantedAgo: 20 * minute, releasedAgo: undefined, epoch: 2 }),
        permit({ name: 'new', workload: 'shop/Deployment/other', epoch: 3 }),
      ),
      'deploy/cart',
    )
    expect(account.entries[0]?.sentence).toBe(
      `under way, over its time since ${ago(10 * minute)}: the leader ends it at its next sweep, granted by an earlier leader (epoch 2, now 3)`,
    )
    expect(account.out).toEqual(['shop/old'])
  })

  test.each([
    ['failed', 'not-done', 'failed after 60 s: no node'],
    ['withdrawn', 'not-done', 'withdrawn after 60 s: no node'],
    ['expired', 'not-done', 'ran out after 60 s: no node'],
  ])('that %s', (ending, outcome, sentence) => {
    const account = accountIn(cluster(...deployment(), permit({ ending, reason: 'no node' })), 'deploy/cart')
    expect(account.entries[0]).toMatchObject({ outcome, sentence, seconds: 60 })
  })
})

test('what happened to a permit by hand is told of its workload', () => {
  const edited = event({
    agoMs: minute,
    reason: 'PermitEdited',
    note: 'it was changed by hand: what was granted counts',
    controller: 'ballast.dev/controller',
    regarding: { kind: 'DisruptionPermit', name: 'evict-cart-7' },
  })
  const objects = cluster(...deployment(), ...deployment({ name: 'web' }), permit(), edited)
  expect(shortEntries(accountIn(objects, 'deploy/cart')).at(-1)).toBe(
    '-1 min controller - told: PermitEdited DisruptionPermit shop/evict-cart-7',
  )
  expect(accountIn(objects, 'deploy/web').entries).toEqual([])
})

describe('at a time before', () => {
  const objects = cluster(
    ...deployment({ on: ['n3', 'n2'] }),
    permit({ grantedAgo: 3 * hour, releasedAgo: 3 * hour - 5 * minute }),
  )

  test('a permit was not there yet', () => {
    const account = accountIn(objects, 'deploy/cart', { atMs: nowMs - 4 * hour })
    expect(account).toMatchObject({ isPast: true, entries: [] })
    expect(shortAnswers(account)).toEqual(open)
  })

  test('it was out', () => {
    const account = accountIn(objects, 'deploy/cart', { atMs: nowMs - 3 * hour + minute })
    expect(account.entries[0]).toMatchObject({ outcome: 'under-way' })
    expect(account.out).toEqual(['shop/evict-cart-7'])
    expect(shortAnswers(account)[0]).toBe('move Queued lock +9 min')
  })

  test('its cool-down ran', () => {
    const account = accountIn(objects, 'deploy/cart', { atMs: nowMs - 2 * hour })
    expect(account.entries[0]).toMatchObject({ outcome: 'done' })
    expect(shortAnswers(account).slice(0, 3)).toEqual([
      'move Queued cool-down +305 min',
      'restart Granted',
      'resize Queued cool-down +65 min',
    ])
  })

  test('says what it cannot know', () => {
    expect(accountIn(objects, 'deploy/cart').unknown).toEqual([])
    const known = accountIn(objects, 'deploy/cart', { atMs: nowMs - 30 * minute }).unknown
    const old = accountIn(objects, 'deploy/cart', { atMs: nowMs - 50 * hour }).unknown
    expect(known.join()).not.toContain('events for one hour')
    expect(old.join()).toMatch(/events for one hour.*48 hours/)
  })
})
