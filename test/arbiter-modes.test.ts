// The promise to whoever swaps an upstream for Ballast: in mode observe the same disruptions at the same time, in the other modes
// exactly the differences that docs/arbiter.md lists. `BALLAST_UPDATE=1` writes the table anew.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isSame, type Replayed, recordedUpstream, replay } from './upstream-replay.ts'
import { dropInTables } from './upstream-table.ts'

const document = join(import.meta.dirname, '..', 'docs', 'arbiter.md')
const markers = ['<!-- drop-in tables: made by test/arbiter-modes.test.ts -->', '<!-- end of the drop-in tables -->'] as const
const names = ['reloader', 'descheduler', 'updater'] as const

describe('what upstreams did, asked of the arbiter', async () => {
  const all = await Promise.all(names.map(async name => ({ recorded: recordedUpstream(name), replayed: await replay(name) })))
  const of = (name: string): readonly Replayed[] => all.find(({ recorded }) => recorded.upstream === name)?.replayed ?? []

  test.each(all.map(({ recorded, replayed }) => [recorded.upstream, replayed] as const))(
    'in mode observe %s does to each workload what it was recorded to do, and when',
    (_name, replayed) => {
      expect(replayed.length).toBeGreaterThan(0)
      expect(replayed.filter(one => !isSame(one, one.modes.observe))).toEqual([])
    },
  )

  test('in mode coordinate owners are asked and one waits for the other; in mode enforce nothing is taken that is guarded', () => {
    const fates = (name: string, mode: 'coordinate' | 'enforce') =>
      Object.fromEntries(of(name).map(({ act, modes }) => [act.subject.replace('-abcde12345', ''), modes[mode].answers.at(-1)]))
    expect(fates('descheduler', 'coordinate')).toMatchObject({
      'llm-a': 'deny owner',
      'pinned-a': 'deny owner',
      'guarded-a': 'granted',
    })
    expect(fates('descheduler', 'enforce')).toMatchObject({ 'guarded-a': 'deny protected', 'fresh-a': 'defer cool-down' })
    expect(fates('updater', 'enforce')).toMatchObject({ 'idle-a': 'defer window', 'quiet-a': 'deny owner' })
  })

  test('docs/arbiter.md lists each difference', () => {
    const text = readFileSync(document, 'utf8')
    const [begin, end] = markers.map(marker => text.indexOf(marker))
    if (begin === undefined || end === undefined || begin < 0 || end < begin)
      throw new Error(`${document} has not the markers ${markers.join(' and ')}`)
    const made = `${markers[0]}\n\n${dropInTables(all)}\n\n`
    if (process.env['BALLAST_UPDATE'] === '1') writeFileSync(document, text.slice(0, begin) + made + text.slice(end))
    expect(readFileSync(document, 'utf8')).toContain(`${made}${markers[1]}`)
  })
})
