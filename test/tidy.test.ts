// What the house promises its users to keep true: every command shows how it is used, every limit is written down as it is.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { constantsOf } from '../scripts/check/constants.ts'
import { filesBelow, parseSource, syntaxOf } from '../scripts/check/source-tree.ts'
import { resolveImport } from '../scripts/check/structure.ts'
import { commands } from '../src/cli/commands.ts'
import { commandDefinitions, commandTree } from './command-tree.ts'

const root = dirname(import.meta.dirname)
const textOf = (path: string) => readFileSync(join(root, path), 'utf8')

describe('every command', async () => {
  const program = commandTree(await commandDefinitions())

  test.each(commandsBelow(program))('%s shows an example of itself in its help', (name, command) => {
    expect(helpOf(command)).toMatch(new RegExp(`^Example: ${name}( |$)`, 'm'))
  })

  test('is told in the list of all as it tells of itself', () => {
    const told = program.commands.map(command => {
      const options = command.options.length > 0 ? '[options] ' : ''
      return [
        command.name(),
        `${options}${command.usage().replace(/^\[options\] ?|\[command\]$/g, '')}`.trim(),
        command.description(),
      ]
    })
    const listed = [...commands].map(([name, { usage, about }]) => [name, usage, about])
    expect(listed.toSorted()).toEqual(told.toSorted())
  })

  test('is loaded when it is asked for, and not for the help of all', () => {
    const loaded = new Set<string>()
    const load = (path: string) => {
      if (loaded.has(path)) return
      loaded.add(path)
      for (const { specifier, names } of parseSource(path, textOf(path)).imports) {
        // `import('./up.ts')` takes all names of a module, and only there in the code.
        const target = names.includes('*') ? undefined : resolveImport(path, specifier)
        if (target?.startsWith('src/') === true) load(target)
      }
    }
    load('src/cli/main.ts')
    expect([...loaded].filter(path => /\bexport (const|function) define[A-Z]/.test(textOf(path)))).toEqual([])
    expect(loaded.size).toBeLessThan(40)
  })
})

/** Commands that do something themselves, with their names as they are typed. */
function commandsBelow(command: Command, path: readonly string[] = []): (readonly [name: string, command: Command])[] {
  const here = [...path, command.name()]
  const below = command.commands.flatMap(inner => commandsBelow(inner, here))
  return path.length === 0 ? below : [[here.join(' '), command], ...below]
}

/** The help as it is printed, with what was added after it. */
function helpOf(command: Command): string {
  let printed = ''
  command.configureOutput({
    writeOut: text => {
      printed += text
    },
  })
  command.outputHelp()
  return printed
}

describe('docs/limits.md', () => {
  const rows = textOf('docs/limits.md')
    .split('\n')
    .map(line => /^\| (.+) \| (.+) \| (.*)\| `([\w.]+)` in `([\w/.-]+\.ts)` \|$/.exec(line))
    .filter(match => match !== null)
    .map(([, what = '', value = '', , name = '', file = '']) => ({ what, value, name, file: `src/${file}` }))
  const told = new Set(rows.map(({ file }) => file))
  // To read a file as a syntax tree costs much, and most files neither have a row nor any word that sounds like a limit.
  const constants = new Map(
    filesBelow(root, 'src')
      .map(path => [path, textOf(path)] as const)
      .filter(([path, text]) => told.has(path) || (text.match(/\w+/g) ?? []).some(word => soundsLikeLimit.test(word)))
      .map(([path, text]) => [path, constantsOf(syntaxOf(path, text))]),
  )

  test('has a row for each line of its tables', () => {
    const lines = textOf('docs/limits.md')
      .split('\n')
      .filter(line => line.startsWith('| ') && !line.startsWith('| what |'))
    expect(rows).toHaveLength(lines.length)
  })

  test('each row can be understood by itself, since it is found by searching', () => {
    const leaning = /^(its?|the same|that|such|for how long)\b|\bbefore that$|\b(of|in|to) (it|them|these|that|such)\b/
    expect(rows.filter(({ what }) => leaning.test(what)).map(({ what }) => what)).toEqual([])
  })

  test.each(rows)('$name of $file is $value', ({ value, name, file }) => {
    expect(amountOf(value, name)).toBe(constants.get(file)?.get(name))
  })

  test('names every constant that says by its name that it is a limit', () => {
    const listed = new Set(rows.map(({ name, file }) => `${file} ${name}`))
    const missing = [...constants].flatMap(([path, numbers]) =>
      [...numbers.keys()]
        .filter(name => !/\.test\.ts$|testdata\/|-for-tests\.ts$/.test(path) && soundsLikeLimit.test(name))
        .map(name => `${path} ${name}`)
        .filter(place => !listed.has(place) && !noLimits.has(place)),
    )
    expect(missing).toEqual([])
  })
})

const soundsLikeLimit = /^(most|longest|largest|deepest)([A-Z]|$)|Limit(Bytes|Ms)?$|[tT]ries$|TimeoutMs$|capMs$/i

/** What sounds like a limit and bounds nothing of ours. */
const noLimits = new Set([
  'src/dashboard/web/drawn/capability-page.ts longestWhole', // longer words are broken
  // The schema of the section refuses what is beyond the first two; the third is its default.
  ...['shortestTimeoutMs', 'longestTimeoutMs', 'standardTimeoutMs'].map(
    name => `src/capabilities/autoscale/swap/keda-told.ts ${name}`,
  ),
  'src/cluster/scheduling/image-locality.ts mostBytesPerContainer', // a term of kube-scheduler's score
  'src/kube/backward-writer.ts longestByHand', // longer texts are written by the host
  'src/kube/clock.ts longestTimerMs', // longer waits are chained
  'src/kube/informers/projection.ts longestWord', // longer words are kept, each by itself
  'src/planning/model/lp-text.ts longestLine', // longer lines go on in the next
])

const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  days: 86_400_000,
  KiB: 1024,
  MiB: 1024 * 1024,
}

/** The number that a constant of this name has when the table says `value`: milliseconds unless the name ends in `Seconds`. */
function amountOf(value: string, name: string): number {
  const [, number = '', unit = ''] = /^([\d,]+) ?(\w*)/.exec(value) ?? []
  const amount = Number(number.replaceAll(',', '')) * (units[unit] ?? 1)
  return name.endsWith('Seconds') ? amount / 1000 : amount
}
