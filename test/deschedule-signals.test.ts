// Plans with a canary and signals on the twin: what goes first, what waits, what stops, and who goes on after a kill.
import { expect, test } from 'vitest'
import { builtIn } from '#kube/objects/resource.ts'
import { controlledCluster } from './controlled-cluster.ts'
import { canary, prometheus, signalsOf } from './signalled-plans.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

const auto = (address: string) => smallPolicy({ mode: 'Auto', auto: { canary, signals: signalsOf(address) } })

test('one move goes first, the rest waits; a leader that is killed meanwhile changes nothing of it', async () => {
  using server = await prometheus(() => '0')
  await using cluster = await controlledCluster({ objects: [...smallCluster(), auto(server.address)] })
  cluster.startController()
  await cluster.ask('small')
  const [landed, plan] = [() => steps().filter(({ state }) => state === 'Landed').length, () => cluster.plans()[0]]
  const steps = () => plan()?.status?.steps ?? []
  await cluster.until(() => plan()?.status?.trial?.canaryDoneAt !== undefined)
  const doneMs = Date.parse(plan()?.status?.trial?.canaryDoneAt ?? '')
  expect(landed()).toBe(1)
  cluster.killController()
  await cluster.pass(200_000)
  expect([landed(), steps().length, plan()?.status?.phase]).toEqual([1, 1, 'Paused'])
  await cluster.followPlans()
  expect(plan()?.status?.phase).toBe('Succeeded')
  expect(Date.parse(plan()?.status?.trial?.canaryPassedAt ?? '') - doneMs).toBeGreaterThanOrEqual(300_000)
  expect(plan()?.status?.expected?.seconds).toBeGreaterThan(300)
  expect(cluster.errors).toEqual([])
})

test('red after the canary ends the plan, and the rest stays where it is', async () => {
  let value: string | undefined = '0'
  using server = await prometheus(() => value)
  await using cluster = await controlledCluster({ objects: [...smallCluster(), auto(server.address)] })
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.trial?.canaryDoneAt !== undefined)
  value = '2.5'
  await cluster.followPlans()
  const [plan] = cluster.plans()
  expect(plan?.status?.phase).toBe('Failed')
  expect(plan?.status?.message).toMatch(/^stopped after the canary: signal errors is red: 2.5 is above 1; 1 of 3 moves landed/)
  expect(plan?.status?.trial?.signals?.map(({ name, state }) => `${name} ${state}`)).toEqual(['errors red', 'web green'])
})

test('in mode Approve the way back is proposed, and a pod whose old node was cordoned meanwhile stays', async () => {
  let value = '0'
  using server = await prometheus(() => value)
  const rolling = { canary: { share: 40, waitSeconds: 60 }, signals: signalsOf(server.address).slice(0, 1), rollBack: true }
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Approve', auto: rolling })] })
  cluster.startController()
  await cluster.ask('small')
  const phase = (at: number) => cluster.plans()[at]?.status?.phase
  await cluster.until(() => phase(0) === 'Proposed')
  const [first] = cluster.plans()
  if (first !== undefined) await cluster.approve(first)
  await cluster.until(() => cluster.plans()[0]?.status?.trial?.canaryDoneAt !== undefined)
  await cluster.change(builtIn.nodes, { name: 'n1' }, { spec: { unschedulable: true } })
  value = '2.5'
  await cluster.until(() => cluster.plans().length === 2 && phase(1) !== undefined)
  const back = cluster.plans()[1]
  expect([back?.spec.approved, back?.status?.phase, back?.spec.moves.length]).toEqual([false, 'Incomplete', 0])
  expect(back?.status?.message).toMatch(/^no moves undo small-.*; 2 pods stay: .*\(NodeCordoned\), .*\(NodeCordoned\)$/)
  expect(back?.status?.unmovable?.map(({ reason, message }) => `${reason}: ${message}`)).toEqual(
    Array(2).fill('NodeCordoned: node n1 is cordoned'),
  )
  expect(cluster.errors).toEqual([])
})

// biome-ignore format: a table
test.each<[string, readonly (string | undefined)[], string, RegExp]>([
  ['red',            ['9'],            'Failed',     /^stopped after the last move: signal errors is red: 9 is above 1; 3 of 3/],
  ['unknown',        [undefined],      'Incomplete', /^signal errors is unknown: the query has no series after the last move; 3 of 3/],
  ['unknown, then green', [undefined, '0'], 'Succeeded', /^3 of 3 moves landed/],
])('after the last move signals are asked once more: %s', async (_name, values, phase, message) => {
  // What it answers after the last move, one after the other; the last one stays.
  let isOver = false
  let asked = 0
  using server = await prometheus(() => (isOver ? values[Math.min(values.length - 1, asked++)] : '0'))
  const signals = signalsOf(server.address).slice(0, 1)
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto', auto: { signals } })] })
  cluster.startController()
  await cluster.ask('small')
  const steps = () => cluster.plans()[0]?.status?.steps ?? []
  await cluster.until(() => steps().length === 3 && steps().every(({ state }) => state === 'Landed'))
  isOver = true
  const lastMs = cluster.clock.now()
  await cluster.followPlans()
  const [plan] = cluster.plans()
  expect(`${plan?.status?.phase} ${plan?.status?.message}`).toMatch(new RegExp(`^${phase} ${message.source.slice(1)}`))
  // The time of the last move is noted in whole seconds.
  expect(cluster.clock.now() - lastMs).toBeGreaterThanOrEqual(59_000)
  expect(cluster.clock.now() - lastMs).toBeLessThan(420_000)
})

test('red or unknown before the first move holds the plan back until it is green', async () => {
  let value: string | undefined
  using server = await prometheus(() => value)
  await using cluster = await controlledCluster({ objects: [...smallCluster(), auto(server.address)] })
  cluster.startController()
  await cluster.ask('small')
  const words = () => `${cluster.plans()[0]?.status?.phase}: ${cluster.plans()[0]?.status?.message}`
  await cluster.until(() => words() === 'Approved: held back before the first move: signal errors is unknown')
  value = '7'
  await cluster.until(() => words() === 'Approved: held back before the first move: signal errors is red')
  expect(cluster.witness.disruptions).toEqual([])
  value = '0'
  await cluster.followPlans()
  expect(cluster.plans()[0]?.status?.phase).toBe('Succeeded')
})
