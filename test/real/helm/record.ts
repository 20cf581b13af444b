// Records what Helm makes of `test/sample-chart.ts` in `test/fixtures/helm/sample.json`: `node test/real/helm/record.ts`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { goJson } from '../../../src/deployment/go-json.ts'
import { canonical, documentsOf } from '../../rendered-chart.ts'
import { sampleCases, sampleChart, sampleRelease } from '../../sample-chart.ts'
import { upstreamVersion } from '../upstreams/build.ts'
import { helmChart } from './helm.ts'

const file = join(import.meta.dirname, '..', '..', 'fixtures', 'helm', 'sample.json')

/** By name of the case: the objects in canonical form. */
export async function renderedSample(): Promise<Readonly<Record<string, unknown>>> {
  using chart = await helmChart(sampleChart().files)
  const { name, namespace, served } = sampleRelease
  const rendered: Record<string, unknown> = {}
  for (const [title, values] of Object.entries(sampleCases)) {
    const given = chart.write(`${title}.json`, goJson(values))
    const apis = served.flatMap(api => ['--api-versions', api])
    const text = await chart.want(['template', name, chart.directory, '-n', namespace, '-f', given, ...apis])
    rendered[title] = canonical(documentsOf(text))
  }
  return rendered
}

if (import.meta.main) {
  const recorded = { by: upstreamVersion('helm'), chart: sampleChart().digest, rendered: await renderedSample() }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(recorded, undefined, 1)}\n`)
}
