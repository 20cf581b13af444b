// Recordings can be repeated, and the scheduler model places fresh pods as the real scheduler does.
import { deepStrictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { replayPlacements } from '#test/placement-replay.ts'
import type { Check } from '../check.ts'
import { kubernetesVersions, type MinorVersion } from '../control-plane/build.ts'
import { type Recording, recordCluster } from './record-cluster.ts'

const directory = join(import.meta.dirname, '../../fixtures/placements')
/** No two nodes tie in this one, so the same draws lead through all of it. */
const repeatedSeed = 8
/** Together a hundred pods a version; in the largest the scheduler looks at a part of the nodes only. */
const freshClusters = [
  { nodeCount: 9, podCount: 30 },
  { nodeCount: 30, podCount: 40 },
  { nodeCount: 130, podCount: 30 },
]

/** Checks with fresh clusters from `seed`: other seeds, other clusters. */
export function placementChecks(seed: number): Check[] {
  return (Object.keys(kubernetesVersions) as MinorVersion[]).flatMap(version => [
    repeatedRecording(version),
    freshPlacements(version, seed),
  ])
}

function repeatedRecording(version: MinorVersion): Check {
  return {
    name: `cluster ${repeatedSeed} is recorded again with kube-scheduler ${version}`,
    async run() {
      const path = join(directory, `v${kubernetesVersions[version]}`, `${repeatedSeed}.json`)
      const recorded: Recording = JSON.parse(readFileSync(path, 'utf8'))
      const { objects, steps } = await recordCluster({ seed: repeatedSeed, version, podCount: recorded.steps.length })
      deepStrictEqual(withoutTimes(objects), withoutTimes(recorded.objects))
      for (const [index, step] of steps.entries()) {
        const before = recorded.steps[index]
        if (before === undefined) throw new Error(`step ${index} was not recorded`)
        const { node, after: _, ...decision } = step
        const { node: nodeBefore, after: __, ...decisionBefore } = before
        deepStrictEqual(withoutTimes(decision), withoutTimes(decisionBefore), `step ${index}`)
        // Nodes with the highest total are drawn; after another draw the clusters differ.
        if (node !== nodeBefore) return `${index + 1} of ${steps.length} decisions, then another one of the best nodes was drawn`
      }
      return `${steps.length} decisions`
    },
  }
}

function withoutTimes(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, field: unknown) => (key === 'deletionTimestamp' ? 'some time' : field)))
}

function freshPlacements(version: MinorVersion, seed: number): Check {
  return {
    name: `the model places fresh pods as kube-scheduler ${version} does`,
    async run() {
      let [placed, refused] = [0, 0]
      for (const [index, size] of freshClusters.entries()) {
        const recording = await recordCluster({ seed: seed * 1000 + 900 + index, version, ...size })
        const replay = replayPlacements(JSON.parse(JSON.stringify(recording)))
        if (replay.differences.length > 0) {
          throw new Error(`cluster of seed ${recording.seed}: the model differs\n${replay.differences.join('\n')}`)
        }
        placed += replay.placed
        refused += replay.refused
      }
      return `seed ${seed}: ${placed} placed, ${refused} refused`
    },
  }
}
