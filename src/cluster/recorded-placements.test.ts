// Holds the model to what real kube-schedulers did: test/fixtures/placements, whose README says what is recorded and how.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Replay, type ReplayedRecording, replayPlacements } from '#test/placement-replay.ts'

const folder = join(import.meta.dirname, '../../test/fixtures/placements')

describe.each(['v1.34.4', 'v1.36.4'])('kube-scheduler %s', version => {
  const files = readdirSync(join(folder, version)).filter(name => name.endsWith('.json'))
  const replays: Replay[] = []

  test.each(files)('does as recorded in %s', file => {
    // What the recorder wrote; its shape is held by test/recorded-clusters.test.ts.
    const recording = JSON.parse(readFileSync(join(folder, version, file), 'utf8')) as ReplayedRecording
    const replay = replayPlacements(recording)
    replays.push(replay)
    expect(replay.differences).toEqual([])
  })

  test('lands in sets small enough to mean something', () => {
    const sum = (count: (replay: Replay) => number) => replays.reduce((total, replay) => total + count(replay), 0)
    const placed = sum(replay => replay.placed)
    expect(placed).toBeGreaterThanOrEqual(1000)
    expect(sum(replay => replay.singleLandings) / sum(replay => replay.scored)).toBeGreaterThanOrEqual(0.85)
    const sizes = Map.groupBy(
      replays.flatMap(replay => replay.landingSizes),
      size => size,
    )
    const shown = Array.from(sizes, ([size, all]) => `${size}: ${all.length}`).toSorted()
    console.info(
      `${version}: ${placed} placed, ${sum(replay => replay.refused)} not; landing set of nodes fitting: ${shown.join(', ')}`,
    )
  })
})
