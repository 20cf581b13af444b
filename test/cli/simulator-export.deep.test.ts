// An export of kube-scheduler-simulator as the source of commands: the example's cluster in its shape, with its scheduler.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { SimulationReport } from '#planning/simulation/report.ts'
import { readSource } from '../../src/cli/source/source.ts'
import { runBallast } from './run-ballast.ts'

const example = join(import.meta.dirname, '..', '..', 'examples', 'talos-homelab')
const lists = {
  pods: 'Pod',
  nodes: 'Node',
  pvs: 'PersistentVolume',
  pvcs: 'PersistentVolumeClaim',
  storageClasses: 'StorageClass',
  priorityClasses: 'PriorityClass',
  namespaces: 'Namespace',
}
const profile = (plugins: object, pluginConfig: readonly object[] = []) => ({
  kind: 'KubeSchedulerConfiguration',
  apiVersion: 'kubescheduler.config.k8s.io/v1',
  parallelism: 16,
  percentageOfNodesToScore: 0,
  profiles: [{ schedulerName: 'default-scheduler', plugins, pluginConfig }],
})
const fillsUp = profile({}, [
  { name: 'NodeResourcesFit', args: { scoringStrategy: { type: 'MostAllocated', resources: [{ name: 'cpu', weight: 1 }] } } },
])

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-export-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What the simulator would export of the example. */
function exported(schedulerConfig: unknown): object {
  const objects = readSource(join(example, 'cluster')).objects.map(({ object }) => object)
  const of = (kind: string) =>
    objects.flatMap(({ kind: one, apiVersion: _version, ...item }) => (one === kind ? [item] : [])).filter(isKept)
  return { ...Object.fromEntries(Object.entries(lists).map(([field, kind]) => [field, of(kind)])), schedulerConfig }
}

const isKept = ({ metadata }: Pick<KubeObject, 'metadata'>) => !/^(kube-|system-|default$)/.test(metadata.name)

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** Where one new pod lands. */
async function landing(cluster: string): Promise<readonly string[] | undefined> {
  const pod =
    '{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: scratch}, spec: {containers: [{name: a, resources: {requests: {cpu: 50m}}}]}}'
  const scenario = file('one.yaml', `steps:\n- apply: {objects: [${pod}]}\n`)
  const { code, output, words } = await runBallast(['simulate', '--cluster', cluster, '--scenario', scenario, '-o', 'json'])
  expect([code, words]).toEqual([0, ''])
  const report: SimulationReport = JSON.parse(output)
  return report.steps[0]?.landings[0]?.landing
}

test('simulate decides as the scheduler of the export, in JSON and in YAML', async () => {
  const plain = await landing(file('plain.json', JSON.stringify(exported(null))))
  expect(plain).toEqual(['talos03'])
  expect(await landing(file('fills.json', JSON.stringify(exported(fillsUp))))).not.toEqual(plain)
  expect(await landing(file('fills.yml', stringify(exported(fillsUp), { aliasDuplicateObjects: false })))).not.toEqual(plain)
})

test('the twin has its scheduler decide so as well', async () => {
  const waiting = {
    metadata: { name: 'new', namespace: 'scratch', uid: 'new' },
    spec: { containers: [{ name: 'a', image: 'a' }] },
  }
  const placed = async (configuration: unknown) => {
    const given = { ...exported(configuration) } as Record<string, readonly object[]>
    const cluster = file('twin.json', JSON.stringify({ ...given, pods: [...(given['pods'] ?? []), waiting] }))
    const { output } = await runBallast(['twin', '--cluster', cluster, '--once', '-o', 'json'])
    const { items }: { readonly items: readonly (KubeObject & { spec?: { nodeName?: string } })[] } = JSON.parse(output)
    return items.find(({ kind, metadata }) => kind === 'Pod' && metadata.name === 'new')?.spec?.nodeName
  }
  expect([await placed(null), await placed(fillsUp)]).toEqual(['talos03', 'talos00'])
})

test('why reads it, and plan with a policy of its own', async () => {
  const cluster = file('all.json', JSON.stringify(exported(null)))
  const why = await runBallast(['why', 'node/talos00', '--cluster', cluster])
  expect([why.code, why.words]).toEqual([0, ''])
  const policy = join(example, 'config', 'rebalance-policy.yaml')
  const plan = await runBallast(['plan', '--cluster', cluster, '--policy-file', policy, '-o', 'json'])
  // Workloads and budgets are no part of an export, so nothing may be moved.
  expect(plan.code).toBe(4)
  expect(parse(plan.output)).toMatchObject({ kind: 'RebalancePlan' })
})

// biome-ignore format: a table
test.each([
  ['a configuration of another kind', { kind: 'Pod' }, 'schedulerConfig: kind: found "\\"Pod\\"", expected KubeSchedulerConfiguration'],
  ['one that is no object', 'default', 'schedulerConfig: kind: found "nothing", expected KubeSchedulerConfiguration'],
  ['a share that cannot be', { ...profile({}), percentageOfNodesToScore: 101 }, 'schedulerConfig: percentageOfNodesToScore: found "101"'],
])('%s ends with 2 and its place', async (_what, configuration, said) => {
  const cluster = file('bad.json', JSON.stringify(exported(configuration)))
  const scenario = file('bad.yaml', 'steps: [{cordon: {node: talos00}}]')
  const { code, words } = await runBallast(['simulate', '--cluster', cluster, '--scenario', scenario])
  expect([code, words]).toEqual([2, expect.stringContaining(`${cluster}: document 1: ${said}`)])
})

test('two exports in a folder: the last configuration holds, which is said', async () => {
  const two = mkdtempSync(join(folder, 'two-'))
  writeFileSync(join(two, 'a.json'), JSON.stringify(exported(profile({}))))
  writeFileSync(join(two, 'b.json'), JSON.stringify({ pods: [], nodes: [], schedulerConfig: fillsUp }))
  const scenario = file('two.yaml', 'steps: [{cordon: {node: talos00}}]')
  const { code, words } = await runBallast(['simulate', '--cluster', two, '--scenario', scenario])
  expect([code, words]).toEqual([0, expect.stringContaining('a.json: document 1: schedulerConfig: found "another configuration')])
})
