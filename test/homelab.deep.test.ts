// Acceptance checks H1, H2, H3 and H8 of the Talos homelab, as a user sees them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin } from '#twin/twin.ts'
import tables from '../examples/talos-homelab/expect/tables.json' with { type: 'json' }
import { nodeFigures } from '../src/cli/terminal/node-table.ts'
import { runBallast } from './cli/run-ballast.ts'
import { homelabFolder, labelled, snapshot } from './homelab-states.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-homelab-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The state as a file that the command reads. */
function fileOf(name: string, objects: readonly KubeObject[]): string {
  const file = join(folder, name)
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
  return file
}

describe('H1: the twin of the homelab as it was found', () => {
  test('has the percentages and pods of the document', async () => {
    const clock = new VirtualClock(Date.UTC(2025, 11, 19))
    await using twin = await startTwin({ clock, objects: snapshot() })
    await twin.settle({ limitMs: 600_000 })
    const { signal } = new AbortController()
    const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
    const metrics = { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'nodes' }
    const lists = await Promise.all(
      [builtIn.nodes, builtIn.pods, metrics].map(resource => api.resource(resource).list({ signal })),
    )
    const objects = lists.flatMap(list =>
      list.items.map(item => ({ ...item, apiVersion: list.apiVersion, kind: list.kind.replace(/List$/, '') })),
    )
    const figures = nodeFigures(buildClusterState(objects).state, [])
    const seen = Object.fromEntries(
      figures.map(row => [
        row.node,
        {
          cpu: row.cpuRequested,
          memory: row.memoryRequested,
          pods: row.pods,
          requestedCpu: `${row.requestedMillicores}m`,
          requestedMemory: `${row.requestedMi}Mi`,
          usedCpu: row.cpuUsed,
          usedMemory: row.memoryUsed,
        },
      ]),
    )
    expect(seen).toEqual(tables.before)
  })
})

describe('H2: without labels and budgets', () => {
  test('nothing is moved, every pod is unlabelled, and the report says what to add', async () => {
    const { code, output } = await runBallast(['plan', '--cluster', fileOf('snapshot.json', snapshot()), '-o', 'json'])
    const plan = JSON.parse(output) as {
      spec: { moves: unknown[] }
      status: { unmovable: { workload: string; reason: string }[] }
    }
    expect(plan.spec.moves).toEqual([])
    const pods = snapshot().filter(object => object.kind === 'Pod')
    const onGoalNodes = plan.status.unmovable.filter(one => one.reason !== 'Unlabelled')
    expect(onGoalNodes).toEqual([])
    expect(plan.status.unmovable).toHaveLength(pods.length)
    expect(code).toBe(4)
    const table = await runBallast(['plan', '--cluster', fileOf('snapshot.json', snapshot())])
    expect(table.output).toContain('scaling.talos.io/managed-by')
    expect(table.output).toContain('--emit-pdbs')
  })

  test('--emit-pdbs prints a budget for each workload that has none', async () => {
    const { output } = await runBallast(['plan', '--cluster', fileOf('snapshot.json', snapshot()), '--emit-pdbs'])
    const budgets = parseAllDocuments(output).map(
      document => document.toJS() as KubeObject & { spec: { maxUnavailable: number } },
    )
    expect(budgets.every(budget => budget.kind === 'PodDisruptionBudget' && budget.spec.maxUnavailable === 1)).toBe(true)
    const names = budgets.map(budget => `${budget.metadata.namespace}/${budget.metadata.name}`)
    expect(names).toContain('monitoring/mimir-ingester')
    expect(names).toEqual([...new Set(names)].sort())
    expect(names.filter(name => name.includes('cilium/') || name.includes('node-exporter'))).toEqual([])
  })

  test('its budgets and labels make it the labelled state', async () => {
    const { output } = await runBallast(['plan', '--cluster', fileOf('snapshot.json', snapshot()), '--emit-pdbs'])
    const wanted = new Set(
      labelled()
        .filter(object => object.kind === 'PodDisruptionBudget')
        .map(object => `${object.metadata.namespace}/${object.metadata.name}`),
    )
    const proposed = parseAllDocuments(output)
      .map(document => document.toJS() as KubeObject)
      .filter(budget => wanted.has(`${budget.metadata.namespace}/${budget.metadata.name}`))
    expect(proposed).toHaveLength(wanted.size)
    const owned = labelled().filter(object => object.kind !== 'PodDisruptionBudget')
    const { code, output: plan } = await runBallast([
      'plan',
      '--cluster',
      fileOf('budgets.json', [...owned, ...proposed]),
      '-o',
      'json',
    ])
    expect((JSON.parse(plan) as { spec: { moves: unknown[] } }).spec.moves).toHaveLength(tables.plan.moves)
    expect(code).toBe(0)
  })
})

describe('H3 and H8: the labelled homelab', () => {
  test('is put right by 15 moves, all onto talos03, within the figures of the document', async () => {
    const { code, output } = await runBallast(['plan', '--cluster', homelabFolder, '-o', 'json'])
    const plan = JSON.parse(output) as {
      spec: { moves: { to: string }[] }
      status: { objective: { moves: number; lowerBound: number }; after: { node: string; resource: string; percent: number }[] }
    }
    const share = (node: string, resource: string) =>
      plan.status.after.find(entry => entry.node === node && entry.resource === resource)?.percent
    expect(plan.spec.moves.map(move => move.to)).toEqual(Array.from({ length: tables.plan.moves }, () => tables.plan.to))
    expect(plan.status.objective.moves).toBe(15)
    expect(Math.ceil(plan.status.objective.lowerBound)).toBe(15)
    expect(share('talos00', 'cpu')).toBeLessThanOrEqual(tables.plan.talos00CpuAtMost)
    expect(share('talos03', 'cpu')).toBeGreaterThanOrEqual(tables.plan.talos03CpuAtLeast)
    expect(share('talos03', 'memory')).toBeLessThanOrEqual(tables.plan.talos03MemoryAtMost)
    expect(code).toBe(0)
  })

  test('nexus stays by its volume, and a wish for another node is told, not forced', async () => {
    const wish = labelled().map(object =>
      object.kind === 'RebalancePolicy'
        ? {
            ...object,
            spec: { ...(object['spec'] as object), preferences: [{ namespaces: ['registry'], nodes: ['talos02-gpu'] }] },
          }
        : object,
    )
    const file = fileOf('wish.json', wish)
    const explained = await runBallast(['plan', 'explain', 'registry/nexus-0', '--cluster', file])
    expect(explained.output).toMatch(/VolumePinned|volume pvc-\S+ cannot leave talos01/)
    const { output } = await runBallast(['plan', '--cluster', file, '-o', 'json'])
    const plan = JSON.parse(output) as {
      spec: { moves: { pod: { name: string } }[] }
      status: { unmovable: { workload: string; reason: string }[] }
    }
    expect(plan.spec.moves.filter(move => move.pod.name === 'nexus-0')).toEqual([])
    expect(plan.status.unmovable.find(one => one.workload === 'StatefulSet registry/nexus')?.reason).toMatch(/^VolumePinned:pvc-/)
    const table = await runBallast(['plan', '--cluster', file])
    expect(table.output).toMatch(/nexus.*talos02-gpu/)
  })
})
