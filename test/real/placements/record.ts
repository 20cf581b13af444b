// Records the fixtures of test/fixtures/placements: `node test/real/placements/record.ts [version [first-seed [last-seed]]]`,
// or `node test/real/placements/record.ts configured` for those with other scheduler configurations.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { kubernetesVersions, type MinorVersion } from '../control-plane/build.ts'
import { configuredClusters } from './configurations.ts'
import { type Recording, recordCluster } from './record-cluster.ts'
import { seededCluster } from './seeded-cluster.ts'

const clusterCount = 31
const directory = join(import.meta.dirname, '../../fixtures/placements')

if (import.meta.main) {
  const [version, first = '1', last = String(clusterCount)] = process.argv.slice(2)
  const versions = (Object.keys(kubernetesVersions) as MinorVersion[]).filter(known => (version ?? known) === known)
  for (const minor of versions) {
    for (let seed = Number(first); seed <= Number(last); seed++) {
      const recording = await recordCluster({ seed, version: minor, podCount: podCount(seed) })
      write(`${recording.kubernetesVersion}/${seed}.json`, recording)
    }
  }
  if (version === undefined || version === 'configured') {
    for (const { name, seed, configuration } of configuredClusters) {
      write(`configured/${name}.json`, await recordCluster({ seed, version: '1.34', podCount: 30, nodeCount: 9, configuration }))
    }
  }
}

function write(name: string, recording: Recording): void {
  const path = join(directory, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, recordingText(recording))
  console.log(`${name}: ${summary(recording)}`)
}

/** Small clusters fill up: after some thirty pods most are refused. */
function podCount(seed: number): number {
  return seededCluster(seed).nodes.length <= 5 ? 30 : 50
}

/** JSON with one object and one step a line: small, and a difference shows where it is. */
function recordingText(recording: Recording): string {
  const { objects, steps, ...header } = recording
  const lines = (items: readonly unknown[]) => items.map(item => JSON.stringify(item)).join(',\n')
  const head = JSON.stringify(header, undefined, 1).replace(/\n\}$/, '')
  return `${head},\n "objects": [\n${lines(objects)}\n ],\n "steps": [\n${lines(steps)}\n ]\n}\n`
}

function summary({ nodes, steps }: Recording): string {
  const placed = steps.filter(step => step.node !== null)
  const scored = placed.filter(step => step.scores !== undefined)
  const tied = scored.filter(({ scores }) => {
    const total = scores?.total ?? []
    return total.filter(score => score === Math.max(...total)).length > 1
  })
  return `${nodes.length} nodes, ${steps.length} pods, ${placed.length} placed, ${scored.length} scored, ${tied.length} tied`
}
