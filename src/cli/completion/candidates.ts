// What may stand where the cursor is: commands, options, words of an option, or files. All of it is Commander's own tree, so that it is never older than
// the program. Nothing is read and nobody is asked.
import type { Argument, Command, Option } from 'commander'

interface Candidate {
  readonly word: string
  readonly about: string
}

export interface Candidates {
  readonly words: readonly Candidate[]
  /** What the shell adds from the disk. */
  readonly disk: 'nothing' | 'files' | 'folders'
}

const nothing: Candidates = { words: [], disk: 'nothing' }

/** How values that are paths are called in usages. */
const filePlaces = /^(?:files?|paths?|archives?)$/
const folderPlaces = /^(?:dir|directory|folder)$/
const wordPlaces = /^[\w-]+(?:\|[\w-]+)+$/

/** `words` are those after the program's name; the last is the one that is being typed, `''` where none is begun. */
export function candidates(program: Command, words: readonly string[]): Candidates {
  const current = words.at(-1) ?? ''
  const { command, operands, isOnlyOperands, waiting } = walk(program, words.slice(0, -1))
  if (waiting !== undefined) return ofPlace(waiting)
  if (!isOnlyOperands && current.startsWith('-')) {
    const [name, value] = current.split('=', 2)
    if (value === undefined) return { words: optionsOf(command), disk: 'nothing' }
    const option = command.options.find(({ long, short }) => long === name || short === name)
    return option === undefined || takesNone(option) ? nothing : ofPlace(option)
  }
  const hasCommands = command.commands.length > 0
  if (hasCommands && operands === 0) return { words: commandsOf(command), disk: 'nothing' }
  const { registeredArguments } = command
  const place = registeredArguments[operands] ?? registeredArguments.findLast(({ variadic }) => variadic)
  return place === undefined ? nothing : ofPlace(place)
}

interface Walked {
  readonly command: Command
  /** How many words of the command's own came before. */
  readonly operands: number
  /** After `--`. */
  readonly isOnlyOperands: boolean
  /** The option that the word before the cursor is. */
  readonly waiting: Option | undefined
}

function walk(program: Command, words: readonly string[]): Walked {
  let command = program
  let operands = 0
  let isOnlyOperands = false
  let waiting: Option | undefined
  for (const word of words) {
    if (waiting !== undefined) {
      waiting = undefined
      continue
    }
    if (isOnlyOperands) {
      operands++
      continue
    }
    if (word === '--') {
      isOnlyOperands = true
      continue
    }
    if (word.startsWith('-') && word !== '-') {
      // `-o=json` and `--output=json` bring their value along; an option whose value may be left out waits for none.
      waiting = command.options.find(({ long, short, required }) => required && (long === word || short === word))
      continue
    }
    // `help plan` is followed by what follows `plan`.
    if (word === 'help' && operands === 0 && command.commands.length > 0) continue
    const below: Command | undefined = operands > 0 ? undefined : command.commands.find(one => isCalled(one, word))
    if (below === undefined) operands++
    else command = below
  }
  return { command, operands, isOnlyOperands, waiting }
}

const isCalled = (command: Command, word: string) => command.name() === word || command.aliases().includes(word)

const takesNone = ({ required, optional }: Option) => !required && !optional

function optionsOf(command: Command): readonly Candidate[] {
  const own = command.createHelp().visibleOptions(command)
  return own.flatMap(({ long, short, description }) => {
    const word = long ?? short
    return word === undefined ? [] : [{ word, about: description }]
  })
}

function commandsOf(command: Command): readonly Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map(one => ({ word: one.name(), about: one.summary() || one.description() }))
}

/** The words that a reader of values knows (`oneOf`), as it was made with them. */
function wordsOfReader(place: Argument | Option): readonly string[] {
  const { parseArg } = place
  const known: unknown = typeof parseArg === 'function' && 'words' in parseArg ? parseArg.words : undefined
  return Array.isArray(known) ? known.filter(word => typeof word === 'string') : []
}

function ofPlace(place: Argument | Option): Candidates {
  const name = 'flags' in place ? (/[<[]([^>\]]*)[>\]]/.exec(place.flags)?.[1] ?? '') : place.name()
  const shown = name.replace(/\.\.\.$/, '')
  const choices = place.argChoices ?? wordsOfReader(place)
  const words = choices.length === 0 && wordPlaces.test(shown) ? shown.split('|') : choices
  if (words.length > 0) return { words: words.map(word => ({ word, about: '' })), disk: 'nothing' }
  if (filePlaces.test(shown)) return { words: [], disk: 'files' }
  return { words: [], disk: folderPlaces.test(shown) ? 'folders' : 'nothing' }
}
