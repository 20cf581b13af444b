// README and docs against the command line: every sample is a command with options and values that it takes, what can be run here is
// run and prints what is shown, and every link leads somewhere.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Command, CommanderError } from 'commander'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Surroundings } from '../src/cli/command-line.ts'
import { processTerminal } from '../src/cli/terminal/terminal.ts'
import { CommandRefused, type ExitCode, embeddedEnding } from '../src/process/surroundings.ts'
import { commandDefinitions, commandTree } from './command-tree.ts'
import { pages, pipeline, type Sample, samplesOf, showsOutput, textOf } from './documented-commands.ts'

const root = dirname(import.meta.dirname)
const samples = pages.flatMap(page => samplesOf(page, textOf(page)))
const definitions = await commandDefinitions()
const { scripts } = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))

/** The words of `ballast` that a sample stands for: `npm start -- --ask` is `ballast up --ask`. */
function ballastWords({ words }: Sample): readonly string[] | undefined {
  const [program, ...rest] = words
  if (program === 'ballast') return rest
  const [script, ...more] = rest[0] === 'run' ? rest.slice(1) : rest
  return script === 'start' ? ['up', ...more.slice(1)] : undefined
}

const tree = commandTree(definitions)

/** What is wrong with the words for a command; nothing where they are good. */
function faultOf(words: readonly string[], command: Command = tree): string | undefined {
  try {
    const inner = command.commands.find(known => known.name() === words[0])
    if (inner !== undefined) return faultOf(words.slice(1), inner)
    const { operands, unknown } = command.parseOptions([...words])
    if (unknown.includes('--help')) return undefined
    if (unknown.length > 0) return `${command.name()} has no ${unknown[0]}`
    if (command.parent === null || (command.commands.length > 0 && operands.length > 0))
      return `there is no command ${operands[0]}`
    const least = command.registeredArguments.filter(argument => argument.required).length
    const most = command.registeredArguments.some(argument => argument.variadic) ? Infinity : command.registeredArguments.length
    if (operands.length < least || operands.length > most) return `${command.name()} does not take ${operands.length} arguments`
    return undefined
  } catch (error) {
    if (error instanceof CommanderError) return error.message
    throw error
  }
}

describe('every sample is a command', () => {
  test.each(pages.filter(page => samples.some(sample => sample.page === page)))('%s', page => {
    const faults = samples
      .filter(sample => sample.page === page)
      .flatMap(sample => {
        const { place, line, words } = sample
        const own = ballastWords(sample)
        const [, name, script = ''] = words
        const isScript = own === undefined && (name === 'test' || (name === 'run' && Object.hasOwn(scripts, script)))
        const fault = own === undefined ? (isScript ? undefined : `no script ${script}`) : faultOf(own)
        return fault === undefined ? [] : [`${place}: ${line}: ${fault}`]
      })
    expect(faults).toEqual([])
  })

  test('the pages that tell what to do show some', () => {
    const without = [...pages]
      .filter(page => page === 'README.md' || page.startsWith('docs/'))
      .filter(page => !['docs/errors.md', 'docs/glossary.md', 'docs/limits.md'].includes(page))
      .filter(page => !samples.some(sample => sample.page === page))
    expect(without).toEqual([])
    expect(samples.length).toBeGreaterThan(120)
  })

  // What is counted here cannot go unseen by an error of the reader.
  test.each([
    ['README.md', 3],
    ['docs/features.md', 20],
    ['docs/twin.md', 4],
    ['docs/simulate.md', 6],
    ['docs/install.md', 20],
    ['docs/dashboard.md', 8],
    ['docs/node-config.md', 11],
    ['docs/doctor.md', 6],
  ])('%s has at least %i', (page, least) =>
    expect(samples.filter(sample => sample.page === page).length).toBeGreaterThanOrEqual(least),
  )

  // biome-ignore format: a table
  test.each([
    ['plan --cluster dump.yaml -o yaml',            undefined],
    ['plan verify p.yaml --cluster dump.yaml',      undefined],
    ['plan --clusters dump.yaml',                   'plan has no --clusters'],
    ['plan -o png',                                 "error: option '-o, --output <format>' argument 'png' is invalid."],
    ['plam',                                        'there is no command plam'],
    ['migrate plan',                                'plan does not take 0 arguments'],
    ['snapshot -o dump.yaml more.yaml',             'snapshot does not take 1 arguments'],
    ['plan --cluster',                              "error: option '--cluster <path>' argument missing"],
  ])('ballast %s: %s', (line, fault) => {
    if (fault === undefined) expect(faultOf(line.split(' '))).toBeUndefined()
    else expect(faultOf(line.split(' '))).toContain(fault)
  })
})

describe('a shell line', () => {
  // biome-ignore format: a table
  test.each([
    ["ballast plan -o yaml > p.yaml",                   [['ballast', 'plan', '-o', 'yaml'], ['>', 'p.yaml']]],
    ['A=b ballast why deploy/a --at 2h   # then',       [['ballast', 'why', 'deploy/a', '--at', '2h']]],
    ["kubectl logs a | ballast shadow --log -",         [['kubectl', 'logs', 'a'], ['ballast', 'shadow', '--log', '-']]],
    ["ballast a 'b c' \"d\"",                           [['ballast', 'a', 'b c', 'd']]],
  ])('%s', (line, parts) => expect(pipeline(line)).toEqual(parts))

  // biome-ignore format: a table
  test.each([
    ['a\nb\n',            'a\nb\n',         true],
    ['a\n...\nd\n',       'a\nb\nc\nd\n',   true],
    ['a\n...\n',          'a\nb\nc\n',      true],
    ['a (b) ...\n',       'a (b) c d\n',    true],
    ['a\nb\n',            'a\nc\n',         false],
    ['a\n...\nd\n',       'a\nb\nc\n',      false],
    ['a\n',               'a\nb\n',         false],
    ['a.c\n',             'abc\n',          false],
  ])('%j shows %j: %s', (shown, printed, is) => expect(showsOutput(shown, printed)).toBe(is))
})

/** Commands that answer from files of the project and write nothing: they are run as they stand. */
const runs = new Set(['plan', 'simulate', 'isolate', 'why', 'permits', 'doctor', 'manifests', 'migrate', 'node-config'])
const writing = ['--out', '--write', '--output-dir']
/** Those that look at no cluster. */
const withoutCluster = new Set(['manifests', 'migrate', 'node-config'])

function isRun(sample: Sample): boolean {
  const [command = '', ...rest] = sample.words.slice(1)
  const source = rest[rest.findIndex(word => word === '--cluster' || word === '--repo') + 1] ?? ''
  const files = rest.filter(word => existsSync(join(root, word)))
  return (
    sample.words[0] === 'ballast' &&
    runs.has(command) &&
    (command !== 'migrate' || rest[0] === 'values') &&
    (withoutCluster.has(command) || source.startsWith('examples/')) &&
    !sample.isPiped &&
    !rest.some(word => writing.includes(word) || word === '-' || (word.endsWith('.yaml') && !files.includes(word)))
  )
}

interface Ended {
  readonly code: number
  readonly output: string
  readonly said: string
}

/** Several pages show one command: it is run once. */
const ended = new Map<string, Promise<Ended>>()
function runOnce(words: readonly string[]): Promise<Ended> {
  const key = JSON.stringify(words)
  const known = ended.get(key) ?? run(words)
  ended.set(key, known)
  return known
}

/** Runs a command in this process. */
async function run(words: readonly string[]): Promise<Ended> {
  const output: string[] = []
  const said: string[] = []
  let code: ExitCode = 0
  const surroundings: Surroundings = {
    terminal: { ...processTerminal({}), write: text => void output.push(`${text}\n`), say: text => void said.push(`${text}\n`) },
    environment: {},
    signal: new AbortController().signal,
    ending: embeddedEnding,
    end: value => {
      code = value
    },
  }
  try {
    await commandTree(definitions, surroundings).parseAsync(['node', 'ballast', ...words])
  } catch (error) {
    if (!(error instanceof CommandRefused)) throw error
    said.push(error.message)
    code = error.code
  }
  return { code, output: output.join(''), said: said.join('') }
}

describe('what can be run here prints what is shown', () => {
  const own = samples.filter(isRun)

  test('there are enough', () => expect(own.length).toBeGreaterThan(18))

  test.each(own.map(sample => [sample.words.join(' '), sample] as const))('%s', async (_name, { words, output }) => {
    const { code, said, output: printed } = await runOnce(words.slice(1))
    // 3: the answer is "not so", which is an answer.
    expect(code === 3 ? 0 : code, said).toBe(0)
    if (output === undefined) expect(printed).not.toBe('')
    else if (!showsOutput(output, printed)) expect(printed).toBe(output)
  })

  test('what a page shows below a command is held', () => {
    const shown = samples.filter(sample => sample.output !== undefined)
    expect(shown.length).toBeGreaterThan(12)
    expect(shown.filter(sample => !own.includes(sample)).map(({ place, line }) => `${place}: ${line}`)).toEqual([])
  })
})

test('the README can be read in five minutes', () => expect(textOf('README.md').split(/\s+/).length).toBeLessThanOrEqual(1_000))

describe('a page begins with a task, and with a sample of it', () => {
  test.each(pages.filter(page => page.startsWith('docs/')))('%s', page => {
    const [start = ''] = textOf(page).split(/^## /m)
    expect(start).toMatch(/^# .+\n\nYou /)
    // A glossary is looked up, not carried out.
    if (page !== 'docs/glossary.md') expect(start).toMatch(/^```sh$/m)
  })
})

describe('every link leads somewhere', () => {
  /** Anchors of a page as code hosts make them of its headings. */
  const anchorsOf = (text: string) =>
    [...text.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    )

  test.each(pages)('%s', page => {
    const text = textOf(page)
    const dead = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter(target => !/^https?:/.test(target))
      .filter(target => {
        const [path = '', anchor] = target.split('#')
        const file = path === '' ? page : join(dirname(page), path)
        if (!existsSync(join(root, file))) return true
        return anchor !== undefined && !anchorsOf(textOf(file)).includes(anchor)
      })
    expect(dead).toEqual([])
  })
})
