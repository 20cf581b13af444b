// Rebalancing in a cluster of 150 nodes on the twin, with the landing that is the default where no webhook is: the scheduler looks at 100 of the
// nodes only, and still no replacement lands where it was not meant to.
import { expect, test } from 'vitest'
import { acceptance } from '#planning/sequence/acceptance.ts'
import { controlledCluster } from './controlled-cluster.ts'
import { leftBehind } from './crash-harness.ts'
import { node, smallPolicy, smallWorkload } from './small-cluster.ts'

const names = Array.from({ length: 150 }, (_, at) => `n${at + 1}`)
/** Nodes that are at their headroom. */
const full = names.slice(1, 31)

test('a node that is too full is put right, one move after the other', { timeout: 600_000 }, async () => {
  await using cluster = await controlledCluster({
    objects: [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      ...names.map(node),
      ...full.flatMap(name => smallWorkload({ name: `full-${name}`, cpu: '3300m', on: [name], owner: 'none' })),
      ...['a', 'b', 'c', 'd', 'e', 'f'].flatMap(name =>
        smallWorkload({ name, cpu: '600m', on: ['n1', 'n40'], owner: 'descheduler' }),
      ),
      smallPolicy({ goals: [{ name: 'light', nodes: ['n1'], resource: 'cpu', max: 50 }] }),
    ],
  })
  cluster.startController()
  await cluster.rebalance('small')
  const [plan] = cluster.plans()
  expect([plan?.spec.landing, plan?.status?.phase]).toEqual(['prefer', 'Succeeded'])
  expect(plan?.status?.conditions?.find(({ type }) => type === 'GoalsMet')?.status).toBe('True')
  const moves = plan?.spec.moves ?? []
  expect(moves.length).toBeGreaterThan(1)
  for (const move of moves) {
    const open = names.filter(acceptance(plan?.spec ?? {}, move))
    expect(open.length).toBeGreaterThan(51)
    expect(open.filter(name => full.includes(name) || name === 'n1')).toEqual([])
  }
  expect(plan?.status?.steps?.map(({ state }) => state)).toEqual(moves.map(() => 'Landed'))
  expect(leftBehind(cluster)).toEqual([])
  expect(cluster.errors).toEqual([])
})
