// Records the fixtures of test/fixtures/placements: `node test/real/placements/record.ts [version [first-seed [last-seed]]]`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kubernetesVersions, type MinorVersion } from '../control-plane/build.ts'
import { type Recording, recordCluster } from './record-cluster.ts'
import { seededCluster } from './seeded-cluster.ts'

const clusterCount = 25
const directory = join(import.meta.dirname, '../../fixtures/placements')

if (import.meta.main) {
  const [version, first = '1', last = String(clusterCount)] = process.argv.slice(2)
  const versions = (Object.keys(kubernetesVersions) as MinorVersion[]).filter(known => (version ?? known) === known)
  for (const minor of versions) {
    for (let seed = Number(first); seed <= Number(last); seed++) {
      const recording = await recordCluster({ seed, version: minor, podCount: podCount(seed) })
      mkdirSync(join(directory, recording.kubernetesVersion), { recursive: true })
      writeFileSync(join(directory, recording.kubernetesVersion, `${seed}.json`), recordingText(recording))
      console.log(summary(recording))
    }
  }
}

/** Small clusters fill up: after some thirty pods most are refused. */
function podCount(seed: number): number {
  return seededCluster(seed).nodes.length <= 5 ? 30 : 52
}

/** JSON with one object and one step a line: small, and a difference shows where it is. */
function recordingText(recording: Recording): string {
  const { objects, steps, ...header } = recording
  const lines = (items: readonly unknown[]) => items.map(item => JSON.stringify(item)).join(',\n')
  const head = JSON.stringify(header, undefined, 1).replace(/\n\}$/, '')
  return `${head},\n "objects": [\n${lines(objects)}\n ],\n "steps": [\n${lines(steps)}\n ]\n}\n`
}

function summary({ kubernetesVersion, seed, nodes, steps }: Recording): string {
  const placed = steps.filter(step => step.node !== null)
  const scored = placed.filter(step => step.scores !== undefined)
  const tied = scored.filter(({ scores }) => {
    const total = scores?.total ?? []
    return total.filter(score => score === Math.max(...total)).length > 1
  })
  return `${kubernetesVersion} seed ${seed}: ${nodes.length} nodes, ${steps.length} pods, ${placed.length} placed, ${scored.length} scored, ${tied.length} tied`
}
