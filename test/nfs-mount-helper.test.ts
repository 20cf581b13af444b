// mount.nfs is told by ours what mount(8) of util-linux tells it, as recorded.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { helperArguments } from '../src/capabilities/nfs/mounts/mount-helper.ts'
import { optionLists, plainCount } from './nfs-mount-options.ts'

const recorded: {
  readonly source: string
  readonly target: string
  readonly cases: readonly { readonly options: readonly string[]; readonly told: readonly string[] | null }[]
} = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/nfs/mount-helper.json'), 'utf8'))
const { source, target } = recorded

test('each list of options was recorded', () => {
  expect(recorded.cases.map(({ options }) => options)).toEqual(optionLists)
})

test.each(recorded.cases.slice(0, plainCount))('$options: as mount(8) says it', ({ options, told }) => {
  expect(helperArguments({ source, target, options })).toEqual(told)
})

test.each(recorded.cases.slice(plainCount))('$options: left to mount(8)', ({ options }) => {
  expect(helperArguments({ source, target, options })).toBeUndefined()
})

// biome-ignore format: a table
test.each([
  ['nas:/export', true], ['10.0.0.2:/a/b c', true], ['[fd00::1]:/share', true], ['[fe80::1%eth0]:/s', true], ['nas:/', true], ['-v:/x', false], ['LABEL=x:/y', false],
  ['nas:export', false], ['nas', false], ['', false], ['na s:/x', false], ['nas,ro:/x', false],
] as const)('source %j is started directly: %s', (odd, isDirect) => {
  expect(helperArguments({ source: odd, target, options: [] })).toEqual(isDirect ? [odd, target, '-o', 'rw'] : undefined)
})

test('a target that is no absolute path is left to mount(8)', () => {
  expect(helperArguments({ source, target: '-v', options: [] })).toBeUndefined()
})
