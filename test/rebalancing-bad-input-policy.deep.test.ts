// Bad input for the drop-in descheduler, in its policy and in what Prometheus says (rebalancing.md §4). The words are upstream's.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { node, pod } from '#cluster/testdata/objects.ts'
import { systemClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import { policyRefusal, readPolicy } from '../src/capabilities/deschedule/compat/policy/read-policy.ts'
import { oneCycle } from '../src/capabilities/deschedule/compat/strategies/testdata/one-cycle.ts'
import { policyText } from '../src/capabilities/deschedule/compat/strategies/testdata/policies.ts'
import { runBallast } from './cli/run-ballast.ts'
import { overfull, policyOf } from './descheduler-objects.ts'

const directory = mkdtempSync(join(tmpdir(), 'ballast-bad-policy-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function problemsOf(policy: object): readonly string[] {
  const reading = readPolicy(JSON.stringify(policy), { file: 'policy.yaml', priorityOf: () => undefined })
  return reading.ok ? [] : policyRefusal(reading.problems).split('\n')
}

const low = { thresholds: { cpu: 20 }, targetThresholds: { cpu: 50 } }
const lowWith = (args: object) => policyOf({ balance: { LowNodeUtilization: { ...low, ...args } } })
const evictorWith = (evictor: object) => policyOf({ deschedule: { RemovePodsViolatingNodeTaints: {} } }, { evictor })
const protectionsOf = (podProtections: object) => evictorWith({ podProtections })
const profileOf = (profile: object) => ({
  ...policyOf({}),
  profiles: [{ name: 'default', pluginConfig: [], plugins: {}, ...profile }],
})
const point = (name: string, plugin: string) => ({ plugins: { [name]: { enabled: [plugin] } } })

// biome-ignore format: a table
test.each<[string, object, RegExp]>([
  ['a plugin in pluginConfig that nobody knows', profileOf({ pluginConfig: [{ name: 'RemoveEverything' }] }), /RemoveEverything/],
  ['an enabled plugin that nobody knows', profileOf(point('deschedule', 'RemoveEverything')), /RemoveEverything/],
  ['an enabled plugin of another extension point', profileOf({ pluginConfig: [{ name: 'LowNodeUtilization', args: low }], ...point('deschedule', 'LowNodeUtilization') }), /LowNodeUtilization/],
  ['an enabled plugin without pluginConfig', profileOf(point('deschedule', 'RemovePodsViolatingNodeTaints')), /RemovePodsViolatingNodeTaints/],
  ['a percentage above 100', lowWith({ targetThresholds: { cpu: 101 } }), /cpu threshold not in \[0, 100\] range/],
  ['a percentage below 0', lowWith({ thresholds: { cpu: -1 } }), /cpu threshold not in \[0, 100\] range/],
  ['a low threshold above the target', lowWith({ thresholds: { cpu: 60 } }), /thresholds' cpu percentage is greater than targetThresholds'/],
  ['thresholds and targets of different resources', lowWith({ targetThresholds: { memory: 50 } }), /configured different resources/],
  ['namespaces to include and to exclude', policyOf({ balance: { RemoveDuplicates: { namespaces: { include: ['a'], exclude: ['b'] } } } }), /only one of Include\/Exclude namespaces can be set/],
  ['a label selector with an unknown operator', policyOf({ deschedule: { RemoveFailedPods: { labelSelector: { matchExpressions: [{ key: 'a', operator: 'Near' }] } } } }), /Near/],
  ['a node selector that does not parse', { ...policyOf({}), nodeSelector: 'a in (' }, /unable to parse requirement/],
  ['a podRestartThreshold of 0', policyOf({ deschedule: { RemovePodsHavingTooManyRestarts: { podRestartThreshold: 0 } } }), /invalid PodsHavingTooManyRestarts threshold/],
  ['a state that is none', policyOf({ deschedule: { PodLifeTime: { states: ['Tired'] } } }), /states must be one of/],
  ['an eviction mode that is none', policyOf({ balance: { HighNodeUtilization: { thresholds: { cpu: 1 }, evictionModes: ['All'] } } }), /invalid eviction mode All/],
  ['a constraint that is none', policyOf({ balance: { RemovePodsViolatingTopologySpreadConstraint: { constraints: ['Never'] } } }), /constraint Never is not one of/],
  ['a noEvictionPolicy that is none', evictorWith({ noEvictionPolicy: 'Never' }), /noEvictionPolicy accepts only/],
  ['a protection named twice', protectionsOf({ extraEnabled: ['PodsWithPVC', 'PodsWithPVC'] }), /PodProtections\.ExtraEnabled.*duplicate/i],
  ['a protected class without a name', protectionsOf({ extraEnabled: ['PodsWithPVC'], config: { PodsWithPVC: { protectedStorageClasses: [{ name: '' }] } } }), /name cannot be empty/],
  ['PodsWithPVC among the defaults', protectionsOf({ defaultDisabled: ['PodsWithPVC'] }), /PodsWithPVC/],
])('%s is refused', (_, policy, words) => {
  const problems = problemsOf(policy)
  expect(problems).toEqual([expect.stringMatching(words)])
  if (!('nodeSelector' in policy)) expect(problems[0]).toMatch(/^in profile default: /)
})

describe('as a process', () => {
  async function descheduler(policy: object, name: string) {
    await using stack = new AsyncDisposableStack()
    const twin = stack.use(await startTwin({ clock: systemClock, objects: overfull, listen: { port: 0 } }))
    const [policyFile, kubeconfig] = [join(directory, `${name}.json`), join(directory, `${name}.kubeconfig`)]
    writeFileSync(policyFile, JSON.stringify(policy))
    writeFileSync(kubeconfig, await twin.kubeconfig(), { mode: 0o600 })
    const flags = ['--policy-config-file', policyFile, '--kubeconfig', kubeconfig, '--secure-port=0', '-v=1']
    const ended = await runBallast(['descheduler', ...flags])
    return { ...ended, evictions: twin.requests.entries.filter(({ path }) => path.endsWith('/eviction')).length }
  }

  test('the process ends with 1 and says all of it at once', async () => {
    const bad = {
      ...policyOf({ balance: { LowNodeUtilization: {}, RemoveDuplicates: { namespaces: { include: ['a'], exclude: ['b'] } } } }),
    }
    const { code, words, evictions } = await descheduler(bad, 'bad')
    expect({ code, evictions }).toEqual({ code: 1, evictions: 0 })
    expect(words).toMatch(/in profile default: .*thresholds/i)
    expect(words).toMatch(/in profile default: .*only one of Include\/Exclude namespaces can be set/)
  })

  test('case 24: a strategies block is warned of and does nothing, an unknown field of arguments is refused', async () => {
    const old = {
      ...policyOf({ deschedule: { RemovePodsViolatingNodeTaints: {} } }),
      strategies: { LowNodeUtilization: { enabled: true } },
    }
    const runs = await descheduler(old, 'old')
    expect({ code: runs.code, evictions: runs.evictions }).toEqual({ code: 0, evictions: 0 })
    expect(runs.words).toMatch(/strategies/)
    const { code, words } = await descheduler(evictorWith({ evictLocalStoragePod: true }), 'unknown')
    expect({ code, words }).toEqual({ code: 1, words: expect.stringMatching(/unknown field .*evictLocalStoragePod/) })
  })
})

test('two series of one node are an error of the plugin', () => {
  const args = {
    thresholds: { MetricResource: 30 },
    targetThresholds: { MetricResource: 50 },
    metricsUtilization: { source: 'Prometheus', prometheus: { query: 'q' } },
  }
  const text = JSON.stringify({
    ...JSON.parse(policyText({ strategy: 'LowNodeUtilization', name: '', args })),
    metricsProviders: [{ source: 'Prometheus', prometheus: { url: 'http://prometheus.example' } }],
  })
  const series = (instance: string, value: string) => ({ metric: { instance }, value: [0, value] })
  const measured = (...result: readonly object[]) => ({
    prometheus: () => ({ status: 'success', data: { resultType: 'vector', result } }),
  })
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web' }
  const objects = [node('n1'), node('n2'), pod('shop/web-1', { node: 'n1', owner })]
  const run = (...result: readonly object[]) =>
    oneCycle(objects, text, { nowMs: systemClock.now(), measured: measured(...result) })
  expect(run(series('n1', '0.9'), series('n2', '0.1')).evicted).toHaveLength(1)
  const twice = run(series('n1', '0.9'), series('n2', '0.1'), series('n1', '0.2'))
  expect({ evicted: twice.evicted, errors: twice.report.errors.length }).toEqual({ evicted: [], errors: 1 })
})
