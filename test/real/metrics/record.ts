// Records what metrics-server answers on the site, for `npm test`: `node test/real/metrics/record.ts`.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { upstreamVersion } from '../upstreams/build.ts'
import { type MetricsAnswer, metricsRequests, steadyAnswer } from './requests.ts'
import type { MetricsServerUnderTest } from './servers.ts'
import { MetricsSite } from './site.ts'

export const answersFile = join(import.meta.dirname, '..', '..', 'fixtures', 'metrics-server', 'answers.json')

/** All answers of one server, without what differs from moment to moment. */
export async function recorded(server: Pick<MetricsServerUnderTest, 'ask'>): Promise<readonly MetricsAnswer[]> {
  const answers: MetricsAnswer[] = []
  for (const { name, path, ...more } of metricsRequests) answers.push(steadyAnswer(name, await server.ask(path, more)))
  return answers
}

if (import.meta.main) {
  await using site = await MetricsSite.start()
  await site.ready()
  const [upstream] = site.servers
  if (upstream === undefined) throw new Error('no server')
  const recording = {
    server: upstreamVersion('metrics-server'),
    kubernetes: site.plane.serverVersion,
    command: 'node test/real/metrics/record.ts',
    answers: await recorded(upstream),
  }
  writeFileSync(answersFile, `${JSON.stringify(recording, null, 1)}\n`)
}
