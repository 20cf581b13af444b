// What mount(8) of this machine tells mount.nfs, for the lists of options in `test/nfs-mount-options.ts`. Our driver starts mount.nfs itself where it can.
// `node test/real/nfs/helper-arguments.ts` records it in `test/fixtures/nfs/mount-helper.json`.

import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { helperArguments } from '../../../src/capabilities/nfs/mounts/mount-helper.ts'
import { optionLists, plainCount } from '../../nfs-mount-options.ts'
import { until } from '../mirror/laboratory/program.ts'
import { NfsSite } from './site.ts'

const source = 'candlekeep:/kubernetes'
const target = '/mnt'

/** Arguments of mount.nfs by list of options; undefined where mount(8) did not start it. */
async function told(lists: readonly (readonly string[])[]): Promise<readonly (readonly string[] | undefined)[]> {
  await using site = await NfsSite.start()
  // A server that refuses: nothing is mounted.
  site.addShare('candlekeep', 'other')
  const all: (readonly string[] | undefined)[] = []
  for (const options of lists) {
    site.forgetCalls()
    const flags = options.length === 0 ? [] : ['-o', options.join(',')]
    const program = site.startProgram(['mount', '-t', 'nfs', ...flags, source, target])
    await until('mount has ended', () => program.hasEnded())
    all.push(site.calls().find(call => call.program === 'mount.nfs')?.argv)
  }
  return all
}

/** @throws Error where mount.nfs is told something else by ours */
export async function helperIsToldTheSame(): Promise<string> {
  const plain = optionLists.slice(0, plainCount)
  const wanted = await told(plain)
  for (const [at, options] of plain.entries()) {
    const ours = helperArguments({ source, target, options })
    if (!isDeepStrictEqual(ours, wanted[at]))
      throw new Error(`${options.join(',')}: mount(8) says ${JSON.stringify(wanted[at])}, ours ${JSON.stringify(ours)}`)
  }
  return `${plain.length} lists of options: mount.nfs is told what ${mountVersion()} tells it`
}

const mountVersion = (): string => spawnSync('mount', ['--version'], { encoding: 'utf8' }).stdout.replace(/ \(.*/s, '').trim()

if (import.meta.main) {
  const answers = await told(optionLists)
  const folder = join(import.meta.dirname, '..', '..', 'fixtures', 'nfs')
  mkdirSync(folder, { recursive: true })
  const about = { by: mountVersion(), command: 'node test/real/nfs/helper-arguments.ts', source, target }
  const cases = optionLists.map((options, at) => ({ options, told: answers[at] ?? null }))
  writeFileSync(join(folder, 'mount-helper.json'), `${JSON.stringify({ ...about, cases }, null, 1)}\n`)
  console.log(`${cases.length} lists of options`)
}
