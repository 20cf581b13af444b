// `ballast __complete WORD…`: what shells and kubectl ask while a line is typed, in the form that Cobra's programs answer in, since kubectl asks its
// plugins so: a candidate a line, with a tab before what it is for; last a colon and what the shell is to do besides.
import { Command } from 'commander'
import type { Surroundings } from '../command-line.ts'
import { commands } from '../commands.ts'
import { type Candidates, candidates } from './candidates.ts'

/** Cobra's numbers: 4 no files, 0 files, 16 folders. */
const directives: Readonly<Record<Candidates['disk'], number>> = { nothing: 4, files: 0, folders: 16 }

/** Lines for the words after the program's name, of which the last is being typed. */
export async function completionAnswer(words: readonly string[], surroundings: Surroundings): Promise<readonly string[]> {
  const { words: found, disk } = candidates(await treeFor(words, surroundings), words)
  const typed = words.at(-1) ?? ''
  const begun = typed.startsWith('-') && typed.includes('=') ? typed.slice(typed.indexOf('=') + 1) : typed
  const lines = found
    .filter(({ word }) => word.startsWith(begun))
    .map(({ word, about }) => (about === '' ? word : `${word}\t${about.replaceAll(/\s+/g, ' ')}`))
  return [...lines, `:${directives[disk]}`]
}

/** The tree as far as these words need it: one command, or the names of all. */
async function treeFor(words: readonly string[], surroundings: Surroundings): Promise<Command> {
  const program = new Command('ballast').version('')
  // A flag of the program itself may come first.
  const before = words.slice(0, -1).filter(word => !word.startsWith('-'))
  const asked = before[0] === 'help' ? before[1] : before[0]
  const listed = commands.get(asked ?? '')
  const define = await listed?.load()
  if (listed === undefined || define === undefined)
    for (const [name, { about }] of commands) program.command(name).description(about)
  else define(program, surroundings, listed.about)
  return program
}
