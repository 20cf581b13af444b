// Another owner label, with other values: a cluster whose people labelled it in their way is rebalanced by it, and every command says it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { defaultOwnerLabel, type OwnerLabel } from '#cluster/ownership.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { controlledCluster } from '../controlled-cluster.ts'
import { smallCluster, smallPolicy } from '../small-cluster.ts'
import { runBallast } from './run-ballast.ts'

const ownerLabel: OwnerLabel = {
  key: 'example.com/owner',
  values: { keda: 'scaled', descheduler: 'free', none: 'hands-off' },
}

const usualKey = defaultOwnerLabel.others[0]
/** It demands a label of what is moved. */
const policy = () => smallPolicy({ coordination: { unlabelled: 'none' } })

/** `object` with the usual label written in the other way. */
function relabelled({ metadata, ...object }: KubeObject): KubeObject {
  const { [usualKey]: usual, ...labels } = metadata.labels ?? {}
  const owner = (['keda', 'descheduler', 'none'] as const).find(name => name === usual)
  const written = owner === undefined ? labels : { ...labels, [ownerLabel.key]: ownerLabel.values[owner] }
  return { ...object, metadata: { ...metadata, labels: written } }
}

const kinds = [
  'nodes',
  'namespaces',
  'pods',
  'deployments.apps',
  'replicasets.apps',
  'poddisruptionbudgets.policy',
  'events',
  'leases.coordination.k8s.io',
  'rebalancepolicies.ballast.dev',
  'rebalanceplans.ballast.dev',
  'disruptionpermits.ballast.dev',
]

const dumpOf = (objects: readonly KubeObject[]) =>
  objects.map(object => stringify(object, { aliasDuplicateObjects: false })).join('---\n')
const configuration = stringify({
  apiVersion: 'ballast.dev/v1alpha1',
  kind: 'BallastConfiguration',
  arbiter: { ownerLabel: ownerLabel.key, ownerValues: ownerLabel.values },
})
const configMap: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'ballast-config', namespace: 'ballast-system' },
  data: { 'config.yaml': configuration },
}

let folder = ''
const inFolder = (name: string) => join(folder, name)
let landed: readonly string[] = []
let events: readonly string[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-label-'))
  const objects = [...smallCluster(), policy()].map(relabelled)
  writeFileSync(inFolder('config.yaml'), configuration)
  writeFileSync(inFolder('before.yaml'), dumpOf(objects))
  writeFileSync(inFolder('with-map.yaml'), dumpOf([...objects, configMap]))
  await using cluster = await controlledCluster({ objects, arbiter: { ownerLabel } })
  cluster.startController()
  await cluster.rebalance('small')
  landed = cluster
    .plans()
    .flatMap(({ spec, status }) =>
      (status?.steps ?? [])
        .filter(({ state }) => state === 'Landed')
        .map(({ id }) => spec.moves.find(move => move.id === id)?.workload.name ?? ''),
    )
  await cluster.stopController()
  events = await cluster.events()
  writeFileSync(inFolder('after.yaml'), dumpOf(kinds.flatMap(kind => cluster.list<KubeObject>(kind))))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the three moves are made, and nobody is warned', () => {
  expect(landed.toSorted()).toEqual(['solo', 'web', 'web'])
  expect(events.filter(event => event.startsWith('Warning'))).toEqual([])
})

describe('why', () => {
  const why = (name: string, ...args: readonly string[]) =>
    runBallast(['why', name, '--cluster', inFolder('after.yaml'), ...args])

  test('prints the label and the value that would change it', async () => {
    const { code, output } = await why('deploy/fixed', '--config', inFolder('config.yaml'))
    expect(code).toBe(0)
    expect(output).toContain('belongs to none (label example.com/owner=hands-off of the workload)')
    expect(output.replaceAll(/\s+/g, ' ')).toContain('set example.com/owner=free on its workload')
    expect(output).not.toContain('managed-by')
  })

  test('without the configuration knows nothing of it', async () => {
    const { output } = await why('deploy/fixed')
    expect(output.replaceAll(/\s+/g, ' ')).toContain(
      'belongs to nobody: no label ballast.dev/managed-by or scaling.talos.io/managed-by',
    )
  })
})

describe('plan', () => {
  const schema = z.looseObject({ spec: z.looseObject({ moves: z.array(z.unknown()) }) })
  const planned = async (dump: string, ...args: readonly string[]) => {
    const { output } = await runBallast(['plan', '--cluster', inFolder(dump), '-o', 'yaml', ...args])
    return schema.parse(parse(output)).spec.moves.length
  }

  test('reads it from the file that is named, and from the ConfigMap of a dump', async () => {
    expect(await planned('before.yaml', '--config', inFolder('config.yaml'))).toBe(3)
    expect(await planned('with-map.yaml')).toBe(3)
  })

  test('without it moves nothing, and advises the label that it reads', async () => {
    expect(await planned('before.yaml')).toBe(0)
    const { output } = await runBallast(['plan', '--cluster', inFolder('before.yaml')])
    expect(output).toContain('ballast.dev/managed-by=descheduler')
  })

  test('explains with it', async () => {
    const args = ['plan', 'explain', 'shop/fixed-abcde12345-a', '--cluster', inFolder('before.yaml')]
    const { output } = await runBallast([...args, '--config', inFolder('config.yaml')])
    expect(output).toContain('the label example.com/owner=hands-off (by the label of the workload) says that nobody moves it')
    expect(output).toContain('set example.com/owner=free on its workload')
  })

  test('ends with 2 and the problem where the configuration is bad', async () => {
    writeFileSync(inFolder('twins.yaml'), configuration.replace('hands-off', 'free'))
    for (const command of [['plan'], ['isolate', 'n1']]) {
      const { code, words } = await runBallast([
        ...command,
        '--cluster',
        inFolder('with-map.yaml'),
        '--config',
        inFolder('twins.yaml'),
      ])
      expect({ code, words }).toEqual({ code: 2, words: expect.stringContaining('descheduler and none have both "free"') })
    }
  })
})

test('isolate tells whose pods stay by it', async () => {
  const isolation = { enabled: true, nodes: 'kubernetes.io/hostname=n1', includeUnmanaged: false }
  const dump = [...smallCluster(), smallPolicy({ isolation })].map(relabelled)
  writeFileSync(inFolder('isolation.yaml'), dumpOf(dump))
  const isolate = ['isolate', 'n1', '--cluster', inFolder('isolation.yaml'), '-o', 'yaml']
  const { output } = await runBallast([...isolate, '--config', inFolder('config.yaml')])
  expect(output).toContain('the label example.com/owner=hands-off')
  expect(output).toContain('set example.com/owner=free on its workload')
  expect(output).not.toContain('managed-by')
})
