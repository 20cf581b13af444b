// Every key of the charts has a row, and what they say becomes the section of ours that means the same.

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { ValuesRow } from '#upstreams/values-row.ts'
import type { ValuesTree } from '#upstreams/values-tree.ts'
import {
  convertIntelChart,
  gpuChart,
  gpuRows,
  intelVersions,
  npuChart,
  npuRows,
  operatorChart,
  operatorRows,
} from './intel-rows.ts'

const folder = new URL('../../../../test/fixtures/charts/intel-device-plugins/', import.meta.url)
const files = readdirSync(folder)

function recorded(file: string): readonly string[] {
  const document: Readonly<Record<string, readonly string[]>> = JSON.parse(readFileSync(new URL(file, folder), 'utf8'))
  return [...(document['values'] ?? []), ...(document['templates'] ?? [])]
}

const tables: readonly (readonly [string, readonly ValuesRow[]])[] = [
  [gpuChart, gpuRows],
  [npuChart, npuRows],
  [operatorChart, operatorRows],
]

describe('every key of every recorded chart has one row', () => {
  test('the recorded charts are the supported ones', () => {
    const of = (chart: string) => files.filter(file => file.startsWith(`${chart}-0`)).sort()
    const named = (chart: string, versions: readonly string[]) => versions.map(version => `${chart}-${version}.keys.json`)
    expect(of(gpuChart)).toEqual(named(gpuChart, intelVersions))
    expect(of(operatorChart)).toEqual(named(operatorChart, intelVersions))
    expect(of(npuChart)).toEqual(named(npuChart, intelVersions.slice(2)))
  })

  test.each(tables)('%s', (chart, rows) => {
    const paths = new Set(files.filter(file => file.startsWith(chart)).flatMap(recorded))
    const rowsOf = (path: string) => rows.filter(row => path === row.path || path.startsWith(`${row.path}.`))
    expect(paths.size).toBeGreaterThan(8)
    expect([...paths].filter(path => rowsOf(path).length !== 1)).toEqual([])
    const idle = rows.filter(({ path }) => ![...paths].some(known => known === path || known.startsWith(`${path}.`)))
    expect(idle.map(({ path }) => path)).toEqual([])
  })
})

const convert = (values: ValuesTree, version: string | undefined = '0.36.0', chart?: string) =>
  convertIntelChart({ values, version, namespace: undefined, chart })
const devices = (section: object) => ({ capabilities: { devices: { enabled: true, ...section } } })
const off = { enabled: false }

test('values of the GPU chart, and what it says by itself', () => {
  expect(convert({}).values).toEqual(devices({ npu: off, amd: off, gpu: { enableMonitoring: true } }))
  const { values, isLossy } = convert({
    name: 'igpu',
    sharedDevNum: 5,
    enableMonitoring: false,
    allocationPolicy: 'balanced',
    bypathMode: 'none',
    denyIDs: '0x56a0',
    allowIDs: '',
    nodeSelector: { 'intel.feature.node.kubernetes.io/gpu': 'true', pool: 'media' },
    tolerations: [{ operator: 'Exists' }],
    nodeFeatureRule: true,
  })
  const gpu = { enableMonitoring: false, sharedDevNum: 5, allocationPolicy: 'balanced', bypathMode: 'none', denyIDs: '0x56a0' }
  expect([values, isLossy]).toEqual([
    { ...devices({ npu: off, amd: off, gpu }), agent: { nodeSelector: { pool: 'media' } } },
    false,
  ])
})

test('charts before 0.36 monitored each driver by a resource of its own', () => {
  expect(convert({ sharedDevNum: 2 }, '0.35.0').values).toEqual(
    devices({ npu: off, amd: off, gpu: { enableMonitoring: true, monitoringMode: 'split', sharedDevNum: 2 } }),
  )
})

test('what has no place is named', () => {
  const lines = convert({ resourceManager: true, initImage: { enable: true }, sharedDevNun: 2 }, '0.32.1').report
  expect(lines.map(({ from, kind }) => `${from}: ${kind}`)).toEqual([
    'resourceManager: lost',
    'initImage.enable: lost',
    'sharedDevNun: unknown',
  ])
  expect(lines.at(-1)?.why).toContain('did you mean sharedDevNum?')
})

test.each([
  ['by its nodes', { sharedDevNum: 2, nodeSelector: { 'intel.feature.node.kubernetes.io/npu': 'true' } }, undefined],
  ['by its name', { sharedDevNum: 2, name: 'npudeviceplugin-sample' }, undefined],
  ['by whoever asks', { sharedDevNum: 2 }, npuChart],
])('values of the NPU chart, told %s', (_by, values, chart) => {
  const converted = convert(values, '0.36.0', chart).values
  expect(converted).toEqual(devices({ gpu: off, amd: off, npu: { sharedDevNum: 2 } }))
})

test('of the operator nothing is needed, and what it looks after besides is named', () => {
  const { values, report, isLossy } = convert({
    manager: { devices: { gpu: true, qat: true, dsa: false } },
    controllerExtraArgs: '- -v=2',
  })
  expect([values, isLossy]).toEqual([{}, false])
  expect(report.map(({ why }) => why)).toEqual([
    expect.stringContaining('no operator'),
    expect.stringContaining('no plugin for qat'),
    expect.stringContaining('no operator'),
  ])
})
