import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RebalancePlan } from '#coordination/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import type { ActionButton } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { freezeButtons, planButtons, twinButtons } from './buttons.ts'
import { clusterFreeze, freezeFor, freezeOn } from './freezes.ts'
import { ago, homelab, minute, pictureOf, plannedFor, planWith } from './testdata/homelab.ts'
import { everything, readingOnly, type Viewing } from './viewing.ts'

const session = solveInChild.session()
let plan: RebalancePlan
beforeAll(async () => {
  plan = await plannedFor(homelab(), session.solve)
})
afterAll(() => session[Symbol.dispose]())

const words = (buttons: readonly ActionButton[]) =>
  buttons.map(({ action, label, enabled, prominent }) => `${action} ${label}${prominent ? '!' : ''}${enabled ? '' : ' (off)'}`)

function buttonsOf(status: Partial<NonNullable<RebalancePlan['status']>>, given: Given = {}): readonly ActionButton[] {
  const { policy = {}, annotations = {}, picture = {}, viewing = everything } = given
  const made = planWith(plan, { status })
  const object = { ...made, metadata: { ...made.metadata, annotations, resourceVersion: '7' } }
  const shown = pictureOf([...homelab(policy), object], picture)
  return planButtons(shown, shown.book.plans[0], viewing)
}

interface Given {
  readonly policy?: Readonly<Record<string, unknown>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly picture?: Partial<Picture>
  readonly viewing?: Viewing
}

describe('buttons of a plan, by phase', () => {
  test.each<readonly [string, Partial<NonNullable<RebalancePlan['status']>>, Given, readonly string[]]>([
    ['proposed', { phase: 'Proposed' }, {}, ['approve Run all!', 'step One move', 'replan Replan']],
    ['approved, its window to come', { phase: 'Approved' }, {}, ['withdraw Withdraw']],
    ['approved by mode Auto', { phase: 'Approved' }, { policy: { mode: 'Auto' } }, ['pause Pause', 'withdraw Withdraw']],
    ['running', { phase: 'Running' }, {}, ['pause Pause!']],
    [
      'paused by somebody',
      { phase: 'Paused' },
      { annotations: { 'ballast.dev/freeze': 'lunch' } },
      ['resume Resume!', 'step One move', 'withdraw Withdraw the rest'],
    ],
    [
      'paused by itself',
      { phase: 'Paused', message: 'outside of the windows' },
      {},
      ['resume Resume! (off)', 'step One move', 'withdraw Withdraw the rest'],
    ],
    ['over', { phase: 'Succeeded' }, {}, ['replan Replan']],
    ['of a policy that only reports', { phase: 'Proposed' }, { policy: { mode: 'Report' } }, []],
    ['for who has no actions', { phase: 'Proposed' }, { viewing: readingOnly }, []],
  ])('%s', (_, status, given, expected) => expect(words(buttonsOf(status, given))).toEqual(expected))

  test('one that was replaced has none', () => {
    const conditions = [{ type: 'Superseded', status: 'True' as const, reason: 'Replaced', message: 'by talos-80aa' }]
    expect(buttonsOf({ phase: 'Expired', conditions })).toEqual([])
  })

  test('of a moment in the past none', () => {
    const present = pictureOf(homelab())
    expect(buttonsOf({ phase: 'Proposed' }, { picture: { past: { present } } })).toEqual([])
  })

  test('without a plan one can be asked for', () => {
    const [button] = planButtons(pictureOf(homelab()), undefined, everything)
    expect([button?.action, button?.body]).toEqual(['replan', { policy: 'talos' }])
  })
})

test('each says what it posts and the same as a command', () => {
  const [all, one] = buttonsOf({ phase: 'Proposed' })
  expect(all?.body).toEqual({ plan: 'talos-7f3c', snapshotHash: plan.spec.snapshotHash, resourceVersion: '7' })
  expect(all?.kubectl).toMatch(/^kubectl patch rebalanceplan talos-7f3c /)
  expect(one?.body.move).toBe(plan.spec.moves[0]?.id)
  expect(buttonsOf({ phase: 'Running' })[0]?.kubectl).toContain('ballast.dev/freeze=true')
})

test('D24: a right that is missing is named', () => {
  const because = 'Your account lacks patch on rebalanceplans (ballast.dev).'
  const viewing: Viewing = { ...everything, can: () => ({ allowed: false, because }) }
  expect(buttonsOf({ phase: 'Proposed' }, { viewing }).map(({ enabled, because }) => [enabled, because])).toEqual(
    Array.from({ length: 3 }, () => [false, because]),
  )
})

test('outside of a twin it is asked once more, with what is disrupted and when', () => {
  const windows = [{ cron: '0 4 * * *', duration: '1h' }]
  const [all, one] = buttonsOf({ phase: 'Proposed' }, { policy: { windows }, picture: { mode: 'cluster', twin: undefined } })
  expect(all?.confirm?.pods).toBe(15)
  expect(all?.confirm?.text).toMatch(
    /^15 moves: 15 pods of \d+ workloads are replaced, one at a time\. It starts at 04:00 \(Europe\/Berlin\), in 13h\.$/,
  )
  expect(one?.confirm?.text).toMatch(/^1 move: 1 pod of 1 workload is replaced\./)
  expect(buttonsOf({ phase: 'Proposed' })[0]?.confirm).toBeNull()
})

describe('freezes', () => {
  const frozen = (kind: string, name: string, annotations: Readonly<Record<string, string>>, namespace?: string): KubeObject => ({
    apiVersion: 'v1',
    kind,
    metadata: { name, uid: name, annotations, ...(namespace === undefined ? {} : { namespace }) },
  })
  const told = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'e', namespace: 'default', creationTimestamp: ago(3 * minute) },
    eventTime: ago(3 * minute),
    reason: 'Frozen',
    note: 'by local: update night',
    regarding: { kind: 'Namespace', name: 'ballast-system' },
  }
  const own = frozen('Namespace', 'ballast-system', { 'ballast.dev/freeze': 'update night', 'ballast.dev/frozen-by': 'local' })

  test('everything, by the annotation on its own namespace', () => {
    const picture = pictureOf([own, told])
    const freeze = clusterFreeze(picture)
    expect(freeze).toEqual({ since: '2025-12-19T13:00:20Z', by: 'local', reason: 'update night', scope: null })
    expect(words(freezeButtons(picture, null, freeze, everything))).toEqual(['thaw Thaw!'])
  })

  test('D28: the reason is shown as it was written', () => {
    const object = frozen('Namespace', 'ballast-system', {
      'ballast.dev/freeze': '<b>x</b>=cmd',
      'ballast.dev/frozen-by': 'local',
    })
    expect(clusterFreeze(pictureOf([object]))).toMatchObject({ reason: '<b>x</b>=cmd', by: 'local', since: null })
  })

  test('everything, by the configuration, which no button can change', () => {
    const picture = pictureOf([], {})
    const configured = { ...picture, arbiter: { ...picture.arbiter, freeze: 'year end' } }
    const freeze = clusterFreeze(configured)
    expect(freeze).toMatchObject({ by: 'the configuration', reason: 'year end' })
    const [button] = freezeButtons(configured, null, freeze, everything)
    expect([button?.action, button?.enabled, button?.because]).toEqual([
      'thaw',
      false,
      'The configuration freezes it: arbiter.freeze.',
    ])
  })

  test('a workload under a frozen namespace can be frozen by itself', () => {
    const ref = { kind: 'Deployment', namespace: 'media', name: 'sonarr' }
    const picture = pictureOf([frozen('Namespace', 'media', { 'ballast.dev/freeze': 'true' })])
    const freeze = freezeFor(picture, ref)
    expect(freeze).toMatchObject({ by: 'somebody', reason: 'no reason given', scope: { kind: 'Namespace', name: 'media' } })
    expect(words(freezeButtons(picture, ref, freeze, everything))).toEqual(['freeze Freeze'])
  })

  test('a time that is past freezes nothing', () => {
    const object = frozen('Namespace', 'ballast-system', { 'ballast.dev/freeze': '2025-12-19T13:00:00Z' })
    const picture = pictureOf([object])
    expect([clusterFreeze(picture), freezeOn(picture, undefined)]).toEqual([null, null])
    expect(words(freezeButtons(picture, null, null, everything))).toEqual(['freeze Freeze'])
  })
})

describe('the twin', () => {
  const clock = (status: object): KubeObject => ({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'TwinClock',
    metadata: { name: 'clock' },
    spec: {},
    status,
  })
  const fault = (name: string): KubeObject => ({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'TwinFault',
    metadata: { name },
    spec: {},
  })
  const at = (status: object, faults: readonly KubeObject[] = []) =>
    pictureOf([], { twin: { source: 'x', seed: 1, clock: clock(status), faults } })

  test('runs at one of the paces, which stands out', () => {
    const found = words(twinButtons(at({ speed: '60', paused: false }), everything))
    expect(found.slice(0, 8)).toEqual([
      'twin/pause Pause',
      'twin/speed 1×',
      'twin/speed 10×',
      'twin/speed 60×!',
      'twin/speed 600×',
      'twin/speed max',
      'twin/advance +1m',
      'twin/next Next event',
    ])
  })

  test('paused, and with a fault of the page', () => {
    const found = words(twinButtons(at({ speed: '1', paused: true }, [fault('page-3'), fault('theirs')]), everything))
    expect(found[0]).toBe('twin/run Run!')
    expect(found.filter(text => text.startsWith('twin/heal'))).toEqual(['twin/heal Heal page-3'])
    expect(found.at(-1)).toBe('twin/reset Reset')
  })

  test('is no matter of a real cluster', () => expect(twinButtons(pictureOf([], { twin: undefined }), everything)).toEqual([]))
})
