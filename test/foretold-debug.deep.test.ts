import { appendFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { foretoldCluster } from './foretold-cluster.ts'

test('debug', { timeout: 900_000 }, async () => {
  await using cluster = await foretoldCluster(Number(process.env['BALLAST_SEED']))
  cluster.startController()
  await cluster.ask('random')
  await cluster.until(() => cluster.plans()[0]?.status?.phase !== undefined && cluster.plans().every(p => ['Succeeded','Incomplete','Failed','Expired','Proposed'].includes(p.status?.phase ?? '')), 6 * 3600_000)
  appendFileSync('/tmp/debug.log', JSON.stringify(cluster.plans().map(p => ({ m: p.spec.moves.map(m => [m.id, m.wave, m.workload.name, m.from, m.to, m.action]), s: p.status }), ), undefined, 1).slice(0, 12000) + '\n' + (await cluster.events()).join('\n') + JSON.stringify(cluster.warnings) + JSON.stringify(cluster.errors))
  expect(1).toBe(1)
})
