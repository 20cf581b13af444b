// How full nodes were: which of many are shown, their lines with goals and marks, and what nobody noted.

import { describe, expect, test } from 'vitest'
import { plan as madePlan, move } from '#coordination/plans/testdata/objects.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { utilisation as shape } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { UtilisationHistory, utilisationSpans } from '../../source/utilisation-history.ts'
import { sharesOf } from '../../source/utilisation-keeper.ts'
import { pictureAt } from '../moment.ts'
import { ago, homelab, minute, nowMs, permitObject, pictureOf, planWith } from '../testdata/homelab.ts'
import { everything, type Sees } from '../viewing.ts'
import { nodeRows } from './nodes.ts'
import { mostDrawn, type UtilisationQuery, utilisationOf } from './utilisation.ts'

const all: Sees = { viewing: everything, plans: true, permits: true }
const usual: UtilisationQuery = { span: 'hour', nodes: [], plan: undefined }
const { stepMs } = utilisationSpans.hour

/** As a keeper would have noted it from `agoMs` on, each node as it is now but for `cpu` of talos00. */
function notedIn(picture: Picture, agoMs: number, cpu: (ms: number) => number): UtilisationHistory {
  const history = new UtilisationHistory(2)
  for (let ms = nowMs - agoMs; ms <= nowMs; ms += stepMs)
    for (const row of nodeRows(picture)) {
      const shares = sharesOf(row, { requested: true, used: true })
      history.note(row.name, ms, row.name === 'talos00' ? { ...shares, cpuRequested: cpu(ms) } : shares)
    }
  return history
}

function seen(picture: Picture, query: Partial<UtilisationQuery> = {}, sees = all) {
  const view = utilisationOf(picture, { ...usual, ...query }, sees)
  expect(shape.parse(view)).toEqual(view)
  return view
}

const node = (name: string, cpu = 10, more: Partial<KubeObject> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, uid: name },
  status: { allocatable: { cpu: `${cpu}`, memory: '10Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] },
  ...more,
})
const pod = (name: string, nodeName: string, cpu: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'apps', uid: name },
  spec: { nodeName, containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }] },
  status: { phase: 'Running' },
})

describe('lines', () => {
  const picture = pictureOf(homelab())

  test('of all nodes of a small cluster, with what they were over the hour', () => {
    const utilisation = notedIn(picture, 10 * minute, ms => (ms < nowMs - 5 * minute ? 933 : 450))
    const view = seen({ ...picture, utilisation })
    expect([view.steps, view.stepMs, view.nodeCount, view.since]).toEqual([120, 30_000, 4, ago(10 * minute)])
    expect(view.nodes.map(({ node: name, because }) => [name, because.text])).toEqual([
      ['talos00', 'misses cp-light'],
      ['talos01', 'no goal is missed'],
      ['talos02-gpu', 'no goal is missed'],
      ['talos03', 'misses use-talos03'],
    ])
    const [first] = view.nodes
    // What was noted last is older than the row, which other pages show.
    expect(first?.cpu.requestedRange).toEqual({ first: 933, least: 450, most: 933, last: 933 })
    expect(first?.cpu.requested.at(-1)).toBe(450)
    expect(first?.cpu.requested.filter(value => value === null)).toHaveLength(120 - 21)
    expect(first?.cpu.goals).toEqual([{ name: 'cp-light', stat: 'requests', min: null, max: 70 }])
    expect(first?.memory.goals).toEqual([])
    expect(view.sentences.map(({ code }) => code)).toEqual(['utilisation-since'])
  })

  test('of a cluster that nobody follows are empty, and that is said', () => {
    const view = seen(picture)
    expect(view.since).toBeNull()
    expect(view.nodes[0]?.cpu).toMatchObject({ requested: [], requestedRange: null })
    expect(view.sentences[0]?.text).toMatch(/^How full nodes were is not noted here/)
  })

  test('of an earlier moment end there', () => {
    const utilisation = notedIn(picture, 30 * minute, ms => (ms < nowMs - 20 * minute ? 900 : 100))
    const then = pictureAt({ ...picture, utilisation }, nowMs - 25 * minute)
    const view = 'picture' in then ? seen(then.picture) : undefined
    expect(view?.nodes.find(({ node: name }) => name === 'talos00')?.cpu.requestedRange).toEqual({
      first: 900,
      least: 900,
      most: 900,
      last: 900,
    })
  })
})

describe('of many nodes', () => {
  const names = Array.from({ length: 40 }, (_, index) => `n${String(index).padStart(2, '0')}`)
  const objects = [...names.map(name => node(name)), pod('full', 'n07', '9500m'), pod('fuller', 'n30', '9800m')]
  const policy = homelab().filter(({ kind }) => kind === 'RebalancePolicy')
  const goals = [{ name: 'light', nodes: ['n07'], resource: 'cpu', stat: 'requests', max: 50 }]
  const held = policy.map(one => ({ ...one, spec: { ...(one['spec'] as object), goals } }))
  const shown = (given: readonly KubeObject[], query: Partial<UtilisationQuery> = {}) => {
    const view = seen(pictureOf(given), query)
    return { ...view, names: view.nodes.map(one => `${one.node}: ${one.because.text}`) }
  }

  test('those that miss a goal come first, then those of the plan, then the fullest', () => {
    const plan = madePlan({ moves: [move({ from: 'n20', to: 'n21' })] })
    const view = shown([...objects, ...held], { plan })
    expect(view.names.slice(0, 5)).toEqual([
      'n07: misses light',
      'n20: of plan talos-0',
      'n21: of plan talos-0',
      'n30: among the fullest',
      'n00: among the fullest',
    ])
    expect([view.nodes.length, view.sentences[0]?.text]).toEqual([
      mostDrawn,
      'The 12 of 40 nodes that miss a goal, belong to the plan or are the fullest.',
    ])
  })

  test('those that are chosen, in that order; names that there are none of are said', () => {
    const view = shown(objects, { nodes: ['n31', 'n2', 'n05', 'n31'] })
    expect(view.names).toEqual(['n31: chosen', 'n05: chosen'])
    expect(view.sentences[0]?.text).toMatch(/^There is no node n2\. Did you mean n\d\d\?$/)
  })

  test('never more than can be drawn', () => {
    const view = shown(objects, { nodes: names })
    expect(view.nodes).toHaveLength(mostDrawn)
    expect(view.sentences[0]?.text).toBe('No more than 12 nodes are drawn at once; the others are in the CSV.')
  })
})

describe('pods that left and came', () => {
  const moved = planWith(
    madePlan({
      moves: [move({ id: 'm01', from: 'talos00', to: 'talos03' }), move({ id: 'm02', from: 'talos00', to: 'talos03' })],
      steps: [
        { id: 'm01', state: 'Landed', landedOn: 'talos03', seconds: 20 },
        { id: 'm02', state: 'Mismatch', landedOn: 'talos00', seconds: 20 },
      ],
    }),
    {},
  )
  const permits = ['m01', 'm02'].map(id => permitObject({ name: id, key: `uid-plan/${id}`, grantedAgo: 5 * minute }))

  test('by a plan, on both nodes, when its permit was released; who came back moved nowhere', () => {
    const { nodes } = seen(pictureOf([...homelab(), moved, ...permits]))
    const marks = Object.fromEntries(nodes.map(one => [one.node, one.marks]))
    const at = ago(4 * minute)
    const cart = { kind: 'Pod', namespace: 'shop', name: 'cart-a' }
    expect(marks).toMatchObject({
      talos00: [{ at, way: 'left', pod: cart, other: 'talos03', plan: 'talos-0' }],
      talos01: [],
      talos03: [{ at, way: 'came', pod: cart, other: 'talos00', plan: 'talos-0' }],
    })
    expect(nodes.map(({ left, came }) => [left, came])).toEqual([
      [1, 0],
      [0, 0],
      [0, 0],
      [0, 1],
    ])
  })

  test('longer ago than the span are left out', () => {
    const old = permits.map((_, index) =>
      permitObject({ name: `m0${index + 1}`, key: `uid-plan/m0${index + 1}`, grantedAgo: 90 * minute }),
    )
    const picture = pictureOf([...homelab(), moved, ...old])
    expect(seen(picture).nodes.flatMap(({ marks }) => marks)).toEqual([])
    expect(seen(picture, { span: 'days' }).nodes.flatMap(({ marks }) => marks)).toHaveLength(2)
  })
})
