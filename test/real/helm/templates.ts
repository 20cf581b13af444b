// The chart against `ballast manifests`, rendered by Helm: the same objects whatever the values are.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { goJson } from '../../../src/deployment/go-json.ts'
import { installationValues, plainRelease } from '../../../src/deployment/installation.ts'
import type { Values } from '../../../src/deployment/names.ts'
import { objects } from '../../../src/deployment/objects.ts'
import { chartFiles } from '../../../src/deployment/packaging/chart.ts'
import { randomValues } from '../../../src/deployment/testdata/random-values.ts'
import { enabledCapabilities } from '../../../src/process/enabled-capabilities.ts'
import recorded from '../../fixtures/helm/sample.json' with { type: 'json' }
import { canonical, documentsOf } from '../../rendered-chart.ts'
import { type HelmChart, helmChart } from './helm.ts'
import { renderedSample } from './record.ts'

const capabilities = enabledCapabilities
const cases = 20
/** The Helm that is built here says of itself that it knows 1.20. */
export const renderFlags = ['--kube-version', '1.36.4', '--no-hooks'] as const

const served = plainRelease('ballast', 'ballast-system').served

async function rendered(chart: HelmChart, values: Values, name: string, namespace: string): Promise<string> {
  const file = chart.write('values.json', goJson(values))
  const apis = [...served].flatMap(api => ['--api-versions', api])
  return chart.want(['template', name, chart.directory, '-n', namespace, '-f', file, ...renderFlags, ...apis])
}

/** Case 28 and 29 of the specification, `helm lint`, and what was recorded of Helm. */
export async function judgeTemplates(): Promise<string> {
  using chart = await helmChart(chartFiles(capabilities))
  await chart.want(['lint', '--strict', chart.directory])
  const choices: readonly Values[] = [{}, ...Array.from({ length: cases }, (_, seed) => randomValues(capabilities, seed + 1))]
  let compared = 0
  for (const [at, values] of choices.entries()) {
    const [name, namespace] = at % 3 === 2 ? ['web', 'tools'] : ['ballast', 'ballast-system']
    const ours = objects(installationValues({ preset: values }, capabilities), {
      capabilities,
      release: plainRelease(name ?? '', namespace ?? ''),
    })
    const theirs = documentsOf(await rendered(chart, values, name ?? '', namespace ?? ''))
    deepStrictEqual(canonical(ours), canonical(theirs), `values ${JSON.stringify(values)}`)
    compared += ours.length
  }
  const slip = await chart.run(['template', 'ballast', chart.directory, '--set', 'controler.replicas=3', ...renderFlags])
  ok(slip.code !== 0)
  match(slip.stderr, /controler/)
  deepStrictEqual(await renderedSample(), recorded.rendered)
  strictEqual(
    documentsOf(await chart.want(['template', 'ballast', chart.directory, '--kube-version', '1.36.4'])).filter(
      ({ kind }) => kind === 'Job',
    ).length,
    1,
  )
  return `${choices.length} values files, ${compared} objects equal, a misspelt key refused`
}
