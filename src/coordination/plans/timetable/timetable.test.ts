import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { seededRandom } from '#kube/random.ts'
import { policyWithDefaults } from '#planning/goals/policy.ts'
import { namespace, node, workload } from '#planning/testdata/objects.ts'
import { nothingObserved } from '../../observed/observation.ts'
import { viewOf } from '../../permits/ledger-view.ts'
import type { PermitRecord } from '../../permits/permit-record.ts'
import { type ArbiterPolicy, defaultPolicy, type GateName } from '../../policy/arbiter-policy.ts'
import { doneFor, minute, nowMs, permit } from '../../policy/testdata/question.ts'
import { askingOf } from '../names.ts'
import { restraintsFor } from './restraints.ts'
import { type TimedMove, type Timetable, type TimetableInput, timetableOf } from './timetable.ts'

const names = ['a', 'b', 'c', 'd', 'e', 'f']
const objects = [
  namespace('shop'),
  ...['n1', 'n2', 'n3'].map(name => node(name)),
  ...names.flatMap(name =>
    workload(`shop/${name}`, { on: ['n1', 'n1', 'n1'], owner: 'descheduler', budget: { maxUnavailable: 1 } }),
  ),
]
const { state } = buildClusterState(objects)
const roomy = { concurrent: 9, perHour: 30, perNamespace: 9, perSourceNode: 9, perDestination: 9 }

/** `a b | a`: moves of these workloads, a wave each part; the first pod of a workload goes first. */
function movesOf(text: string): readonly TimedMove[] {
  const taken = new Map<string, number>()
  return text.split('|').flatMap((wave, at) =>
    wave
      .trim()
      .split(/\s+/)
      .map((name, index): TimedMove => {
        const number = taken.get(name) ?? 0
        taken.set(name, number + 1)
        const pods = [...state.pods.values()].filter(one => one.workload?.name === name)
        const pod = pods[number]
        if (pod?.workload === undefined) throw new Error(`no pod of ${name}`)
        const identity = { namespace: pod.namespace, name: pod.name, uid: pod.uid }
        const id = `m${at + 1}${index + 1}`
        return {
          id,
          wave: at + 1,
          pod: identity,
          workload: pod.workload,
          from: 'n1',
          to: index % 2 === 0 ? 'n2' : 'n3',
          acceptable: ['n2'],
          action: 'evict',
        }
      }),
  )
}

interface Given {
  readonly concurrent?: number
  readonly caps?: Partial<ArbiterPolicy['caps']>
  readonly ledger?: readonly PermitRecord[]
  readonly opensMs?: TimetableInput['opensMs']
  readonly canary?: TimetableInput['canary']
}

function inputOf(text: string, { concurrent = 1, caps = {}, ledger = [], opensMs = ms => ms, canary }: Given): TimetableInput {
  const policy = policyWithDefaults({ name: 'p', goals: [], limits: { perPlan: 30, concurrent } })
  return {
    ...{ moves: movesOf(text), state, policy, plan: 'p-1', batch: 'p-1', opensMs, canary, nowMs, seconds: () => 60 },
    asking: askingOf({ spec: { purpose: 'move' } }),
    around: {
      ledger: viewOf(ledger),
      observed: nothingObserved,
      policy: { ...defaultPolicy, caps: { ...roomy, ...caps } },
      ownerLabel: defaultOwnerLabel,
      ownNamespace: 'ballast-system',
    },
  }
}

/** `m11 0-60 m12 CoolingDown`: seconds after the beginning. */
function short({ entries, beginMs }: Timetable): string {
  const seconds = (ms: number) => (ms - beginMs) / 1000
  return entries
    .map(entry =>
      entry.kind === 'goes'
        ? `${entry.id} ${seconds(entry.beginMs)}-${seconds(entry.endMs)}`
        : `${entry.id} ${entry.reason.code}`,
    )
    .join(' ')
}

/** A move of `name` by another plan that was over so long ago. */
function moved(name: string, agoMs: number, change: Partial<PermitRecord> = {}): PermitRecord {
  const workload = `shop/Deployment/${name}`
  return {
    ...permit({ name: `past-${name}`, workload, idempotencyKey: `past/${name}`, batch: 'past' }),
    ...doneFor(agoMs),
    ...change,
  }
}

describe('a plan played against the rules', () => {
  // biome-ignore format: a table
  test.each<[string, string, Given, string]>([
    ['one after the other',                          'a b c', {},                                        'm11 0-60 m12 60-120 m13 120-180'],
    ['as many at once as the policy allows',         'a b c', { concurrent: 2 },                         'm11 0-60 m12 0-60 m13 60-120'],
    ['the rest waits for its canary',                'a b | c', { concurrent: 2, canary: { moves: 1, waitMs: 300_000 } }, 'm11 0-60 m12 360-420 m21 420-480'],
    ['a canary of a wave and a part',                'a | b c', { canary: { moves: 2, waitMs: 300_000 } }, 'm11 0-60 m21 60-120 m22 420-480'],
    ['a canary that is all of it waits for nobody',  'a b',   { canary: { moves: 2, waitMs: 300_000 } }, 'm11 0-60 m12 60-120'],
    ['... and as the cluster does',                  'a b c', { concurrent: 3, caps: { concurrent: 2 } }, 'm11 0-60 m12 0-60 m13 60-120'],
    ['... and as a destination does',                'a b c', { concurrent: 3, caps: { perDestination: 1 } }, 'm11 0-60 m12 0-60 m13 60-120'],
    ['... and as a source does',                     'a b',   { concurrent: 3, caps: { perSourceNode: 1 } }, 'm11 0-60 m12 60-120'],
    ['a wave begins when the one before it is over', 'a b|c', { concurrent: 3 },                         'm11 0-60 m12 0-60 m21 60-120'],
    ['steps of one plan do not cool each other down', 'a|a|a', {},                                       'm11 0-60 m21 60-120 m31 120-180'],
    ['and take one token of the hour',               'a b c', { caps: { perHour: 1 } },                  'm11 0-60 m12 60-120 m13 120-180'],
    ['an hour without tokens lets nothing go',       'a b',   { caps: { perHour: 0 } },                  'm11 CapReached m12 CapReached'],
    ['a cool-down that ends within its patience',    'a b',   { ledger: [moved('a', 350 * minute)] },    'm11 600-660 m12 660-720'],
    ['... that does not, with the workload\'s others', 'a b|a', { ledger: [moved('a', 60 * minute)] },   'm11 CoolingDown m12 0-60 m21 CoolingDown'],
    ['a permit of another on the workload',          'a',     { ledger: [permit({ workload: 'shop/Deployment/a', grant: { token: 1, atMs: nowMs, expiresAtMs: nowMs + 10 * minute } })] }, 'm11 CoolingDown'],
    ['a window that opens later',                    'a',     { opensMs: ms => Math.max(ms, nowMs + 100 * minute) }, 'm11 0-60'],
    ['a window that closes in between',              'a b',   { opensMs: ms => (ms < nowMs + minute ? ms : Math.max(ms, nowMs + 90 * minute)) }, 'm11 0-60 m12 5400-5460'],
    ['no window any more',                           'a b',   { opensMs: () => Number.POSITIVE_INFINITY }, 'm11 WindowClosed m12 WindowClosed'],
  ])('%s', (_name, moves, given, expected) => expect(short(timetableOf(inputOf(moves, given)))).toBe(expected))
})

test('200 random plans: nothing is on its way beside more than the caps let, in no order but the waves’, and what is asked first is not otherwise', () => {
  let waited = 0
  let refused = 0
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed)
    const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
    const text = Array.from({ length: whole(1, 3) }, () => names.filter(() => random() < 0.5).join(' ') || 'a').join('|')
    const caps = { concurrent: whole(1, 4), perNamespace: whole(1, 4), perSourceNode: whole(1, 4), perDestination: whole(1, 3) }
    const ledger = names.flatMap(name => (random() < 0.3 ? [moved(name, whole(1, 400) * minute)] : []))
    const input = inputOf(text, { concurrent: whole(1, 4), caps, ledger })
    const table = timetableOf(input)
    expect(timetableOf(input), `seed ${seed}`).toEqual(table)
    const goes = table.entries.flatMap(entry => (entry.kind === 'goes' ? [entry] : []))
    const moves = new Map(input.moves.map(move => [move.id, move]))
    const most = Math.min(caps.concurrent, caps.perNamespace, caps.perSourceNode, input.policy.limits.concurrent)
    for (const { id, beginMs, endMs } of goes) {
      const beside = goes.filter(other => other.beginMs <= beginMs && other.endMs > beginMs)
      const toSame = beside.filter(other => moves.get(other.id)?.to === moves.get(id)?.to)
      expect(beside.length, `seed ${seed} ${id}`).toBeLessThanOrEqual(most)
      expect(toSame.length, `seed ${seed} ${id}`).toBeLessThanOrEqual(caps.perDestination)
      const wave = moves.get(id)?.wave ?? 0
      for (const other of goes) if ((moves.get(other.id)?.wave ?? 0) < wave) expect(other.endMs).toBeLessThanOrEqual(beginMs)
      expect(endMs - beginMs).toBe(60_000)
      if (beginMs > table.beginMs) waited++
    }
    // What the rules hold beforehand for longer than a run waits goes in no plan.
    const { held } = restraintsFor({ ...input, beginMs: nowMs })
    for (const entry of table.entries) {
      const pod = moves.get(entry.id)?.pod
      if (held.has(`${pod?.namespace}/${pod?.name}`) && goes.length === 0)
        expect(entry.kind, `seed ${seed} ${entry.id}`).toBe('refused')
      if (entry.kind === 'refused') refused++
    }
  }
  expect(waited).toBeGreaterThan(200)
  expect(refused).toBeGreaterThan(50)
})

describe('a red gate when it is made', () => {
  const lost = { ...node('n9'), status: { conditions: [{ type: 'Ready', status: 'False' }] } }
  const broken = buildClusterState([...objects, lost]).state
  const input = inputOf('a | b', {})
  const around = (gates: readonly GateName[]) => ({
    ...input.around,
    policy: { ...input.around.policy, gates: new Set(gates) },
  })

  // biome-ignore format: a table
  test.each<[string, Partial<TimetableInput>, string | undefined]>([
    ['holds its first moves, and its times count from its end', { state: broken },                                             'node n9 is not Ready'],
    ['that is switched off holds nothing',                      { state: broken, around: around(['foreign-drain']) },          undefined],
    ['may be green when its window opens',                      { state: broken, opensMs: ms => Math.max(ms, nowMs + minute) }, undefined],
    ['is none where all is well',                               {},                                                            undefined],
  ])('%s', (_name, change, expected) => {
    const table = timetableOf({ ...input, ...change })
    expect(table.held).toBe(expected)
    expect(short(table)).toBe('m11 0-60 m21 60-120')
  })
})
