import { expect, test } from 'vitest'
import { placeCounts } from './capability-places.ts'
import { parseSource } from './source-tree.ts'

const files = [
  parseSource('src/capabilities/reload/capability.ts', "export const a = 'reload'"),
  parseSource('src/cli/by-import.ts', "import { reload } from '#capabilities/reload'"),
  parseSource('src/cli/by-name.ts', "export const a = ['reload']"),
  parseSource('src/doctor/by-annotation.ts', "export const a = 'reloader.stakater.com/auto'"),
  parseSource('src/cli/by-section.ts', "export const a = 'see capabilities.reload.enabled'"),
  parseSource('bin/by-program.js', "export const a = 'reloader'"),
  parseSource('src/cli/another.ts', "export const a = 'reloaded'"),
  parseSource('src/cli/a.test.ts', "export const a = 'reload'"),
]
const known = (ceiling: number) => [
  { name: 'reload', words: ['reloader'], prefixes: ['reloader.stakater.com/'], isCommonWord: false, ceiling },
]

test('a capability is known where it is imported or named, tests and its own folder aside', () => {
  const { lines, findings } = placeCounts(files, known(5))
  expect(lines).toEqual(['reload: known in 5 files outside of its folder (at most 5, goal 8)'])
  expect(findings).toEqual([])
})

test('a name that is a common word tells nothing by itself', () => {
  const common = known(5).map(one => ({ ...one, isCommonWord: true }))
  expect(placeCounts(files, common).lines).toEqual(['reload: known in 4 files outside of its folder (at most 5, goal 8)'])
})

test('one file more than recorded is found', () =>
  expect(placeCounts(files, known(4)).findings.map(({ path, message }) => `${path} ${message}`)).toEqual([
    'src/capabilities/reload/capability.ts is known in 5 files outside of its folder, more than 4: have it say so itself',
  ]))
