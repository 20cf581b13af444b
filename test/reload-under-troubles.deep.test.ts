// What was met of errors that took reloads away from everybody: each is one unit's now.
import { describe, expect, test } from 'vitest'
import { reload } from '#capabilities/reload'
import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { seededRandom } from '#kube/random.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { changeConfigMap, configMap, remembered, rolloutsOf, surroundings, workload } from './reload-cluster.ts'
import { TroubledWire, WireScene } from './troubled-wire.ts'

const many = Array.from({ length: 29 }, (_, n) => n)
const objects = many.flatMap(n => [configMap(`c${n}`, { key: 'one' }), workload({ name: `w${n}`, configmaps: [`c${n}`] })])

async function cluster(scene: WireScene): Promise<ControlledCluster> {
  return controlledCluster({
    objects: [...surroundings(objects), ...objects],
    capabilities: [reload],
    configurations: { reload: {} },
    between: (inner: Transport, clock: Clock) => new TroubledWire(inner, clock, scene),
  })
}

const changeAll = async (of: ControlledCluster) => {
  for (const n of many) await changeConfigMap(of, `c${n}`, { key: 'two' })
}
const rollouts = (of: ControlledCluster) => many.map(n => rolloutsOf(of, `w${n}`))
const once = many.map(() => 1)

function quarantined({ errors }: ControlledCluster): readonly unknown[] {
  return errors.filter(({ message }) => message === 'part quarantined' || message.startsWith('fault of a part'))
}

describe('at its start', () => {
  test('eight answers of 500 to the baseline at each of three starts: everybody is reloaded, once, in a minute', async () => {
    const scene = new WireScene()
    await using of = await cluster(scene)
    of.startController()
    await remembered(of, many.length)
    await of.stopController()
    scene.begin({ kind: '500', key: 'GET configmaps ballast-reload-baseline-#', count: 24 })
    of.startController()
    await of.pass(10_000)
    expect(scene.fired).toBe(24)
    await changeAll(of)
    await of.pass(60_000)
    expect([rollouts(of), quarantined(of)]).toEqual([once, []])
  })

  test('one ConfigMap of the baseline that cannot be read keeps its own workloads waiting, nobody else, and nothing is missed', async () => {
    const scene = new WireScene()
    await using of = await cluster(scene)
    of.startController()
    await remembered(of, many.length)
    await of.stopController()
    const baseline = of
      .list('configmaps')
      .find(({ metadata, data }) => metadata.name.startsWith('ballast-reload-baseline-') && JSON.stringify(data).includes('/w7'))
    const held = many.filter(n => JSON.stringify(baseline).includes(`/shop/w${n}\\"`))
    scene.begin({ kind: '500', key: `GET /api/v1/namespaces/ballast-system/configmaps/${baseline?.metadata.name}` })
    of.startController()
    await of.pass(20_000)
    await changeAll(of)
    await of.pass(60_000)
    expect(held).toContain(7)
    expect(rollouts(of)).toEqual(many.map(n => (held.includes(n) ? 0 : 1)))
    scene.end()
    await of.pass(60_000)
    expect([rollouts(of), quarantined(of)]).toEqual([once, []])
  })
})

test('a webhook of ten seconds on the PATCH of one workload: the other 28 are reloaded meanwhile, and it is when the webhook answers', async () => {
  const scene = new WireScene()
  await using of = await cluster(scene)
  of.startController()
  await remembered(of, many.length)
  await of.pass(5_000)
  scene.begin({ kind: 'no answer in time', key: 'PATCH /apis/apps/v1/namespaces/shop/deployments/w7' })
  await changeAll(of)
  await of.pass(30_000)
  expect(rollouts(of)).toEqual(many.map(n => (n === 7 ? 0 : 1)))
  await of.pass(300_000)
  scene.end()
  await of.pass(310_000)
  expect([rollouts(of), quarantined(of)]).toEqual([once, []])
})

test('three answers in ten are wrong for five minutes: 29 of 29 are reloaded, each once', async () => {
  const scene = new WireScene()
  await using of = await cluster(scene)
  of.startController()
  await remembered(of, many.length)
  scene.beginChaos(0.3, seededRandom(1))
  await of.pass(60_000)
  await changeAll(of)
  await of.pass(240_000)
  scene.end()
  await of.pass(600_000)
  expect([rollouts(of), quarantined(of)]).toEqual([once, []])
  expect(scene.fired).toBeGreaterThan(50)
})
