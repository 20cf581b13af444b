// The ledger as pages show it: D14, D16, pages that stay right while permits come, and what it costs when there are many.
import * as fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { type KeptPermit, keptPermits } from '#coordination/account/book.ts'
import type { DisruptionPermit } from '#coordination/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import type { Permit } from '../../contract.ts'
import { permitText } from '../../words/en-permits.ts'
import { ago, homelab, hour, minute, nowMs, permitObject, pictureOf, plannedFor, planWith, second } from '../testdata/homelab.ts'
import { permitCountsOf } from './permit-counts.ts'
import { isPermitCursor, permitPage, permitRows } from './permits.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())
const plan = await plannedFor(homelab(), session.solve)

const scaledObject = (name: string, namespace = 'media'): KubeObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name, namespace, uid: `scaler-${name}` },
  spec: { scaleTargetRef: { name } },
})

interface VerdictOptions {
  readonly key?: string
  readonly rule?: string
  readonly reason?: string
  readonly decision?: 'Denied' | 'Queued'
  readonly workload?: string
  readonly agoMs?: number
  readonly data?: object
  readonly why?: string
  readonly wayOut?: string
  readonly until?: string
}

/** An event of the arbiter, with sentence and annotation as it writes them. */
function verdictEvent(options: VerdictOptions): KubeObject {
  const {
    rule = 'cool-down',
    reason = 'CoolDown',
    decision = 'Denied',
    workload = 'monitoring/Deployment/mimir-querier',
    key = 'k1',
  } = options
  const [namespace = '', kind = '', name = ''] = workload.split('/')
  const wayOut = options.wayOut ?? 'arbiter.cooldowns in the configuration says for each class how long that counts'
  const why = options.why ?? 'a pod of it was replaced by reload'
  const answer = decision === 'Denied' ? `denied by ${rule}` : `deferred until ${options.until ?? ago(0)} by ${rule}`
  const verdict = {
    requester: 'deschedule',
    class: 'balance',
    verb: 'evict',
    purpose: 'move',
    target: `Pod ${namespace}/${name}-5d8f-z`,
    decision,
    rule,
    reason,
    wayOut,
    key,
    ...(options.until === undefined ? {} : { until: options.until }),
    ...(options.data === undefined ? {} : { data: options.data }),
  }
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `e-${key}-${rule}`, namespace, annotations: { 'ballast.dev/verdict': JSON.stringify(verdict) } },
    eventTime: ago(options.agoMs ?? 2 * second),
    reason: decision === 'Denied' ? 'DisruptionDenied' : 'DisruptionQueued',
    reportingController: 'ballast.dev/deschedule',
    regarding: { apiVersion: 'apps/v1', kind, namespace, name, uid: `uid-${name}` },
    note: `evict Pod ${namespace}/${name}-5d8f-z: ${answer}: ${why}; ${wayOut} [${reason}]`,
  }
}

const sonarr = (): KubeObject =>
  verdictEvent({
    rule: 'owner',
    reason: 'NotOurs',
    workload: 'media/Deployment/sonarr',
    data: { workload: 'media/Deployment/sonarr', owner: 'keda', source: 'scaler', purpose: 'move' },
    why: 'media/Deployment/sonarr belongs to keda (scaler), which does not allow move',
    wayOut: 'delete the ScaledObject that targets it if KEDA is not to have it',
  })

const one = (objects: readonly KubeObject[]): Permit => {
  const [row, ...others] = permitRows(pictureOf(objects))
  if (row === undefined || others.length > 0) throw new Error(`${others.length + 1} rows`)
  return row
}

const short = ({ decision, capability, verb, target, rule }: Permit) =>
  `${decision} ${capability} ${verb} ${target.namespace}/${target.name}${rule === null ? '' : ` ${rule}`}`

describe('D14: what KEDA owns', () => {
  const line =
    'denied · deschedule wants to evict media/sonarr · KedaManaged: owned by KEDA (ScaledObject sonarr) · nothing to do: it moves when it is next at zero'

  test('is denied in one line with one way out, as the arbiter told it', () => {
    const picture = pictureOf([...homelab(), scaledObject('sonarr'), sonarr()])
    const { permits, counts } = permitPage(picture, {})
    expect(permits.map(permitText)).toEqual([line])
    expect(counts.byRule).toEqual({ KedaManaged: 1 })
    expect(counts.sentence.text).toBe('1 asked: 1 denied. Most often denied by KedaManaged (1).')
  })

  test('is denied too where the planner knew better than to ask', () => {
    const picture = pictureOf([...homelab(), scaledObject('sonarr'), plan])
    const { permits, counts } = permitPage(picture, { workload: 'media/Deployment/sonarr' })
    expect(permits.map(permitText)).toEqual([line])
    expect(counts.byRule).toEqual({ KedaManaged: 1 })
    expect(permits[0]?.pods).toHaveLength(1)
    expect(permitCountsOf(picture, {}).byRule).toEqual({ KedaManaged: 6 })
  })

  test('is told once where both say it', () => {
    const picture = pictureOf([...homelab(), scaledObject('sonarr'), plan, sonarr()])
    expect(permitPage(picture, { workload: 'media/Deployment/sonarr' }).counts.byRule).toEqual({ KedaManaged: 1 })
    expect(permitCountsOf(picture, {}).byRule).toEqual({ KedaManaged: 6 })
  })

  test('without a scaler its label says so', () => {
    expect(one([...homelab(), sonarr()]).because.text).toBe('KedaManaged: owned by KEDA (label ballast.dev/managed-by=keda)')
  })
})

describe('a permit', () => {
  test('that is out, done, done elsewhere, failed', () => {
    const row = (change: Parameters<typeof permitObject>[0]) => one([permitObject(change)])
    expect(row({ releasedAgo: undefined })).toMatchObject({
      decision: 'granted',
      outcome: null,
      releasedAt: null,
      class: 5,
      token: 3_000_001,
    })
    expect(row({}).outcome).toBe('on talos03 in 60s')
    const ended = (status: object) => row({ status: { decision: 'Granted', releasedAt: ago(9 * minute), ...status } }).outcome
    expect(ended({ ending: 'done', reason: 'landed on talos02-gpu', landing: 'other' })).toBe('elsewhere: on talos02-gpu in 60s')
    expect(ended({ ending: 'failed', reason: 'no replacement got a node' })).toBe('failed after 60s: no replacement got a node')
    expect(ended({ ending: 'expired' })).toBe('ran out after 60s')
  })

  test('names its workload, its pods and why it was wanted', () => {
    expect(one([permitObject()])).toMatchObject({
      id: 'monitoring/evict-mimir-querier-7',
      target: { kind: 'Deployment', namespace: 'monitoring', name: 'mimir-querier' },
      pods: [{ kind: 'Pod', namespace: 'monitoring', name: 'mimir-querier-5d8f-z' }],
      because: { text: 'plan talos-7f3c of policy talos moves it from talos00 to talos03' },
    })
  })

  test('in a mode that only notes: granted, and what the whole policy would have said', () => {
    const row = one([permitObject({ wouldBe: { decision: 'Queued', rule: 'cool-down', message: 'too soon' } })])
    expect(row.wouldBe).toEqual({ decision: 'Queued', rule: 'CoolDown' })
    expect(permitText(row)).toContain('granted, would be refused: CoolDown · deschedule wants to evict')
  })

  test('D16: of three wishes is one row with three reasons, and two that are merged into it', () => {
    const joined = (requester: string, purpose: string, message: string, more: object = {}) => ({
      requester,
      class: 'balance',
      verb: 'restart',
      purpose,
      reasons: [{ code: purpose, message }],
      idempotencyKey: `${requester}/1`,
      ...more,
    })
    const object = permitObject({
      name: 'restart-web-9',
      requester: 'reload',
      class: 'correctness',
      verb: 'restart',
      purpose: 'reload',
      workload: 'shop/Deployment/web',
      reasons: [{ code: 'reload', message: 'new Secret web-db' }],
      joined: [
        joined('deschedule', 'move', 'plan p of policy q moves it from talos00 to talos03', {
          relocation: { from: 'talos00', to: ['talos03'] },
        }),
        joined('rightsize', 'resize', 'size 500m → 380m'),
      ],
      status: { decision: 'Granted', releasedAt: ago(9 * minute), ending: 'done' },
    })
    const { permits, counts } = permitPage(pictureOf([object]), {})
    expect(permits.map(({ id, decision, into }) => [id, decision, into])).toEqual([
      ['shop/restart-web-9', 'granted', null],
      ['shop/restart-web-9#1', 'coalesced', 'shop/restart-web-9'],
      ['shop/restart-web-9#2', 'coalesced', 'shop/restart-web-9'],
    ])
    expect(permits[0]?.because.text).toBe('1 restart for 3 reasons: new Secret web-db, move to talos03, size 500m → 380m')
    expect(permits[0]?.outcome).toBe('done in 60s')
    expect(counts.sentence.text).toBe('3 asked: 1 granted, 2 merged.')
  })

  test('what was dropped says what the server said, and the way out', () => {
    const joined = {
      requester: 'rightsize',
      class: 'cost',
      verb: 'restart',
      purpose: 'resize',
      reasons: [],
      idempotencyKey: 'r/1',
    }
    const object = permitObject({
      joined: [joined],
      status: { decision: 'Granted', dropped: [{ requester: 'rightsize', idempotencyKey: 'r/1', message: 'quota exceeded' }] },
    })
    expect(permitRows(pictureOf([object])).at(-1)).toMatchObject({
      decision: 'dropped',
      into: 'monitoring/evict-mimir-querier-7',
      because: { text: 'the server refused its change: quota exceeded' },
      remedy: { text: 'ask again: it goes by itself' },
    })
  })

  test('shared by several is a row each, under a name of its own', () => {
    const base = permitObject({
      name: 'restart-reload-9',
      requester: 'reload',
      verb: 'restart',
      purpose: 'reload',
      workload: 'shop/Deployment/a',
      releasedAgo: undefined,
    })
    const spec = {
      ...(base['spec'] as object),
      targets: ['a', 'b'].map(name => ({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name })),
    }
    const members = ['a', 'b'].map((name, at) => ({
      idempotencyKey: `k/${name}`,
      token: at + 1,
      workload: `shop/Deployment/${name}`,
    }))
    const rows = permitRows(pictureOf([{ ...base, spec: { ...spec, members } }]))
    expect(rows.map(({ id, target }) => `${id} ${target.name}`)).toEqual([
      'shop/restart-reload-9@0 a',
      'shop/restart-reload-9@1 b',
    ])
  })
})

describe('what was asked of the arbiter and not granted', () => {
  const request = (status: object | undefined): KubeObject => {
    const object = permitObject({ name: 'ask-1', releasedAgo: undefined, key: 'ask/1' })
    const { grant: _, ...spec } = object['spec'] as Readonly<Record<string, unknown>>
    return { ...object, spec, ...(status === undefined ? {} : { status }) }
  }

  // biome-ignore format: a table
  test.each([
    ['not answered yet', undefined, 'queued deschedule evict monitoring/mimir-querier', 'plan talos-7f3c of policy talos moves it from talos00 to talos03', null],
    ['denied by a rule', { decision: 'Denied', reason: 'evict Pod a/b: denied by cool-down: a pod of it was replaced; arbiter.cooldowns says how long' },
      'denied deschedule evict monitoring/mimir-querier CoolDown', 'CoolDown: a pod of it was replaced', 'arbiter.cooldowns says how long'],
    ['waits for a rule', { decision: 'Queued', until: ago(-minute), reason: 'evict Pod a/b: deferred until 2025-12-19T13:04:20.000Z by gate: gate nodes is red: x; it goes on' },
      'queued deschedule evict monitoring/mimir-querier GateRed', 'GateRed: gate nodes is red: x', 'it goes on'],
    ['refused for its form', { decision: 'Denied', reason: 'spec.targets is empty' }, 'denied deschedule evict monitoring/mimir-querier', 'spec.targets is empty', null],
    ['nothing to do', { decision: 'NoOp', reason: 'evict Pod a/b: nothing to do: it has 0 replicas; its next start takes it along' },
      'no-op deschedule evict monitoring/mimir-querier', 'it has 0 replicas; its next start takes it along', null],
  ] as const)('a request that is %s', (_, status, row, because, remedy) => {
    const found = one([request(status)])
    expect([short(found), found.because.text, found.remedy?.text ?? null]).toEqual([row, because, remedy])
  })

  test('its answer is told once, not by the event too', () => {
    const status = { decision: 'Denied', reason: 'evict Pod a/b: denied by cool-down: x; y' }
    expect(permitRows(pictureOf([request(status), verdictEvent({ key: 'ask/1' })]))).toHaveLength(1)
  })

  test('an event of a denial has rule, reason and way out', () => {
    const row = one([verdictEvent({})])
    expect(row).toMatchObject({
      decision: 'denied',
      rule: 'CoolDown',
      because: { text: 'CoolDown: a pod of it was replaced by reload' },
      remedy: { text: 'arbiter.cooldowns in the configuration says for each class how long that counts' },
      target: { kind: 'Deployment', namespace: 'monitoring', name: 'mimir-querier' },
      pods: [{ kind: 'Pod', namespace: 'monitoring', name: 'mimir-querier-5d8f-z' }],
      class: 5,
    })
  })

  // biome-ignore format: a table
  test.each([
    ['an event deferred it first', { key: 'w', grantedAgo: 10 * minute }, [verdictEvent({ key: 'w', decision: 'Queued', agoMs: 14 * minute }), verdictEvent({ key: 'w', decision: 'Queued', agoMs: 12 * minute })], 4 * minute],
    ['another process asked for it', { key: 'w', grantedAgo: 10 * minute, askedAgo: 11 * minute }, [], minute],
    ['nothing deferred it, and events reach back', { key: 'w', grantedAgo: 10 * minute }, [verdictEvent({ key: 'other', agoMs: 20 * minute })], 0],
    ['events of then are gone', { key: 'w', grantedAgo: 10 * minute }, [verdictEvent({ key: 'other', agoMs: 5 * minute })], null],
    ['it was asked for again afterwards', { key: 'w', grantedAgo: 10 * minute }, [verdictEvent({ key: 'w', agoMs: 5 * minute })], null],
  ])('waited, where %s', (_, permit, events, waitedMs) => {
    const picture = pictureOf([...homelab(), permitObject(permit), ...events])
    const rows = permitPage(picture, {}).permits.filter(({ decision }) => decision === 'granted')
    expect(rows.map(row => row.waitedMs)).toEqual([waitedMs])
    expect(permitPage({ ...picture, sequence: 2 }, {}).permits.find(({ decision }) => decision === 'granted')).toBe(rows[0])
  })

  test('what was refused or waits has waited for nothing that came', () => {
    const picture = pictureOf([
      ...homelab(),
      verdictEvent({ key: 'q', decision: 'Queued', agoMs: minute }),
      verdictEvent({ key: 'd' }),
    ])
    expect(permitPage(picture, {}).permits.map(({ waitedMs }) => waitedMs)).toEqual([null, null])
  })

  test('what waited and was granted, denied, or whose plan is over does not wait any more', () => {
    const waits = verdictEvent({
      decision: 'Queued',
      rule: 'gate',
      reason: 'GateRed',
      until: ago(-minute),
      key: 'uid-talos-7f3c/m01',
    })
    const decisions = (...objects: readonly KubeObject[]) =>
      permitRows(pictureOf([waits, ...objects])).map(({ decision }) => decision)
    expect(decisions()).toEqual(['queued'])
    expect(decisions(permitObject({ key: 'uid-talos-7f3c/m01' }))).toEqual(['granted'])
    expect(decisions(verdictEvent({ key: 'uid-talos-7f3c/m01', agoMs: 0 }))).toEqual(['denied'])
    const over = planWith(plan, { status: { phase: 'Expired', unmovable: [] } })
    expect(decisions(over)).toEqual([])
  })

  test('a step that the arbiter kept from being made is told when its event is gone', () => {
    const steps = [{ id: 'm02', state: 'Skipped' as const, reason: 'CoolDown', message: 'a pod of it was replaced by reload' }]
    const skipped = planWith(plan, { status: { phase: 'Running', progressAt: ago(3 * hour), unmovable: [], steps } })
    const row = one([skipped])
    expect([row.decision, row.rule, row.at]).toEqual(['denied', 'CoolDown', '2025-12-19T10:03:20Z'])
    expect(permitRows(pictureOf([skipped, verdictEvent({ key: 'uid-talos-7f3c/m02' })]))).toHaveLength(1)
  })
})

describe('pages', () => {
  test('are the same as long as nothing happens', () => {
    const later = { ...pictureOf(homelab()), nowMs: nowMs + minute }
    expect(permitPage(later, {})).toEqual(permitPage(pictureOf(homelab()), {}))
  })

  const many = (count: number, offset = 0): readonly KubeObject[] =>
    Array.from({ length: count }, (_, at) =>
      permitObject({ name: `p-${offset + at}`, grantedAgo: (offset + at + 1) * minute, releasedAgo: 0 }),
    )

  test('are newest first and end', () => {
    const picture = pictureOf(many(5))
    const first = permitPage(picture, { limit: 3 })
    const second = permitPage(picture, { limit: 3, ...(first.next === null ? {} : { cursor: first.next }) })
    expect([...first.permits, ...second.permits].map(({ id }) => id)).toEqual([0, 1, 2, 3, 4].map(at => `monitoring/p-${at}`))
    expect(second.next).toBeNull()
    expect(first.keptFrom).toBe('2025-12-17T14:00:00Z')
  })

  test('follow on their cursor whatever comes or goes meanwhile', () => {
    const property = fc.property(
      fc.nat(8),
      fc.nat(8),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      (old, fresh, limit, isGone) => {
        const kept = many(old + 1, fresh)
        const seen: string[] = []
        let cursor: string | undefined
        for (let round = 0; round < 40; round++) {
          // From the second page on there are newer ones, and the line that the cursor names may be gone.
          const objects =
            round === 0
              ? kept
              : [...many(fresh), ...kept.filter(({ metadata }) => !(isGone && `monitoring/${metadata.name}` === seen.at(-1)))]
          const page = permitPage(pictureOf(objects), { limit, ...(cursor === undefined ? {} : { cursor }) })
          seen.push(...page.permits.map(({ id }) => id))
          if (page.next === null) break
          expect(isPermitCursor(page.next)).toBe(true)
          cursor = page.next
        }
        expect(seen).toEqual(kept.map(({ metadata }) => `monitoring/${metadata.name}`))
      },
    )
    fc.assert(property, { numRuns: 60 })
  })

  test('a cursor that is none begins at the top, and can be told', () => {
    expect(isPermitCursor('!')).toBe(false)
    expect(isPermitCursor(Buffer.from('nonsense').toString('base64url'))).toBe(false)
    expect(permitPage(pictureOf(many(2)), { cursor: '!' }).permits).toHaveLength(2)
  })

  // biome-ignore format: a table
  test.each([
    ['since', { sinceMs: nowMs - 2 * minute }, ['p-0', 'p-1']],
    ['until', { untilMs: nowMs - 2 * minute }, ['p-2']],
    ['decision', { decision: 'denied' }, []],
    ['capability', { capability: 'deschedule' }, ['p-0', 'p-1', 'p-2']],
    ['workload', { workload: 'a/b/c' }, []],
    ['namespace', { namespace: 'monitoring' }, ['p-0', 'p-1', 'p-2']],
    ['rule', { rule: 'CoolDown' }, []],
  ] as const)('filter by %s, counts with them', (_, query, names) => {
    const { permits, counts } = permitPage(pictureOf(many(3)), query)
    expect(permits.map(({ id }) => id)).toEqual(names.map(name => `monitoring/${name}`))
    expect(Object.values(counts.byDecision).reduce((sum, amount) => sum + amount, 0)).toBe(names.length)
    if (names.length === 0) expect(counts.sentence.text).toBe('No permit matches these filters.')
  })

  test('show nothing of namespaces that the viewer may not see', () => {
    const picture = pictureOf([...many(1), permitObject({ name: 'other', workload: 'shop/Deployment/cart' })])
    const { permits, counts } = permitPage(picture, {}, { sees: namespace => namespace === 'shop' })
    expect(permits.map(({ id }) => id)).toEqual(['shop/other'])
    expect(counts.byDecision).toEqual({ granted: 1 })
  })

  test('without permits say how they come', () => {
    expect(permitPage(pictureOf(homelab()), {}).counts.sentence.text).toBe(
      'No permits yet. They appear when something asks to disrupt a pod.',
    )
  })
})

describe('100,000 permits', () => {
  const kept: readonly KeptPermit[] = Array.from({ length: 100_000 }, (_, at) => {
    const object = permitObject({
      name: `p-${String(at).padStart(6, '0')}`,
      grantedAgo: (at % 2_880) * minute + second,
      releasedAgo: 0,
    })
    return keptPermits(object as DisruptionPermit)
  }).flat()
  const base = pictureOf(homelab())
  const withPermits = (permits: readonly KeptPermit[]) => ({ ...base, book: { ...base.book, permits } })

  test('a change costs what changed: rows that were made stay', () => {
    const first = permitPage(withPermits(kept), { limit: 500 })
    expect([first.permits.length, first.counts.byDecision]).toEqual([500, { granted: 100_000 }])
    const newest = keptPermits(permitObject({ name: 'p-0500001', grantedAgo: 0, releasedAgo: undefined }) as DisruptionPermit)
    const place = 50_001
    const next = permitPage(withPermits([...kept.slice(0, place), ...newest, ...kept.slice(place)]), { limit: 500 })
    expect(next.permits[0]?.id).toBe('monitoring/p-0500001')
    expect(next.counts.byDecision).toEqual({ granted: 100_001 })
    expect(next.permits.slice(1).every((row, at) => row === first.permits[at])).toBe(true)
  })

  const sumOf = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0)

  test('kept change by change it is what it would be made anew', () => {
    const small = kept.slice(0, 40)
    const property = fc.property(fc.array(fc.subarray([...small.keys()]), { minLength: 1, maxLength: 6 }), lists => {
      for (const list of lists) {
        const permits = list.flatMap(at => small[at] ?? [])
        const expected = permits.map(({ record }) => record.grant?.atMs ?? 0).toSorted((a, b) => b - a)
        expect(permitRows(withPermits(permits)).map(({ at }) => Date.parse(at))).toEqual(expected)
        const { byDecision, byCapability } = permitCountsOf(withPermits(permits), {})
        expect([sumOf(byDecision), sumOf(byCapability)]).toEqual([expected.length, expected.length])
      }
    })
    fc.assert(property, { numRuns: 100 })
  })
})
