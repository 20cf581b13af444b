// Every key of the charts has a row, and what they say becomes the section of ours that means the same.

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { installationValues } from '#deployment/installation.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { convertNfd, nfdRows, nfdVersions } from './nfd-rows.ts'

const folder = new URL('../../../../test/fixtures/charts/nfd/', import.meta.url)

function recorded(version: string): readonly string[] {
  const document: Readonly<Record<string, readonly string[]>> = JSON.parse(
    readFileSync(new URL(`${version}.keys.json`, folder), 'utf8'),
  )
  return [...(document['values'] ?? []), ...(document['templates'] ?? [])]
}

describe('every key of every recorded chart has one row', () => {
  test('the recorded charts are the supported ones', () => {
    expect(readdirSync(folder).sort()).toEqual(nfdVersions.map(version => `${version}.keys.json`).sort())
  })

  test.each(nfdVersions)('chart %s', version => {
    const rowsOf = (path: string) => nfdRows.filter(row => path === row.path || path.startsWith(`${row.path}.`))
    const paths = recorded(version)
    expect(paths.length).toBeGreaterThan(140)
    expect(paths.filter(path => rowsOf(path).length !== 1)).toEqual([])
  })

  test('no row names a key that no chart has', () => {
    const all = nfdVersions.flatMap(recorded)
    const idle = nfdRows.filter(({ path }) => !all.some(known => known === path || known.startsWith(`${path}.`)))
    expect(idle.map(({ path }) => path)).toEqual([])
  })
})

const convert = (values: ValuesTree) => convertNfd({ values, version: '0.19.0', namespace: 'nfd' })
const section = (values: ValuesTree) => valueAt(convert(values).values, ['capabilities', 'features'])

test('files and flags become one section; flags count before the file', () => {
  const values = {
    featureGates: { NodeFeatureGroupAPI: true, DisableAutoPrefix: true },
    master: {
      config: {
        extraLabelNs: ['a.example'],
        labelWhiteList: 'gpu',
        enableTaints: false,
        restrictions: { disableTaints: true },
        klog: { v: 2 },
      },
      enableTaints: true,
      instance: 'blue',
      extraArgs: ['-deny-label-ns=b.example,c.example', '-v=2'],
      replicaCount: 3,
    },
    worker: {
      config: {
        core: { sleepInterval: '5m', ownerRefs: ['node'] },
        sources: { pci: { deviceClassWhitelist: ['02'] }, custom: [{ name: 'r', matchFeatures: [{ feature: 'pci.device' }] }] },
      },
      ownerRefs: ['ds'],
      extraArgs: ['-label-sources=pci,custom'],
      mountUsrSrc: true,
    },
    prometheus: { enable: true },
  }
  expect(section(values)).toEqual({
    enabled: true,
    master: expect.objectContaining({
      autoPrefix: false,
      nodeFeatureGroups: true,
      extraLabelNs: ['a.example'],
      denyLabelNs: ['b.example', 'c.example'],
      labelWhiteList: 'gpu',
      enableTaints: true,
      instance: 'blue',
      restrictions: expect.objectContaining({ disableTaints: true, allowOverwrite: true }),
    }),
    worker: {
      core: { sleepInterval: '5m', ownerRefs: ['ds'], labelSources: ['pci', 'custom'] },
      sources: { pci: { deviceClassWhitelist: ['02'] }, custom: [{ name: 'r', matchFeatures: [{ feature: 'pci.device' }] }] },
    },
  })
  const { values: ours, isLossy } = convert(values)
  expect(isLossy).toBe(false)
  expect(valueAt(ours, ['metrics', 'serviceMonitor', 'enabled'])).toBe(true)
  // Our chart takes them.
  const asked = { values: { file: 'converted', text: JSON.stringify(ours) } }
  expect(() => installationValues(asked, enabledCapabilities)).not.toThrow()
})

test('without anything ours is on with its defaults', () => expect(section({})).toEqual({ enabled: true }))

test.each([
  [{ topologyUpdater: { enable: true } }, 'NodeResourceTopology'],
  [{ master: { enable: false } }, 'labels nodes'],
  [{ worker: { enable: false } }, 'look at each node'],
  [{ gc: { enable: false } }, 'nothing was collected'],
  [{ master: { config: { labelWhiteList: '(' } } }, 'labelWhiteList'],
  [{ master: { extraArgs: ['-crd-controller'] } }, 'a flag of the nfd-master'],
  [{ worker: { extraArgs: ['-options={}'] } }, 'not taken apart'],
  [{ master: { size: 3 } }, 'no chart of this upstream has it'],
])('%j is told as lost', (values, why) => {
  const { isLossy, report } = convert(values)
  expect(isLossy).toBe(true)
  expect(report.map(line => line.why ?? '').join('\n')).toContain(why)
})
