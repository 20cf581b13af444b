// Commands that write files for people: what these made of an earlier one is never gone.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import type { Surroundings } from '../src/cli/command-line.ts'
import { processTerminal } from '../src/cli/terminal/terminal.ts'
import { embeddedEnding } from '../src/process/surroundings.ts'
import { commandDefinitions, commandTree } from './command-tree.ts'

const definitions = await commandDefinitions()

/** What the command says on standard error. @throws where it is refused */
async function ran(...args: readonly string[]): Promise<readonly string[]> {
  const said: string[] = []
  const terminal = { ...processTerminal({}), say: (line: string) => said.push(line), write: () => undefined }
  const surroundings = {
    terminal,
    environment: {},
    signal: new AbortController().signal,
    ending: embeddedEnding,
    end: () => undefined,
  } as Surroundings
  await commandTree(definitions, surroundings).parseAsync([...args], { from: 'user' })
  return said
}

test('manifests in a folder: one that was changed is not written over, unless it is said', async () => {
  const folder = await temporaryDirectory()
  const command = ['manifests', '--enable', 'reload', '--format', `dir=${folder}`] as const
  await ran(...command)
  const [first = ''] = readdirSync(folder)
  await ran(...command)
  writeFileSync(join(folder, first), 'mine\n')
  await expect(ran(...command)).rejects.toThrow(
    `${first}: there already, and different; nothing was written (--force replaces them)`,
  )
  expect(readFileSync(join(folder, first), 'utf8')).toBe('mine\n')
  await ran(...command, '--force')
  expect(readFileSync(join(folder, first), 'utf8')).not.toBe('mine\n')
  await expect(ran('manifests', '--force')).rejects.toThrow('--force is for --format dir=')
})

test('converted values: a file that was gone on from is not written over, unless it is said', async () => {
  const folder = await temporaryDirectory()
  const [upstream, out] = [join(folder, 'reloader.yaml'), join(folder, 'values.yaml')]
  writeFileSync(upstream, 'reloader:\n  watchGlobally: true\n')
  const command = ['migrate', 'values', '--from', 'reloader', upstream, '-o', out] as const
  await ran(...command)
  await ran(...command)
  writeFileSync(out, 'mine: true\n')
  await expect(ran(...command)).rejects.toThrow(`${out}: there already, and different; nothing was written (--force replaces it)`)
  expect(readFileSync(out, 'utf8')).toBe('mine: true\n')
  await ran(...command, '--force')
  expect(readFileSync(out, 'utf8')).not.toBe('mine: true\n')
})

test('a chart that was changed gets another name before a new one is written', async () => {
  const folder = await temporaryDirectory()
  await ran('chart', '--out', folder)
  expect(await ran('chart', '--out', folder)).toHaveLength(1)
  expect(existsSync(join(folder, 'ballast.before-1'))).toBe(false)
  writeFileSync(join(folder, 'ballast/templates/mine.yaml'), 'mine: true\n')
  const [told = ''] = await ran('chart', '--out', folder)
  expect(told).toContain(`and is in ${join(folder, 'ballast.before-1')} now`)
  expect(existsSync(join(folder, 'ballast/templates/mine.yaml'))).toBe(false)
  expect(readFileSync(join(folder, 'ballast.before-1/templates/mine.yaml'), 'utf8')).toBe('mine: true\n')
})
