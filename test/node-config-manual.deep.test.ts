// docs/node-config.md against what it speaks of: every output that is shown is printed, every command has the options that are shown.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { expect, test } from 'vitest'
import { defineNodeConfig } from '../src/cli/node-config.ts'
import { processTerminal } from '../src/cli/terminal/terminal.ts'
import { runBallast } from './cli/run-ballast.ts'

const manual = readFileSync(join(import.meta.dirname, '..', 'docs', 'node-config.md'), 'utf8')
const shown = [...manual.matchAll(/^```sh\nballast (node-config .*)\n```\n```\w+\n([\s\S]*?)^```$/gm)].map(
  ([, command = '', output = '']) => [command, output] as const,
)

test('what is shown is enough', () => expect(shown.length).toBeGreaterThan(5))

test.each(shown)('ballast %s', async (command, output) => {
  const ended = await runBallast(command.split(' '))
  expect(ended).toMatchObject({ code: 0, output })
})

test('every command has the options that are shown', () => {
  const program = new Command('ballast')
  defineNodeConfig(program, {
    terminal: processTerminal({}),
    environment: {},
    signal: new AbortController().signal,
    end: () => undefined,
  })
  const all = [...manual.matchAll(/^ballast node-config (.*)$/gm)].map(found => (found[1] ?? '').split('#')[0]?.trim() ?? '')
  expect(all.length).toBeGreaterThan(10)
  const platforms = program.commands[0]?.commands ?? []
  const wrong = all.filter(line => {
    const [name, ...words] = line.split(' ')
    const command = platforms.find(known => known.name() === name)
    const flags = words.filter(word => word.startsWith('-')).map(word => word.split('=')[0])
    return (
      command === undefined || flags.some(flag => !command.options.some(({ long, short }) => flag === long || flag === short))
    )
  })
  expect(wrong).toEqual([])
})
