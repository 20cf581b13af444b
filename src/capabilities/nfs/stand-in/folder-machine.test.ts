import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { folderMachine, folderOf } from './folder-machine.ts'

test.each([
  ['candlekeep', '/kubernetes', '/root/candlekeep/kubernetes'],
  ['fd00::1', '', '/root/fd00::1'],
  ['..', '/etc', undefined],
  ['a/b', '/x', undefined],
  ['-o', '/x', undefined],
  ['', '/x', undefined],
  ['nas', '/a/../../x', undefined],
  ['nas', 'a\nb', undefined],
])('%s:%s is the folder %s', (server, path, folder) => expect(folderOf('/root', server, path)).toBe(folder))

test('a share is mounted as a folder that is made, shows what is in it, and is taken away again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bfm-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const root = join(folder, 'servers')
  const { run, table } = folderMachine({ root, below: join(folder, 'below'), clock: systemClock })
  const target = join(folder, 'target')
  mkdirSync(target)
  writeFileSync(join(target, 'hidden'), '')
  const limit = { limitMs: 10_000 }
  expect(await run('mount', ['-t', 'nfs', '-o', 'nfsvers=4.1', '[fd00::1]:/kubernetes', target], limit)).toMatchObject({
    code: 0,
  })
  expect(table.at(target)).toMatchObject({ fsType: 'nfs4', source: '[fd00::1]:/kubernetes', options: ['nfsvers=4.1'] })
  writeFileSync(join(target, 'file'), '')
  expect(existsSync(join(root, 'fd00::1', 'kubernetes', 'file'))).toBe(true)
  expect(existsSync(join(target, 'hidden'))).toBe(false)
  expect(await run('umount', [target], limit)).toMatchObject({ code: 0 })
  expect([existsSync(join(target, 'hidden')), existsSync(join(target, 'file'))]).toEqual([true, false])
  expect(await run('umount', [target], limit)).toMatchObject({ code: 32, output: `umount: ${target}: not mounted.` })
  const refused = await run('mount', ['-t', 'nfs', 'nas:/../x', target], limit)
  expect(refused).toMatchObject({ code: 32, output: 'mount.nfs: nas:/../x is no share that a folder can stand for' })
})
