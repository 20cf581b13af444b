// A replica that another one leads is ready: no probe fails for it, and it says what it is.
import { expect, test } from 'vitest'
import { silentLog } from '#kube/log.ts'
import { answerHealth } from '#kube/server/health.ts'
import { controlledCluster } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

test('a controller that stands by is alive and ready, and says standby where it is asked', async () => {
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Report' })] })
  const states = () => cluster.health.ready().map(({ state }) => state)
  cluster.startController()
  await cluster.clock.runUntil(() => states().includes('running'), { limitMs: 60_000 })
  const leading = cluster.health
  cluster.startController()
  cluster.clock.schedule(60_000, () => undefined)
  await cluster.clock.runUntil(() => states().includes('standby'), { limitMs: 60_000 })
  expect(leading.ready().map(({ state }) => state)).toContain('running')
  const standby = cluster.health
  const options = { live: () => standby.live(), ready: () => standby.ready(), metrics: cluster.metrics, log: silentLog }
  const answers = await Promise.all(['/livez', '/readyz', '/readyz?verbose'].map(path => answerHealth(options, 'GET', path)))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  expect(String(answers[2]?.body)).toContain('standby')
  expect(String(answers[2]?.body)).not.toContain('[-]')
})
