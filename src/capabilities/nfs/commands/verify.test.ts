// Archives that a person asks about: whole, damaged, hostile, by their files and by identifiers of snapshots.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { pack } from '../files/tar/pack.ts'
import { quiet, Scratch } from '../files/testdata/trees.ts'
import { FakeMachine } from '../testdata/fake-machine.ts'
import { Verifier, verdictLine } from './verify.ts'

/** A share with a snapshot of a volume; the archive's path. */
async function snapshotOn(share: string): Promise<string> {
  mkdirSync(join(share, 'pvc-1/inner'), { recursive: true })
  writeFileSync(join(share, 'pvc-1/inner/file'), 'content')
  const into = { root: share, directory: 'snapshot-1', name: 'pvc-1' }
  const { name } = await pack({ kind: 'pack', root: share, path: 'pvc-1', into, compression: 'gzip' }, quiet())
  return join(share, 'snapshot-1', name)
}

describe.skipIf(process.platform !== 'linux')('an archive', () => {
  test('is whole, cut, changed, or none', async () => {
    using scratch = new Scratch()
    const path = await snapshotOn(scratch.directory('share'))
    await using verifier = new Verifier()
    const whole = await verifier.verify(path, '')
    expect(whole).toMatchObject({ isWhole: true, problems: [], entries: 3, contentBytes: 7, seal: 'right' })
    expect(verdictLine(whole)).toMatch(/: whole, 3 entries, 7 bytes, sha256 [0-9a-f]{64}$/)
    const bytes = readFileSync(path)
    const other = (name: string, content: Buffer) => {
      writeFileSync(join(scratch.path, name), content)
      return join(scratch.path, name)
    }
    for (const [name, content] of [
      ['cut.tar.gz', bytes.subarray(0, bytes.length - 20)],
      ['none.tar.gz', Buffer.from('hello')],
      ['empty.tar', Buffer.alloc(0)],
    ] as const) {
      const verdict = await verifier.verify(other(name, content), '')
      expect([name, verdict.isWhole, verdict.problems.length]).toEqual([name, false, 1])
    }
    expect(await verifier.verify(join(scratch.path, 'missing.tar'), '')).toMatchObject({ isWhole: false })
  })

  test('of an identifier is read where its share is mounted read-only, which goes afterwards', async () => {
    using scratch = new Scratch()
    const machine = new FakeMachine({
      root: join(scratch.path, 'servers'),
      below: join(scratch.path, 'below'),
      clock: systemClock,
    })
    await snapshotOn(machine.share('nas', 'export'))
    {
      await using verifier = new Verifier(machine)
      const id = 'nas#export#snapshot-1#snapshot-1#pvc-1'
      expect(await verifier.verify(id, 'nfsvers=4.1')).toMatchObject({ archive: id, isWhole: true, entries: 3 })
      for (const wrong of ['nas#export#snapshot-2#snapshot-2#pvc-1', 'nas#export#../x#../x#pvc-1', 'nas#export#s\n#s#v'])
        expect(await verifier.verify(wrong, '')).toMatchObject({ isWhole: false })
    }
    expect(machine.commands[0]).toMatch(/^mount\.nfs nas:\/export \/.* -o ro,nfsvers=4\.1$/)
    expect(machine.table.mounts()).toEqual([])
    expect(readdirSync(machine.share('nas', 'export')).toSorted()).toEqual(['pvc-1', 'snapshot-1'])
  })

  test('with a name that moves the cursor is told on one line', () => {
    const line = verdictLine({ archive: 'a\u001b[2J\nb', isWhole: false, problems: ['x\ny'] })
    expect(line).toBe('a�[2J�b: NOT whole: x�y')
  })
})
