// Records what KEDA's operator makes of the scenarios, and its definitions, for `npm test`: `node test/real/keda/record.ts [ours FILE]`.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crdFacts } from '../../crd-facts.ts'
import { upstreamVersion } from '../upstreams/build.ts'
import { play } from './outcomes.ts'
import { KedaSite, kedaDefinitions } from './site.ts'

export const recordings = join(import.meta.dirname, '..', '..', 'fixtures', 'keda')

/** Autoscalers are written and nobody acts by them: what they would do is the twin's to show. */
export const withoutAutoscaling = {
  controllerFlags: [
    '--controllers=*,-node-lifecycle-controller,-taint-eviction-controller,-horizontal-pod-autoscaler-controller',
  ],
}

if (import.meta.main) {
  const [who = 'upstream', file = join(recordings, 'outcomes.json')] = process.argv.slice(2)
  await using site = await KedaSite.start('upstream', withoutAutoscaling)
  await using _operator = who === 'ours' ? await site.ours() : await site.upstream()
  const about = {
    upstream: upstreamVersion('keda'),
    kubernetes: site.plane.serverVersion,
    command: 'node test/real/keda/record.ts',
  }
  writeFileSync(file, `${JSON.stringify({ ...about, outcomes: await play(site) }, null, 1)}\n`)
  if (who === 'upstream') {
    const definitions = (await kedaDefinitions()).map(crdFacts)
    writeFileSync(join(recordings, 'definitions.json'), `${JSON.stringify({ ...about, definitions }, null, 1)}\n`)
  }
}
