// Pictures of the past, and things found by name.

import { afterAll, describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import * as schemas from '../contract.ts'
import { nodeStateText } from '../words/en.ts'
import { permitPage } from './ledger/permits.ts'
import { pictureAt } from './moment.ts'
import { nodePodsOf, nodeViewOf } from './nodes/node.ts'
import { nodeRows } from './nodes/nodes.ts'
import { isNotThere } from './not-there.ts'
import { overviewOf } from './overview.ts'
import { certificateOf } from './plans/certificate.ts'
import { planViewOf } from './plans/plan.ts'
import { searchIn } from './search.ts'
import { ago, homelab, hour, minute, nowMs, permitObject, pictureOf, plannedFor, planWith } from './testdata/homelab.ts'
import { everything } from './viewing.ts'
import { workloadRows, workloadViewOf } from './workloads/workload.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())
const plan = await plannedFor(homelab(), session.solve)

const at = (agoMs: number, ...objects: Parameters<typeof pictureOf>[0]) => {
  const moment = pictureAt(pictureOf([...homelab(), ...objects]), nowMs - agoMs)
  if (!('picture' in moment)) throw new Error('not kept')
  return moment.picture
}

function notReadySince(node: KubeObject, at: string): KubeObject {
  return {
    ...node,
    status: {
      ...(typeof node['status'] === 'object' ? node['status'] : {}),
      conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: at }],
    },
  }
}

describe('D27: an earlier moment', () => {
  const done = planWith(plan, {
    status: {
      phase: 'Succeeded',
      startedAt: ago(20 * minute),
      finishedAt: ago(2 * minute),
      steps: [{ id: 'm01', state: 'Landed', landedOn: 'talos03' }],
    },
  })
  const old = { ...done, metadata: { ...done.metadata, creationTimestamp: ago(hour) } }

  test('permits that came later are not there, those that ended later are out', () => {
    const picture = at(
      5 * minute,
      permitObject({ name: 'a', grantedAgo: 10 * minute, releasedAgo: 3 * minute }),
      permitObject({ name: 'b', grantedAgo: minute }),
    )
    const { permits } = permitPage(picture, {})
    expect(permits.map(({ id, releasedAt, outcome }) => [id, releasedAt, outcome])).toEqual([['monitoring/a', null, null]])
  })

  test('a plan stands as it stood: running, its steps unknown; before it was made it is not there', () => {
    const head = planViewOf(at(10 * minute, old), 'talos-7f3c', everything)?.head
    expect([head?.phase, head?.done]).toEqual(['Running', 0])
    expect(planViewOf(at(30 * minute, old), 'talos-7f3c', everything)?.head.phase).toBe('Proposed')
    expect(planViewOf(at(2 * hour, old), 'talos-7f3c', everything)).toBeUndefined()
  })

  test('its proof was replayed or not: nobody can replay it now', () => {
    const unknown = { ...old, metadata: { ...old.metadata, uid: 'uid-never-seen' } }
    const picture = at(10 * minute, unknown)
    expect(certificateOf(picture, unknown, 'm01')?.verified).toMatchObject({
      passed: false,
      because: expect.stringContaining('not kept'),
    })
  })

  test('pods, use and lists are not those of now', () => {
    const picture = at(5 * minute)
    expect([picture.state.pods.size, picture.state.podsOn('talos00').length, picture.state.nodes.size]).toEqual([0, 0, 4])
    expect(picture.state.objects('NodeMetrics')).toEqual([])
    expect(workloadRows(picture, {}).total).toBeNull()
    expect(picture.past?.present.nowMs).toBe(nowMs)
  })

  test('rows, sums and goals of then are unknown, never 0 and never met', () => {
    const usage = { name: 'few-pods', nodes: ['talos00'], resource: 'pods', stat: 'requests', max: 90 }
    const objects = homelab({
      goals: [{ name: 'cp-light', nodes: ['talos00'], resource: 'cpu', stat: 'requests', max: 70 }, usage],
    })
    const moment = pictureAt(pictureOf(objects), nowMs - 5 * minute)
    if (!('picture' in moment)) throw new Error('not kept')
    const { picture } = moment
    const overview = overviewOf(picture, everything)
    expect(schemas.overview.safeParse(overview).error).toBeUndefined()
    const [row] = overview.nodes
    expect([row?.cpu.requested, row?.memory.requested, row?.cpu.used, row?.pods.count, row?.cordoned]).toEqual([
      null,
      null,
      null,
      null,
      null,
    ])
    expect([overview.totals.cpu.requested, overview.totals.pods.count, overview.totals.nodes]).toEqual([null, null, 4])
    expect(overview.goals.map(({ name, now, met, because }) => [name, now, met, because.text])).toEqual([
      ['cp-light', null, false, 'unknown: what talos00 carried then is not kept'],
      ['few-pods', null, false, 'unknown: what talos00 carried then is not kept'],
    ])
    expect([overview.scaleToZero.can, overview.scaleToZero.atZero, overview.counts.owners.none, overview.past]).toEqual([
      null,
      null,
      null,
      true,
    ])
    expect(overview.scaleToZero.sentence.text).toBe('Which workloads slept then is not kept.')
    expect(overviewOf(pictureOf(objects), everything).totals.pods.count).toBe(124)
  })

  test('readiness is known as far as it has not changed since', () => {
    const [now] = nodeRows(pictureOf(homelab()))
    const changed = homelab().map(object =>
      object.kind === 'Node' && object.metadata.name === 'talos00' ? notReadySince(object, ago(minute)) : object,
    )
    const moment = pictureAt(pictureOf(changed), nowMs - 5 * minute)
    if (!('picture' in moment)) throw new Error('not kept')
    expect(now?.ready).toBe(true)
    expect(nodeRows(moment.picture)[0]).toMatchObject({ name: 'talos00', ready: null, readySince: null })
    expect(
      nodeStateText(nodeRows(moment.picture)[0] ?? { ready: true, readySince: null, draining: false, cordoned: false }, nowMs),
    ).toBe('–')
  })

  test('a node says what is not kept of it, and has no list of pods', () => {
    const picture = at(5 * minute)
    const view = nodeViewOf(picture, 'talos00', everything)
    expect([view?.podCount, view?.verdict.level]).toEqual([null, 'unknown'])
    expect(view?.verdict.sentences.map(({ text }) => text)).toEqual([
      'What talos00 carried at that time is not kept; plans and permits are.',
    ])
    const asked = { sort: 'cpu', descending: true, cursor: null, limit: 10, query: '' } as const
    expect(nodePodsOf(picture, 'talos00', asked, everything)).toEqual({ pods: [], total: null, hidden: 0, next: null })
    expect(workloadRows(picture, {})).toEqual({ workloads: [], total: null, next: null })
  })

  test('a workload has its history up to then, and no answers', () => {
    const picture = at(
      5 * minute,
      permitObject({ name: 'a', grantedAgo: 10 * minute }),
      permitObject({ name: 'b', grantedAgo: minute }),
    )
    const view = workloadViewOf(picture, { kind: 'Deployment', namespace: 'monitoring', name: 'mimir-querier' }, everything)
    if (isNotThere(view)) throw new Error(view.sentence.text)
    expect([view.pods, view.podCount, view.wouldBe, view.ready, view.buttons]).toEqual([[], null, [], null, []])
    expect(view.about).toEqual([])
    expect(view.owner).toEqual({ value: '–', origin: 'not kept' })
    expect(view.history.flatMap(({ permit }) => permit ?? [])).toEqual(['monitoring/a'])
    expect(view.account).toMatchObject({ isPast: true })
  })

  test('of what nothing is kept the first moment is told; what has not come is the present', () => {
    expect(pictureAt(pictureOf(homelab()), nowMs - 49 * hour)).toEqual({ keptFromMs: nowMs - 48 * hour })
    const present = pictureOf(homelab())
    expect(pictureAt(present, nowMs + hour)).toEqual({ picture: present })
  })

  test('the past of a past is that of the present', () => {
    const picture = at(5 * minute)
    const earlier = pictureAt(picture, nowMs - 10 * minute)
    expect('picture' in earlier && earlier.picture.past?.present.nowMs).toBe(nowMs)
  })
})

describe('search', () => {
  const picture = pictureOf([...homelab(), plan, permitObject()])
  const found = (query: string, limit = 20) => searchIn(picture, query, limit).map(({ kind, text }) => `${kind} ${text}`)

  test('what begins so comes before what has it inside, nodes before workloads before the rest', () => {
    expect(found('talos').slice(0, 5)).toEqual([
      'node talos00',
      'node talos01',
      'node talos02-gpu',
      'node talos03',
      'plan talos-7f3c',
    ])
    const querier = found('querier')
    expect(querier[0]).toBe('workload monitoring/mimir-querier')
    expect(querier).toContain('permit monitoring/evict-mimir-querier-7')
    const mimir = found('mimir', 100)
    expect(mimir.slice(0, 4).every(text => text.startsWith('workload monitoring/mimir'))).toBe(true)
    expect(mimir.indexOf('permit monitoring/evict-mimir-querier-7')).toBeGreaterThan(
      mimir.findIndex(text => text.startsWith('pod ')),
    )
  })

  test('by namespace too, in any case, with paths to pages', () => {
    expect(found('REGISTRY/ne')[0]).toBe('workload registry/nexus')
    expect(searchIn(picture, 'nexus', 1)).toEqual([
      { kind: 'workload', text: 'registry/nexus', path: '/workload/registry/StatefulSet/nexus' },
    ])
    expect(searchIn(picture, 'evict-mimir', 1)[0]?.path).toBe('/permits?workload=monitoring%2FDeployment%2Fmimir-querier')
  })

  // biome-ignore format: a table
  test.each([
    ['nothing', ''],
    ['blanks', '  '],
    ['what is not there', 'zzz'],
    ['too much', 'a'.repeat(300)],
  ])('%s finds nothing', (_, query) => {
    expect(found(query)).toEqual([])
  })

  test('no more than asked for, and nothing of namespaces that are not seen', () => {
    expect(found('a', 5)).toHaveLength(5)
    const blind = { sees: () => false, reads: () => false }
    expect(searchIn(picture, 'nexus', 20, blind)).toEqual([])
    expect(searchIn(picture, 'talos00', 20, blind)).toEqual([])
    expect(searchIn(picture, 'talos00', 20, { ...blind, reads: kind => kind === 'nodes' })).toHaveLength(1)
  })
})
