// The committed recordings are of the clusters and pods that the committed seeds make, and their scores add up.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { kubernetesVersions } from '#test/real/control-plane/build.ts'
import { type Recording, recorderRevision } from '#test/real/placements/record-cluster.ts'
import { SchedulerLog } from '#test/real/placements/scheduler-log.ts'
import { seededCluster } from '#test/real/placements/seeded-cluster.ts'
import { seededPod } from '#test/real/placements/seeded-pods.ts'

const folder = join(import.meta.dirname, 'fixtures/placements')
const versions = Object.values(kubernetesVersions).map(version => `v${version}`)

describe.each(versions)('recordings of kube-scheduler %s', version => {
  const files = readdirSync(join(folder, version))

  test('are of 31 clusters of 4 to 150 nodes and a thousand decisions', () => {
    const recordings = files.map(file => read(version, file))
    const sizes = recordings.map(({ nodes }) => nodes.length).toSorted((first, second) => first - second)
    expect([sizes.length, sizes[0], sizes.at(-1)]).toEqual([31, 4, 150])
    expect(recordings.reduce((sum, { steps }) => sum + steps.length, 0)).toBeGreaterThan(1000)
  })

  test.each(files)('%s is what its seed makes', file => {
    const recording = read(version, file)
    expect(`${recording.seed}.json`).toBe(file)
    expect([recording.kubernetesVersion, recording.recorder]).toEqual([version, recorderRevision])
    const cluster = seededCluster(recording.seed)
    const nodes = recording.objects.filter(object => object.kind === 'Node')
    expect(nodes.map(({ metadata }) => metadata)).toEqual(cluster.nodes.map(({ metadata }) => metadata))
    const pods = recording.steps.map((_, index) => seededPod(cluster.random, cluster, `pod-${index}`))
    const essence = ({ metadata, spec }: (typeof pods)[number]) => {
      const { nodeSelector, runtimeClassName, priorityClassName, schedulingGates } = spec as Record<string, unknown>
      return { metadata, nodeSelector, runtimeClassName, priorityClassName, schedulingGates }
    }
    expect(recording.steps.map(({ pod }) => essence(pod))).toEqual(pods.map(essence))
  })

  test.each(files)('the scores in %s add up, and the best node was taken', file => {
    const { nodes, steps } = read(version, file)
    for (const { node, feasible = [], scores } of steps) {
      if (scores === undefined) continue
      const columns = Object.values(scores.plugins)
      const sums = feasible.map((_, row) => columns.reduce<number>((sum, column) => sum + scoreIn(column, row), 0))
      expect(sums).toEqual(scores.total)
      expect(scores.total[feasible.indexOf(nodes.indexOf(node ?? ''))]).toBe(Math.max(...scores.total))
    }
  })
})

test('a decision is read from the lines of the log', async () => {
  const log = new SchedulerLog()
  const head = 'I0101 10:00:00.000000       1 schedule_one.go:1]'
  log.line(`${head} "Plugin scored node for pod" pod="shop/web" plugin="ImageLocality" node="n1" score=7`)
  log.line(`${head} "Plugin scored node for pod" pod="shop/web" plugin="NodeResourcesFit" node="n1" score=80`)
  log.line(`${head} "Calculated node's final score for pod" pod="shop/web" node="n1" score=87`)
  log.line('not a line of that form')
  log.line(`${head} "Successfully bound pod to node" pod="shop/web" node="n1" evaluatedNodes=4 feasibleNodes=2`)
  log.line(`${head} "Unable to schedule pod; no fit; waiting" pod="shop/big" err="0/4 nodes: \\"cpu\\"."`)
  expect(await log.decision('shop/web')).toEqual({
    kind: 'bound',
    node: 'n1',
    evaluated: 4,
    feasibleCount: 2,
    scores: new Map([['n1', { total: 87, plugins: { ImageLocality: 7, NodeResourcesFit: 80 } }]]),
  })
  expect(await log.decision('shop/big')).toEqual({ kind: 'unschedulable' })
})

function read(version: string, file: string): Recording {
  return JSON.parse(readFileSync(join(folder, version, file), 'utf8'))
}

function scoreIn(column: number | readonly number[], row: number): number {
  return typeof column === 'number' ? column : (column[row] ?? Number.NaN)
}
