// Every key of AMD's chart has a row, and what its plugin is told becomes the section of ours that means the same.

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { ValuesTree } from '#upstreams/values-tree.ts'
import { amdPlugin, amdRows, amdVersions, convertAmdChart, convertAmdObjects } from './amd-plugin.ts'

const folder = new URL('../../../../test/fixtures/charts/amd-gpu/', import.meta.url)
const files = readdirSync(folder)

function recorded(file: string): readonly string[] {
  const document: Readonly<Record<string, readonly string[]>> = JSON.parse(readFileSync(new URL(file, folder), 'utf8'))
  return [...(document['values'] ?? []), ...(document['templates'] ?? [])]
}

test('every key of every recorded chart has one row', () => {
  expect(files.toSorted()).toEqual(amdVersions.map(version => `amd-gpu-${version}.keys.json`))
  const paths = new Set(files.flatMap(recorded))
  const rowsOf = (path: string) => amdRows.filter(row => path === row.path || path.startsWith(`${row.path}.`))
  expect(paths.size).toBeGreaterThan(20)
  expect([...paths].filter(path => rowsOf(path).length !== 1)).toEqual([])
  const idle = amdRows.filter(({ path }) => ![...paths].some(known => known === path || known.startsWith(`${path}.`)))
  expect(idle.map(({ path }) => path)).toEqual([])
})

const off = { enabled: false }
const devices = (amd: object, around: object = {}) => ({
  capabilities: { devices: { enabled: true, gpu: off, npu: off, amd: { enabled: true, ...amd } } },
  ...around,
})

test.each([
  [{}, devices({}), false],
  [{ labeller: { enabled: true }, lbl: { image: { tag: 'labeller-1.31.0.9' } } }, devices({}), false],
  [{ node_selector: { pool: 'gpu' } }, devices({}), false],
  [
    { node_selector_enabled: true, node_selector: { pool: 'gpu', 'feature.node.kubernetes.io/pci-0300_1002.present': 'true' } },
    devices({}, { agent: { nodeSelector: { pool: 'gpu' } } }),
    false,
  ],
  [{ pulse: 10 }, devices({}), true],
])('values %j', (values, expected, isLossy) => {
  const made = convertAmdChart({ values, version: '0.21.0', namespace: undefined })
  expect([made.values, made.isLossy]).toEqual([expected, isLossy])
})

function set(args: readonly string[] | undefined, more: ValuesTree = {}, image = 'rocm/k8s-device-plugin:1.31.0.10'): ValuesTree {
  const container = { name: 'amdgpu-dp-cntr', image, command: ['./k8s-device-plugin'], ...(args === undefined ? {} : { args }) }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'amdgpu-device-plugin-daemonset', namespace: 'kube-system' },
    spec: { template: { spec: { containers: [container], ...more } } },
  }
}
const convert = (workload: ValuesTree, beside: readonly unknown[] = []) =>
  convertAmdObjects(workload, { beside, namespace: undefined })

describe('DaemonSets', () => {
  test.each([
    [undefined, {}],
    [['-logtostderr=true', '-stderrthreshold=INFO', '-pulse=10'], { health: 'kfd' }],
    [['--pulse', '0', '-resource_naming_strategy=mixed'], { health: 'none', resourceNamingStrategy: 'mixed' }],
  ])('%j', (args, expected) => {
    expect(convert(set(args))).toMatchObject({ values: devices(expected), isLossy: false })
  })
  test('with the folder of the metrics exporter this is asked, where health is looked at', () => {
    const volumes = [{ name: 'health', hostPath: { path: '/var/lib/amd-metrics-exporter/' } }]
    const exporter = { enabled: true }
    expect(convert(set(['-pulse=10'], { volumes })).values).toEqual(devices({ health: 'kfd', exporter }))
    expect(convert(set([], { volumes })).values).toEqual(devices({}))
  })
  test('a flag that ours does not start with is lost by name', () => {
    const { isLossy, report } = convert(set(['-resource_naming_strategy=double']))
    expect([isLossy, JSON.stringify(report)]).toEqual([true, expect.stringContaining('--resource_naming_strategy')])
  })
  test('nodes: what says that they have a GPU is left out', () => {
    const nodeSelector = { 'kubernetes.io/arch': 'amd64', 'feature.node.kubernetes.io/amd-gpu': 'true', pool: 'gpu' }
    expect(convert(set([], { nodeSelector })).values).toEqual(devices({}, { agent: { nodeSelector: { pool: 'gpu' } } }))
  })
  test('two that are told otherwise are told as lost', () => {
    const other = { ...set(['-pulse=10']), metadata: { name: 'amd-gpu-device-plugin-daemonset', namespace: 'gpu' } }
    const { isLossy, report } = convert(set([]), [other])
    expect(isLossy).toBe(true)
    expect(report.map(({ why }) => why)).toContainEqual(expect.stringContaining('ours has one setting of amd for all nodes'))
  })
  test('the labeller has the same image, and is none', () => {
    const { isObject, swap } = amdPlugin.replaced ?? {}
    const labeller = set(['-vram'], {}, 'rocm/k8s-device-plugin:labeller-latest')
    const object = { apiVersion: 'apps/v1', kind: 'DaemonSet', ...labeller, metadata: { name: 'amdgpu-labeller-daemonset' } }
    expect([isObject?.(set([])), isObject?.(labeller), swap?.isAside?.(object)]).toEqual([true, false, true])
  })
})
