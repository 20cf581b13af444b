// The scheduler model under configurations other than the defaults, held to recordings of kube-scheduler that ran with them.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type ReplayedRecording, replayPlacements } from './placement-replay.ts'

const folder = join(import.meta.dirname, 'fixtures/placements/configured')
const read = (file: string): ReplayedRecording => JSON.parse(readFileSync(join(folder, file), 'utf8'))

describe('a configured kube-scheduler', () => {
  test.each(readdirSync(folder))('does as recorded in %s', file => {
    const { differences, placed, scored } = replayPlacements(read(file))
    expect(differences).toEqual([])
    expect(placed).toBeGreaterThan(10)
    expect(scored).toBeGreaterThan(5)
  })

  test.each(readdirSync(folder))('would do otherwise without the configuration of %s', file => {
    const { configuration: _, ...recording } = read(file)
    expect(replayPlacements(recording).differences).not.toEqual([])
  })
})
