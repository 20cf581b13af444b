// A share of the moments of a first start, another each time that its seed is raised; all of them are in the long set.
import { expect, test } from 'vitest'
import { seededRandom } from '#kube/random.ts'
import { firstStart } from './first-start.ts'
import { changeConfigMap, configMap, marksOf, reloadCluster, workload } from './reload-cluster.ts'

const random = seededRandom(1)
/** Requests at which a first start has said to be there and has not remembered everything yet. */
const moment = () => 22 + Math.floor(random() * 66)

test.each([
  { at: moment(), when: 'before', source: 'keys', fate: 'loses its Lease' },
  { at: moment(), when: 'after', source: 'keys', fate: 'goes on' },
] as const)('$source changes $when request $at of a first start, that $fate: rolled out once', async given => {
  const { isReached, isOurs, rollouts } = await firstStart(given)
  expect({ isReached, isOurs, rollouts }).toEqual({ isReached: true, isOurs: true, rollouts: [1, 0] })
})

test('what changes between its first read and the first plan of who takes it is rolled out', async () => {
  const names = Array.from({ length: 40 }, (_, at) => `web-${at}`)
  const changed = ['web-0', 'web-13', 'web-39']
  await using cluster = await reloadCluster(
    names.flatMap(name => [configMap(name, { key: 'one' }), workload({ name, configmaps: [name], replicas: 0 })]),
  )
  const marked = () => names.filter(name => Object.keys(marksOf(cluster, name)).length > 0)
  cluster.startController()
  for (const name of changed) {
    await cluster.until(() => cluster.reads.some(read => read.endsWith(`/configmaps/${name}`)))
    await changeConfigMap(cluster, name, { key: 'two' })
  }
  await cluster.pass(60_000)
  expect(marked()).toEqual(changed)
})
