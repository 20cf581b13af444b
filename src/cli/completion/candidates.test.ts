import { Argument, Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { embeddedEnding } from '#process/surroundings.ts'
import { oneOf, type Surroundings } from '../command-line.ts'
import { commands } from '../commands.ts'
import { processTerminal } from '../terminal/terminal.ts'
import { completionAnswer } from './answer.ts'
import { candidates } from './candidates.ts'
import { isShell, shellScript, shells } from './shell-scripts.ts'

const program = new Command('ballast').version('1')
const plan = program
  .command('plan')
  .description('plans')
  .option('--cluster <path>', 'a dump')
  .option('--out <folder>', 'where to')
  .option('-o, --output <format>', 'form', oneOf('table', 'json'))
  .option('--on-create <true|false>', 'a switch')
  .option('--seed [number]', 'may be left out')
  .option('--ask', 'asks')
plan.command('verify').alias('check').argument('<file>').argument('[names...]')
program.command('show').addArgument(new Argument('<shell>').choices(['bash', 'zsh']))

const wordsOf = (...typed: readonly string[]) => candidates(program, typed).words.map(({ word }) => word)

// biome-ignore format: a table
test.each<readonly [what: string, typed: readonly string[], words: readonly string[], disk: string]>([
  ['commands first',                     [''],                               ['plan', 'show', 'help'],      'nothing'],
  ['flags of the program',               ['-'],                              ['--version', '--help'],       'nothing'],
  ['a command below another',            ['plan', ''],                       ['verify', 'help'],            'nothing'],
  ['a file as an operand',               ['plan', 'verify', ''],             [],                            'files'],
  ['the same by another name',           ['plan', 'check', ''],              [],                            'files'],
  ['what may follow often',              ['plan', 'verify', 'a', 'b', ''],   [],                            'nothing'],
  ['words of an operand',                ['show', ''],                       ['bash', 'zsh'],               'nothing'],
  ['no more than it takes',              ['show', 'bash', ''],               [],                            'nothing'],
  ['words of an option',                 ['plan', '-o', ''],                 ['table', 'json'],             'nothing'],
  ['words that stand with their option', ['plan', '--output=j'],             ['table', 'json'],             'nothing'],
  ['words in a usage',                   ['plan', '--on-create', ''],        ['true', 'false'],             'nothing'],
  ['a path of an option',                ['plan', '--cluster', ''],          [],                            'files'],
  ['a folder of an option',              ['plan', '--out=x'],                [],                            'folders'],
  ['what an option left out',            ['plan', '--seed', ''],             ['verify', 'help'],            'nothing'],
  ['what follows a value',               ['plan', '--cluster', 'x', ''],     ['verify', 'help'],            'nothing'],
  ['a value that is a command’s name',   ['plan', '--cluster', 'verify', ''], ['verify', 'help'],           'nothing'],
  ['no value of a flag without one',     ['plan', '--ask='],                 [],                            'nothing'],
  ['an option that is not there',        ['plan', '--nobodys=x'],            [],                            'nothing'],
  ['a command that is not there',        ['nobody', ''],                     [],                            'nothing'],
  ['no options behind two dashes',       ['plan', 'verify', '--', '-'],      [],                            'files'],
  ['commands behind help',               ['help', ''],                       ['plan', 'show', 'help'],      'nothing'],
  ['nothing typed at all',               [],                                 ['plan', 'show', 'help'],      'nothing'],
])('completes %s: %j', (_what, typed, words, disk) => {
  expect({ words: wordsOf(...typed), disk: candidates(program, typed).disk }).toEqual({ words, disk })
})

test('tells what an option is for', () => {
  expect(candidates(program, ['plan', '--c']).words).toContainEqual({ word: '--cluster', about: 'a dump' })
})

describe('the answer of the program', () => {
  const surroundings: Surroundings = {
    terminal: processTerminal({}),
    environment: {},
    signal: new AbortController().signal,
    ending: embeddedEnding,
    end: () => undefined,
  }
  const answer = async (...typed: readonly string[]) => await completionAnswer(typed, surroundings)

  test('has every command, and no other', async () => {
    const lines = await answer('')
    expect(lines.at(-1)).toBe(':4')
    expect(lines.slice(0, -1).map(line => line.split('\t')[0])).toEqual([...commands.keys(), 'help'])
    expect(lines).toContain(`plan\t${commands.get('plan')?.about}`)
  })

  test.each<readonly [typed: readonly string[], lines: readonly string[]]>([
    [
      ['completion', ''],
      [...shells, ':4'],
    ],
    [
      ['completion', 'f'],
      ['fish', ':4'],
    ],
    [
      ['version', '--output=j'],
      ['json', ':4'],
    ],
    [['version', '--kubeconfig', ''], [':0']],
    [['chart', '--out', ''], [':16']],
    [
      ['chart', '--p'],
      ['--package\twrite DIRECTORY/ballast-VERSION.tgz as well; SOURCE_DATE_EPOCH sets the time of its files', ':4'],
    ],
    [
      ['help', 'migrate', 'ap'],
      ['apply\tcarries out the next step, or --all; it stops at the first proof that fails', ':4'],
    ],
  ])('to %j is of that command alone', async (typed, lines) => {
    expect(await answer(...typed)).toEqual(lines)
  })
})

test.each(shells)('the script for %s asks the program', shell => {
  expect(isShell(shell) && shellScript(shell)).toContain('__complete')
})
