// A plan as a film: of the example as it is planned and as it happened, of records alone, of many nodes by pools, and of random plans.
import * as fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { RebalancePlan } from '#coordination/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import { runsOf } from '#test/runs.ts'
import { type ReplayView, replayView } from '../../contract-replay.ts'
import { replayMoment } from '../../web/drawn/replay/moment.ts'
import { pictureAt } from '../moment.ts'
import {
  ago,
  homelab,
  hour,
  minute,
  nowMs,
  permitObject,
  pictureOf,
  plannedFor,
  planWith,
  policyObject,
} from '../testdata/homelab.ts'
import { everything } from '../viewing.ts'
import { replayOf } from './replay.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())
const plan = await plannedFor(homelab(), session.solve)

function filmOf(shown: RebalancePlan, objects: readonly KubeObject[] = homelab(), pool?: string): ReplayView {
  const view = replayOf(pictureOf([...objects, shown]), shown, { pool }, everything)
  if (view === undefined) throw new Error('nothing is replayed')
  return replayView.parse(view)
}

/** Every figure of a film is the sum of what stands there, at each step. */
function expectSums(view: ReplayView): void {
  const tiles = new Map(view.tiles.map(tile => [tile.id, tile]))
  for (let at = 0; at <= view.steps.length; at++) {
    const moment = replayMoment(view, at)
    for (const { name } of view.boxes) {
      const here = [...tiles.values()].filter(tile => moment.boxOf.get(tile.id) === name)
      const box = moment.boxes.get(name)
      expect(box?.pods).toBe(here.reduce((sum, { pods }) => sum + pods, 0))
      expect(box?.requested).toEqual(
        view.resources.map((_, index) => here.reduce((sum, { amounts }) => sum + (amounts[index] ?? 0), 0)),
      )
    }
  }
}

const sharesOf = (shares: NonNullable<RebalancePlan['status']>['after'] = [], resource: string) =>
  new Map(shares.filter(share => share.resource === resource).map(({ node, requested }) => [node, Number(requested)]))

function drawnAt(view: ReplayView, at: number, resource: string): ReadonlyMap<string, number> {
  const index = view.resources.indexOf(resource)
  return new Map(Array.from(replayMoment(view, at).boxes, ([name, { requested }]) => [name, requested[index] ?? -1]))
}

describe('the example as it is planned', () => {
  const film = filmOf(plan)

  test('it begins with what the plan saw and ends with what it aims at, in each resource', () => {
    expect(film.steps).toHaveLength(15)
    for (const resource of ['cpu', 'memory', 'pods']) {
      expect(drawnAt(film, 0, resource)).toEqual(sharesOf(plan.status?.before, resource))
      expect(drawnAt(film, film.steps.length, resource)).toEqual(sharesOf(plan.status?.after, resource))
    }
    expectSums(film)
  })

  test('every pod is a tile of its own, and says what may be done with it', () => {
    expect(film.tiles).toHaveLength(124)
    expect(film.notes).toEqual([])
    const kinds = Map.groupBy(film.tiles, ({ kind }) => kind)
    expect(kinds.get('moves')).toHaveLength(15)
    expect(kinds.get('rest')).toBeUndefined()
    const tile = (name: string) => film.tiles.find(({ pod }) => pod?.name.startsWith(name))
    expect(tile('nexus')).toMatchObject({ kind: 'pinned', because: { text: expect.stringContaining('cannot leave talos01') } })
    expect(kinds.get('pinned')).toHaveLength(21)
    expect(tile('cilium')).toMatchObject({ kind: 'pinned' })
    expect(tile('sonarr')).toMatchObject({ kind: 'held', because: { text: expect.stringContaining('KEDA') } })
  })

  test('a goal is missed until the step that reaches it', () => {
    const missed = film.steps.map((_, at) => replayMoment(film, at + 1).boxes.get('talos00')?.missed)
    expect(replayMoment(film, 0).boxes.get('talos00')?.missed).toEqual(['cp-light'])
    expect(replayMoment(film, 0).boxes.get('talos03')?.missed).toEqual(['use-talos03'])
    expect(missed.at(-1)).toEqual([])
    expect(film.boxes.find(({ name }) => name === 'talos00')?.lines).toEqual([
      { goal: 'cp-light', resource: 'cpu', min: null, max: 70 },
    ])
  })

  test('each step says what and why, and has its proof', () => {
    const [first] = film.steps
    expect(first?.text.text).toMatch(/^Move 1 of 15: \S+ goes from talos0\d to talos03\.$/)
    expect(first?.why.text).toMatch(/frees CPU for cp-light|fills use-talos03|makes room/)
    expect(first?.proof.text).toMatch(/^fits: /)
    // As the boxes show them, and not as they are to be.
    expect(film.before.map(({ text }) => text)).toEqual([
      expect.stringMatching(/^Before: 15 moves are planned/),
      'cp-light: talos00 has 93% of its CPU requested; the goal is at most 70%.',
      'use-talos03: talos03 has 4% of its CPU requested; the goal is at least 30%.',
    ])
    expect(film.afterwards.map(({ text }) => text)).toEqual(['After: 15 moves are made.', 'Both goals would be met.'])
  })
})

test('as it happened: landed elsewhere, no node, left out and failed stand where they came to be', () => {
  const [one, two, three, four, ...others] = plan.spec.moves
  if (one === undefined || two === undefined || three === undefined || four === undefined) throw new Error('too few moves')
  const steps = [
    { id: one.id, state: 'Mismatch', landedOn: 'talos02-gpu', seconds: 21 },
    { id: two.id, state: 'Mismatch' },
    { id: three.id, state: 'Skipped', reason: 'CoolDown', message: 'moved an hour ago' },
    { id: four.id, state: 'Failed', reason: 'NotReady' },
    ...others.map(({ id }) => ({ id, state: 'Landed', landedOn: 'talos03' }) as const),
  ] as const
  const film = filmOf(planWith(plan, { status: { steps, phase: 'Incomplete', finishedAt: ago(minute) } }))
  expectSums(film)
  const end = replayMoment(film, film.steps.length)
  expect([one, two, three, four].map(({ id }) => end.boxOf.get(id))).toEqual(['talos02-gpu', undefined, three.from, four.from])
  expect(film.steps[0]?.text.text).toContain('came to talos02-gpu instead of talos03, Ready after 21s.')
  expect(film.steps[2]?.refusals.map(({ text }) => text)).toEqual(['CoolDown: moved an hour ago'])
  expect(film.afterwards[0]?.text).toBe('After: 13 of 15 moves were made, 2 are refused.')
})

test('what the arbiter told of a move that had to wait is a mark of its step', () => {
  const [move] = plan.spec.moves
  const key = `${plan.metadata.uid}/${move?.id}`
  const verdict = {
    requester: 'deschedule',
    class: 'balance',
    verb: 'evict',
    purpose: 'move',
    target: 'Pod a/b',
    decision: 'Queued',
    rule: 'cool-down',
    reason: 'CoolDown',
    wayOut: 'wait',
    key,
  }
  const event = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'e', namespace: 'a', uid: 'e', annotations: { 'ballast.dev/verdict': JSON.stringify(verdict) } },
    eventTime: ago(minute),
    note: 'it was restarted a minute ago',
    reason: 'DisruptionQueued',
    reportingController: 'ballast.dev/arbiter',
    regarding: { kind: 'Pod', namespace: 'a', name: 'b', uid: 'u' },
  }
  const film = filmOf(plan, [...homelab(), event, permitObject()])
  expect(film.steps[0]?.refusals.map(({ text }) => text)).toEqual(['CoolDown: it was restarted a minute ago'])
  expect(film.steps.slice(1).flatMap(({ refusals }) => refusals)).toEqual([])
})

describe('records alone', () => {
  // biome-ignore format: a table
  test.each([
    ['a cluster that is another by now', homelab().filter(({ kind, metadata }) => kind !== 'Pod' || metadata.namespace !== 'media')],
    ['no pods at all',                   homelab().filter(({ kind }) => kind !== 'Pod')],
    ['no cluster',                       [] as readonly KubeObject[]],
    ['pods younger than the plan',       homelab().map(object => (object.kind === 'Pod' ? { ...object, metadata: { ...object.metadata, creationTimestamp: ago(0) } } : object))],
    ['pods that ask for more than then', homelab().map(object => (object.kind === 'Pod' ? doubled(object) : object))],
  ])('%s: the sums are those of the record, and what moves is drawn', (_, objects) => {
    const film = filmOf(plan, objects)
    for (const resource of ['cpu', 'memory', 'pods']) {
      expect(drawnAt(film, 0, resource)).toEqual(sharesOf(plan.status?.before, resource))
      expect(drawnAt(film, film.steps.length, resource)).toEqual(sharesOf(plan.status?.after, resource))
    }
    expectSums(film)
    expect(film.tiles.filter(({ kind }) => kind === 'moves')).toHaveLength(15)
    expect(film.tiles.some(({ kind }) => kind === 'rest')).toBe(true)
  })

  test('without its policy no goal has a line, and why it moves is said by the goals that the plan names', () => {
    const film = filmOf(plan, [])
    expect(film.boxes.flatMap(({ lines }) => lines)).toEqual([])
    expect(film.notes[0]?.text).toBe('Policy talos is not there: its goals have no lines.')
    expect(film.steps[0]?.why.text).toBe("for the plan's goals: cp-light and use-talos03")
  })

  test('of an earlier moment, of which the cluster keeps no pods', () => {
    const then = pictureAt(pictureOf([...homelab(), plan]), nowMs - minute / 2)
    if (!('picture' in then)) throw new Error('not kept')
    const film = replayOf(then.picture, plan, {}, everything)
    expect(film?.tiles.filter(({ kind }) => kind === 'rest')).toHaveLength(4)
    expect(film?.steps).toHaveLength(15)
  })
})

function doubled(object: KubeObject): KubeObject {
  const copy = structuredClone(object) as KubeObject & { spec: { containers: { resources?: unknown }[] } }
  for (const container of copy.spec.containers) container.resources = { requests: { cpu: '900m', memory: '3Gi' } }
  return copy
}

test('who may not see a namespace sees its pods counted', () => {
  const viewing = { ...everything, sees: (namespace: string | undefined) => namespace !== 'monitoring' }
  const film = replayOf(pictureOf([...homelab(), plan]), plan, {}, viewing)
  if (film === undefined) throw new Error('nothing is replayed')
  expectSums(film)
  expect(film.tiles.filter(({ kind, pod }) => kind !== 'moves' && pod?.namespace === 'monitoring')).toEqual([])
  expect(film.tiles.some(({ because }) => because.text.includes('namespaces that you may not see'))).toBe(true)
})

describe('many nodes', () => {
  const objects = wideCluster(130)
  const wide = widePlan(130)

  test('are drawn by pools, and a move within a pool changes no box', () => {
    const film = filmOf(wide, objects)
    expect(film.boxes.map(({ name, kind, nodes }) => ({ name, kind, nodes }))).toEqual([
      { name: 'blue', kind: 'pool', nodes: 65 },
      { name: 'green', kind: 'pool', nodes: 65 },
    ])
    expect(film.steps.map(({ after }) => after.length)).toEqual([2, 0])
    expectSums(film)
  })

  test('one pool is looked into: its first nodes, its others, and those it exchanges pods with', () => {
    const film = filmOf(wide, objects, 'blue')
    expect(film.boxes).toHaveLength(62)
    expect(film.boxes[0]).toMatchObject({ name: 'n0', kind: 'node' })
    expect(film.boxes.slice(-2).map(({ name, nodes }) => [name, nodes])).toEqual([
      ['other nodes of blue', 5],
      ['nodes of other pools', 1],
    ])
    expect(film.steps).toHaveLength(2)
    expect(filmOf(wide, objects, 'green').steps).toHaveLength(1)
    expectSums(film)
  })

  test('a pool that is not there is none', () => {
    expect(replayOf(pictureOf([...objects, wide]), wide, { pool: 'red' }, everything)).toBeUndefined()
    expect(replayOf(pictureOf([...homelab(), plan]), plan, { pool: 'red' }, everything)).toBeUndefined()
  })
})

function node(name: string, pool: string): KubeObject {
  const status = { allocatable: { cpu: '4', memory: '8Gi', pods: '50' }, conditions: [{ type: 'Ready', status: 'True' }] }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: name, labels: { 'karpenter.sh/nodepool': pool } },
    spec: {},
    status,
  }
}

function pod(name: string, on: string, cpu: number): KubeObject {
  const spec = { nodeName: on, containers: [{ name: 'a', image: 'a', resources: { requests: { cpu: `${cpu}m` } } }] }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', uid: name, creationTimestamp: ago(hour) },
    spec,
    status: { phase: 'Running' },
  }
}

function wideCluster(count: number): readonly KubeObject[] {
  return [
    policyObject({ goals: [] }),
    ...Array.from({ length: count }, (_, at) => node(`n${at}`, at % 2 === 0 ? 'blue' : 'green')),
    ...Array.from({ length: count }, (_, at) => pod(`p${at}`, `n${at}`, 100 + at)),
  ]
}

interface Hop {
  readonly pod: number
  readonly cpu: number
  readonly from: string
  readonly to: string
  readonly follows?: string
}

function planOf(
  hops: readonly Hop[],
  before: ReadonlyMap<string, { readonly cpu: number; readonly pods: number }>,
): RebalancePlan {
  const moves = hops.map(({ pod: number, cpu, from, to, follows }, at) => ({
    id: `m${at}`,
    wave: at + 1,
    pod: { namespace: 'shop', name: `p${number}`, uid: `p${number}` },
    workload: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web', uid: 'w' },
    ...{ from, to, acceptable: [to], action: 'evict' as const },
    ...(follows === undefined ? {} : { follows }),
    certificate: {
      ...{
        snapshotHash: 'h',
        podUid: `p${number}`,
        requests: { cpu },
        from,
        to,
        freeBefore: { cpu: 4000 },
        freeAfter: { cpu: 4000 - cpu },
      },
      ...{ filters: {}, landing: { mode: 'hold' as const, nodes: [to], totals: {} } },
    },
  }))
  const rows = [...before].flatMap(([name, { cpu, pods }]) => [
    { node: name, resource: 'cpu', percent: 0, requested: String(cpu), allocatable: '4000' },
    { node: name, resource: 'pods', percent: 0, requested: String(pods), allocatable: '50' },
  ])
  return { ...plan, spec: { ...plan.spec, moves }, status: { phase: 'Proposed', before: rows, conditions: [] } }
}

function widePlan(count: number): RebalancePlan {
  const hops = [
    { pod: 0, cpu: 100, from: 'n0', to: 'n1' },
    { pod: 2, cpu: 102, from: 'n2', to: 'n4' },
  ]
  return planOf(hops, new Map(Array.from({ length: count }, (_, at) => [`n${at}`, { cpu: 100 + at, pods: 1 }])))
}

test('of random plans, with stops on the way, the last frame is the start with every pod where its last move brings it', () => {
  const hop = fc.record({ pod: fc.nat(5), to: fc.nat(3) })
  fc.assert(
    fc.property(
      fc.array(hop, { maxLength: 12 }),
      fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 6, maxLength: 6 }),
      (hops, sizes) => {
        const objects = [
          policyObject({ goals: [] }),
          ...[0, 1, 2, 3].map(at => node(`n${at}`, 'a')),
          ...sizes.map((cpu, at) => pod(`p${at}`, `n${at % 4}`, cpu)),
        ]
        const at = new Map(sizes.map((_, number) => [number, { node: `n${number % 4}`, id: undefined as string | undefined }]))
        const played = hops.flatMap(({ pod: number, to }, index): readonly Hop[] => {
          const place = at.get(number)
          if (place === undefined || place.node === `n${to}`) return []
          at.set(number, { node: `n${to}`, id: `m${index}` })
          return [{ pod: number, cpu: sizes[number] ?? 0, from: place.node, to: `n${to}` }]
        })
        // Ids are given anew: what was left out has none.
        const last = new Map<number, string>()
        const chained = played.map((one, index) => {
          const follows = last.get(one.pod)
          last.set(one.pod, `m${index}`)
          return follows === undefined ? one : { ...one, follows }
        })
        const sum = (where: (number: number) => string | undefined) =>
          new Map(
            [0, 1, 2, 3].map(number => {
              const here = sizes.flatMap((cpu, index) => (where(index) === `n${number}` ? [cpu] : []))
              return [`n${number}`, { cpu: here.reduce((all, cpu) => all + cpu, 0), pods: here.length }]
            }),
          )
        const made = planOf(
          chained,
          sum(index => `n${index % 4}`),
        )
        const film = filmOf(made, objects)
        expectSums(film)
        const end = replayMoment(film, film.steps.length)
        for (const [name, { cpu, pods }] of sum(index => at.get(index)?.node)) {
          expect(end.boxes.get(name)).toMatchObject({ pods })
          expect(end.boxes.get(name)?.requested[film.resources.indexOf('cpu')]).toBe(cpu)
        }
      },
    ),
    { numRuns: runsOf(200) },
  )
})
